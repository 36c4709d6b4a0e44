"""Single pictures: thumbnails, the card of those who send none; and the encoder of what is encoded anew."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

__all__ = ["CLOCK", "THUMBNAIL_WIDTH", "card", "h264_encoder", "jpeg", "keyframe_picture"]

CLOCK = 90_000
THUMBNAIL_WIDTH = 640


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


def card(width: int, height: int) -> Any:
    """A picture for those who send none: a loudspeaker on dark grey."""
    y, x = np.mgrid[0:height, 0:width]
    unit = height / 12
    across, down = (x - width / 2) / unit, np.abs(y - height / 2) / unit
    body = (across > -2) & (across < -1) & (down < 0.8)
    cone = (across >= -1) & (across < 0.2) & (down < 0.8 + (across + 1) * 0.9)
    far = np.hypot(across, down)
    waves = (across > 0.5) & (down < across) & ((np.abs(far - 1.4) < 0.17) | (np.abs(far - 2.3) < 0.17))
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = np.where(body | cone | waves, 150, 24)
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


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
