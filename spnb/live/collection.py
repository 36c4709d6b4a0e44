"""`AsyncLiveRooms`: all rooms in some states, kept up to date."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._faces import asynchronous, is_a
from spnb._loop import aiterate, on_loop
from spnb._twins import Blocking
from spnb.client.records import Records
from spnb.errors import InvalidInput, ServiceError, Unreachable
from spnb.live.reading import Reader
from spnb.models import Room, RoomType, Sort, asked_statuses
from spnb.observers import Observers
from spnb.realtime import Event

if TYPE_CHECKING:
    import pandas as pd

    from spnb.client import AsyncClient

__all__ = ["AsyncLiveRooms"]

BLIND_READ = 3.0
"""Seconds between the first reads while events are away: a collection is more to read than a room."""


@checked_class
class AsyncLiveRooms:
    """Rooms in certain states, kept up to date while anybody observes them; `sp.rooms.follow()` hands one out.

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

    def __init__(
        self,
        client: AsyncClient[Any],
        statuses: str | Sequence[str] | None = ("live", "waitingReconnect"),
        *,
        type: RoomType | None = None,
        sort: Sort = "lastCreated",
        deleted: bool | None = False,
        most: int = 1000,
    ) -> None:
        client = asynchronous(client)
        if not is_a(client, "Client"):
            raise InvalidInput(f"live rooms are those of a connection, not of a {builtins.type(client).__name__}")
        if type not in (None, "coHosts", "directStreaming"):
            raise InvalidInput(f"type is 'coHosts' or 'directStreaming', not {type!r}")
        if sort not in ("lastCreated", "firstCreated"):
            raise InvalidInput(f"sort is 'lastCreated' or 'firstCreated', not {sort!r}")
        self._client: AsyncClient[Any] = client
        self.statuses: tuple[str, ...] = () if statuses is None else asked_statuses(statuses)
        """Which states belong to the collection; none named are all."""
        self._type, self._sort, self._deleted = type, sort, deleted
        self._most = most
        self._rooms: dict[str, Room] = {}
        self.complete: bool = True
        """Whether these were all rooms in those states when they were read last; else the first `most` of them."""
        self._observers = Observers[list[Room]](
            "live rooms",
            first=self._begin,
            last=self._end,
            now=lambda: self._sorted() if self._was_read else None,
        )
        self._ends: list[Callable[[], None]] = []
        self._topic = ""
        self._reader: Reader | None = None
        self._turn = self._answered = 0
        self._was_read = False

    @property
    def rooms(self) -> list[Room]:
        """The records of the collection, in its order.

        Raises:
            InvalidInput: they have not been read yet.
        """
        if not self._was_read:
            raise InvalidInput("these rooms have not been read yet: refresh() or observe() them")
        return self._sorted()

    def _sorted(self) -> list[Room]:
        return sorted(self._rooms.values(), key=_age, reverse=self._sort == "lastCreated")

    @property
    def was_read(self) -> bool:
        """Whether it has been read yet; before that it holds nothing, and knows nothing."""
        return self._was_read

    @property
    def df(self) -> pd.DataFrame:
        """One row per room; times are UTC.

        Raises:
            InvalidInput: they have not been read yet.
        """
        return Records.of(self.rooms).df

    @property
    def read_error(self) -> str | None:
        """Why the rooms, which are observed, could not be read last: they are older than they look. None where they
        could. Observers are called when it changes."""
        return self._reader.read_error if self._reader is not None else None

    def __len__(self) -> int:
        return len(self.rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self.rooms)

    @on_loop
    async def refresh(self) -> list[Room]:
        """Read the collection now.

        Raises:
            ServiceError, Unreachable: it could not be read.
        """
        await self._read()
        return self.rooms

    def observe(self, observer: Callable[[list[Room]], Any]) -> Callable[[], None]:
        """Have `observer` called with all rooms as soon as they are read, and at every change; also where they cannot
        be read, as `read_error` says.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        self._client.check_open()
        return self._observers.add(observer)

    def watch(self) -> AsyncIterator[list[Room]]:
        """All rooms now, then at every change. Ends only when it is left."""
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[list[Room]]:
        changes: asyncio.Queue[list[Room]] = asyncio.Queue()
        with contextlib.suppress(ServiceError, Unreachable):  # observing reads again
            await self._read()
        end = self.observe(changes.put_nowait)
        try:
            while True:
                rooms = await changes.get()
                while not changes.empty():
                    rooms = changes.get_nowait()
                yield rooms
        finally:
            end()

    def _begin(self) -> None:
        # No event announces that a room was created or deleted: a read finds it.
        self._reader = Reader(
            self._keep_up,
            lambda: bool(self._topic) and self._client.realtime.is_subscribed(self._topic),
            first=BLIND_READ,
            gate=self._client._reading,
            told=lambda: self._observers.tell(self._sorted()),
            name="spnb-live-rooms",
        )
        self._reader.start()

    def _end(self) -> None:
        for end in self._ends:
            end()
        self._ends = []
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    async def _keep_up(self) -> bool:
        """Follow, if that is not so yet, and read; whether anything was new."""
        before = self._sorted()
        await self._follow()
        await self._read()
        return self._sorted() != before

    async def _follow(self) -> None:
        if self._ends or self._reader is None:
            return
        await self._client.login()
        if self._reader is None:
            return  # nobody observes any more
        realtime, soon = self._client.realtime, self._reader.soon
        self._topic = f"{self._client.network_id}/room/+"
        self._ends = [
            realtime.subscribe(self._topic, self._heard, settled=lambda _granted: soon()),
            realtime.on_state(lambda _state: soon()),
        ]

    def _heard(self, event: Event) -> None:
        # An event is a hint: the read that follows tells what is so, and with that what hooks are called for.
        if self._reader is not None and event.type.startswith("room."):
            self._reader.soon()

    async def _read(self) -> None:
        self._turn += 1
        turn = self._turn
        records = await self._client.rooms.records(
            statuses=self.statuses or None,
            type=self._type,
            sort=self._sort,
            deleted=self._deleted,
            most=self._most + 1,
        )
        if turn < self._answered:
            return
        # What is read takes the place of what was heard.
        first = not self._was_read
        self._answered, self._was_read = turn, True
        complete, self.complete = self.complete, len(records) <= self._most
        fresh = {record.room_id: record for record in records[: self._most] if self._wanted(record)}
        if first or fresh != self._rooms or complete != self.complete:
            self._rooms = fresh
            self._observers.tell(self.rooms)

    def _wanted(self, record: Room) -> bool:
        return not self.statuses or record.status in self.statuses

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        more = "" if self.complete else ", more are left out"
        more += f", not read again: {self.read_error}" if self.read_error else ""
        told = f"{len(self)}{more}" if self._was_read else f"not read yet: refresh() or observe(){more}"
        return f"{type(self).__name__}({', '.join(self.statuses) or 'all'}: {told})"

    def _repr_html_(self) -> str:
        if not self._was_read:
            return escape(repr(self))
        return Records.of(self.rooms)._repr_html_()


def _age(room: Room) -> str:
    return room.created_at.isoformat() if room.created_at else ""
