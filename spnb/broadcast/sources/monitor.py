"""A source that is looked at while it plays: the page's camera, or one of the kernel's.

A `Monitor` keeps the newest picture, lets Python look at it and change it, and hands pictures and sound on to whoever
is attached: the preview on the page, and a broadcast.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from spnb.broadcast.sources.base import Sink, Source, packed
from spnb.errors import SourceError

__all__ = ["Filter", "Monitor", "Monitored"]

log = logging.getLogger(__name__)

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Filter = Callable[[Pixels], "Pixels | None"]
FIRST_SECONDS = 10.0
"""How long going live waits for the first picture of a camera that is being switched on."""


class Monitor:
    """Keeps the newest picture and hands everything on. A sink; its methods may be called from any thread.

    Args:
        source: what it plays; None where pictures come from outside, from the page.
    """

    def __init__(self, source: Source | None = None) -> None:
        self.source = source
        self.width, self.height, self.fps = 1280, 720, 30.0
        self.has_audio = False
        self.here = threading.Event()
        """Set once there are pictures."""
        self.count = 0
        """Pictures so far."""
        self._newest: Any = None
        self._fresh = threading.Condition()
        self._sinks: tuple[Sink, ...] = ()
        self._filter: Filter | None = None
        self._worker: threading.Thread | None = None
        self._closed = False
        self._away = False
        self.filter_error = ""
        """What the filter raises, in words; empty while it works."""
        self.on_filter_error: Callable[[str], None] = lambda _words: None
        """Called with `filter_error` where that has changed, in the filter's thread."""

    # -- looking at pictures

    @property
    def frame(self) -> Pixels | None:
        """The newest picture as an array of height × width × 3 (RGB, 8 bit); None before the first."""
        newest = self._newest
        return None if newest is None else newest.to_ndarray(format="rgb24")

    def frames(self, *, timeout: float = 10.0) -> Iterator[Pixels]:
        """The newest picture each time one is new; what came while the caller was busy is left out.

        Args:
            timeout: ends after so many seconds without a new picture.
        """
        seen = self.count
        while True:
            with self._fresh:
                if not self._fresh.wait_for(lambda seen=seen: self._closed or self.count > seen, timeout):  # type: ignore[misc]
                    return
                if self._closed:
                    return
                seen, newest = self.count, self._newest
            yield newest.to_ndarray(format="rgb24")

    def set_filter(self, function: Filter | None) -> None:
        """Have each picture changed before it is seen or sent; None hands them on as they are.

        The function gets RGB pixels and returns pixels of the same size, or None for no change. It runs in a thread of
        its own, always on the newest picture: a slow one lowers the frame rate and nothing else.
        """
        self._filter = function
        self.filter_error = ""
        if function is not None and self._worker is None:
            self._worker = threading.Thread(target=self._work, name="spnb-filter", daemon=True)
            self._worker.start()

    @property
    def filtered(self) -> bool:
        """Whether pictures are being changed."""
        return self._filter is not None

    # -- handing on

    def attach(self, sink: Sink) -> Callable[[], None]:
        """Hand pictures and sound to `sink` too; returns a function that ends it."""
        self._sinks = (*self._sinks, sink)

        def detach() -> None:
            self._sinks = tuple(other for other in self._sinks if other is not sink)

        return detach

    def take(self, picture: Any) -> None:
        """A picture, as an `av.VideoFrame` in yuv420p."""
        if self._away:
            return
        with self._fresh:
            self._newest = picture
            self.count += 1
            self.width, self.height = picture.width // 2 * 2, picture.height // 2 * 2
            self._fresh.notify_all()
        self.here.set()
        if self._filter is None:
            self._hand_on(picture)

    def _tell_filter(self, words: str) -> None:
        before, self.filter_error = self.filter_error, words
        if words != before:
            self.on_filter_error(words)

    def _hand_on(self, picture: Any) -> None:
        if not self._sinks or self._away:
            return
        flat = packed(picture)
        for sink in self._sinks:
            sink.video(flat, picture.width, picture.height)

    def _work(self) -> None:
        import av

        seen = 0
        while True:
            with self._fresh:
                self._fresh.wait_for(lambda seen=seen: self._closed or self.count > seen)  # type: ignore[misc]
                seen, picture, change = self.count, self._newest, self._filter
                if self._closed or change is None:
                    self._worker = None
                    return
            try:
                changed = change(picture.to_ndarray(format="rgb24"))
                if changed is not None:
                    pixels = np.ascontiguousarray(changed, np.uint8)
                    if pixels.shape != (picture.height, picture.width, 3):
                        raise ValueError(f"a filter returns {picture.height}×{picture.width}×3, not {pixels.shape}")
                    picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            except Exception as error:  # noqa: BLE001 - user code; the camera goes on without it
                if not self.filter_error:
                    log.warning("the filter failed: %s: %s", type(error).__name__, error)
                self._tell_filter(f"{type(error).__name__}: {error}")
            else:
                self._tell_filter("")
            self._hand_on(picture)

    # -- the sink, for kernel-side sources

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture as I420 planes."""
        import av

        rows = np.frombuffer(picture, np.uint8).reshape(height * 3 // 2, width)
        self.take(av.VideoFrame.from_ndarray(rows, format="yuv420p"))

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound: interleaved 16-bit samples at 48 kHz."""
        for sink in self._sinks:
            sink.audio(samples, channels)

    def lost(self, reason: str) -> None:
        """Nothing more comes for now. What a page had under way comes after its word, and is no sign of life."""
        self._away = self.source is None
        for sink in self._sinks:
            sink.lost(reason)

    def found(self) -> None:
        """The page has pictures again: the next one is shown."""
        self._away = False

    def restored(self) -> None:
        """What was lost gives media again."""
        for sink in self._sinks:
            sink.restored()

    def ended(self) -> None:
        """The source has come to its end."""
        for sink in self._sinks:
            sink.ended()

    def start(self) -> None:
        """Play the kernel's own source, where there is one.

        Raises:
            SourceError: it cannot give media.
        """
        source = self.source
        if source is not None:
            source.open()
            self.fps, self.has_audio = source.fps, source.has_audio
            source.start(self)

    def output(self) -> Monitored:
        """The source a broadcast takes of it."""
        return Monitored(self)

    def __repr__(self) -> str:
        return repr(self.source) if self.source is not None else f"Webcam({self.width}×{self.height})"

    def close(self) -> None:
        """Stop, and wake everybody who waits for pictures: none comes any more."""
        if self.source is not None:
            self.source.close()
        with self._fresh:
            self._closed = True
            self._fresh.notify_all()


