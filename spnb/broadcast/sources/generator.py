"""Pictures from a function of yours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from spnb.broadcast.sources.base import Pace, Sink, ThreadedSource, packed
from spnb.errors import InvalidInput, SourceError

__all__ = ["Generator"]


class Generator(ThreadedSource):
    """Calls a function for each picture, in a thread of its own.

    Args:
        function: takes the picture's number and its time in seconds, gives a numpy array of `uint8`: RGB of shape
            (height, width, 3), or I420 of shape (height × 3 / 2, width).
        width, height: pixels, both even.
        fps: pictures per second; one that comes late is shown late, and those missed meanwhile are left out.
    """

    def __init__(
        self, function: Callable[[int, float], Any], width: int = 1280, height: int = 720, fps: float = 30
    ) -> None:
        super().__init__()
        if width % 2 or height % 2 or width < 2 or height < 2:
            raise InvalidInput(f"width and height must be even, not {width}×{height}")
        if not 0 < fps <= 60:
            raise InvalidInput(f"fps is above 0 and at most 60, not {fps:g}")
        self.width, self.height, self.fps = width, height, float(fps)
        self._function = function

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Call and push, in step with the clock."""
        pace = Pace(stop)
        number = 0
        while pace.until(number / self.fps):
            try:
                picture = self._function(number, number / self.fps)
            except StopIteration:
                sink.ended()
                return
            sink.video(self._converted(picture), self.width, self.height)
            number = max(number + 1, int(pace.now * self.fps))

    def _converted(self, picture: Any) -> bytearray:
        import av
        import numpy as np

        array = np.ascontiguousarray(picture)
        if array.dtype == np.uint8 and array.shape == (self.height, self.width, 3):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            return packed(frame.reformat(format="yuv420p"))
        if array.dtype == np.uint8 and array.shape == (self.height * 3 // 2, self.width):
            return bytearray(array)
        raise SourceError(
            f"the function gave {array.dtype} of shape {array.shape}: wanted is uint8 of shape "
            f"({self.height}, {self.width}, 3) for RGB or ({self.height * 3 // 2}, {self.width}) for I420"
        )
