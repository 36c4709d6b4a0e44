"""`AsyncBroadcast`: the one owner of order: credentials, connection, media; out again disconnect first, then stop.

There is one broadcast per user and room in a process: going live a second time hands out the running one. Every way
out, a normal one, an exception, an interrupted cell, the end of the interpreter, ends the room; a co-host's leaves it.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from spnb._loop import aiterate, background_loop, is_background, on_loop, run
from spnb._twins import Blocking
from spnb.broadcast.credentials import BroadcastRoom, prepared
from spnb.broadcast.events import (
    BroadcastEvent,
    BroadcastStats,
    Connected,
    Disconnected,
    Ended,
    OthersOnAir,
    Reconnected,
    Reconnecting,
    SourceLost,
    SourceRestored,
)
from spnb.broadcast.publisher import (
    Connection,
    ConnectionRefused,
    Publisher,
    PublisherEvents,
    PublishesItself,
    PublishOptions,
)
from spnb.errors import BadRequest, BroadcastError, ConfigError, ServiceError, SpnbError, Unreachable
from spnb.models import BroadcasterData, Room
from spnb.observers import Observers

if TYPE_CHECKING:
    from spnb.broadcast.sources.base import Source
    from spnb.broadcast.sources.notice import Notice

__all__ = ["AsyncBroadcast", "go_live", "is_running", "running"]

log = logging.getLogger(__name__)

HISTORY_SECONDS = 3600
EXIT_SECONDS = 10.0


_running: dict[str, AsyncBroadcast] = {}
"""By `broadcast_key`: one for each user and room."""


def is_running(room_id: str) -> bool:
    """Whether this process has the room on air."""
    return bool(running(room_id))


def running(room_id: str) -> list[AsyncBroadcast]:
    """What this process has on air in a room: the host's broadcast, co-hosts' ones."""
    return [broadcast for broadcast in _running.values() if broadcast.room.room_id == room_id]


@on_loop
async def go_live(
    room: BroadcastRoom,
    source: Source | None = None,
    *,
    audio: bool = True,
    codec: Literal["h264", "vp8"] = "h264",
    max_bitrate: int | None = None,
    simulcast: bool = False,
    on_event: Callable[[BroadcastEvent], Any] | None = None,
) -> AsyncBroadcast:
    """Put a room on air from this process, or come onto its stage as a co-host.

    Args:
        room: the room; it must be idle, or live from here already. For a co-host it must be live.
        source: what to send; a test card without.
        audio: whether to send the source's sound.
        codec: `h264` is recorded as it is; `vp8` copes better with very restless pictures at low bit rates.
        max_bitrate: bits per second of the picture; derived from its size without.
        simulcast: whether to send smaller copies too, for viewers with little bandwidth.
        on_event: called with each event, on the background loop.

    Returns:
        The running broadcast; a second call for the same room returns the same one, whatever its arguments.

    Raises:
        SourceError: the source cannot give media; nothing was published.
        BroadcastError: the connection failed; the room is not left live.
    """
    running = _running.get(room.broadcast_key)
    if running is None:
        options = PublishOptions(codec=codec, max_bitrate=max_bitrate, simulcast=simulcast)
        running = AsyncBroadcast(room, source, options, audio=audio)
        if on_event is not None:
            running.observe(on_event)
        _running[room.broadcast_key] = running
    await running._started()
    return running


class AsyncBroadcast:
    """A room on air. `go_live` makes one; as a context manager it ends the room on the way out."""

    def __init__(self, room: BroadcastRoom, source: Source | None, options: PublishOptions, *, audio: bool) -> None:
        if source is None:
            from spnb.broadcast.sources import TestCard

            source = TestCard()
        self.room = room
        self._history: deque[BroadcastStats] = deque(maxlen=HISTORY_SECONDS)
        self.others: frozenset[str] = frozenset()
        """Who else publishes in the room, by user id, as the media server shows it."""
        self._source: Source = source
        self._options = options
        self._audio = audio
        self._publisher: Connection | None = None
        self._start: asyncio.Task[None] | None = None
        self._stop: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._rejoining: asyncio.Task[None] | None = None
        self._quiet: asyncio.Task[None] | None = None
        self._forget: Callable[[], None] | None = None
        self._observers = Observers[BroadcastEvent]("the broadcast")
        self._over = asyncio.Event()
        self._source_lost = False
        self._muted: dict[Literal["audio", "video"], bool] = {"audio": False, "video": False}
        self._changing = False
        self._notice: Notice | None = None

    # -- state

    @property
    def room_id(self) -> str:
        """The room that is on air."""
        return self.room.room_id

    @property
    def source(self) -> Source:
        """What is being sent."""
        return self._source

    @property
    def on_air(self) -> bool:
        """Whether it is publishing."""
        return self._publisher is not None and self._stop is None

    @property
    def stats(self) -> BroadcastStats | None:
        """The last second; None at the very beginning."""
        return self._history[-1] if self._history else None

    @property
    def history(self) -> list[BroadcastStats]:
        """One entry a second, at most an hour of them."""
        return list(self._history)

    def is_muted(self, what: Literal["audio", "video"] = "audio") -> bool:
        """Whether sound or picture is muted."""
        return self._muted[what]

    # -- going on air

    async def _started(self) -> None:
        if self._start is None:
            self._start = asyncio.create_task(self._go(), name=f"go live {self.room.room_id}")
        try:
            await asyncio.shield(self._start)
        except asyncio.CancelledError:
            # Whoever waited was interrupted: nobody holds this broadcast, so the room must not stay live.
            if not self._start.done():
                self._start.cancel()
            await asyncio.gather(self._start, return_exceptions=True)
            await self.stop()
            raise

    async def _go(self) -> None:
        try:
            opened = asyncio.to_thread(self._source.open)
            _, data = await asyncio.gather(opened, self._credentials())
            await self._join(data)
            self._source.start(self._sink())
        except BaseException as error:
            await self._abandon()
            if isinstance(error, (SpnbError, asyncio.CancelledError)):
                raise
            raise BroadcastError(
                f"could not go live: {type(error).__name__}: {error}. `spnb doctor` tells whether LiveKit is reachable"
            ) from error
        self._quiet = asyncio.create_task(self._sink().encoding(), name=f"quiet {self.room.room_id}")
        self._forget = self.room.observe(self._room_changed)
        self._watch = asyncio.create_task(self._measure(), name=f"stats {self.room.room_id}")
        self._observers.tell(Connected())

    async def _credentials(self) -> BroadcasterData:
        data = prepared(self.room) or await self.room.broadcaster_data()
        if not data.co_host_url or not data.co_host_token:
            raise ConfigError(
                "this room is for direct streaming and has no LiveKit address: create it with type='coHosts'"
            )
        return data

    async def _join(self, data: BroadcasterData) -> None:
        publisher = self._new_publisher()
        try:
            await publisher.connect(str(data.co_host_url), str(data.co_host_token))
        except ConnectionRefused:
            # The token may have died since it was fetched: once, silently, a fresh one.
            fresh = await self._credentials()
            await publisher.connect(str(fresh.co_host_url), str(fresh.co_host_token))
        self._publisher = publisher
        source = self._source
        await publisher.publish(source.width, source.height, source.fps, sound=self._audio and source.has_audio)

    def _new_publisher(self) -> Connection:
        events = PublisherEvents(
            disconnected=self._disconnected,
            reconnecting=lambda: self._observers.tell(Reconnecting()),
            reconnected=lambda: self._observers.tell(Reconnected()),
            source=self._source_news,
            restored=self._source_back,
            others=self._others_seen,
        )
        if isinstance(self._source, PublishesItself):
            return self._source.publisher(self._options, events)
        return Publisher(self._options, events)

    def _others_seen(self, others: frozenset[str]) -> None:
        if others != self.others:
            self.others = others
            self._observers.tell(OthersOnAir(others=others))

    def _sink(self) -> Connection:
        assert self._publisher is not None  # noqa: S101 - joined before
        return self._publisher

    async def _abandon(self) -> None:
        """Undo a start that failed, in the same order as any end."""
        _running.pop(self.room.broadcast_key, None)
        await asyncio.to_thread(self._source.close)
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.leave()
            if self.room.hosted:
                with contextlib.suppress(ServiceError, Unreachable):
                    await self.room.stop()
        self._over.set()

    # -- on air

    @on_loop
    async def mute(self, what: Literal["audio", "video"] = "audio") -> None:
        """Silence the sound, or hold the picture."""
        self._set_muted(what, muted=True)

    @on_loop
    async def unmute(self, what: Literal["audio", "video"] = "audio") -> None:
        """Let sound or picture through again."""
        self._set_muted(what, muted=False)

    def _set_muted(self, what: Literal["audio", "video"], *, muted: bool) -> None:
        if self._publisher is not None:
            self._publisher.mute(what, muted=muted)
            self._muted[what] = muted

    @on_loop
    async def switch_source(self, source: Source) -> None:
        """Send something else without leaving the air.

        Raises:
            SourceError: the new source cannot give media; the old one goes on.
        """
        if not self.on_air:
            raise BroadcastError("the broadcast is over: a stopped room is never restarted, create a new one")
        if source is self._source:
            return
        await asyncio.to_thread(source.open)
        before, self._source = self._source, source
        if isinstance(source, PublishesItself) or isinstance(before, PublishesItself):
            await self._change_connection(before)
        await asyncio.to_thread(before.close)
        self._source_back()
        source.start(self._sink())

    async def _change_connection(self, before: Source) -> None:
        """Publish from somewhere else. The new connection is the same participant and so puts the old one out."""
        old = self._sink()
        self._changing = True
        try:
            await self._join(await self._credentials())
        except BaseException:
            self._source = before
            raise
        finally:
            self._changing = False
        await old.leave()
        for what, muted in self._muted.items():
            if muted:
                self._sink().mute(what, muted=True)

    def observe(self, observer: Callable[[BroadcastEvent], Any]) -> Callable[[], None]:
        """Have `observer` called with each event, on the background loop; it may be a coroutine function.

        Returns:
            A function that ends it.
        """
        return self._observers.add(observer)

    def events(self) -> AsyncIterator[BroadcastEvent]:
        """Each event from now on; ends with `Ended`."""
        return aiterate(self._events())

    async def _events(self) -> AsyncIterator[BroadcastEvent]:
        queue: asyncio.Queue[BroadcastEvent] = asyncio.Queue()
        end = self.observe(queue.put_nowait)
        try:
            while not (self._over.is_set() and queue.empty()):
                event = await queue.get()
                yield event
                if isinstance(event, Ended):
                    return
        finally:
            end()

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            publisher = self._publisher
            if publisher is None:
                continue
            try:
                stats = await publisher.stats()
            except RuntimeError:
                continue  # between two connections there is nothing to measure
            if stats is not None:
                self._history.append(stats)

    def _source_news(self, reason: str | None) -> None:
        if reason is None:
            self._end_soon("the source has come to its end")
        elif not self._source_lost:
            self._source_lost = True
            log.warning("the source is lost: %s", reason)
            if self._publisher is not None:
                from spnb.broadcast.sources.notice import Notice

                # Viewers are told, rather than left with a picture that has frozen.
                self._notice = Notice("SOURCE LOST", self._source.width, self._source.height)
                self._notice.start(self._publisher)
            self._observers.tell(SourceLost(reason=reason))

    def _source_back(self) -> None:
        self._notice_off()
        if self._source_lost:
            self._source_lost = False
            self._observers.tell(SourceRestored())

    def _notice_off(self) -> None:
        notice, self._notice = self._notice, None
        if notice is not None:
            notice.close()

    def _room_changed(self, room: Room) -> None:
        if room.status in ("ended", "recorded", "terminated", "error"):
            self._end_soon(f"the room was {'stopped elsewhere' if room.status != 'terminated' else 'terminated'}")

    def _disconnected(self, reason: str) -> None:
        if self._changing:
            return
        self._observers.tell(Disconnected(reason=reason))
        if reason in ("room deleted", "room closed", "participant removed", "duplicate identity"):
            out = reason == "participant removed" and not self.room.hosted
            self._end_soon("the host took you off the stage" if out else f"the media server put us out: {reason}")
        elif self._stop is None and self._rejoining is None:
            self._rejoining = asyncio.create_task(self._rejoin(), name=f"rejoin {self.room.room_id}")

    async def _rejoin(self) -> None:
        """The SDK has given up, perhaps since its token died: join once more with fresh broadcaster data."""
        self._observers.tell(Reconnecting())
        try:
            before, self._publisher = self._publisher, None
            if before is not None:
                await before.leave()
            await self._join(await self._credentials())
            # The running source pushes into the sink it was started with: start it on the new one.
            await asyncio.to_thread(self._source.close)
            await asyncio.to_thread(self._source.open)
            self._source.start(self._sink())
        except SpnbError as error:
            log.warning("the broadcast could not be restored: %s", error)
            self._end_soon(f"the connection could not be restored: {error}")
        else:
            self._observers.tell(Reconnected())
        finally:
            self._rejoining = None

    # -- leaving the air

    def _end_soon(self, reason: str) -> None:
        if self._stop is None:
            self._stop = asyncio.create_task(self._end(reason), name=f"end {self.room.room_id}")

    @on_loop
    async def stop(self) -> None:
        """Leave the air: disconnect from LiveKit first, then stop the room, unless you are a co-host in it.

        Called again, it waits for the same end.

        Raises:
            BroadcastError: the service could not be told; it ends the room by itself after its grace time.
        """
        if self._over.is_set() and self._stop is None:
            return
        self._end_soon("stopped")
        assert self._stop is not None  # noqa: S101 - set just above
        await asyncio.shield(self._stop)

    async def _end(self, reason: str) -> None:
        if self._rejoining is not None:
            self._rejoining.cancel()
        if self._forget is not None:
            self._forget()
        for task in (self._watch, self._quiet):
            if task is not None:
                task.cancel()
        self._notice_off()
        try:
            await asyncio.to_thread(self._source.close)
        finally:
            try:
                if self._publisher is not None:
                    await self._publisher.leave()
            finally:
                await self._stop_room(reason)

    async def _stop_room(self, reason: str) -> None:
        try:
            if self.room.hosted:
                await self.room.stop()
        except BadRequest:
            # No media had arrived: the room is idle, there is nothing to stop.
            log.debug("room %s had not been live", self.room.room_id)
        except (ServiceError, Unreachable) as error:
            raise BroadcastError(
                f"left the air, but the service could not be told to stop the room ({error}): "
                "it ends the room by itself after its grace time"
            ) from error
        finally:
            if _running.get(self.room.broadcast_key) is self:
                del _running[self.room.broadcast_key]
            self._over.set()
            self._observers.tell(Ended(reason=reason))

    @on_loop
    async def wait_ended(self, timeout: float | None = None) -> bool:
        """Wait until it has left the air; False when `timeout` seconds passed first."""
        try:
            async with asyncio.timeout(timeout):
                await self._over.wait()
        except TimeoutError:
            return False
        return True

    async def __aenter__(self) -> AsyncBroadcast:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        state = "on air" if self.on_air else "over" if self._over.is_set() else "starting"
        return f"{type(self).__name__}({self.room.room_id}, {state}, {self._source!r})"


@atexit.register
def _end_all() -> None:
    """The interpreter ends: no room stays live."""
    if not _running or is_background() or background_loop().is_closed():
        return

    async def end() -> None:
        async with asyncio.timeout(EXIT_SECONDS):
            await asyncio.gather(*(broadcast.stop() for broadcast in list(_running.values())), return_exceptions=True)

    with contextlib.suppress(TimeoutError, RuntimeError):
        run(end())
