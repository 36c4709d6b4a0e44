"""The browser path: the page publishes its own camera, and the kernel only directs it.

No picture passes the kernel. `PageSource` is what `go_live` takes; its connection sends commands to the page that holds
the camera and hears from it. The token is handed to that one page when it connects, and stays in the page's memory.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from spnb.broadcast.channel import PageChannel
from spnb.broadcast.events import BroadcastStats
from spnb.broadcast.frames import PAGE_CLOSED, FramesPublisher, PageFrames
from spnb.broadcast.options import Format, Intent
from spnb.broadcast.publisher import Connection, ConnectionRefused, PublisherEvents
from spnb.broadcast.signpost import signpost
from spnb.broadcast.sources.base import Sink
from spnb.errors import BroadcastError
from spnb.ice import IceServer

__all__ = ["PageChannel", "PagePublisher", "PageSource"]

log = logging.getLogger(__name__)

CONNECT_SECONDS = 20.0
LEAVE_SECONDS = 3.0
MEANT = frozenset({"duplicate identity", "participant removed", "room deleted", "room closed"})
"""Ends that say nothing about the way: the server put us out."""


class PageCannotConnect(ConnectionRefused):
    """The page answered, and could not connect: another way may work."""


class PageSource:
    """The page's camera and microphone, published by the page itself.

    Args:
        channel: the way to the page.
        width, height, fps: what its camera gives.
        frames: what comes of the page where it cannot connect by itself; without, it has to.
        fell: called with a reason, in words, when the page could not connect and its frames are sent from here.
        by_port: called when the page sends frames by itself, through the port that its calls go by.
    """

    def __init__(
        self,
        channel: PageChannel,
        width: int = 1280,
        height: int = 720,
        fps: float = 30,
        *,
        frames: PageFrames | None = None,
        fell: Callable[[str], None] = lambda _reason: None,
        by_port: Callable[[], None] = lambda: None,
    ) -> None:
        self.by_port = by_port
        self.width, self.height, self.fps = width, height, float(fps)
        self.has_audio = True
        self.by_frames = False
        """Whether the page's frames are sent from here."""
        self._channel = channel
        self._frames = frames
        self._fell = fell
        self._connection: PagePublisher | None = None
        self._sender: FramesPublisher | None = None
        self._sink: Sink | None = None

    def open(self) -> None:
        """The page has opened it already."""

    def start(self, sink: Sink) -> None:
        """Pass on the sound that comes beside frames; else the page pushes by itself."""
        self._sink = sink

    def close(self) -> None:
        """The preview goes on."""
        self._sink = None

    def sound(self, samples: bytes) -> None:
        """Sound of the page, one channel; whoever publishes by itself sends none."""
        if self._sink is not None and self.by_frames:
            self._sink.audio(samples, 1)

    def publisher(self, intent: Intent, events: PublisherEvents) -> Connection:
        """A connection made by the page; one from here that sends its frames, where the page's has failed."""
        self._connection = None
        if self._frames is None:
            return self.by_page(intent, events)
        if self.by_frames:
            return self.by_frames_of(self._frames, intent, events)
        return PageOrFrames(self, self._frames, intent, events)

    def by_frames_of(self, frames: PageFrames, intent: Intent, events: PublisherEvents) -> FramesPublisher:
        """A connection from here that sends the page's frames."""
        size = intent.video.fit(self.width, self.height, self.fps)
        self._sender = FramesPublisher(self._channel, frames, intent, events, size)
        return self._sender

    def by_page(self, intent: Intent, events: PublisherEvents, *, impatient: bool = False) -> PagePublisher:
        """A connection made by the page."""
        size = intent.video.fit(self.width, self.height, self.fps)
        wanted = Format(*size, sound=True)
        self._connection = PagePublisher(
            self._channel, wanted, intent, events, impatient=impatient, by_port=self.by_port
        )
        return self._connection

    def fall(self, reason: str) -> None:
        """The page cannot connect, or not any more: from now on its frames are sent from here."""
        self.by_frames, self._connection = True, None
        self._fell(reason)

    def heard(self, content: dict[str, Any]) -> None:
        """Something the page tells of its connection."""
        if self._connection is not None:
            self._connection.heard(content)

    def page_closed(self) -> None:
        """The page that sends is gone; another one may come."""
        if self.by_frames and self._sender is not None:
            self._sender.page_closed()
        else:
            self.heard({"event": "disconnected", "reason": PAGE_CLOSED})

    def __repr__(self) -> str:
        return f"PageSource({self.width}×{self.height})"


