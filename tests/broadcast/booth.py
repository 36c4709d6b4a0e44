"""A host's room straight on a LiveKit server, a wire to it that can be cut, and a listener of what came through."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from fractions import Fraction
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import av
import numpy as np
from livekit import rtc

from spnb._loop import on_loop
from spnb.broadcast.sources import TestCard, read_counter
from spnb.broadcast.sources.card import draw_counter
from spnb.ice import IceServer
from spnb.models import BroadcasterData, Room
from spnb.sandbox.media.join import read_wish
from tests.live.conftest import Wire, until
from tests.media.conftest import LiveKit

RATE = 48_000
SILENT = 20.0
"""Root mean square of 16-bit samples below which nothing is heard: the test card's softest tone has about 900."""


class Line(Wire):
    """A wire that can also refuse to resume, as a server does that has forgotten the client: all is published anew."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.resumes = True
        self.refused = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.open and not self.resumes:
            head = await reader.readuntil(b"\r\n")
            address = urlsplit(head.split(b" ")[1].decode())
            query = dict(parse_qsl(address.query))
            if address.path.startswith("/rtc") and read_wish(query, single=False).reconnect:
                self.refused += 1
                writer.transport.abort()
                return
            joined = asyncio.StreamReader()
            joined.feed_data(head)
            asyncio.get_running_loop().create_task(_pass(reader, joined))
            reader = joined
        await super()._serve(reader, writer)


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamReader) -> None:
    try:
        while data := await source.read(65536):
            target.feed_data(data)
    except OSError:
        pass
    target.feed_eof()


class Numbered(TestCard):
    """A test card that knows which picture it drew last: none that is later can come through a gate."""

    last = 0

    def picture(self, number: int, at: datetime | None = None) -> bytearray:
        self.last = number
        return super().picture(number, at)


class NumberedEncoder:
    """What a page encodes: grey pictures with a number, and a key frame where it is told to.

    Args:
        codec: `h264` or `vp8`.
        width, height: pixels.
        fps: pictures a second.
    """

    def __init__(self, codec: str, width: int, height: int, fps: int) -> None:
        self._size, self._step = (width, height), Fraction(1, fps)
        self._encoder: Any = av.CodecContext.create("libx264" if codec == "h264" else "libvpx", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = width, height, "yuv420p"
        self._encoder.time_base, self._encoder.bit_rate = self._step, 300_000
        fast = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "1000"}
        quick = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        self._encoder.options = fast if codec == "h264" else quick

    def picture(self, number: int, *, key: bool) -> Iterator[tuple[bytes, bool]]:
        """The frames of one picture, each with whether it is a key frame."""
        width, height = self._size
        rows = np.full((height * 3 // 2, width), 128, np.uint8)
        draw_counter(cast("Any", rows[:height]), number % 1000)
        picture = av.VideoFrame.from_ndarray(rows, format="yuv420p")
        picture.pts, picture.time_base = number, self._step
        if key:
            picture.pict_type = av.video.frame.PictureType.I
        for packet in self._encoder.encode(picture):
            yield bytes(packet), packet.is_keyframe


class Booth:
    """A room to go live in that is LiveKit's alone: what a broadcast needs of a room, and nothing else."""

    def __init__(self, livekit: LiveKit, name: str, line: Line | None = None) -> None:
        self.livekit, self.room_id, self.line = livekit, f"{name}-{secrets.token_hex(4)}", line
        self.identity = "host"
        self.broadcast_key = f"{self.room_id}/host"
        self.hosted = True
        self.ice_servers: tuple[IceServer, ...] = ()
        self.record = Room(room_id=self.room_id, status="live")
        self.grants: dict[str, Any] = {}
        self.observers: list[Callable[[Room], Any]] = []
        self.asked = 0

    @property
    def status(self) -> str:
        return self.record.status

    def observe(self, observer: Callable[[Room], Any]) -> Callable[[], None]:
        self.observers.append(observer)
        return lambda: self.observers.remove(observer)

    @on_loop
    async def broadcaster_data(self) -> BroadcasterData:
        self.asked += 1
        url = f"ws://127.0.0.1:{self.line.port}" if self.line is not None else self.livekit.url
        return BroadcasterData(
            co_host_url=url,
            co_host_token=self.livekit.token(self.room_id, self.identity, **{"can_publish": True, **self.grants}),
        )

    async def refresh(self) -> Room:
        return self.record

    async def stop(self) -> Room:
        return self.record


