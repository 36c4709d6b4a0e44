"""One budget of requests for each user: what follows by itself waits, so that the user's own calls find room.

The service allows a user 100 requests in 5 s over all devices. Each request keeps its place from when it is sent until
5 s after its answer: somewhere in between the service has counted it, so no 5 s hold more than the budget.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import TracebackType
from weakref import WeakValueDictionary

__all__ = ["BackgroundReads", "Budget"]

WINDOW_SECONDS = 5.0
OWN, OTHERS = 98, 80
"""Requests in the window: of all kinds where the service was seen to refuse, and those that follow by themselves, so
that there is room for calls at any moment."""

_by_itself: ContextVar[bool] = ContextVar("by_itself", default=False)
_budgets: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str, str], Budget] = WeakValueDictionary()


class Budget:
    """The requests of one user at one service, counted."""

    @classmethod
    def of(cls, service: str, user_id: str) -> Budget:
        """The one of this user, whichever connection spends it. On the loop that sends."""
        key = asyncio.get_running_loop(), service, user_id
        found = _budgets.get(key)
        if found is None:
            found = _budgets[key] = cls()
        return found

    def __init__(self) -> None:
        self._sent = 0
        self._answered: deque[float] = deque()
        self._own: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self._limited = False
        self._pause_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A request's place, from when there is one until its answer is there."""
        await self._turn(self._others if _by_itself.get() else self._own)
        try:
            yield
        finally:
            self._sent -= 1
            self._answered.append(_now())
            self._serve()

    def refused(self, retry_after: float | None) -> None:
        """The service has refused for the rate: somebody else spends of the same budget, on another device."""
        self._limited = True
        self._pause_until = _now() + min(WINDOW_SECONDS, retry_after if retry_after is not None else WINDOW_SECONDS)

    async def _turn(self, line: deque[asyncio.Future[None]]) -> None:
        waiting = asyncio.get_running_loop().create_future()
        line.append(waiting)
        self._serve()
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._sent -= 1
                self._serve()
            raise

    def _serve(self) -> None:
        now = _now()
        while self._answered and now - self._answered[0] >= WINDOW_SECONDS:
            self._answered.popleft()
        self._let(self._own, OWN if self._limited else None)
        if not self._own and now >= self._pause_until:
            self._let(self._others, OTHERS)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._own or self._others:
            moments = [self._pause_until] if self._pause_until > now else []
            if self._answered:
                moments.append(self._answered[0] + WINDOW_SECONDS)
            if moments:
                self._timer = asyncio.get_running_loop().call_at(min(moments) + 0.001, self._serve)

    def _let(self, line: deque[asyncio.Future[None]], most: int | None) -> None:
        while line and (most is None or self._sent + len(self._answered) < most):
            waiting = line.popleft()
            if not waiting.done():
                self._sent += 1
                waiting.set_result(None)


class BackgroundReads:
    """Held by each read that nobody waits for: some at a time, and after the user's own calls.

    Args:
        at_once: how many.
    """

    def __init__(self, at_once: int) -> None:
        self._places = asyncio.Semaphore(at_once)

    async def __aenter__(self) -> None:
        await self._places.acquire()
        _by_itself.set(True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _by_itself.set(False)
        self._places.release()


def _now() -> float:
    return asyncio.get_running_loop().time()
