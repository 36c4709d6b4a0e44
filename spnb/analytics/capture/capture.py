"""`AsyncCapture`: rooms captured to a folder, from the first second to the last, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from spnb._arguments import checked_class
from spnb._lasting import kept_up
from spnb._loop import on_loop
from spnb._twins import Blocking
from spnb.analytics.capture.following import RoomCapture, ViewsOf
from spnb.analytics.capture.gaps import Gaps
from spnb.analytics.capture.health import HealthRows
from spnb.analytics.capture.playback import PlaybackRows
from spnb.analytics.capture.writer import CaptureWriter, Written
from spnb.client import AsyncClient
from spnb.errors import ConfigError, ServiceError, Unreachable
from spnb.live import AsyncLiveRoom, AsyncLiveRooms
from spnb.models import Room

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset

__all__ = ["AsyncCapture"]

log = logging.getLogger(__name__)

State = Literal["new", "capturing", "ended"]

PULSE_SECONDS = 5.0
COUNT_SECONDS = 5.0
"""Viewers of a room are counted this often; of many rooms one after the other, and so less often."""
LEAST_PAUSE = 0.25
"""Seconds between two counts: the service takes a hundred requests in five seconds of one user."""
PAST_STATUSES = ("ended", "recorded", "terminated")
LOOKED_BACK = timedelta(days=1)

Connected = AsyncClient[Any] | Callable[[], Awaitable[AsyncClient[Any]]]


@checked_class
class AsyncCapture:
    """Captures rooms to a folder. `spnb.capture()` makes one; `async with` starts and stops it.

    What `rows` counts and `observe` tells of is on disk and survives the process being killed; the same folder goes on
    where it was. `spnb.analytics.load(folder)` reads it at any time.

    Args:
        client: the connection, or what opens one; one that was opened is closed with the capture.
        rooms: ids of rooms; None for all that are on air and those that will be.
        folder: a new folder, or that of an earlier capture.
        views: reads watch sessions, where somebody has them; the service has none to read.
        text: keep what people write in the chat.
    """

    def __init__(
        self,
        client: Connected,
        rooms: Sequence[str] | None,
        folder: str | Path,
        *,
        views: ViewsOf | None = None,
        text: bool = False,
    ) -> None:
        self.folder: Path = Path(folder)
        """Where the rows are."""
        self._connect = client
        self._client: AsyncClient[Any] | None = None
        self._wanted = list(dict.fromkeys(rooms)) if rooms is not None else None
        self._views = views
        self._writer = CaptureWriter(self.folder, self._wanted or (), text=text)
        self._gaps = Gaps(self._writer, self._now)
        self._state: State = "new"
        self._rooms: dict[str, RoomCapture] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._work: list[asyncio.Task[None]] = []
        self._ends: list[Callable[[], None]] = []
        self._health = HealthRows()
        self._playback = PlaybackRows()
        self._done = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None

    def _now(self) -> datetime:
        return self._client.clock.now() if self._client is not None else datetime.now(UTC)

    # -- state

    @property
    def state(self) -> State:
        """`new`, `capturing` or `ended`."""
        return self._state

    @property
    def rows(self) -> dict[str, int]:
        """Rows by table that are safely on disk, those of earlier runs too; a row that changed counts once."""
        return dict(self._writer.rows)

    @property
    def rooms(self) -> list[Room]:
        """The rooms being captured now."""
        return [capture.room.record for capture in self._rooms.values()]

    @property
    def gaps(self) -> int:
        """How many gaps are open now: a table of a room that may lack rows at this moment."""
        return len(self._gaps)

    @property
    def write_error(self) -> str | None:
        """What keeps rows from the disk now; None where nothing does."""
        if self._writer.lost:
            return f"{self._writer.lost} rows are lost: the disk took none for too long"
        return self._writer.write_error

    def observe(self, observer: Written) -> Callable[[], None]:
        """Have `observer` called with new rows by table, as dictionaries with times in milliseconds, once they are on
        disk; on spnb's background loop.

        Returns:
            A function that ends it.
        """
        return self._writer.observe(observer)

    # -- start and stop

    @on_loop
    async def start(self) -> AsyncCapture:
        """Begin to capture; on return the first rows are on disk.

        Raises:
            ConfigError: the folder holds something else, or another capture writes there.
            NotFound: a room is none.
        """
        if self._state != "new":
            raise ConfigError("a capture runs once: make another one for the same folder, it goes on where this ended")
        self._state = "capturing"
        try:
            await self._writer.open()
            self._gaps.restore(self._writer.open_gaps)
            client = self._client = await self._connect() if callable(self._connect) else self._connect
            await client.login()
            found = [await self._record(client, room_id) for room_id in self._wanted or ()]
        except BaseException:
            self._state = "ended"
            await self._writer.close()
            await self._disconnect()
            self._done.set()
            raise
        self._pulse()
        self._ends.append(client.realtime.on_state(self._realtime_changed))
        if not callable(self._connect):
            client.at_close(self.stop)
        for record in found:
            self._follow(record)
        if self._wanted is None:
            collection = AsyncLiveRooms(client)
            self._ends.append(collection.observe(self._listed))
            since = self._writer.last_pulse
            self._do(lambda: self._missed(client, since), "rooms that were missed")
        self._do(self._beat, "signs of life")
        self._do(self._count, "viewers")
        self._do(self._measure, "health")
        await self._writer.flush()
        return self

    async def _record(self, client: AsyncClient[Any], room_id: str) -> Room:
        record: Room = await client.rooms.record(room_id)
        return record

    def _do(self, work: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
        task = asyncio.create_task(kept_up(work, f"capture: {what}"), name=f"spnb-capture {len(self._work)}")
        task.add_done_callback(self._failed)
        self._work.append(task)

    def _failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("capture: %s stopped", task.get_name(), exc_info=error)

    @on_loop
    async def stop(self) -> None:
        """Read once more what the service has, write it, and leave a saved dataset. Stopping again does nothing."""
        if self._state == "new":
            self._state = "ended"
            await self._writer.close()
        elif self._stopping is None and self._state == "capturing":
            self._stopping = asyncio.create_task(self._end(), name="spnb-capture-end")
        if self._stopping is not None:
            await asyncio.shield(self._stopping)

    async def _end(self) -> None:
        for end in self._ends:
            end()
        for task in [*self._work, *self._runs.values()]:
            task.cancel()
        await asyncio.gather(*self._work, *self._runs.values(), return_exceptions=True)
        self._drain()
        await asyncio.gather(*(capture.finish() for capture in self._rooms.values()), return_exceptions=True)
        self._pulse()
        await self._writer.close(compact=self._now())
        self._state = "ended"
        self._rooms.clear()
        await self._disconnect()
        self._done.set()

    async def _disconnect(self) -> None:
        if self._client is not None and callable(self._connect):
            closing, self._client = self._client, None
            await closing.aclose()

    @on_loop
    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until every named room is over for good, or the capture was stopped.

        Args:
            timeout: seconds; for ever without.

        Returns:
            Whether it came to that in time.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._done.wait()
        return self._done.is_set()

    @on_loop
    async def flush(self) -> None:
        """Wait until all that is known is on disk."""
        if self._state == "capturing":
            await self._writer.flush()

    @on_loop
    async def dataset(self) -> Dataset:
        """What was captured so far, as `spnb.analytics.load(folder)` gives it."""
        from spnb.analytics.capture.reading import captured

        await self.flush()
        return await asyncio.to_thread(captured, self.folder)

    # -- rooms

    def _listed(self, rooms: list[Room]) -> None:
        for record in rooms:
            self._follow(record)

    def _follow(self, record: Room) -> None:
        if record.room_id in self._runs or self._client is None:
            return
        room = self._client.hand_out(record)
        room = room if isinstance(room, AsyncLiveRoom) else AsyncLiveRoom(self._client, record)
        task = asyncio.create_task(self._captured(room, self._client), name="spnb-capture-room")
        self._runs[record.room_id] = task
        task.add_done_callback(self._failed)

    async def _captured(self, room: AsyncLiveRoom, client: AsyncClient[Any]) -> None:
        async def once() -> None:
            capture = RoomCapture(room, client, self._writer, self._gaps, views=self._views)
            self._rooms[room.room_id] = capture
            try:
                await capture.run()
            except Exception:
                capture.close()
                raise

        def missing(error: Exception) -> None:
            for table in ("messages", "reactions", "presence", "status"):
                self._gaps.open(room.room_id, table, self._now(), f"the capture failed: {type(error).__name__}")

        await kept_up(once, f"the capture of room {room.room_id}", told=missing)
        await self._writer.flush()
        self._rooms.pop(room.room_id, None)
        self._writer.forget(room.room_id)
        if self._wanted is not None and not self._rooms:
            self._done.set()

    async def _missed(self, client: AsyncClient[Any], since: datetime | None) -> None:
        """Rooms that were on air while an earlier run of this capture was gone: their chats can still be read."""
        if since is None:
            return
        try:
            async for handle in client.rooms.query(statuses=PAST_STATUSES, page_size=100):
                record: Room = getattr(handle, "record", handle)
                if record.created_at is not None and record.created_at < since - LOOKED_BACK:
                    return
                if record.ended_at is not None and record.ended_at > since:
                    self._follow(record)
        except (ServiceError, Unreachable) as error:
            log.warning("rooms that were missed could not be read: %s", type(error).__name__)

    def _realtime_changed(self, state: str) -> None:
        if state in ("away", "refused"):
            for capture in self._rooms.values():
                capture.away()

    # -- what is asked again and again

    def _pulse(self) -> None:
        self._writer.put("pulse", {"at": self._now()})

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            self._pulse()

    async def _count(self) -> None:
        while True:
            on_air = [capture for capture in self._rooms.values() if capture.on_air]
            for capture in on_air:
                await asyncio.sleep(max(LEAST_PAUSE, COUNT_SECONDS / len(on_air)))
                await capture.count()
            if not on_air:
                await asyncio.sleep(1.0)

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._drain()

    def _drain(self) -> None:
        """Take the statistics of what this process has on air, and what its players met."""
        for row in self._health.fresh(self._rooms, self._now()):
            self._writer.put("health", row)
        for row in self._playback.fresh(self._rooms):
            self._writer.put("playback", row)

    async def __aenter__(self) -> AsyncCapture:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    sync = Blocking()
    """The blocking twin."""

    def _told(self) -> str:
        what = {"new": "not started: start() it, or use it in a with", "ended": "ended"}.get(
            self._state, f"{_counted(len(self._rooms), 'room')} now"
        )
        written = ", ".join(f"{count} {name}" for name, count in sorted(self.rows.items())) or "no rows yet"
        gaps = f", {_counted(self.gaps, 'gap')} open" if self.gaps and self._state == "capturing" else ""
        return f"{what}; on disk: {written}{gaps}{f'; {self.write_error}' if self.write_error else ''}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r}, {self._told()})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{name}</td><td>{count}</td></tr>"
            for name, count in sorted(self.rows.items())
        )
        return (
            f"<p>Capture of {'all live rooms' if self._wanted is None else _counted(len(self._wanted), 'room')} "
            f"to <code>{escape(str(self.folder))}</code>: {escape(self._told().partition('; ')[0])}</p>"
            f"<table><tr><th style='text-align:left'>table</th><th>rows on disk</th></tr>{rows}</table>"
            + (f"<p>{escape(self.write_error)}</p>" if self.write_error else "")
            + (f"<p>{_counted(self.gaps, 'gap')} open</p>" if self.gaps and self._state == "capturing" else "")
        )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
