"""The browser path: the page publishes its own camera, and the kernel only directs it.

No picture passes the kernel. `PageSource` is what `go_live` takes; its connection sends commands to the page that holds
the camera and hears from it. The token is handed to that one page when it connects, and stays in the page's memory.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from spnb.broadcast.events import BroadcastStats
from spnb.broadcast.options import Format, Intent
from spnb.broadcast.publisher import ConnectionRefused, PublisherEvents
from spnb.errors import BroadcastError

__all__ = ["PageChannel", "PagePublisher", "PageSource"]

CONNECT_SECONDS = 20.0
LEAVE_SECONDS = 3.0


class PageChannel(Protocol):
    """The way to the page that holds the camera."""

    async def ask(self, command: str, *, timeout: float, **content: Any) -> dict[str, Any]:
        """Send a command and wait for its answer, and before that for a page, if there is none.

        Raises:
            TimeoutError: no page, or no answer.
        """
        ...

    def tell(self, command: str, **content: Any) -> None:
        """Send a command, if there is a page."""
        ...


class PageSource:
    """The page's camera and microphone, published by the page itself.

    Args:
        channel: the way to the page.
        width, height, fps: what its camera gives.
    """

    def __init__(self, channel: PageChannel, width: int = 1280, height: int = 720, fps: float = 30) -> None:
        self.width, self.height, self.fps = width, height, float(fps)
        self.has_audio = True
        self._channel = channel
        self._connection: PagePublisher | None = None

    def open(self) -> None:
        """The page has opened it already."""

    def start(self, sink: Any) -> None:
        """The page pushes by itself."""

    def close(self) -> None:
        """The preview goes on."""

    def publisher(self, intent: Intent, events: PublisherEvents) -> PagePublisher:
        """A connection made by the page."""
        size = intent.video.fit(self.width, self.height, self.fps)
        self._connection = PagePublisher(self._channel, Format(*size, sound=True), intent, events)
        return self._connection

    def heard(self, content: dict[str, Any]) -> None:
        """Something the page tells of its connection."""
        if self._connection is not None:
            self._connection.heard(content)

    def __repr__(self) -> str:
        return f"PageSource({self.width}×{self.height})"


class PagePublisher:
    """A connection that a page makes on our behalf.

    Args:
        channel: the way to the page.
        wanted: what to send.
        intent: what the host wants; the page is given it with each command, and gates its tracks by it.
        events: what is told.
    """

    _numbers = itertools.count(1)

    def __init__(self, channel: PageChannel, wanted: Format, intent: Intent, events: PublisherEvents) -> None:
        self._channel = channel
        self._wanted = wanted
        self._intent = intent
        self._number = next(self._numbers)
        self._events = events
        self._stats: BroadcastStats | None = None
        self._joined = False
        self._left = False
        self._published: object = None

    async def connect(self, url: str, token: str) -> None:
        """Have the page join the room and publish its camera and microphone: one command, one answer.

        Raises:
            ConnectionRefused: it could not, or no page is there.
        """
        try:
            answer = await self._channel.ask("connect", timeout=CONNECT_SECONDS, url=url, token=token, **self._wish())
        except TimeoutError:
            raise ConnectionRefused("no page with the camera answered: was it closed?") from None
        if not answer.get("ok"):
            raise ConnectionRefused(f"the page could not go live: {_reason(answer)}")
        self._joined = True
        self._published = self._manner()

    def _wish(self) -> dict[str, Any]:
        video, audio, wanted = self._intent.video, self._intent.audio, self._wanted
        return {
            "connection": self._number,
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
            "disconnected": lambda: self._gone(str(content.get("reason") or "unknown reason")[:200]),
        }
        work = told.get(str(content.get("event")))
        if work is not None:
            work()

    def _gone(self, reason: str) -> None:
        self._left = True
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


def _reason(answer: dict[str, Any]) -> str:
    return str(answer.get("reason") or "unknown reason")[:200]


def _identities(told: Any) -> frozenset[str]:
    return frozenset(one for one in told if isinstance(one, str)) if isinstance(told, list) else frozenset()
