"""Segments and their parts on disk: fragmented MP4. What is on disk is what counts: it survives any crash."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from spnb.sandbox.recorder.fmp4 import AUDIO, AUDIO_RATE, VIDEO, VIDEO_RATE, Run, Sample, fragment, initialisation
from spnb.sandbox.recorder.h264 import Parameters, Stream, nal_units, sample
from spnb.sandbox.recorder.sound import FRAME_SAMPLES, SoundPacket

__all__ = ["Listing", "Part", "Segment", "SegmentWriter", "initialisation_file", "segment_files"]

PARTS = 6
"""Parts of a segment."""
SHORTEST_PART = 0.85
"""A part that is not its segment's last is at least so much of the longest (draft-pantos-hls-rfc8216bis, 4.4.4.9)."""
LOOSE_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Part:
    """A fragment of a segment: its place in the file, how long it is, and whether it begins with a key frame."""

    offset: int
    length: int
    seconds: float
    independent: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: its number from 0, where it begins and how long it is (seconds), and what it consists of."""

    number: int
    start: float
    seconds: float
    initialisation: int
    """Number of the initialisation segment it needs."""
    changed: bool
    """Whether its pictures are encoded in another way than those before."""
    parts: tuple[Part, ...]
    quality: str = ""
    """What the names of its files begin with; nothing for the best quality, which is recorded."""

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.quality}segment-{self.number:06d}-{self.initialisation}.m4s"

    @property
    def map(self) -> str:
        """The name of the initialisation segment it needs."""
        return f"{self.quality}init-{self.initialisation}.mp4"

    def part_name(self, part: int) -> str:
        """The name by which a part of it, which may be still to come, is asked for."""
        return f"{self.quality}part-{self.number}-{part}.m4s"


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is of a recording: whole segments, and the one that is being written."""

    segments: list[Segment]
    count: int
    """How many of the segments count: the list grows."""
    open: Segment | None
    ended: bool

    def has(self, segment: int, part: int | None) -> bool:
        """Whether a segment, or a part of it, is there, or will never be."""
        if self.ended or segment < self.count:
            return True
        return part is not None and self.open is not None and segment == self.count and part < len(self.open.parts)


def segment_files(folder: Path) -> list[tuple[Path, int]]:
    """The segments of a recording in order, each with the number of its initialisation segment.

    One that was being written when the process died is among them.
    """
    found = sorted([*folder.glob("segment-*.m4s"), *folder.glob("segment-*.m4s.part")])
    return [(path, int(path.name.split("-")[2].partition(".")[0])) for path in found]


def initialisation_file(folder: Path, number: int) -> Path:
    """Where an initialisation segment is."""
    return folder / f"init-{number}.mp4"


