"""The kernel's end of a page's camera: an aiortc peer connection that takes what the page sends and shows what it gets.

The page offers, with all its candidates at once (aiortc does not trickle). Pictures and sound go to a `Monitor`; where
the monitor changes pictures, or plays a source of the kernel's own, they go back to the page on the same connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from spnb.broadcast.sources.base import SAMPLE_RATE
from spnb.broadcast.sources.monitor import Monitor
from spnb.ice import IceServer

__all__ = ["PagePeer"]

log = logging.getLogger(__name__)

START_KBPS = 2500
CLOCK = 90_000
SHOWN_WIDTH = 640
"""Pictures that go to the page are made this wide: it shows them, nobody records them."""


class PagePeer:
    """One connection with one page.

    Args:
        monitor: takes pictures and sound, and gives what is shown.
        on_state: called on the loop with aiortc's connection state.
        ice: STUN and TURN servers in place of aiortc's own.
    """

    def __init__(self, monitor: Monitor, on_state: Callable[[str], None], ice: Sequence[IceServer] = ()) -> None:
        self._monitor = monitor
        servers = [RTCIceServer(list(each.urls), each.username, each.credential) for each in ice]
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=servers) if servers else None)
        self._consumers: list[asyncio.Task[None]] = []
        self._shown: _Shown | None = None
        self._detach: Callable[[], None] | None = None
        self._connection.on("track", self._track)
        self._connection.on("connectionstatechange", lambda: on_state(self._connection.connectionState))

    async def answer(self, offer: str) -> str:
        """The answer to a page's offer."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        for transceiver in self._connection.getTransceivers():
            if transceiver.kind == "video":
                self._shown = _Shown(asyncio.get_running_loop(), self._monitor)
                transceiver.sender.replaceTrack(self._shown)
                transceiver.direction = "sendrecv"
                self._detach = self._monitor.attach(self._shown)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        return quick_start(self._connection.localDescription.sdp)

    def _track(self, track: Any) -> None:
        consume = self._pictures if track.kind == "video" else self._sound
        self._consumers.append(asyncio.create_task(consume(track), name=f"spnb-page-{track.kind}"))

    async def _pictures(self, track: Any) -> None:
        # The track's queue has no bound: it is emptied always, and only the newest picture is kept.
        try:
            while True:
                self._monitor.take(await track.recv())
        except MediaStreamError:
            log.debug("the page sends no more pictures")

    async def _sound(self, track: Any) -> None:
        import av

        resampler = av.AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
        self._monitor.has_audio = True
        try:
            while True:
                for piece in resampler.resample(await track.recv()):
                    self._monitor.audio(bytes(piece.planes[0])[: piece.samples * 4], 2)
        except MediaStreamError:
            log.debug("the page sends no more sound")

    async def close(self) -> None:
        """End the connection."""
        if self._detach is not None:
            self._detach()
        if self._shown is not None:
            self._shown.stop()
        await self._connection.close()
        for consumer in self._consumers:
            consumer.cancel()
        await asyncio.gather(*self._consumers, return_exceptions=True)


class _Shown(MediaStreamTrack):
    """Pictures on their way to the page: always the newest. Where the page shows its own, nothing is sent."""

    kind = "video"

    def __init__(self, loop: asyncio.AbstractEventLoop, monitor: Monitor) -> None:
        super().__init__()
        self._owner = loop
        self._monitor = monitor
        self._fresh = asyncio.Event()
        self._newest: Any = None
        self._began: float | None = None

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture, from any thread."""
        if self._monitor.source is None and not self._monitor.filtered:
            return
        self._newest = (picture, width, height)
        if not self._owner.is_closed():
            self._owner.call_soon_threadsafe(self._fresh.set)

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound is not sent back: it would be an echo."""

    def lost(self, reason: str) -> None:
        """The last picture stays."""

    def restored(self) -> None:
        """The next picture tells."""

    def ended(self) -> None:
        """The last picture stays."""

    async def recv(self) -> Any:
        """The newest picture, once it is new."""
        import av
        import numpy as np

        await self._fresh.wait()
        self._fresh.clear()
        if self.readyState != "live":
            raise MediaStreamError
        picture, width, height = self._newest
        rows = np.frombuffer(picture, np.uint8).reshape(height * 3 // 2, width)
        frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
        if width > SHOWN_WIDTH:
            frame = frame.reformat(SHOWN_WIDTH, height * SHOWN_WIDTH // width // 2 * 2)
        now = self._owner.time()
        self._began = now if self._began is None else self._began
        frame.pts, frame.time_base = int((now - self._began) * CLOCK), Fraction(1, CLOCK)
        return frame

    def stop(self) -> None:
        """Send no more."""
        super().stop()
        self._fresh.set()


def quick_start(sdp: str) -> str:
    """An answer that has Chromium begin at a bit rate worth looking at, instead of 300 kb/s and a crawl upwards.

    `x-google-start-bitrate` is a parameter of Chromium's for each payload type; others ignore it.
    """
    lines = sdp.splitlines()
    video = re.findall(r"a=rtpmap:(\d+) (?:VP8|H264)/90000", sdp)
    out = []
    for line in lines:
        out.append(line)
        found = re.match(r"a=rtpmap:(\d+) VP8/90000", line)
        if found:
            out.append(f"a=fmtp:{found[1]} x-google-start-bitrate={START_KBPS}")
        elif any(line.startswith(f"a=fmtp:{number} ") for number in video):
            out[-1] = f"{line};x-google-start-bitrate={START_KBPS}"
    return "\r\n".join(out) + "\r\n"
