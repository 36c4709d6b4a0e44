"""Faults of REST: refused, failed, or unanswered calls; those that are on, and those a call asks for itself."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spnb.sandbox.fault_injection.asked import ASKING, AskedFaults
from spnb.sandbox.fault_injection.rules import Faults, FaultWish
from spnb.sandbox.rest import Refused, envelope

__all__ = ["FaultyRequests"]

SILENCE_SECONDS = 60.0


class FaultyRequests:
    """ASGI middleware: lets faults strike calls of the service's API, never the sandbox's own."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._asked = AskedFaults()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wish = None
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            asking = next((value for name, value in scope["headers"] if name == ASKING), None)
            try:
                wish = None if asking is None else self._asked.striking(asking.decode("latin-1"))
            except Refused as unclear:
                await envelope(unclear)(scope, receive, send)
                return
            if wish is None:
                fault = self._faults.striking("rest", f"{scope['method']} {scope['path']}")
                wish = None if fault is None else fault.wish
        if wish is None:
            await self._app(scope, receive, send)
            return
        refused = _refusal(wish)
        if refused is not None:
            await envelope(refused)(scope, receive, send)
            return
        if wish.kind == "lost-answer":
            await self._app(scope, receive, _nowhere)
        seconds = SILENCE_SECONDS if wish.seconds is None else wish.seconds
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


def _refusal(wish: FaultWish) -> Refused | None:
    if wish.kind == "rate-limit":
        after = wish.retry_after
        headers = None if after is None else {"Retry-After": f"{after:g}"}
        return Refused(429, 400311, "Too many requests (a fault on demand)", headers=headers)
    if wish.kind == "server-error":
        return Refused(500, 500000, "The service failed (a fault on demand)")
    if wish.kind == "bad-gateway":
        return Refused(502, 500000, "Bad gateway (a fault on demand)")
    return None
