"""A still card with a few words: what viewers see while a source is lost."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from spnb.broadcast.sources.base import Pace, Sink, ThreadedSource
from spnb.broadcast.sources.glyphs import text_mask

__all__ = ["Notice"]

DARK, WHITE, GREY = 30, 235, 128


class Notice(ThreadedSource):
    """A dark card with `text` in its middle, sent a few times a second and without sound.

    Args:
        text: capital letters, figures and spaces.
        width, height: pixels, both even.
    """

    def __init__(self, text: str, width: int = 1280, height: int = 720, fps: float = 5) -> None:
        super().__init__()
        self.width, self.height, self.fps = width, height, fps
        self.picture = self._drawn(text)
        """Its planes, I420."""

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Send the card again and again: an encoder that is given nothing sends nothing to who joins late."""
        pace, number = Pace(stop), 0
        while pace.until(number / self.fps):
            sink.video(bytearray(self.picture), self.width, self.height)
            number += 1

    def _drawn(self, text: str) -> bytes:
        luma: np.ndarray[Any, np.dtype[np.uint8]] = np.full((self.height, self.width), DARK, np.uint8)
        scale = max(1, min(self.height // 40, self.width // (len(text) * 6 + 12)))
        mask = text_mask(text, scale)[: self.height, : self.width]
        top, left = (self.height - mask.shape[0]) // 2, (self.width - mask.shape[1]) // 2
        luma[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = WHITE
        return luma.tobytes() + bytes([GREY]) * (self.width * self.height // 2)