class Listener:
    """A viewer of the official SDK who takes all sound and every picture, of whatever track is there."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.loudness: list[tuple[float, float]] = []
        """Monotonic seconds and root mean square of each 10 ms that were heard."""
        self.pictures: list[tuple[float, int | None, int, int]] = []
        """Monotonic seconds, the test card's number or None, width, height."""
        self.brightness: list[tuple[float, float]] = []
        self.waves: list[Any] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.publications: dict[str, Any] = {}
        self.room.on("track_subscribed", self._subscribed)

    def _subscribed(self, track: Any, publication: Any, _who: Any) -> None:
        sound = track.kind == rtc.TrackKind.KIND_AUDIO
        self.publications["audio" if sound else "video"] = publication
        self.tasks.append(asyncio.create_task(self._hear(track) if sound else self._see(track)))

    async def connect(self, livekit: LiveKit, room: str) -> None:
        await self.join(livekit.url, livekit.token(room, "listener", can_publish=False))

    async def join(self, url: str, token: str) -> None:
        await self.room.connect(url, token)

    async def _hear(self, track: Any) -> None:
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
            wave = np.frombuffer(event.frame.data, np.int16).astype(float)
            self.loudness.append((time.monotonic(), float(np.sqrt((wave**2).mean()))))
            self.waves.append(wave)

    async def _see(self, track: Any) -> None:
        async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.I420):
            frame = event.frame
            luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height).reshape(frame.height, frame.width)
            now = time.monotonic()
            self.brightness.append((now, float(luma.mean())))
            self.pictures.append((now, read_counter(luma), frame.width, frame.height))

    # -- what came through

    def heard_since(self, at: float) -> list[float]:
        """Loudness of what was heard since."""
        return [loud for when, loud in self.loudness if when >= at]

    def seen_since(self, at: float) -> list[int]:
        """Numbers of the test card's pictures seen since; cards without a number are left out."""
        return [number for when, number, *_ in self.pictures if when >= at and number is not None]

    async def hears(self, seconds: float = 60) -> None:
        """Wait until there is sound from now on."""
        now = time.monotonic()
        await until(lambda: any(loud > SILENT for loud in self.heard_since(now)), seconds)

    async def sees(self, seconds: float = 60) -> None:
        """Wait until there is a numbered picture from now on."""
        now = time.monotonic()
        try:
            await until(lambda: bool(self.seen_since(now)), seconds)
        except TimeoutError:
            there = {
                who.identity: [(each.kind, each.subscribed, each.muted) for each in who.track_publications.values()]
                for who in self.room.remote_participants.values()
            }
            raise AssertionError(
                f"no numbered picture: {self.pictures[-3:]} of {len(self.pictures)}, {there}"
            ) from None

    async def smooth(self, size: tuple[int, int], fps: float, seconds: float = 60) -> None:
        """Wait until a second of pictures comes in this size, this often at least."""

        def enough() -> bool:
            last = [picture[2:] for picture in self.pictures if picture[0] >= time.monotonic() - 1]
            return len(last) >= fps and set(last) == {size}

        await until(enough, seconds)

    async def quiet(self, frames: int = 150) -> list[float]:
        """Loudness of the next so many 10 ms."""
        now = time.monotonic()
        await until(lambda: len(self.heard_since(now)) >= frames)
        return self.heard_since(now)

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.room.disconnect()
