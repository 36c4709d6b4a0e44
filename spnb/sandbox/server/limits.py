"""Limits before work: how much may be sent, how long it may take, and how many may be half-way in."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spnb.sandbox.rest.refused import Refused, envelope

__all__ = ["BoundedBodies", "impatient"]

MOST_BYTES = 1 << 20
UPLOADS = frozenset({"/api/v4/images", "/api/v4/files"})
FORM_BYTES = 64 * 1024
"""What a form adds to the file in it."""
HEADER_SECONDS = 10.0
"""From the opening of a connection, or the beginning of a request, to the end of its headers."""
BODY_SECONDS = 20.0
"""For a body, or between two pieces of it; what it is given beyond, each kilobyte pays for with a second."""
LEAST_RATE = 1024
"""Bytes a second: one that comes more slowly, drop by drop, keeps a connection for nothing."""
LINGER_SECONDS = 5.0
"""For what is still being sent after it was refused."""
MOST_HALF_OPEN = 256
MOST_PIPELINED = 16
"""Requests of one connection that wait for earlier answers; hardly any client sends more than one at a time."""
MOST_HEADER_BYTES = 64 * 1024


class BoundedBodies:
    """ASGI middleware: ends requests whose body is too large or does not come, before anything is kept of it.

    Args:
        app: what answers.
        upload_bytes: the largest file that is taken.
    """

    def __init__(self, app: ASGIApp, *, upload_bytes: int) -> None:
        self._app = app
        self._upload = upload_bytes + FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._upload if scope["path"] in UPLOADS else MOST_BYTES
        too_large = Refused(413, 500000, f"The body is over {most} bytes", headers={"Connection": "close"})
        send = _lingering(scope, receive, send)
        said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not said.isdigit() or len(said) > 12 or int(said) > most:
            await envelope(too_large)(scope, receive, send)
            return
        came, whole, waited = 0, False, 0.0

        async def bounded() -> Message:
            nonlocal came, whole, waited
            patience = max(0.0, min(BODY_SECONDS, BODY_SECONDS + came / LEAST_RATE - waited))
            began = time.monotonic()
            try:
                async with asyncio.timeout(None if whole else patience):
                    message = await receive()
                waited += time.monotonic() - began
            except TimeoutError:
                slow = "The body did not come in time"
                raise Refused(408, 400000, slow, headers={"Connection": "close"}) from None
            came += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if came > most:
                raise too_large
            return message

        await self._app(scope, bounded, send)


def _lingering(scope: Scope, receive: Receive, send: Send) -> Send:
    """A `send` that, where an answer ends the connection, takes what is still being sent and throws it away.

    A socket that is closed on unread bytes is reset, and the reset overtakes the answer: the sender would see a broken
    line instead of what it is refused for.
    """
    closes = False
    waits = any(name == b"expect" for name, _ in scope["headers"])  # it sends nothing before it is told to

    async def answer(message: Message) -> None:
        nonlocal closes
        if message["type"] == "http.response.start":
            closes = any(name.lower() == b"connection" and value == b"close" for name, value in message["headers"])
        elif closes and not waits and not message.get("more_body", False):
            await send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    while (left := await receive())["type"] == "http.request" and left.get("more_body", False):
                        pass
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return answer


def impatient(protocol: type[Any]) -> type[Any]:
    """A uvicorn HTTP protocol that closes connections whose request does not come.

    Who has waited longest goes first where there are too many: a good client's request is there at once.
    """
    waiting: OrderedDict[Any, asyncio.TimerHandle] = OrderedDict()

    class Impatient(protocol):  # type: ignore[misc]
        _unread = 0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            cycle = getattr(self, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                self._done_waiting()
            elif self.transport.get_protocol() is self:
                self._wait()
                self._unread += len(data)
                if self._unread > MOST_HEADER_BYTES:
                    self._end()
            else:
                self._done_waiting()  # it is a WebSocket's now

        def on_headers_complete(self) -> None:
            # Requests that wait for the answers to earlier ones are read on and kept, without a bound.
            if len(self.pipeline) >= MOST_PIPELINED:
                self._end()
            else:
                super().on_headers_complete()

        def handle_websocket_upgrade(self) -> None:
            # The library behind it fails on others, with a 500.
            if all(value.isascii() for _, value in self.scope["headers"]):
                super().handle_websocket_upgrade()
            else:
                self.send_400_response("The headers of a WebSocket's request are ASCII")

        def connection_lost(self, exc: Exception | None) -> None:
            self._done_waiting()
            super().connection_lost(exc)

        def _wait(self) -> None:
            if self in waiting or self.transport.is_closing():
                return
            if len(waiting) >= MOST_HALF_OPEN:
                oldest = next(iter(waiting))
                oldest._end()
            waiting[self] = asyncio.get_running_loop().call_later(HEADER_SECONDS, self._end)

        def _end(self) -> None:
            self._done_waiting()
            self.transport.close()

        def _done_waiting(self) -> None:
            self._unread = 0
            timer = waiting.pop(self, None)
            if timer is not None:
                timer.cancel()

    return Impatient
