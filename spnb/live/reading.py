"""When a live object reads the service: at once, after news, and without news never too seldom nor too often.

An event may be lost, and the loss of the newest shows in no other way: so there is a rare safety read while events come
in. While none do, reads come with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from spnb._lasting import Pauses, kept_up
from spnb.errors import ServiceError, Unreachable, words_of

__all__ = ["Reader"]

log = logging.getLogger(__name__)


class Reader:
    """Keeps reading, in a task of its own, from `start()` to `close()`. Belongs to the background loop.

    Args:
        read: reads once; tells whether anything was new. A failure is told, and it is read again.
        followed: whether events come in.
        over: whether nothing more is to come: then only news leads to a read.
        first: see `Pauses`.
        gate: held while reading, where many share one: a thousand objects do not read at once.
        told: called where `read_error` has changed.
        name: of the task.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[bool]],
        followed: Callable[[], bool],
        *,
        over: Callable[[], bool] = lambda: False,
        first: float = 1.0,
        gate: AbstractAsyncContextManager[Any] | None = None,
        told: Callable[[], None] = lambda: None,
        name: str,
    ) -> None:
        self._read = read
        self._followed = followed
        self._over = over
        self._pauses = Pauses(first)
        self._gate = gate if gate is not None else contextlib.nullcontext()
        self._told = told
        self._name = name
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.pause: float | None = 0.0
        """Seconds from the last read to the next without news; None where there will be none, 0 before the first."""
        self.read_error: str | None = None
        """Why it could not be read last; None where it could."""

    def start(self, *, within: float = 0.0) -> None:
        """Read now, and go on.

        Args:
            within: seconds that the first read may wait for news, which are expected: one read then tells it all.
        """
        if self._task is None:
            self._begin(within)

    def _begin(self, within: float) -> None:
        self._task = asyncio.create_task(kept_up(lambda: self._run(within), self._name), name=self._name)

    def soon(self) -> None:
        """There is news: read soon. News that comes while a read is under way leads to one more."""
        self._wake.set()
        if self._task is not None and self._task.done():
            self._begin(0.0)

    def close(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, within: float) -> None:
        if within:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._wake.wait()
        while True:
            async with self._gate:
                self._wake.clear()  # what was told while this waited for its turn is part of what is read now
                if await self._read_once():
                    self._pauses.anew()
            if self._over() and not self._wake.is_set():
                # A task that nothing but news could wake would be held by nobody, and be destroyed while it waits.
                self.pause = None
                return
            self.pause = self._next_pause()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.pause):
                    await self._wake.wait()
                self._pauses.anew()

    def _next_pause(self) -> float:
        # What could not be read is read again soon, though events come in.
        return self._pauses.next(followed=self._followed() and self.read_error is None)

    async def _read_once(self) -> bool:
        try:
            fresh = await self._read()
        except (ServiceError, Unreachable) as error:
            # Whoever observes keeps what is known; the next event, reconnection or pause reads again.
            log.info("%s: could not be read: %s", self._name, type(error).__name__)
            self._settle(words_of(error))
        except Exception as error:
            # One reading's trouble must not be the last reading of all.
            log.exception("%s failed", self._name)
            self._settle(words_of(error))
        else:
            self._settle(None)
            return fresh
        return False

    def _settle(self, problem: str | None) -> None:
        before, self.read_error = self.read_error, problem
        if problem != before:
            self._told()