class Monitored:
    """What a broadcast takes of a `Monitor`: it may open and close it while the preview goes on."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._detach: Callable[[], None] | None = None
        self._sink: Sink
        self._lost = False
        self._look()

    def _look(self) -> None:
        monitor = self._monitor
        self.width, self.height, self.fps = monitor.width, monitor.height, monitor.fps
        self.has_audio = monitor.has_audio
        self.screen = bool(getattr(monitor.source, "screen", False))

    def open(self) -> None:
        """Wait for the first picture, which also tells the size.

        Raises:
            SourceError: none comes.
        """
        if not self._monitor.here.wait(FIRST_SECONDS):
            raise SourceError("the preview shows no picture yet: switch the camera on first")
        self._look()

    def start(self, sink: Sink) -> None:
        """Begin to hand on to `sink`."""
        self.close()
        self._sink = sink
        self._detach = self._monitor.attach(self)

    def close(self) -> None:
        """Hand on no more."""
        detach, self._detach = self._detach, None
        if detach is not None:
            detach()

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture, made the size it was at the start: a page that is short of bandwidth sends smaller ones."""
        if self._lost:
            self.restored()
        if (width, height) != (self.width, self.height):
            import av

            rows = np.frombuffer(picture, np.uint8).reshape(height * 3 // 2, width)
            picture = packed(av.VideoFrame.from_ndarray(rows, format="yuv420p").reformat(self.width, self.height))
        self._sink.video(picture, self.width, self.height)

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound."""
        self._sink.audio(samples, channels)

    def lost(self, reason: str) -> None:
        """Nothing more comes for now."""
        self._lost = True
        self._sink.lost(reason)

    def restored(self) -> None:
        """What was lost gives media again."""
        self._lost = False
        self._sink.restored()

    def ended(self) -> None:
        """The source has come to its end."""
        self._sink.ended()

    def __repr__(self) -> str:
        return repr(self._monitor)
