"""`AsyncBroadcast`: the one owner of order: credentials, connection, media; out again disconnect first, then stop.

There is one broadcast per user and room in a process: going live a second time hands out the running one. Every way
out, a normal one, an exception, an interrupted cell, the end of the interpreter, ends the room; a co-host's leaves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._loop import aiterate, on_loop
from spnb._twins import Blocking
from spnb.broadcast.beside import Beside
from spnb.broadcast.credentials import BroadcastRoom
from spnb.broadcast.ending import over_words, stop_room, why_put_out
from spnb.broadcast.events import (
    BroadcastEvent,
    BroadcastStats,
    Connected,
    Disconnected,
    Ended,
    MuteChanged,
    OthersOnAir,
    Reconnected,
    Reconnecting,
    SourceLost,
    SourceRestored,
)
from spnb.broadcast.line import PUT_OUT, Line, OutForGood
from spnb.broadcast.options import AudioOptions, Intent, Kind, ReconnectOptions, VideoOptions
from spnb.broadcast.outlet import Outlet
from spnb.broadcast.publisher import PublisherEvents, PublishesItself
from spnb.broadcast.recording_news import observed
from spnb.broadcast.restream import Restream
from spnb.broadcast.running import on_air_here
from spnb.broadcast.sources import source_of
from spnb.errors import BroadcastError, ServiceError, SpnbError, Unreachable
from spnb.models import Room
from spnb.observers import Observers

if TYPE_CHECKING:
    from spnb.broadcast.sources.base import Source

__all__ = ["AsyncBroadcast", "go_live"]

log = logging.getLogger(__name__)
HISTORY_SECONDS = 3600


@on_loop
async def go_live(
    room: BroadcastRoom,
    source: Source | str | Path | None = None,
    *,
    video: VideoOptions | None = None,
    audio: AudioOptions | bool = True,
    reconnect: ReconnectOptions | None = None,
    auto_subscribe: bool = False,
    on_event: Callable[[BroadcastEvent], Any] | None = None,
) -> AsyncBroadcast:
    """Put a room on air from this process, or come onto its stage as a co-host.

    Args:
        room: the room; it must be idle, or live from here already. For a co-host it must be live.
        source: what to send, also the path of a media file or the address of a live stream; a test card without.
        video: how to send the picture: size, rates, codec, simulcast, what is kept when short of bandwidth.
        audio: how to send the sound: volume, stereo, bit rate; or only whether to send it.
        reconnect: how long and how often to try after the connection was lost.
        auto_subscribe: whether the media of others on stage is taken too, and told as `TrackSubscribed`.
        on_event: called with each event, on the background loop.

    Returns:
        The running broadcast; a second call for the same room returns the same one, whatever its arguments.

    Raises:
        SourceError: the source cannot give media; nothing was published.
        BroadcastError: the connection failed; the room is not left live.
    """
    running: AsyncBroadcast | None = on_air_here.get(room.broadcast_key)
    if running is None:
        running = AsyncBroadcast(room, source_of(source), Intent.of(video, audio, reconnect, auto_subscribe))
        if on_event is not None:
            running.observe(on_event)
        on_air_here[room.broadcast_key] = running
    await running._started()
    return running


@checked_class
class AsyncBroadcast:
    """A room on air. `go_live` makes one; as a context manager it ends the room on the way out."""

    def __init__(self, room: BroadcastRoom, source: Source, intent: Intent) -> None:
        self.room = room
        self._history: deque[BroadcastStats] = deque(maxlen=HISTORY_SECONDS)
        self.others: frozenset[str] = frozenset()
        """Who else publishes in the room, by user id, as the media server shows it."""
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._source: Source = source
        self._intent = intent
        self._outlet = Outlet(
            intent,
            source=lambda reason: self._hear(lambda: self._source_news(reason)),
            restored=lambda: self._hear(self._source_back),
        )
        self._line = Line(room, self._outlet, self._told(), lambda: (self._source, self._intent))
        self._beside = Beside(self._outlet, self._line, lambda: self._intent, lambda news: self._observers.tell(news))
        self._start: asyncio.Task[None] | None = None
        self._stop: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._rejoining: asyncio.Task[None] | None = None
        self._quiet: asyncio.Task[None] | None = None
        self._forget: Callable[[], None] | None = None
        self._observers = Observers[BroadcastEvent]("the broadcast")
        self._over = asyncio.Event()
        self._joined = False
        self._source_lost = False

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
        """Whether it is publishing, or on its way back."""
        return self._forget is not None and self._stop is None

    @property
    def stats(self) -> BroadcastStats | None:
        """The last second; None at the very beginning."""
        return self._history[-1] if self._history else None

    @property
    def history(self) -> list[BroadcastStats]:
        """One entry a second, at most an hour of them."""
        return list(self._history)

    @property
    def video(self) -> VideoOptions:
        """How the picture is sent."""
        return self._intent.video

    @property
    def audio(self) -> AudioOptions:
        """How the sound is sent."""
        return self._intent.audio

    def is_muted(self, what: Kind = "audio") -> bool:
        """Whether sound or picture is muted: by the host, or by a moderator at the media server."""
        return what in self._intent.muted

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
            _, data = await asyncio.gather(opened, self._line.credentials())
            self._joined = True
            await self._line.join(data)
            self._source.start(self._outlet)
        except BaseException as error:
            await self._abandon()
            if isinstance(error, (SpnbError, asyncio.CancelledError)):
                raise
            raise BroadcastError(
                f"could not go live: {type(error).__name__}: {error}. `spnb doctor` tells whether LiveKit is reachable"
            ) from error
        self._quieten()
        self._forget = observed(self.room, self._room_changed, self._observers.tell)
        self._watch = asyncio.create_task(self._measure(), name=f"stats {self.room.room_id}")
        self._observers.tell(Connected())

    def _told(self) -> PublisherEvents:
        return PublisherEvents(
            disconnected=self._disconnected,
            reconnecting=lambda: self._observers.tell(Reconnecting()),
            reconnected=lambda: self._observers.tell(Reconnected()),
            source=self._source_news,
            restored=self._source_back,
            others=self._others_seen,
            taken=lambda media: self._observers.tell(media),
            muted=lambda what: self._set_muted(what, muted=True, by_moderator=True),
        )

    def _others_seen(self, others: frozenset[str]) -> None:
        if others != self.others:
            self.others = others
            self._observers.tell(OthersOnAir(others=others))

    def _quieten(self) -> None:
        connection = self._line.connection
        if connection is not None:
            self._quiet = asyncio.create_task(connection.encoding(), name=f"quiet {self.room.room_id}")

    async def _abandon(self) -> None:
        """Undo a start that failed, in the same order as any end."""
        on_air_here.pop(self.room.broadcast_key, None)
        await asyncio.to_thread(self._source.close)
        await self._line.leave()
        if self._joined and self.room.hosted:
            with contextlib.suppress(ServiceError, Unreachable):
                await self.room.stop()
        self._over.set()

    # -- on air

    @on_loop
    async def mute(self, what: Kind = "audio") -> None:
        """Silence all sound, or hide the picture behind a card; nothing passes until you unmute, whatever breaks.

        A second picture that a page shares beside its camera is ended by itself, not by this.
        """
        self._set_muted(what, muted=True)

    @on_loop
    async def unmute(self, what: Kind = "audio") -> None:
        """Let sound or picture through again."""
        self._set_muted(what, muted=False)

    def _set_muted(self, what: Kind, *, muted: bool, by_moderator: bool = False) -> None:
        if self.is_muted(what) != muted:
            self._want(self._intent.with_muted(what, muted=muted))
            self._observers.tell(MuteChanged(what=what, muted=muted, by_moderator=by_moderator))

    def _want(self, intent: Intent) -> None:
        self._intent = intent
        self._outlet.heed(intent)
        self._line.heed(intent)

    @on_loop
    async def configure(self, *, video: VideoOptions | None = None, audio: AudioOptions | None = None) -> None:
        """Send otherwise from now on, without leaving the air; what is not given stays as it is.

        Args:
            video: how to send the picture. Viewers see the new one take the old one's place.
            audio: how to send the sound; a change of volume alone is heard at once.

        Raises:
            BroadcastError: it could not be sent so; the old way goes on.
        """
        self._require_on_air()
        before = self._intent
        self._want(replace(before, video=video or before.video, audio=audio or before.audio))
        async with self._line.changing:
            try:
                if self._intent.video.codec != before.video.codec:
                    # LiveKit settles on a codec once for a connection: a track of another one would come in the first.
                    await self._rejoined()
                else:
                    await self._line.publish()
            except BaseException:
                self._want(replace(self._intent, video=before.video, audio=before.audio))
                raise

    @on_loop
    async def switch_source(self, source: Source | str | Path) -> None:
        """Send something else without leaving the air: in its own size, at its own rate, with its sound if it has one.

        Args:
            source: what to send, or the path of a media file, or an address.

        Raises:
            SourceError: the new source cannot give media; the old one goes on.
            BroadcastError: it could not be published; the old one goes on.
        """
        self._require_on_air()
        if (source := source_of(source)) is self._source:
            return
        await asyncio.to_thread(source.open)
        async with self._line.changing:
            before, self._source = self._source, source
            try:
                await self._put_on(source, before)
            except BaseException:
                self._source = before
                await asyncio.to_thread(source.close)
                raise
        await asyncio.to_thread(before.close)
        self._source_back()
        source.start(self._outlet)

    async def _put_on(self, source: Source, before: Source) -> None:
        # While a lost connection is on its way back there is none to change: it comes back with the new source.
        if isinstance(source, PublishesItself) or isinstance(before, PublishesItself):
            await self._rejoined()
        else:
            await self._line.publish()

    async def _rejoined(self) -> None:
        if self._line.connection is not None:
            await self._line.join()

    @on_loop
    async def also_to(self, url: str) -> Restream:
        """Send the stream to another service over RTMP(S) too; what becomes of that never touches the room.

        In a room for direct streaming it gets the packets that the room gets; beside a LiveKit room, whose SDK keeps
        its packets to itself, one encoder works for all such services. It reconnects: see `RestreamLost`.

        Args:
            url: `rtmp(s)://…` with the stream key at its end. Secret: it is shown nowhere.

        Returns:
            What is sent, once it has reached the service; its `stop()` ends it, as the end of the broadcast does.

        Raises:
            BroadcastError: the service cannot be reached, or refuses; or the page sends by itself.
        """
        self._require_on_air()
        if isinstance(self._source, PublishesItself):
            raise BroadcastError("the page sends by itself, nothing of it is here: switch to a source of the kernel's")
        return await self._beside.add(url)

    def _require_on_air(self) -> None:
        if not self.on_air:
            raise BroadcastError("the broadcast is over: a stopped room is never restarted, create a new one")

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
            stats = await self._line.stats()
            self._history.extend([stats] if stats is not None else [])

    def _source_news(self, reason: str | None) -> None:
        if reason is None:
            self._end_soon("the source has come to its end")
        elif not self._source_lost:
            self._source_lost = True
            log.warning("the source is lost: %s", reason)
            self._outlet.show_lost(self._source.width, self._source.height)
            self._observers.tell(SourceLost(reason=reason))

    def _source_back(self) -> None:
        self._outlet.lost_no_more()
        if self._source_lost:
            self._source_lost = False
            self._observers.tell(SourceRestored())

    def _room_changed(self, room: Room) -> None:
        if (words := over_words(room.status)) is not None:
            self._end_soon(words)

    def _hear(self, news: Callable[[], None]) -> None:
        """News of the source, from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: news() if self._stop is None else None)

    def _disconnected(self, reason: str) -> None:
        self._observers.tell(Disconnected(reason=reason))
        if reason in PUT_OUT:
            self._end_soon(lambda: why_put_out(self.room, reason))
        elif self._stop is None and self._rejoining is None:
            self._rejoining = asyncio.create_task(self._rejoin(), name=f"rejoin {self.room.room_id}")

    async def _rejoin(self) -> None:
        """The SDK has given up, perhaps since its token died: join anew, with fresh broadcaster data."""
        self._observers.tell(Reconnecting())
        try:
            await self._line.restore()
        except OutForGood as error:
            log.warning("%s", error)
            self._end_soon(str(error))
        else:
            self._quieten()
            self._observers.tell(Reconnected())
        finally:
            self._rejoining = None

    # -- leaving the air

    def _end_soon(self, reason: str | Callable[[], Awaitable[str]]) -> None:
        if self._stop is None:
            self._stop = asyncio.create_task(self._end(reason), name=f"end {self.room.room_id}")

    @on_loop
    async def stop(self) -> None:
        """Leave the air: disconnect from LiveKit first, then stop the room, unless you are a co-host in it.

        Called again, it waits for the same end.

        Raises:
            BroadcastError: the service could not be told; it ends the room by itself after its grace time.
        """
        if os.getpid() != self._pid or (self._over.is_set() and self._stop is None):
            return  # in a child of `os.fork`: it is its parent's
        self._end_soon("stopped")
        assert self._stop is not None  # noqa: S101 - set just above
        await asyncio.shield(self._stop)

    async def _end(self, reason: str | Callable[[], Awaitable[str]]) -> None:
        rejoining = self._rejoining
        if rejoining is not None:
            rejoining.cancel()
            await asyncio.gather(rejoining, return_exceptions=True)
        if self._forget is not None:
            self._forget()
        for task in (self._watch, self._quiet):
            if task is not None:
                task.cancel()
        self._outlet.lost_no_more()
        try:
            await asyncio.to_thread(self._source.close)
        finally:
            try:
                await self._beside.leave()
                await self._line.leave()
            finally:
                await self._stop_room(reason)

    async def _stop_room(self, reason: str | Callable[[], Awaitable[str]]) -> None:
        told = "stopped"
        try:
            # Asked before the room is stopped from here, which would look like any other end.
            told = reason if isinstance(reason, str) else await reason()
            await stop_room(self.room)
        finally:
            if on_air_here.get(self.room.broadcast_key) is self:
                del on_air_here[self.room.broadcast_key]
            self._over.set()
            self._observers.tell(Ended(reason=told))

    @on_loop
    async def wait_ended(self, timeout: float | None = None) -> bool:
        """Wait until it has left the air; False when `timeout` seconds passed first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                return await self._over.wait()
        return False

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