class PagePublisher:
    """A connection that a page makes on our behalf.

    Args:
        channel: the way to the page.
        wanted: what to send.
        intent: what the host wants; the page is given it with each command, and gates its tracks by it.
        events: what is told.
        impatient: whether the page is to give up soon, since there is another way.
        by_port: called when it has connected by frames of its own.
    """

    _numbers = itertools.count(1)

    def __init__(
        self,
        channel: PageChannel,
        wanted: Format,
        intent: Intent,
        events: PublisherEvents,
        *,
        impatient: bool = False,
        by_port: Callable[[], None] = lambda: None,
    ) -> None:
        self._channel = channel
        self._impatient = impatient
        self._by_port = by_port
        self.has_next = False
        """Whether the page, whose connection has ended, knows another one of its own."""
        self._wanted = wanted
        self._intent = intent
        self._number = next(self._numbers)
        self._events = events
        self._stats: BroadcastStats | None = None
        self._joined = False
        self._left = False
        self._published: object = None

    async def connect(self, url: str, token: str, ice: Sequence[IceServer] = ()) -> None:
        """Have the page join the room and publish its camera and microphone: one command, one answer.

        Raises:
            ConnectionRefused: it could not, or no page is there.
        """
        try:
            ways = [each.plain() for each in ice]
            address = {"url": url, "token": token, "signpost": await signpost(url), "iceServers": ways}
            answer = await self._channel.ask("connect", timeout=CONNECT_SECONDS, **address, **self._wish())
        except TimeoutError:
            raise ConnectionRefused("no page with the camera answered: was it closed?") from None
        if not answer.get("ok"):
            raise PageCannotConnect(f"the page could not go live: {_reason(answer)}")
        self._joined = True
        self._published = self._manner()
        if answer.get("port"):
            self._by_port()

    def _wish(self) -> dict[str, Any]:
        video, audio, wanted = self._intent.video, self._intent.audio, self._wanted
        return {
            "connection": self._number,
            "impatient": self._impatient,
            "muted": self._muted(),
            "volume": audio.volume if audio.enabled else 0.0,
            "width": wanted.width,
            "height": wanted.height,
            "fps": wanted.fps,
            "bitrate": video.bits(wanted.width, wanted.height, wanted.fps),
            "simulcast": True if video.simulcast is None else video.simulcast,
            "degradation": video.degradation,
            "stereo": audio.stereo,
            "audioBitrate": audio.bitrate,
        }

    def _manner(self) -> object:
        """What takes other tracks; the volume is changed on those there are."""
        return self._wanted, self._intent.video, replace(self._intent.audio, volume=1.0)

    def _muted(self) -> dict[str, bool]:
        return {"audio": "audio" in self._intent.muted, "video": "video" in self._intent.muted}

    async def publish(self, wanted: Format) -> None:
        """What the page published on joining, or something else from now on.

        Raises:
            BroadcastError: the page could not.
        """
        self._wanted = wanted
        wish = self._manner()
        if wish == self._published:
            return
        try:
            answer = await self._channel.ask("publish", timeout=CONNECT_SECONDS, **self._wish())
        except TimeoutError:
            raise BroadcastError("the page does not answer") from None
        if not answer.get("ok"):
            raise BroadcastError(f"the page could not publish so: {_reason(answer)}")
        self._published = wish

    async def encoding(self) -> None:
        """The page's encoder is quiet from the start."""

    def heard(self, content: dict[str, Any]) -> None:
        """Something the page tells."""
        # Who else is there is told on joining, a moment before the answer.
        if self._left or not (self._joined or content.get("event") == "others"):
            return
        told: dict[str, Callable[[], None]] = {
            "reconnecting": self._events.reconnecting,
            "reconnected": self._events.reconnected,
            "others": lambda: self._events.others(_identities(content.get("others"))),
            "stats": lambda: self._measured(content),
            "lost": lambda: self._events.source(str(content.get("reason") or "the camera is gone")[:200]),
            "restored": self._events.restored,
            "muted": lambda: self._events.muted("video" if content.get("what") == "video" else "audio"),
            "disconnected": lambda: self._gone(
                str(content.get("reason") or "unknown reason")[:200], has_next=content.get("next") is True
            ),
        }
        work = told.get(str(content.get("event")))
        if work is not None:
            work()

    def _gone(self, reason: str, *, has_next: bool) -> None:
        self._left, self.has_next = True, has_next
        self._events.disconnected(reason)

    def _measured(self, content: dict[str, Any]) -> None:
        def number(name: str) -> float:
            value = content.get(name)
            return float(value) if isinstance(value, int | float) and value == value else 0.0

        self._stats = BroadcastStats(
            at=time.monotonic(),
            bitrate_kbps=number("kbps"),
            fps=number("fps"),
            width=int(number("width")),
            height=int(number("height")),
            loss=min(1.0, max(0.0, number("loss"))),
            rtt_ms=number("rtt"),
            jitter_ms=number("jitter"),
            limited_by=str(content.get("limitedBy") or "none")[:20],
        )

    def heed(self, intent: Intent) -> None:
        """Have the page mute, unmute, or change the volume."""
        self._intent = intent
        volume = intent.audio.volume if intent.audio.enabled else 0.0
        self._channel.tell("intent", connection=self._number, muted=self._muted(), volume=volume)

    async def stats(self) -> BroadcastStats | None:
        """What the page told last, once."""
        stats, self._stats = self._stats, None
        return stats

    async def leave(self) -> None:
        """Have the page leave the room."""
        self._left = True
        try:
            await self._channel.ask("leave", timeout=LEAVE_SECONDS, connection=self._number)
        except TimeoutError:
            return  # no page, no connection

    # A sink too, for the card that is shown while a kernel-side source is lost; the page shows its own.

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """Nothing: the page publishes its own pictures."""

    def audio(self, samples: bytes, channels: int) -> None:
        """Nothing: the page publishes its own sound."""

    def lost(self, reason: str) -> None:
        """Nothing: the page tells by itself."""

    def restored(self) -> None:
        """Nothing: the page tells by itself."""

    def ended(self) -> None:
        """Nothing: the page tells by itself."""


