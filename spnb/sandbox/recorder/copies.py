"""Smaller copies of what is live, as their publisher sends them: more than one quality, and nothing encoded for it.

A copy has the segments of the best quality, one by one, with the same beginnings: each is its own where the publisher's
key frame came in time for it, and else that of the best quality, as where several are on stage or a layer is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from spnb.sandbox.media.frames import EncodedFrame
from spnb.sandbox.recorder.h264 import Parameters
from spnb.sandbox.recorder.segments import Listing, Segment, SegmentWriter
from spnb.sandbox.recorder.sound import SoundPacket, SoundTaps

__all__ = ["Copies", "Copy"]

TOLERANCE_SECONDS = 0.25
"""How far from its segment's beginning a copy's key frame may lie: it is shown from there on."""
MOST_KEPT = 64


class Copy:
    """One smaller quality. Fed by the writer's thread, asked by any.

    Args:
        best: writes the best quality.
        quality: what the names of its files begin with.
        writer: writes its own segments.
    """

    def __init__(self, best: SegmentWriter, quality: str, writer: SegmentWriter) -> None:
        self._best = best
        self.quality = quality
        self._writer = writer
        opened = best.listing.open
        self._segments: list[Segment] = best.listing.segments[: best.listing.count]
        """What was before it is the best quality's."""
        self._begins = (opened.number, opened.start) if opened is not None and not opened.parts else None
        """Number and beginning of the segment that a key frame may still begin."""
        self._own = False
        """Whether its open segment is its own."""
        self._recent: list[tuple[bytes, float]] = []
        """Its newest key frame, and what came since, with their places."""

    @property
    def parameters(self) -> Parameters | None:
        """How its pictures are encoded; None while it has no segment of its own."""
        return self._writer.parameters if any(segment.quality for segment in self._segments[-10:]) else None

    @property
    def listing(self) -> Listing:
        """What there is of it."""
        count, best = len(self._segments), self._best.listing
        opened = None if self._begins is not None else self._writer.listing.open if self._own else best.open
        if opened is not None and opened.number != count:
            opened = None
        return Listing(self._segments, count, opened, best.ended and count == best.count)

    def take(self, frame: EncodedFrame, position: float) -> None:
        """A frame of it that lies at `position`."""
        if frame.keyframe:
            self._recent = []
        if frame.keyframe or (self._recent and len(self._recent) < MOST_KEPT):
            self._recent.append((frame.data, position))
        if self._own:
            self._writer.picture(frame.data, position, keyframe=frame.keyframe)
        elif frame.keyframe:
            self._try()

    def _try(self) -> None:
        if self._begins is None or not self._recent:
            return
        number, start = self._begins
        if abs(self._recent[0][1] - start) > TOLERANCE_SECONDS:
            return
        (key, _), *rest = self._recent
        if self._writer.begin(key, start, number):
            self._own, self._begins = True, None
            for data, position in rest:
                self._writer.picture(data, max(start, position), keyframe=False)

    def until(self, edge: float) -> None:
        """Time has come so far."""
        if self._own:
            self._writer.until(edge)
        elif self._begins is not None and edge > self._begins[1] + TOLERANCE_SECONDS:
            self._begins = None

    def cut(self, at: float) -> None:
        """The best quality has begun a segment, or ended with one, at a moment."""
        best = self._best.listing
        self._writer.cut(at)
        if best.count > len(self._segments):
            done = best.segments[best.count - 1]
            own = self._writer.listing.segments[-1] if self._own else done
            self._segments.append(replace(own, changed=done.changed))
        self._own = False
        self._writer.skip(at)
        self._begins = (best.open.number, at) if best.open is not None else None
        self._try()

    def forget(self) -> None:
        """What comes is another's, or nothing may be taken as it is."""
        self._recent = []


class Copies:
    """All smaller qualities of one room.

    Args:
        folder: where their files go, beside those of the best quality.
        seconds: of a segment.
        best: writes the best quality.
        sound: what is heard, for each of several.
        on_part: called after each change.
    """

    def __init__(
        self, folder: Path, *, seconds: float, best: SegmentWriter, sound: SoundTaps, on_part: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._seconds = seconds
        self._best = best
        self._sound = sound
        self._on_part = on_part
        self._copies: dict[int, Copy] = {}
        self._of = ""

    @property
    def listed(self) -> list[Copy]:
        """Those there are, the best first."""
        return [copy for _, copy in sorted(self._copies.items(), reverse=True)]

    def take(self, rank: int, frame: EncodedFrame, position: float, *, of: str) -> None:
        """A frame of a track's layer of that rank. Called while that track is what is shown, and taken as it is."""
        if of != self._of:
            self._of = of
            for copy in self._copies.values():
                copy.forget()
        if rank not in self._copies:
            if not frame.keyframe:
                return
            self._copies[rank] = self._made(rank)
        self._copies[rank].take(frame, position)
        self._on_part()

    def _made(self, rank: int) -> Copy:
        quality = f"copy{rank}-"
        tap = self._sound.another()

        def heard(position: float) -> Iterable[SoundPacket]:
            return self._sound.until(position, tap)

        writer = SegmentWriter(self._folder, seconds=self._seconds, sound=heard, on_part=self._on_part, quality=quality)
        return Copy(self._best, quality, writer)

    def until(self, edge: float) -> None:
        """Time has come so far."""
        for copy in self._copies.values():
            copy.until(edge)

    def cut(self, at: float) -> None:
        """The best quality has begun a segment, or ended with one, at a moment."""
        for copy in self._copies.values():
            copy.cut(at)
        if self._copies:
            self._on_part()
