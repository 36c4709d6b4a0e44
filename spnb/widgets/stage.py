"""What `GoLive` and `Studio` share: a room, its broadcast, and what is told of both."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any, Literal

import traitlets

from spnb._lasting import kept_up
from spnb.broadcast import (
    AsyncBroadcast,
    Broadcast,
    BroadcastEvent,
    Connected,
    Ended,
    MuteChanged,
    Reconnected,
    Reconnecting,
    RecordingInterrupted,
    RecordingResumed,
    SourceLost,
    SourceRestored,
    prepare,
)
from spnb.broadcast.options import MOST_VOLUME, AudioOptions
from spnb.broadcast.sources import Camera, MediaFile, Screen, Source, TestCard
from spnb.errors import InvalidInput, ServiceError, SpnbError, Unreachable
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.models import Room
from spnb.widgets.base import Widget
from spnb.widgets.moderation import finding, verdict

__all__ = ["Stage", "kernel_source"]

VIEWERS_SECONDS = 5.0
NOT_RECORDED = "Something is missing in the recording"
MODERATED = "A moderator has switched your {} off."


class Stage(Widget):
    """A widget that puts a room on air. Closing it ends the broadcast."""

    title = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("idle").tag(sync=True)
    phase = traitlets.Unicode("idle").tag(sync=True)
    """`idle`, `starting`, `live`, `stopping` or `ended`."""
    countdown = traitlets.Int(3, min=0, max=10).tag(sync=True)
    live_since = traitlets.Float(0.0).tag(sync=True)
    """Unix seconds; 0 while not on air."""
    viewers = traitlets.Int(None, allow_none=True).tag(sync=True)
    """None while they are not counted yet."""
    stats = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    """The last second of the broadcast."""
    connection = traitlets.Unicode("").tag(sync=True)
    """`connected`, `reconnecting` or `reconnected`; empty while not on air."""
    muted = traitlets.Dict({"audio": False, "video": False}).tag(sync=True)
    volume = traitlets.Float(1.0, min=0.0, max=MOST_VOLUME).tag(sync=True)
    """How loud the host goes out: 1 leaves the sound as it is, 0 is silence, at most 4."""
    moderation = traitlets.Unicode("").tag(sync=True)
    """What the automatic moderation found; empty where nothing."""
    summary: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """Numbers of a broadcast that is over."""
    _broadcast: AsyncBroadcast | None = None
    _room: AsyncLiveRoom | None = None
    _ticker: asyncio.Task[None] | None = None
    _peak = 0

    @property
    def broadcast(self) -> Broadcast | None:
        """The running broadcast; None before and after."""
        return self._broadcast.sync if self._broadcast is not None and self._broadcast.on_air else None

    @property
    def room(self) -> LiveRoom | None:
        """The room on this stage."""
        return self._room.sync if self._room is not None else None

    def _use(self, room: AsyncLiveRoom) -> None:
        """Put another room on the stage."""
        self._room = room
        self._take(room.record)
        self._at_end(room.observe(self._take))
        if room.record.is_over:
            self.phase = "ended"
        else:
            self.phase = "idle"
            # What going live needs is fetched before the click.
            self._spawn(self._prepare())

    async def _prepare(self) -> None:
        try:
            if self._room is not None:
                await prepare(self._room)
        except (ServiceError, Unreachable):
            return  # the click tells what is wrong

    def _take(self, record: Room) -> None:
        self.title = record.title
        self.status = record.status
        self._judge(record)

    def _judge(self, record: Room) -> None:
        """Show what the moderation found, with the reason where it has terminated the room; one that is over closes the
        stage, whoever ended it, also where the broadcast knew it before the room did.
        """
        self.moderation = finding(record)
        if record.status == "terminated":
            self.error = verdict(record)
        if record.is_over and self.phase == "idle":
            self.phase = "ended"

    def _source_for(self, content: dict[str, Any]) -> Source:
        """The source a page asks for."""
        return kernel_source(content)

    async def do_start(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Go live was pressed and the countdown ran out."""
        if self.phase != "idle" or self._room is None:
            return
        self.error = ""
        self.phase = "starting"
        try:
            self._broadcast = await self._room.go_live(
                self._source_for(content), audio=AudioOptions(volume=self.volume)
            )
        except SpnbError:
            self.phase = "idle"
            raise
        self._at_end(self._broadcast.observe(self._happened))
        with self.hold_sync():
            # What goes on air may have been there already, and muted.
            self._show_muted()
            self.connection = "connected"
            self.live_since = time.time()
            self.phase = "live"
        self._peak = 0
        self._ticker = asyncio.create_task(kept_up(self._tick, "the health of a broadcast"), name="spnb-stage")

    async def _tick(self) -> None:
        """Once a second: health; now and then: viewers."""
        next_count = 0.0
        while self._broadcast is not None and self._broadcast.on_air:
            stats = self._broadcast.stats
            if stats is not None:
                self.stats = {
                    "fps": round(stats.fps, 1),
                    "kbps": round(stats.bitrate_kbps),
                    "width": stats.width,
                    "height": stats.height,
                    "loss": round(stats.loss, 4),
                    "rtt": round(stats.rtt_ms, 1),
                    "wanted": self._broadcast.source.fps,
                    "at": round(stats.at, 1),
                }
            if time.monotonic() >= next_count and self._room is not None:
                next_count = time.monotonic() + VIEWERS_SECONDS
                # The count is a courtesy: where it cannot be read, the last one stays.
                with contextlib.suppress(ServiceError, Unreachable):
                    watching = await self._room.audience.read(max_age=VIEWERS_SECONDS - 1)
                    self.viewers, self._peak = watching, max(self._peak, watching)
            await self._broadcast.wait_ended(1.0)

    def _happened(self, event: BroadcastEvent) -> None:
        if isinstance(event, Connected):
            self.connection = "connected"
        elif isinstance(event, Reconnecting):
            self.connection = "reconnecting"
        elif isinstance(event, Reconnected):
            self.connection = "reconnected"
        elif isinstance(event, MuteChanged):
            self._show_muted()
            if event.by_moderator:
                self.error = MODERATED.format("microphone" if event.what == "audio" else "camera")
            elif self.error.startswith(MODERATED[:11]):
                self.error = ""
        elif isinstance(event, SourceLost):
            self.error = f"The source is lost: {event.reason}. Viewers see a card that says so."
        elif isinstance(event, SourceRestored):
            self.error = ""
        elif isinstance(event, RecordingInterrupted):
            self.error = f"{NOT_RECORDED}: {event.reason}. The stream goes on."
        elif isinstance(event, RecordingResumed) and self.error.startswith(NOT_RECORDED):
            self.error = ""
        elif isinstance(event, Ended):
            self._ended(event.reason)

    def _ended(self, reason: str) -> None:
        ended = self._room.record if self._room is not None else None
        if ended is not None and ended.status == "terminated":
            self.error = verdict(ended)
        else:
            self.error = "" if reason == "stopped" else f"Left the air: {reason}."
        broadcast = self._broadcast
        history = broadcast.history if broadcast is not None else []
        with self.hold_sync():
            self.summary = {
                "seconds": round(time.time() - self.live_since) if self.live_since else 0,
                "peak": self._peak,
                "kbps": round(sum(second.bitrate_kbps for second in history) / len(history)) if history else 0,
                "loss": round(sum(second.loss for second in history) / len(history), 4) if history else 0,
            }
            self.connection = ""
            self.live_since = 0.0
            self.phase = "ended"

    async def do_mute(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Microphone or camera was switched off or on."""
        what: Literal["audio", "video"] = "video" if content.get("what") == "video" else "audio"
        if self._broadcast is not None and self._broadcast.on_air:
            if content.get("muted"):
                await self._broadcast.mute(what)
            else:
                await self._broadcast.unmute(what)

    async def do_volume(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The volume was changed; on air it is heard at once."""
        volume = content.get("volume")
        if not isinstance(volume, int | float) or not 0 <= volume <= MOST_VOLUME:
            raise InvalidInput(f"volume is 0 to {MOST_VOLUME:g}")
        self.volume = float(volume)
        if self._broadcast is not None and self._broadcast.on_air:
            await self._broadcast.configure(audio=replace(self._broadcast.audio, volume=self.volume))

    def _show_muted(self) -> None:
        if self._broadcast is not None:
            self.muted = {"audio": self._broadcast.is_muted("audio"), "video": self._broadcast.is_muted("video")}

    async def do_switch(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Another source, without leaving the air."""
        if self._broadcast is not None and self._broadcast.on_air:
            self.error = ""
            await self._broadcast.switch_source(self._source_for(content))

    async def do_stop(self, _content: dict[str, Any], _buffers: list[Any]) -> None:
        """End was pressed: disconnect first, then stop."""
        if self._broadcast is not None and self.phase == "live":
            self.phase = "stopping"
            await self._broadcast.stop()

    def close(self) -> None:
        """Take the widget off the page; a broadcast it started ends."""
        if self._broadcast is not None and self._broadcast.on_air:
            self._spawn(self._broadcast.stop())
        super().close()


def kernel_source(content: dict[str, Any]) -> Source:
    """A source of the kernel's machine, by the name a page gives it."""
    kind = content.get("source")
    if kind == "camera":
        return Camera()
    if kind == "screen":
        return Screen()
    if kind == "file":
        path = str(content.get("path") or "").strip()
        if not path:
            raise InvalidInput("name the media file to send")
        return MediaFile(path, loop=True)
    return TestCard()
