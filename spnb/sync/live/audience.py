"""The blocking twins of `spnb.live.audience`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from spnb.live.audience import AsyncAudience
    from spnb.models import User, Viewer


__all__ = ["Audience"]


class Audience(Face):
    """How many watch a room, read for everybody who asks on this connection. `room.audience` hands it out.

    The blocking twin of `AsyncAudience`.

    No event carries the count, so it is polled (every 3 s while it changes, with back-off), and only while somebody
    observes it.
    """

    _twin: AsyncAudience

    @property
    def room_id(self) -> str:
        """The room."""
        return self._twin.room_id

    @property
    def read_error(self) -> str | None:
        """Why the count, which is observed, could not be read last; None where it could."""
        return self._twin.read_error

    @property
    def count(self) -> int:
        """How many watched when it was read last.

        Raises:
            InvalidInput: it has not been read yet.
        """
        return self._twin.count

    @property
    def peak(self) -> int:
        """The most that were seen here at once.

        Raises:
            InvalidInput: they have not been counted yet.
        """
        return self._twin.peak

    @property
    def was_read(self) -> bool:
        """Whether they have been counted yet."""
        return self._twin.was_read

    def read(self, *, max_age: float = 0.0) -> int:
        """How many watch now.

        Args:
            max_age: seconds; a count that was read since is good enough.

        Raises:
            ServiceError, Unreachable: it could not be read.
        """
        return run(self._twin.read(max_age=max_age))

    def viewers(self) -> list[Viewer]:
        """Who watches now; the service lists at most 200."""
        return run(self._twin.viewers())

    def people(self, *, most: int = 100) -> list[User]:
        """Who watches now, with their names, who was heard last first.

        Args:
            most: how many at most; the service tells of 200.
        """
        return run(self._twin.people(most=most))

    def observe(self, observer: Callable[[int], Any]) -> Callable[[], None]:
        """Have `observer` called with the count at every change, on spnb's background loop.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[int]:
        """The count now, then at every change. Ends only when it is left."""
        return Watch(self._twin.watch())

    @property
    def asynchronous(self) -> AsyncAudience:
        """The async twin: the same object, to be awaited."""
        return self._twin
