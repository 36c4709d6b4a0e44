"""Feeds the recorder from a LiveKit deployment: a hidden participant that takes pictures and sound and encodes them."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.frame import PictureType

from spnb._proxies import enter
from spnb.sandbox.media.frames import EncodedFrame, Tap, TapTrack
from spnb.sandbox.recorder.picture import h264_encoder

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["RoomSubscriber", "picture_planes"]

VIDEO_CLOCK, AUDIO_CLOCK = 90_000, 48_000
KEYFRAME_SECONDS = 2.0
SMALLEST = 16
"""Pixels of a side; encoders refuse less."""


class RoomSubscriber:
    """Joins a room with the official SDK and hands everything it hears and sees to a tap.

    Args:
        url, token: of the LiveKit server; the token should be hidden and may not publish.
        tap: the recorder's.
    """

    IDENTITY = "spnb-recorder-"
    """What identities of recorders begin with."""

    def __init__(self, url: str, token: str, tap: Tap) -> None:
        self._url, self._token = url, token
        self._tap = tap
        self._room: rtc.Room | None = None
        self._readers: dict[str, asyncio.Task[None]] = {}
        self.gone = asyncio.Event()
        """Set when the server has put it out, or the line was lost for good."""

    async def start(self) -> None:
        """Join the room."""
        from livekit import rtc

        self._room = room = rtc.Room()

        def subscribed(track: rtc.Track, publication: Any, participant: Any) -> None:
            video = track.kind == rtc.TrackKind.KIND_VIDEO
            read = self._read_video if video else self._read_audio
            seen = TapTrack(
                sid=publication.sid,
                identity=participant.identity,
                kind="video" if video else "audio",
                codec="h264" if video else "opus",
                clock_rate=VIDEO_CLOCK if video else AUDIO_CLOCK,
                source=rtc.TrackSource.Name(publication.source).lower().removeprefix("source_"),
            )
            self._readers[publication.sid] = asyncio.create_task(read(track, seen))

        def unsubscribed(_track: rtc.Track, publication: Any, _participant: Any) -> None:
            reader = self._readers.pop(publication.sid, None)
            if reader is not None:
                reader.cancel()

        room.on("track_subscribed", subscribed)
        room.on("track_unsubscribed", unsubscribed)
        room.on("disconnected", lambda *_: self.gone.set())
        await enter(room, self._url, self._token)

    async def _read_video(self, track: rtc.Track, seen: TapTrack) -> None:
        from livekit import rtc

        self._tap.track_started(seen)
        stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
        encoder = _PictureEncoder()
        loop = asyncio.get_running_loop()
        try:
            async for event in stream:
                frame = event.frame
                seconds = event.timestamp_us / 1e6
                data = await loop.run_in_executor(None, encoder.encode, frame.data, frame.width, frame.height, seconds)
                for access_unit, keyframe in data:
                    stamp = round(seconds * VIDEO_CLOCK)
                    self._tap.frame(seen, EncodedFrame(access_unit, stamp, keyframe, time.monotonic()))
        finally:
            self._tap.track_ended(seen)
            await stream.aclose()

    async def _read_audio(self, track: rtc.Track, seen: TapTrack) -> None:
        from livekit import rtc

        self._tap.track_started(seen)
        stream = rtc.AudioStream(track, sample_rate=AUDIO_CLOCK, num_channels=2)
        encoder = av.CodecContext.create("libopus", "w")
        encoder.sample_rate = AUDIO_CLOCK
        encoder.layout = "stereo"
        encoder.format = "s16"
        written = 0
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, np.int16).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
                frame.sample_rate = AUDIO_CLOCK
                frame.pts = written
                frame.time_base = Fraction(1, AUDIO_CLOCK)
                written += samples.shape[1] // 2
                for packet in encoder.encode(frame):
                    stamp = packet.pts or 0
                    self._tap.frame(seen, EncodedFrame(bytes(packet), stamp, True, time.monotonic()))
        finally:
            self._tap.track_ended(seen)
            await stream.aclose()

    async def aclose(self) -> None:
        """Leave the room."""
        readers = list(self._readers.values())
        self._readers.clear()
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        if self._room is not None:
            await self._room.disconnect()
            self._room = None


class _PictureEncoder:
    """I420 pictures to H.264 access units."""

    def __init__(self) -> None:
        self._encoder: Any = None
        self._size = (0, 0)
        self._last_key = 0.0

    def encode(self, data: Any, width: int, height: int, seconds: float) -> list[tuple[bytes, bool]]:
        """Encode one picture taken at `seconds`; none of one that is too small or of another layout than it says."""
        picture = picture_planes(data, width, height)
        if picture is None:
            return []
        if (picture.width, picture.height) != self._size:
            self._size = (picture.width, picture.height)
            self._encoder = h264_encoder(*self._size)
            self._last_key = -KEYFRAME_SECONDS
        picture.pts = round(seconds * VIDEO_CLOCK)
        picture.time_base = Fraction(1, VIDEO_CLOCK)
        picture.pict_type = PictureType.NONE
        if seconds - self._last_key >= KEYFRAME_SECONDS:
            self._last_key = seconds
            picture.pict_type = PictureType.I
        return [(bytes(packet), packet.is_keyframe) for packet in self._encoder.encode(picture)]


def picture_planes(data: Any, width: int, height: int) -> Any | None:
    """A picture of I420 bytes, its sides made even, which H.264 of this kind asks for; None where it is none.

    Of an odd side the last row or column is left out; the planes of colour of such a picture are half a sample wider.
    """
    wide, high = width // 2 * 2, height // 2 * 2
    across, down = (width + 1) // 2, (height + 1) // 2
    flat = np.frombuffer(data, np.uint8)
    if min(wide, high) < SMALLEST or len(flat) < width * height + 2 * across * down:
        return None
    luma = flat[: width * height].reshape(height, width)[:high, :wide]
    chroma = flat[width * height : width * height + 2 * across * down].reshape(2, down, across)
    planes = np.empty(high * 3 // 2 * wide, np.uint8)
    planes[: wide * high] = luma.reshape(-1)
    planes[wide * high :] = chroma[:, : high // 2, : wide // 2].reshape(-1)
    return av.VideoFrame.from_ndarray(planes.reshape(high * 3 // 2, wide), format="yuv420p")