class SegmentWriter:
    """Writes pictures and sound into segments of parts.

    Between two pictures a part may end: there the picture before is shown once more, so that every part has one and
    none is longer than the others.

    Args:
        folder: where segments go.
        seconds: of a segment; its parts are a sixth of it.
        sound: encodes the sound up to a moment.
        on_part: called after each part.
        quality: what the names of its files begin with; see `Segment`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float,
        sound: Callable[[float], Iterable[SoundPacket]],
        on_part: Callable[[], None] = lambda: None,
        quality: str = "",
    ) -> None:
        self._folder = folder
        self._quality = quality
        self._part_seconds = seconds / PARTS
        self._sound = sound
        self._on_part = on_part
        self._heard: deque[SoundPacket] = deque()
        self._stream = Stream()
        self._file: BinaryIO | None = None
        self._initialisations: list[Parameters] = []
        self._fragments = 0
        self._pending: tuple[bytes, float, bool] | None = None
        self._samples: list[Sample] = []
        self._first = 0.0
        self._part_start = 0.0
        self._open: Segment | None = None
        self._segments: list[Segment] = []
        self._lock = threading.Lock()
        self._listing = Listing(self._segments, 0, None, False)

    @property
    def listing(self) -> Listing:
        """What there is; safe to ask for from any thread."""
        with self._lock:
            return self._listing

    @property
    def parameters(self) -> Parameters | None:
        """How the pictures of the open segment, or the last one, are encoded."""
        return self._stream.parameters

    @property
    def start(self) -> float | None:
        """Where the open segment begins; None where none is open."""
        return self._open.start if self._open is not None else None

    @property
    def end(self) -> float:
        """Up to where pictures are decided, in seconds."""
        return self._pending[1] if self._pending is not None else self._part_start

    def fits(self, access_unit: bytes) -> bool:
        """Whether a key frame can go on in the open segment: its parameter sets are those of the others."""
        stream = Stream()
        return stream.take(nal_units(access_unit)) == self._stream.parameters

    def begin(self, access_unit: bytes, position: float, number: int | None = None) -> bool:
        """End the open segment at `position` and begin the next, of that number, with this key frame.

        Returns:
            False where the key frame cannot begin one: nothing is changed then.
        """
        units = nal_units(access_unit)
        stream = Stream()
        parameters = stream.take(units)
        if parameters is None or stream.repeated() is None:
            return False
        self.cut(position)
        if parameters not in self._initialisations:
            self._initialisations.append(parameters)
            path = self._folder / f"{self._quality}init-{len(self._initialisations)}.mp4"
            path.write_bytes(initialisation(parameters))
        kind = self._initialisations.index(parameters) + 1
        before = self._segments[-1] if self._segments else None
        changed = before is not None and before.initialisation != kind
        number = len(self._segments) if number is None else number
        opened = Segment(number, position, 0.0, kind, changed, (), self._quality)
        self._file = (self._folder / f"{opened.name}.part").open("wb", buffering=0)
        self.skip(position)
        self._stream, self._open, self._part_start = stream, opened, position
        self._pending = (sample(units), position, True)
        self._tell()
        return True

    def skip(self, position: float) -> None:
        """What was heard before `position` and is in no segment goes into none."""
        self._heard.extend(self._sound(position))
        while self._heard and self._heard[0].pts < round(position * AUDIO_RATE):
            self._heard.popleft()

    def picture(self, access_unit: bytes, position: float, *, keyframe: bool) -> None:
        """Write a picture into the open segment."""
        if self._pending is None:
            return
        units = nal_units(access_unit)
        self._stream.take(units)
        position = max(position, self._pending[1] + LOOSE_SECONDS)
        self._reach(position)
        self._keep(position)
        self._pending = (sample(units), position, keyframe)

    def until(self, position: float) -> None:
        """Time has come so far: parts that end before are closed."""
        if self._pending is not None:
            self._reach(position)

    def _reach(self, position: float) -> None:
        """Close all parts that the picture before, lasting until `position`, would make too long."""
        while self._pending is not None and position - self._part_start > self._part_seconds + LOOSE_SECONDS:
            limit = self._part_start + self._part_seconds
            begun = self._pending[1]
            if begun - self._part_start >= SHORTEST_PART * self._part_seconds:
                self._close_part(begun)
                continue
            repeated = self._stream.repeated()
            assert repeated is not None  # noqa: S101 - a stream that allows none began no segment
            self._keep(limit)
            self._close_part(limit)
            self._pending = (repeated, limit, False)

    def _keep(self, until: float) -> None:
        assert self._pending is not None  # noqa: S101 - asked for by those who have one
        data, begun, sync = self._pending
        if not self._samples:
            self._first = begun
        ticks = round(until * VIDEO_RATE) - round(begun * VIDEO_RATE)
        self._samples.append(Sample(data, ticks, sync))
        self._pending = None

    def _close_part(self, end: float) -> None:
        if self._open is None or self._file is None:
            return
        # An encoder gives a packet out when it has the next one's samples.
        self._heard.extend(self._sound(end + 2 * FRAME_SAMPLES / AUDIO_RATE))
        runs = []
        samples, self._samples = self._samples, []
        if samples:
            runs.append(Run(VIDEO, round(self._first * VIDEO_RATE), samples))
        spoken = []
        while self._heard and self._heard[0].pts < round(end * AUDIO_RATE):
            spoken.append(self._heard.popleft())
        if spoken:
            runs.append(Run(AUDIO, spoken[0].pts, [Sample(packet.data, FRAME_SAMPLES) for packet in spoken]))
        if not runs:
            return
        self._fragments += 1
        data = fragment(self._fragments, runs)
        self._file.write(data)
        parts = self._open.parts
        offset = parts[-1].offset + parts[-1].length if parts else 0
        made = Part(offset, len(data), end - self._part_start, bool(samples) and samples[0].sync)
        opened = self._open
        seconds = end - opened.start
        self._open = replace(opened, seconds=seconds, parts=(*parts, made))
        self._part_start = end
        self._tell()

    def cut(self, position: float) -> None:
        """Finish the open segment, which ends at `position`, and list it."""
        if self._open is None:
            return
        if self._pending is not None:
            position = max(position, self._pending[1] + LOOSE_SECONDS)
            self._reach(position)
        if self._pending is not None:
            self._keep(position)
        self._close_part(position)
        opened, self._open = self._open, None
        file, self._file = self._file, None
        if file is not None:
            file.close()
            part = self._folder / f"{opened.name}.part"
            part.rename(self._folder / opened.name)
        with self._lock:
            self._segments.append(opened)
        self._tell()

    def abandon(self) -> None:
        """Give the open segment up after a failed write; what reached the disk of it stays."""
        file, self._file = self._file, None
        self._pending = None
        if file is not None:
            try:
                file.close()
            except OSError:
                return  # the disk is full: that is why it is given up

    def finish(self, position: float) -> None:
        """Finish the open segment and the listing."""
        self.cut(position)
        self._tell(ended=True)

    def _tell(self, *, ended: bool = False) -> None:
        with self._lock:
            self._listing = Listing(self._segments, len(self._segments), self._open, ended)
        self._on_part()
