"""Pictures from encoded frames: thumbnails, and VP8 turned into H.264 where a publisher sends no H.264."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

__all__ = ["CLOCK", "KEYFRAME_SECONDS", "PictureTranscoder", "h264_encoder", "jpeg", "keyframe_picture"]

CLOCK = 90_000
KEYFRAME_SECONDS = 2.0


def keyframe_picture(access_unit: bytes) -> Any | None:
    """The picture of an H.264 key frame; None where it cannot be decoded."""
    decoder = av.CodecContext.create("h264", "r")
    try:
        pictures = [*decoder.decode(av.Packet(access_unit)), *decoder.decode(None)]
    except av.FFmpegError:
        return None
    return pictures[0] if pictures else None


def jpeg(picture: Any, *, width: int) -> bytes:
    """A JPEG of a picture, scaled to at most `width` pixels."""
    scale = min(1.0, width / picture.width)
    size = (max(2, int(picture.width * scale) // 2 * 2), max(2, int(picture.height * scale) // 2 * 2))
    small = picture.reformat(*size, format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "4", "qmax": "8"}
    small.pts = 0
    small.time_base = Fraction(1, 25)
    small.pict_type = PictureType.NONE
    return b"".join(bytes(packet) for packet in [*encoder.encode(small), *encoder.encode(None)])


class PictureTranscoder:
    """Decodes VP8 frames and encodes them as H.264 with a key frame every two seconds."""

    def __init__(self) -> None:
        self._decoder = av.CodecContext.create("vp8", "r")
        self._encoder: VideoCodecContext | None = None
        self._size = (0, 0)
        self._last_key = 0.0

    def add(self, frame: bytes, position: float) -> Iterator[tuple[bytes, float, bool]]:
        """Yields `(access unit, seconds, key frame)` for a VP8 frame at `position`."""
        try:
            pictures = self._decoder.decode(av.Packet(frame))
        except av.FFmpegError:
            return
        for picture in pictures:
            if (picture.width, picture.height) != self._size:
                self._open(picture.width, picture.height)
                self._last_key = -KEYFRAME_SECONDS
            assert self._encoder is not None  # noqa: S101 - opened just above
            picture.pts = round(position * CLOCK)
            picture.time_base = Fraction(1, CLOCK)
            picture.pict_type = PictureType.NONE
            if position - self._last_key >= KEYFRAME_SECONDS:
                self._last_key = position
                picture.pict_type = PictureType.I
            for packet in self._encoder.encode(picture):
                yield bytes(packet), (packet.pts or 0) / CLOCK, packet.is_keyframe

    def _open(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._encoder = h264_encoder(width, height)


def h264_encoder(width: int, height: int) -> VideoCodecContext:
    """An encoder whose pictures come out as they go in: no look-ahead, no B frames, so pts needs no reordering."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, CLOCK)
    encoder.framerate = Fraction(30)
    encoder.thread_count = 1
    encoder.options = {"preset": "superfast", "tune": "zerolatency", "crf": "25", "g": "300", "profile": "baseline"}
    return encoder
