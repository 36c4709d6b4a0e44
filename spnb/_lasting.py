"""What lasts: work that is done again when it fails for a reason that nobody foresaw, after growing pauses."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from spnb.errors import ClientClosed

__all__ = ["SETTLED_READ", "Pauses", "kept_up"]

log = logging.getLogger(__name__)

SETTLED_READ = 60.0
"""Seconds between safety reads while events come in."""
LONGEST_READ = 60.0
"""Seconds between reads without events at most."""


async def kept_up(
    work: Callable[[], Awaitable[None]], what: str, *, told: Callable[[Exception], None] = lambda _error: None
) -> None:
    """Do something to its end: what fails for a reason that nobody foresaw is done again, after growing pauses. Where
    a client was closed under it, it ends.

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
        except ClientClosed:
            return  # nothing comes after that
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
