"""Stream keys: what lets an encoder into one room. They are made when asked for, and nowhere kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Protocol

__all__ = ["Facts", "StreamKeys"]

MOST_LETTERS = 200


class Facts(Protocol):
    """What is kept of a data folder; the store is one."""

    def secret(self, name: str) -> str: ...

    def fact(self, name: str) -> str | None: ...

    def keep_fact(self, name: str, value: str) -> None: ...


class StreamKeys:
    """Makes and checks stream keys. A key is signed, so that nothing that could be read by others need be kept.

    Args:
        facts: keeps the secret they are signed with, and how often the keys of a room were revoked.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def make(self, room_id: str) -> str:
        """A new key for a room. Secret; it is shown this once."""
        nonce = secrets.token_urlsafe(9)
        return f"{room_id}.{nonce}.{self._signature(room_id, nonce)}"

    def room_of(self, key: str) -> str | None:
        """The room a key is for; None where it is no key, or was revoked."""
        parts = key.rsplit(".", 2)
        if len(key) > MOST_LETTERS or not key.isascii() or len(parts) != 3:
            return None
        room_id, nonce, signature = parts
        return room_id if hmac.compare_digest(signature, self._signature(room_id, nonce)) else None

    def revoke(self, room_id: str) -> None:
        """No key of a room that was made so far lets anybody in any more."""
        self._facts.keep_fact(self._name(room_id), str(self._revoked(room_id) + 1))

    def _name(self, room_id: str) -> str:
        return f"stream keys revoked {room_id}"

    def _revoked(self, room_id: str) -> int:
        return int(self._facts.fact(self._name(room_id)) or 0)

    def _signature(self, room_id: str, nonce: str) -> str:
        said = f"{room_id}.{nonce}.{self._revoked(room_id)}".encode()
        digest = hmac.digest(self._facts.secret("stream-key").encode(), said, hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:18]).decode()
