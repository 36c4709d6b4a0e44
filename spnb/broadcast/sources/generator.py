"""Pictures from a function of yours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from spnb._arguments import checked_class
from spnb.broadcast.sources.base import Pace, Sink, ThreadedSource, checked_size, packed
from spnb.errors import InvalidInput, SourceError

__all__ = ["Generator"]

LATE_SECONDS = 3.0
"""A function that has not returned for so long has lost its source, until it does."""


@checked_class
class Generator(ThreadedSource):
    """Calls a function for each picture, in a thread of its own.

    Args:
        function: takes the picture's number and its time in seconds, gives a numpy array of `uint8`: RGB of shape
            (height, width, 3), or I420 of shape (height × 3 / 2, width).
        width: pixels, even, 16 to 8192.
        height: likewise.
        fps: pictures per second; one that comes late is shown late, and those missed meanwhile are left out.

    A function that fails, or does not return for three seconds, has lost the source: viewers are shown a card, and the
    broadcast tells `SourceLost`. It ends the source with `StopIteration`.
    """

    def __init__(
        self, function: Callable[[int, float], Any], width: int = 1280, height: int = 720, fps: float = 30
    ) -> None:
        super().__init__()
        if not callable(function):
            raise InvalidInput(f"pictures come from a function, not from a {type(function).__name__}")
        checked_size(width, height)
        if not 0 < fps <= 60:
            raise InvalidInput(f"fps is above 0 and at most 60, not {fps:g}")
        self.width, self.height, self.fps = width, height, float(fps)
        self._function = function

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Call and push, in step with the clock."""
        pace = Pace(stop)
        number = 0
        watch = _Watch(sink, stop)
        try:
            while pace.until(number / self.fps):
                watch.called(number)
                try:
                    picture = self._function(number, number / self.fps)
                except StopIteration:
                    sink.ended()
                    return
                planes = self._converted(picture)
                if stop.is_set():
                    return
                watch.returned()
                sink.video(planes, self.width, self.height)
                number = max(number + 1, int(pace.now * self.fps))
        finally:
            watch.end()

    def _converted(self, picture: Any) -> bytearray:
        import av
        import numpy as np

        try:
            array = np.ascontiguousarray(picture)
        except (TypeError, ValueError) as error:
            raise SourceError(f"the function gave {type(picture).__name__}, which is no array: {error}") from error
        if array.dtype == np.uint8 and array.shape == (self.height, self.width, 3):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            return packed(frame.reformat(format="yuv420p"))
        if array.dtype == np.uint8 and array.shape == (self.height * 3 // 2, self.width):
            return bytearray(array)
        raise SourceError(
            f"the function gave {array.dtype} of shape {array.shape}: wanted is uint8 of shape "
            f"({self.height}, {self.width}, 3) for RGB or ({self.height * 3 // 2}, {self.width}) for I420"
        )


class _Watch:
    """Tells when a function does not return."""

    def __init__(self, sink: Sink, stop: threading.Event) -> None:
        self._sink, self._stop = sink, stop
        self._state = threading.Condition()
        self._number: int | None = None
        self._lost = self._over = False
        threading.Thread(target=self._look, name="spnb-generator-watch", daemon=True).start()

    def called(self, number: int) -> None:
        """The function is called for a picture."""
        with self._state:
            self._number = number
            self._state.notify()

    def returned(self) -> None:
        """It has returned."""
        with self._state:
            self._number, lost, self._lost = None, self._lost, False
        if lost:
            self._sink.restored()

    def end(self) -> None:
        """It is called no more."""
        with self._state:
            self._over = True
            self._state.notify()

    def _look(self) -> None:
        with self._state:
            while not self._over:
                watched = self._number
                if watched is None or self._lost:
                    self._state.wait()
                elif not self._state.wait_for(lambda seen=watched: self._over or self._number != seen, LATE_SECONDS):  # type: ignore[misc]
                    if self._stop.is_set():
                        return
                    self._lost = True
                    self._sink.lost(f"the function has not returned picture {watched} for {LATE_SECONDS:g} s")
