"""Pictures as JPEG, for pages that get them as messages."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

__all__ = ["Jpegs"]


class Jpegs:
    """Encodes one picture after the other.

    Args:
        width: at most so many pixels.
        fps: about so many a second.
    """

    def __init__(self, width: int, fps: int) -> None:
        self._width, self._fps = width, fps
        self._encoder: Any = None

    def encode(self, picture: Any, width: int, height: int) -> bytes:
        """A picture in I420, of that size in pixels."""
        import av
        import numpy as np

        rows = np.frombuffer(picture, np.uint8).reshape(height * 3 // 2, width)
        shown = (min(width, self._width), height * min(width, self._width) // width // 2 * 2)
        frame = av.VideoFrame.from_ndarray(rows, format="yuv420p").reformat(*shown, format="yuvj420p")
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height) != shown:
            encoder = self._encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height = shown
            encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, self._fps)
            encoder.options = {"qmin": "5", "qmax": "5"}
        frame.pts = None
        return b"".join(bytes(packet) for packet in encoder.encode(frame))
