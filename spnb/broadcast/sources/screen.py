"""The screen of the machine this Python runs on."""

from __future__ import annotations

import threading
from typing import Any

from spnb._arguments import checked_class
from spnb.broadcast.sources.base import Pace, Sink, ThreadedSource, packed
from spnb.errors import InvalidInput, SourceError

__all__ = ["Screen"]


@checked_class
class Screen(ThreadedSource):
    """Grabs the screen.

    Args:
        monitor: which one, from 1 on.
        fps: pictures per second.
        width: scaled to at most this many pixels.
    """

    screen = True
    """Announced as what it is: viewers show a shared screen large, and encoders keep its letters sharp."""

    def __init__(self, monitor: int = 1, *, fps: float = 15, width: int = 1280) -> None:
        super().__init__()
        if not isinstance(monitor, int):
            raise InvalidInput(f"a monitor is named by its number, from 1, not by {monitor!r}")
        self.monitor = monitor
        self.fps = float(fps)
        self._most = width
        self.width, self.height = width, width * 9 // 16

    def open(self) -> None:
        """Look whether there is a screen, and how large it is."""
        with self._grabber() as grabber:
            if not 1 <= self.monitor < len(grabber.monitors):
                raise SourceError(f"there is no monitor {self.monitor}: choose 1 to {len(grabber.monitors) - 1}")
            area = grabber.monitors[self.monitor]
            scale = min(1.0, self._most / area["width"])
            self.width = int(area["width"] * scale) // 2 * 2
            self.height = int(area["height"] * scale) // 2 * 2

    @staticmethod
    def _grabber() -> Any:
        try:
            import mss
        except ImportError:
            raise SourceError("screen capture needs the package mss: pip install 'spnb[screen]'") from None
        try:
            return mss.MSS()
        except Exception as error:
            raise SourceError(f"there is no screen to capture here ({type(error).__name__})") from error

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Grab and push, in step with the clock."""
        import av
        import numpy as np

        pace = Pace(stop)
        number = 0
        # The library's handle belongs to the thread that made it.
        with self._grabber() as grabber:
            area = grabber.monitors[self.monitor]
            while pace.until(number / self.fps):
                shot = np.asarray(grabber.grab(area))
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shot), format="bgra")
                sink.video(packed(frame.reformat(self.width, self.height, format="yuv420p")), self.width, self.height)
                number = max(number + 1, int(pace.now * self.fps))
