"""The blocking twins of `spnb.live.collection`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch, asynchronous
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    import pandas as pd

    from spnb.live.collection import AsyncLiveRooms
    from spnb.models import Room, RoomType, Sort
    from spnb.sync.client.client import Client


__all__ = ["LiveRooms"]


class LiveRooms(Face):
    """Rooms in certain states, kept up to date while anybody observes them; `sp.rooms.follow()` hands one out.

    The blocking twin of `AsyncLiveRooms`.

    social.plus: `RoomRepository.getRooms`.

    Args:
        client: the connection.
        statuses: which states belong to the collection; None for all.
        type: only `coHosts` or `directStreaming`.
        sort: `lastCreated` (newest first) or `firstCreated`.
        deleted: False leaves deleted rooms out, True asks for only them, None for both.
        most: how many rooms at most; whether there are more is told by `complete`.

    Raises:
        InvalidInput: a state, type or order that is none.
    """

    _twin: AsyncLiveRooms

    def __init__(
        self,
        client: Client[Any],
        statuses: str | Sequence[str] | None = ("live", "waitingReconnect"),
        *,
        type: RoomType | None = None,
        sort: Sort = "lastCreated",
        deleted: bool | None = False,
        most: int = 1000,
    ) -> None:
        from spnb.live.collection import AsyncLiveRooms

        super().__init__(
            AsyncLiveRooms(asynchronous(client), statuses, type=type, sort=sort, deleted=deleted, most=most)
        )

    @property
    def statuses(self) -> tuple[str, ...]:
        """Which states belong to the collection; none named are all."""
        return self._twin.statuses

    @property
    def complete(self) -> bool:
        """Whether these were all rooms in those states when they were read last; else the first `most` of them."""
        return self._twin.complete

    @property
    def rooms(self) -> list[Room]:
        """The records of the collection, in its order.

        Raises:
            InvalidInput: they have not been read yet.
        """
        return self._twin.rooms

    @property
    def was_read(self) -> bool:
        """Whether it has been read yet; before that it holds nothing, and knows nothing."""
        return self._twin.was_read

    @property
    def df(self) -> pd.DataFrame:
        """One row per room; times are UTC.

        Raises:
            InvalidInput: they have not been read yet.
        """
        return self._twin.df

    @property
    def read_error(self) -> str | None:
        """Why the rooms, which are observed, could not be read last: they are older than they look. None where they
        could. Observers are called when it changes.
        """
        return self._twin.read_error

    def __len__(self) -> int:
        return len(self._twin)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._twin)

    def refresh(self) -> list[Room]:
        """Read the collection now.

        Raises:
            ServiceError, Unreachable: it could not be read.
        """
        return run(self._twin.refresh())

    def observe(self, observer: Callable[[list[Room]], Any]) -> Callable[[], None]:
        """Have `observer` called with all rooms as soon as they are read, and at every change; also where they cannot
        be read, as `read_error` says.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[list[Room]]:
        """All rooms now, then at every change. Ends only when it is left."""
        return Watch(self._twin.watch())

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()

    @property
    def asynchronous(self) -> AsyncLiveRooms:
        """The async twin: the same object, to be awaited."""
        return self._twin
