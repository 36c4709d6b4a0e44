"""Fragmented MP4 (ISO/IEC 14496-12): the pieces of live HLS, and one file that is HLS and download at once.

Written here since no muxer we know closes a fragment at a wanted moment, or keeps several sample entries: a picture
that changes its size in mid-stream has one for each size, which is what Safari and QuickTime can play.
"""

from __future__ import annotations

import itertools
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from spnb.sandbox.recorder.h264 import Parameters

__all__ = ["AUDIO", "AUDIO_RATE", "VIDEO", "VIDEO_RATE", "Fragment", "Run", "Sample", "Track"]
__all__ += ["audio_entry", "file_head", "fragment", "initialisation", "moov", "read_fragments", "stored_entry"]

VIDEO, AUDIO = 1, 2
VIDEO_RATE, AUDIO_RATE = 90_000, 48_000
RATES = {VIDEO: VIDEO_RATE, AUDIO: AUDIO_RATE}
AAC_STEREO_48K = bytes.fromhex("1190")
"""AudioSpecificConfig of AAC-LC, 48 kHz, stereo (ISO/IEC 14496-3, 1.6.2.1)."""
SYNC, NOT_SYNC = 0x0200_0000, 0x0101_0000
LANGUAGE = 0x55C4
UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


class Sample(NamedTuple):
    """An encoded picture or sound packet, its length in ticks of its track, and whether a player may begin there."""

    data: bytes
    duration: int
    sync: bool = True


@dataclass(slots=True)
class Run:
    """Samples of one track that follow each other from `time`, in ticks."""

    track: int
    time: int
    samples: list[Sample] = field(default_factory=list)


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)


def file_head() -> bytes:
    """The `ftyp` box."""
    return _box(b"ftyp", b"iso6", struct.pack(">I", 512), b"iso6", b"isom", b"mp41", b"avc1")


def video_entry(parameters: Parameters) -> bytes:
    """The sample entry of H.264 with its parameter sets."""
    head = struct.pack(">6xH16xHHIII H32xHh", 1, parameters.width, parameters.height, 0x480000, 0x480000, 0, 1, 24, -1)
    return _box(b"avc1", head, _box(b"avcC", parameters.configuration))


def audio_entry() -> bytes:
    """The sample entry of AAC as the recorder makes it."""

    def descriptor(tag: int, content: bytes) -> bytes:
        return bytes((tag, len(content))) + content

    config = descriptor(4, bytes((0x40, 0x15)) + struct.pack(">3xII", 128_000, 128_000) + descriptor(5, AAC_STEREO_48K))
    described = descriptor(3, struct.pack(">HB", AUDIO, 0) + config + descriptor(6, b"\x02"))
    head = struct.pack(">6xH8xHHII", 1, 2, 16, 0, AUDIO_RATE << 16)
    return _box(b"mp4a", head, _full(b"esds", 0, 0, described))


def stored_entry(initialisation_segment: bytes) -> bytes:
    """The picture's sample entry in an initialisation segment that was made here."""
    at = initialisation_segment.index(b"avc1", initialisation_segment.index(b"stsd")) - 4
    (size,) = struct.unpack_from(">I", initialisation_segment, at)
    return initialisation_segment[at : at + size]


