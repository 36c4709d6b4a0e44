"""What a source is: it opens, then pushes pictures and sound from a thread of its own until it is closed."""

from __future__ import annotations

import logging
import numbers
import threading
import time
from abc import ABC, abstractmethod
from typing import Any, Protocol

from spnb.errors import InvalidInput, SourceError

__all__ = ["LEAST_SIDE", "SAMPLE_RATE", "Pace", "Sink", "Source", "ThreadedSource", "checked_size", "packed"]

log = logging.getLogger(__name__)

SAMPLE_RATE = 48_000
LEAST_SIDE, MOST_SIDE = 16, 8192
"""Pixels of a picture's side: native encoders end the whole process where they are given less, and take no more."""


def checked_size(width: int, height: int) -> None:
    """Look whether pictures of this size can be encoded: nothing else may reach native code.

    Args:
        width, height: pixels.

    Raises:
        InvalidInput: a side is odd, or outside 16 to 8192.
    """
    for side in (width, height):
        if not isinstance(side, numbers.Integral) or side % 2 or not LEAST_SIDE <= side <= MOST_SIDE:
            raise InvalidInput(
                f"a picture's sides are even, whole and {LEAST_SIDE} to {MOST_SIDE} pixels, not {width}×{height}"
            )


class Sink(Protocol):
    """Takes what a source makes. Called from the source's thread; must return quickly."""

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture: I420 planes one after the other, without padding."""
        ...

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound: interleaved signed 16-bit samples at 48 kHz."""
        ...

    def lost(self, reason: str) -> None:
        """Nothing more comes for now: the last picture stays."""
        ...

    def restored(self) -> None:
        """What was lost gives media again."""
        ...

    def ended(self) -> None:
        """The source has come to its end."""
        ...


class Source(Protocol):
    """A source of pictures and, where `has_audio`, sound."""

    width: int
    height: int
    fps: float
    has_audio: bool

    def open(self) -> None:
        """Make ready; may block. After it width, height, fps and has_audio are right.

        Raises:
            SourceError: it cannot give media; the message says what to do.
        """
        ...

    def start(self, sink: Sink) -> None:
        """Begin to push into `sink`."""
        ...

    def close(self) -> None:
        """Stop pushing and let go of devices; may be called at any time, also twice."""
        ...


class Pace:
    """Keeps a source in step with real time: what is late is not waited for, and drift does not add up."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._began = time.monotonic()

    def until(self, seconds: float) -> bool:
        """Wait until `seconds` after the start; False when the source is to stop."""
        left = self._began + seconds - time.monotonic()
        return not (self._stop.wait(left) if left > 0 else self._stop.is_set())

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began


class ThreadedSource(ABC):
    """A source that pushes from one thread."""

    width: int
    height: int
    fps: float
    has_audio = False

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Make ready; most sources have nothing to do here."""
        return

    def start(self, sink: Sink) -> None:
        """Begin to push into `sink`; a source that was closed begins anew."""
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(sink, self._stop), name=f"spnb-{type(self).__name__}", daemon=True
        )
        self._thread.start()

    def _work(self, sink: Sink, stop: threading.Event) -> None:
        try:
            self.run(sink, stop)
        except SourceError as error:
            sink.lost(str(error))
        except BaseException as error:
            # Also one that would end a program: this thread has no other who would tell.
            log.warning("the source %s failed", type(self).__name__, exc_info=True)
            sink.lost(f"{type(self).__name__} failed: {type(error).__name__}: {error}")

    @abstractmethod
    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Push until `stop` is set."""

    def close(self) -> None:
        """Stop pushing."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.width}×{self.height}, {self.fps:g} fps)"


def packed(frame: Any) -> bytearray:
    """The I420 planes of a yuv420p `av.VideoFrame` one after the other, without the padding of its lines."""
    out = bytearray()
    for plane in frame.planes:
        if plane.line_size == plane.width:
            out += memoryview(plane)[: plane.width * plane.height]
        else:
            lines = memoryview(plane)
            for row in range(plane.height):
                out += lines[row * plane.line_size : row * plane.line_size + plane.width]
    return out
