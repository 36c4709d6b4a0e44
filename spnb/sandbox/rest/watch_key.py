"""Who signed watch sessions: checked as the service does, for whoever gives the sandbox their public key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from spnb.errors import SandboxError
from spnb.sandbox.clock import moment
from spnb.sandbox.rest.refused import Refused

__all__ = ["PublicWatchKey"]

LARGEST_DIFFERENCE = timedelta(minutes=5)
"""*Choice*: the service refuses what was signed at another time and does not tell from which difference on."""


class PublicWatchKey:
    """The public half of the key that watch sessions are signed with.

    Args:
        path: a file with it, in PEM.
        now: the time, as on the wire.

    Raises:
        SandboxError: it holds no public RSA key.
    """

    def __init__(self, path: Path, *, now: Callable[[], str]) -> None:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(path.read_bytes())
        except (OSError, ValueError) as error:
            raise SandboxError(f"{path} holds no public key in PEM: {type(error).__name__}") from None
        if not isinstance(key, RSAPublicKey):
            raise SandboxError(f"the key of {path} is none of RSA")
        self._key = key
        self._now = now
        self._used: dict[str, datetime] = {}

    def check(self, body: dict[str, Any], nonce: str) -> None:
        """Let through what was signed now, once, by this key.

        Raises:
            Refused: 500/500000, as the service does.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        now, told = moment(self._now()), str(body.get("timestamp"))
        try:
            away = abs(now - moment(told))
        except (TypeError, ValueError):
            away = timedelta.max
        if away > LARGEST_DIFFERENCE:
            raise _refused("the timestamp is not of now")
        try:
            signature = base64.b64decode(body.get("signature", ""), validate=True)
            self._key.verify(signature, _text(body).encode(), PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error, ValueError, TypeError):
            raise _refused("the signature is not of these sessions and this key") from None
        self._used = {used: at for used, at in self._used.items() if now - at <= 2 * LARGEST_DIFFERENCE}
        if not nonce or nonce in self._used:
            raise _refused("the nonce was used before")
        self._used[nonce] = now


def _text(body: dict[str, Any]) -> str:
    sessions = [
        "&".join(f"{name}={_as_written(value)}" for name, value in sorted(room.items())) for room in body["rooms"]
    ]
    return f"nonceStr={body.get('nonceStr')}&timestamp={body['timestamp']}&data={';'.join(sessions)}=="


def _as_written(value: object) -> str:
    """A number loses its point where it is whole, as it does in JavaScript."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _refused(why: str) -> Refused:
    return Refused(500, 500000, f"The watch sessions were not taken: {why}")
