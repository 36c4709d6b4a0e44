"""When a live object reads the service: at once, after news, and without news never too seldom nor too often.

An event may be lost, and the loss of the newest shows in no other way: so there is a rare safety read while events come
in. While none do, reads come with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

__all__ = ["Pauses", "Reader", "kept_up"]

log = logging.getLogger(__name__)


log = logging.getLogger(__name__)

SETTLED_READ = 60.0
"""Seconds between safety reads while events come in."""
LONGEST_READ = 60.0
"""Seconds between reads without events at most."""


async def kept_up(
    work: Callable[[], Awaitable[None]], what: str, *, told: Callable[[Exception], None] = lambda _error: None
) -> None:
    """Do something to its end: what fails for a reason that nobody foresaw is done again, after growing pauses.

    Args:
        work: begins it.
        what: for the log.
        told: called with each failure.
    """
    pauses = Pauses(1.0)
    while True:
        try:
            await work()
            return
        except Exception as error:
            pause = pauses.next(followed=False)
            log.exception("%s failed; again in %.0f s", what, pause)
            told(error)
            await asyncio.sleep(pause)


class Pauses:
    """Seconds until the next read without news, a fifth more or less, so that many objects do not read at once.

    Args:
        first: the pause after something has changed while events are away; it doubles while nothing changes.
    """

    def __init__(self, first: float) -> None:
        self._first = self._next = first

    def anew(self) -> None:
        """Something has happened: look often again."""
        self._next = self._first

    def next(self, *, followed: bool) -> float:
        """The next pause.

        Args:
            followed: whether events come in.
        """
        if followed:
            self.anew()
            pause = SETTLED_READ
        else:
            pause, self._next = self._next, min(LONGEST_READ, self._next * 2)
        return pause * random.uniform(0.8, 1.2)


class Reader:
    """Keeps reading, in a task of its own, from `start()` to `close()`. Belongs to the background loop.

    Args:
        read: reads once; tells whether anything was new. Failures are its own to handle.
        followed: whether events come in.
        over: whether nothing more is to come: then only news leads to a read.
        first: see `Pauses`.
        gate: held while reading, where many share one: a thousand objects do not read at once.
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
        name: str,
    ) -> None:
        self._read = read
        self._followed = followed
        self._over = over
        self._pauses = Pauses(first)
        self._gate = gate if gate is not None else contextlib.nullcontext()
        self._name = name
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.pause: float | None = 0.0
        """Seconds from the last read to the next without news; None where there will be none, 0 before the first."""

    def start(self, *, within: float = 0.0) -> None:
        """Read now, and go on.

        Args:
            within: seconds that the first read may wait for news, which are expected: one read then tells it all.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._run(within), name=self._name)

    def soon(self) -> None:
        """There is news: read soon. News that comes while a read is under way leads to one more."""
        self._wake.set()

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
            self.pause = None if self._over() else self._pauses.next(followed=self._followed())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.pause):
                    await self._wake.wait()
                self._pauses.anew()

    async def _read_once(self) -> bool:
        try:
            return await self._read()
        except Exception:
            # One reading's trouble must not be the last reading of all.
            log.exception("%s failed", self._name)
            return False
