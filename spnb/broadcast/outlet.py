"""The gate between a source and whatever connection there is: what the host has muted does not pass.

A source is started once and pushes here; connections come and go behind it. So a muted host stays muted whatever a
connection does by itself, and a film goes on where it was when a connection was made anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spnb.broadcast.options import Format, Intent
from spnb.broadcast.sources.base import Sink, checked_size
from spnb.errors import InvalidInput

if TYPE_CHECKING:
    from spnb.broadcast.sources.notice import Notice

__all__ = ["Outlet"]

EARLY_SHARE = 0.25
"""A picture may come this share of its interval early and still count as in time."""


class Outlet:
    """A sink that passes on what may go out. Its sink methods may be called from any thread, the others on the loop.

    Args:
        intent: what the host wants.
        source: called from any thread with a reason when the source is lost, with None at its end.
        restored: called from any thread when a lost source gives media again.
    """

    def __init__(self, intent: Intent, *, source: Callable[[str | None], None], restored: Callable[[], None]) -> None:
        self._intent = intent
        self._source = source
        self._restored = restored
        self._sink: Sink | None = None
        self._beside: Sink | None = None
        self._format: Format | None = None
        self._card: Notice | None = None
        self._lost: Notice | None = None
        self._due = 0.0

    def lead(self, sink: Sink | None, wanted: Format | None = None) -> None:
        """Pass on to `sink` from now on, in this format; None leads nowhere."""
        self._sink = sink
        self._format = wanted or self._format
        self._show_card()

    def beside(self, sink: Sink | None) -> None:
        """Pass on to this one too, whether or not there is a connection."""
        self._beside = sink
        self._show_card()

    @property
    def _way(self) -> Sink | None:
        if self._sink is None or self._beside is None:
            return self._sink or self._beside
        return _Both(self._sink, self._beside)

    def heed(self, intent: Intent) -> None:
        """The host wants something else."""
        self._intent = intent
        self._show_card()

    def _show_card(self) -> None:
        card, self._card = self._card, None
        if card is not None:
            card.close()
        sink, wanted = self._way, self._format
        if sink is not None and wanted is not None and "video" in self._intent.muted:
            from spnb.broadcast.sources.notice import Notice

            # Whoever joins, or a connection that is made anew, is shown this and nothing older.
            self._card = Notice("CAMERA OFF", wanted.width, wanted.height)
            self._card.start(sink)

    def show_lost(self, width: int, height: int) -> None:
        """Viewers are told that the source is lost, rather than left with a picture that has frozen."""
        from spnb.broadcast.sources.notice import Notice

        self.lost_no_more()
        self._lost = Notice("SOURCE LOST", width, height)
        self._lost.start(self)

    def lost_no_more(self) -> None:
        """That is over."""
        notice, self._lost = self._lost, None
        if notice is not None:
            notice.close()

    # -- the sink

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture: as large and as often as was wished for."""
        sink, wanted = self._way, self._format
        if not self._sound_picture(picture, width, height):
            return
        if sink is None or wanted is None or "video" in self._intent.muted or not self._in_time():
            return
        if (width, height) != (wanted.width, wanted.height):
            picture = _scaled(picture, width, height, wanted)
        sink.video(picture, wanted.width, wanted.height)

    def _sound_picture(self, picture: bytearray, width: int, height: int) -> bool:
        """Whether it is what it says; of a source of anybody's own nothing else may reach native code."""
        try:
            checked_size(width, height)
            if len(picture) != width * height * 3 // 2:
                raise InvalidInput(f"{len(picture)} bytes are no I420 picture of {width}×{height}")
        except InvalidInput as error:
            self._source(f"the source gave a picture that cannot be sent: {error}")
            return False
        return True

    def _in_time(self) -> bool:
        most = self._intent.video.fps
        if most is None:
            return True
        now, interval = time.monotonic(), 1 / most
        if now < self._due - interval * EARLY_SHARE:
            return False
        self._due = (self._due if now - self._due < interval else now) + interval
        return True

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound, as loud as was wished for."""
        sink, intent = self._way, self._intent
        if channels not in (1, 2) or len(samples) % (2 * channels):
            self._source(f"the source gave sound that cannot be sent: {len(samples)} bytes of {channels} channels")
            return
        if sink is None or "audio" in intent.muted or not intent.audio.enabled:
            return
        volume = intent.audio.volume
        sink.audio(samples if volume == 1 else _louder(samples, volume), channels)

    def lost(self, reason: str) -> None:
        """The source failed."""
        self._source(reason)

    def restored(self) -> None:
        """The source gives media again."""
        self._restored()

    def ended(self) -> None:
        """The source came to its end."""
        self._source(None)


class _Both:
    """Two sinks as one."""

    def __init__(self, one: Sink, other: Sink) -> None:
        self._sinks = one, other

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture, for both."""
        for sink in self._sinks:
            sink.video(picture, width, height)

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound, for both."""
        for sink in self._sinks:
            sink.audio(samples, channels)

    def lost(self, reason: str) -> None:
        """The outlet tells by itself."""

    def restored(self) -> None:
        """The outlet tells by itself."""

    def ended(self) -> None:
        """The outlet tells by itself."""


def _scaled(picture: bytearray, width: int, height: int, wanted: Format) -> bytearray:
    import av
    import numpy as np

    from spnb.broadcast.sources.base import packed

    rows = np.frombuffer(picture, np.uint8).reshape(height * 3 // 2, width)
    return packed(av.VideoFrame.from_ndarray(rows, format="yuv420p").reformat(wanted.width, wanted.height))


def _louder(samples: bytes, volume: float) -> bytes:
    import numpy as np

    loud: Any = np.frombuffer(samples, np.int16) * np.float32(volume)
    return bytes(np.clip(loud, -32768, 32767).astype(np.int16).tobytes())
