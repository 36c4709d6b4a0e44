"""What is let in: method, type, size, signature, age, in that order; nothing is read that was not asked for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from spnb.webhooks.delivery import Facts, Malformed, Source, read_body
from spnb.webhooks.signature import is_signed, is_signed_by_livekit

__all__ = ["Intake", "Refused", "answer", "whole_body"]

TYPES = frozenset({"application/json", "application/webhook+json"})


class Refused(Exception):
    """A request is not taken: HTTP status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Intake:
    """Reads and verifies one request.

    Args:
        secrets: of the social.plus webhooks; several while one is being changed.
        livekit: LiveKit's key and secret.
        max_bytes: larger bodies are refused, unread.
        max_age: seconds; older events are refused. Copies of younger ones are known, so no replay gets through.
    """

    secrets: Sequence[str] = field(repr=False)
    livekit: tuple[str, str] | None = field(repr=False)
    max_bytes: int
    max_age: float

    async def read(self, scope: Scope, receive: Receive) -> tuple[Facts, Source, bytes] | None:
        """What a request brings; None for a legacy duplicate, which is to be ignored.

        Raises:
            Refused: it is not taken.
        """
        if scope["method"] != "POST":
            raise Refused(405, "only POST is taken")
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if b"x-eko-signature" in headers and b"x-amity-signature" not in headers:
            return None
        if headers.get(b"content-type", "").partition(";")[0].strip().lower() not in TYPES:
            raise Refused(415, "the type is not application/json")
        body = await whole_body(scope, receive, self.max_bytes)
        source = self._sender(body, headers)
        try:
            facts = read_body(body, source)
        except Malformed as error:
            raise Refused(400, str(error)) from None
        if facts.happened_at is not None and time.time() - facts.happened_at > self.max_age:
            raise Refused(401, f"the event is older than {self.max_age:g} s: it may be replayed")
        return facts, source, body

    def _sender(self, body: bytes, headers: dict[bytes, str]) -> Source:
        given = headers.get(b"x-amity-signature")
        if given is not None:
            if is_signed(body, given, self.secrets):
                return "social.plus"
            raise Refused(401, "the signature is not of this body and secret")
        authorization = headers.get(b"authorization")
        if authorization is not None and self.livekit is not None:
            if is_signed_by_livekit(body, authorization, *self.livekit):
                return "livekit"
            raise Refused(401, "LiveKit's token is not of this body and key")
        raise Refused(401, "no signature was sent")


async def whole_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a request.

    Raises:
        Refused: it is larger than `most` bytes, or did not arrive whole.
    """
    too_large = Refused(413, f"the body is larger than {most} bytes")
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if length.isdigit() and int(length) > most:
        raise too_large
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the body did not arrive whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise too_large
        if not message.get("more_body", False):
            return b"".join(parts)


async def answer(send: Send, status: int, body: bytes) -> None:
    """Answer with JSON."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 405:
        headers.append((b"allow", b"POST"))
    if status == 413:
        # The rest of the body is not read: this connection can carry nothing else.
        headers.append((b"connection", b"close"))
    # Whoever sent it may have gone: then nobody is left to answer.
    with contextlib.suppress(OSError):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
