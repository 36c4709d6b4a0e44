"""Faults of REST: refused, failed, or unanswered calls."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spnb.sandbox.fault_injection.rules import Fault, Faults
from spnb.sandbox.rest import Refused, envelope

__all__ = ["FaultyRequests"]

SILENCE_SECONDS = 60.0


class FaultyRequests:
    """ASGI middleware: lets faults strike calls of the service's API, never the sandbox's own."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = None
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            fault = self._faults.striking("rest", f"{scope['method']} {scope['path']}")
        if fault is None:
            await self._app(scope, receive, send)
            return
        refused = _refusal(fault)
        if refused is not None:
            await envelope(refused)(scope, receive, send)
            return
        if fault.wish.kind == "lost-answer":
            await self._app(scope, receive, _nowhere)
        seconds = SILENCE_SECONDS if fault.wish.seconds is None else fault.wish.seconds
        try:
            async with asyncio.timeout(seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            await envelope(Refused(504, 500000, "The call was not answered in time (a fault on demand)"))(
                scope, receive, send
            )


async def _nowhere(_message: Message) -> None:
    """Where a lost answer goes."""


def _refusal(fault: Fault) -> Refused | None:
    if fault.wish.kind == "rate-limit":
        after = fault.wish.retry_after
        headers = None if after is None else {"Retry-After": f"{after:g}"}
        return Refused(429, 400311, "Too many requests (a fault on demand)", headers=headers)
    if fault.wish.kind == "server-error":
        return Refused(500, 500000, "The service failed (a fault on demand)")
    if fault.wish.kind == "bad-gateway":
        return Refused(502, 500000, "Bad gateway (a fault on demand)")
    return None