class PageOrFrames:
    """The page's own connection, or one from here that sends its frames, where that fails: before air or on it.

    Args:
        source: the page's camera; told when its own connection has failed.
        frames: what comes of the page otherwise.
        intent, events: as for any connection.
    """

    def __init__(self, source: PageSource, frames: PageFrames, intent: Intent, events: PublisherEvents) -> None:
        def gone(reason: str) -> None:
            # What is meant is no failure of the way, and a page that was closed has none.
            if reason not in MEANT and reason != PAGE_CLOSED and not page.has_next:
                source.fall(reason)
            events.disconnected(reason)

        self._intent = intent
        self._source = source
        page = source.by_page(intent, replace(events, disconnected=gone), impatient=True)
        self._made: Connection = page
        self._frames, self._events = frames, events

    async def connect(self, url: str, token: str, ice: Sequence[IceServer] = ()) -> None:
        """Join the room by the page, or from here."""
        try:
            await self._made.connect(url, token, ice)
        except PageCannotConnect as error:
            log.info("%s: its frames are sent from here", error)
            self._source.fall(str(error))
            self._made = self._source.by_frames_of(self._frames, self._intent, self._events)
            await self._made.connect(url, token, ice)

    async def publish(self, wanted: Format) -> None:
        """Publish in this format."""
        await self._made.publish(wanted)

    async def encoding(self) -> None:
        """Wait until the encoder has settled."""
        await self._made.encoding()

    def heed(self, intent: Intent) -> None:
        """The host wants something else."""
        self._intent = intent
        self._made.heed(intent)

    async def stats(self) -> BroadcastStats | None:
        """How the last second went."""
        return await self._made.stats()

    async def leave(self) -> None:
        """Leave the room."""
        await self._made.leave()

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture of this side's: a card."""
        self._made.video(picture, width, height)

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound that came beside frames."""
        self._made.audio(samples, channels)

    def lost(self, reason: str) -> None:
        """The broadcast hears of its source by itself."""

    def restored(self) -> None:
        """The broadcast hears of its source by itself."""

    def ended(self) -> None:
        """The broadcast hears of its source by itself."""


def _reason(answer: dict[str, Any]) -> str:
    return str(answer.get("reason") or "unknown reason")[:200]


def _identities(told: Any) -> frozenset[str]:
    return frozenset(one for one in told if isinstance(one, str)) if isinstance(told, list) else frozenset()