@dataclass(slots=True)
class Track:
    """What a `trak` box tells: without chunks it is one that fragments fill."""

    number: int
    entries: list[bytes]
    sizes: list[int] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    syncs: list[bool] = field(default_factory=list)
    chunks: list[tuple[int, int, int]] = field(default_factory=list)
    """Of each: where it lies in the file, how many samples it has, its sample entry from 1."""

    @property
    def seconds(self) -> float:
        return sum(self.durations) / RATES[self.number]

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of its pictures, in pixels; of several sizes the one that is shown longest."""
        ticks, first = Counter[int]({1: 0}), 0
        for _, samples, entry in self.chunks:
            ticks[entry] += sum(self.durations[first : first + samples])
            first += samples
        width, height = struct.unpack_from(">HH", self.entries[ticks.most_common(1)[0][0] - 1], 32)
        return width, height

    def box(self, shift: int) -> bytes:
        rate = RATES[self.number]
        ticks, movie = sum(self.durations), round(self.seconds * 1000)
        video = self.number == VIDEO
        size = self.shown if video else (0, 0)
        shown = struct.pack(">II", size[0] << 16, size[1] << 16)
        header = (
            struct.pack(">QQIIQ8xhhHH", 0, 0, self.number, 0, movie, 0, 0, 0 if video else 0x100, 0) + UNITY + shown
        )
        kind, name = (b"vide", b"picture\0") if video else (b"soun", b"sound\0")
        media = (
            _full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, rate, ticks, LANGUAGE, 0)),
            _full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, kind), name),
            _box(
                b"minf",
                _full(b"vmhd", 0, 1, bytes(8)) if video else _full(b"smhd", 0, 0, bytes(4)),
                _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1))),
                self._table(shift),
            ),
        )
        return _box(b"trak", _full(b"tkhd", 1, 3, header), _box(b"mdia", *media))

    def _table(self, shift: int) -> bytes:
        described = struct.pack(">I", len(self.entries)) + b"".join(self.entries)
        lengths = [(len(list(run)), duration) for duration, run in itertools.groupby(self.durations)]
        spread: list[tuple[int, int, int]] = []
        for number, (_, count, entry) in enumerate(self.chunks, start=1):
            if not spread or spread[-1][1:] != (count, entry):
                spread.append((number, count, entry))
        offsets = [at + shift for at, _, _ in self.chunks]
        boxes = [
            _full(b"stsd", 0, 0, described),
            _full(b"stts", 0, 0, _counted(">II", lengths)),
            _full(b"stsc", 0, 0, _counted(">III", spread)),
            _full(b"stsz", 0, 0, struct.pack(">I", 0), _counted(">I", [(size,) for size in self.sizes])),
            _full(b"co64", 0, 0, _counted(">Q", [(at,) for at in offsets])),
        ]
        if self.number == VIDEO:
            keys = [(number,) for number, sync in enumerate(self.syncs, start=1) if sync]
            boxes.append(_full(b"stss", 0, 0, _counted(">I", keys)))
        return _box(b"stbl", *boxes)


def _counted(layout: str, entries: Sequence[tuple[int, ...]]) -> bytes:
    return struct.pack(">I", len(entries)) + b"".join(struct.pack(layout, *entry) for entry in entries)


def moov(tracks: Iterable[Track], *, fragmented: bool = False, shift: int = 0) -> bytes:
    """The box that describes a file.

    Args:
        fragmented: whether samples come in fragments after it.
        shift: what the places of chunks are moved by.
    """
    known = list(tracks)
    longest = round(max((track.seconds for track in known), default=0.0) * 1000)
    head = struct.pack(">QQIQIH10x", 0, 0, 1000, longest, 0x10000, 0x100) + UNITY + struct.pack(">24xI", 3)
    boxes = [_full(b"mvhd", 1, 0, head), *(track.box(shift) for track in known)]
    if fragmented:
        extends = [_full(b"trex", 0, 0, struct.pack(">5I", track.number, 1, 0, 0, 0)) for track in known]
        boxes.append(_box(b"mvex", *extends))
    return _box(b"moov", *boxes)


def initialisation(parameters: Parameters) -> bytes:
    """The initialisation segment of picture and sound: an `EXT-X-MAP`."""
    tracks = [Track(VIDEO, [video_entry(parameters)]), Track(AUDIO, [audio_entry()])]
    return file_head() + moov(tracks, fragmented=True)


def fragment(number: int, runs: Sequence[Run]) -> bytes:
    """A `moof` and its `mdat`."""

    def head(offsets: Sequence[int]) -> bytes:
        parts = [_full(b"mfhd", 0, 0, struct.pack(">I", number))]
        for run, offset in zip(runs, offsets, strict=True):
            rows = b"".join(
                struct.pack(">III", one.duration, len(one.data), SYNC if one.sync else NOT_SYNC) for one in run.samples
            )
            parts.append(
                _box(
                    b"traf",
                    _full(b"tfhd", 0, 0x020000, struct.pack(">I", run.track)),
                    _full(b"tfdt", 1, 0, struct.pack(">Q", run.time)),
                    _full(b"trun", 0, 0x701, struct.pack(">Ii", len(run.samples), offset), rows),
                )
            )
        return _box(b"moof", *parts)

    data = [b"".join(one.data for one in run.samples) for run in runs]
    size = len(head([0] * len(runs))) + 8
    offsets = [size + sum(map(len, data[:index])) for index in range(len(runs))]
    return head(offsets) + _box(b"mdat", *data)


@dataclass(slots=True)
class Fragment:
    """What a stored fragment holds: of each track where its samples lie, when they begin, and their facts."""

    end: int
    """Where the fragment ends in its file."""
    runs: list[tuple[int, int, int, list[tuple[int, int, bool]]]]
    """Track, place of the first byte, time in ticks, and of each sample duration, size, sync."""


def read_fragments(file: BinaryIO) -> Iterator[Fragment]:
    """The whole fragments of a segment that was made here; one that breaks off is left out."""
    at = 0
    runs: list[tuple[int, int, int, list[tuple[int, int, bool]]]] = []
    length = file.seek(0, 2)
    while at + 8 <= length:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size < 8 or at + size > length:
            return
        if kind == b"moof":
            runs = list(_runs(file.read(size - 8), at))
        elif kind == b"mdat":
            yield Fragment(at + size, runs)
        at += size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += max(8, size)


def _runs(moof: bytes, place: int) -> Iterator[tuple[int, int, int, list[tuple[int, int, bool]]]]:
    for kind, traf in _boxes(moof):
        if kind != b"traf":
            continue
        inner = dict(_boxes(traf))
        (track,) = struct.unpack_from(">I", inner[b"tfhd"], 4)
        (time,) = struct.unpack_from(">Q", inner[b"tfdt"], 4)
        count, offset = struct.unpack_from(">Ii", inner[b"trun"], 4)
        rows = struct.iter_unpack(">III", inner[b"trun"][12 : 12 + 12 * count])
        yield track, place + offset, time, [(duration, size, flags == SYNC) for duration, size, flags in rows]
