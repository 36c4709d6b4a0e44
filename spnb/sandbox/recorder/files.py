"""Recordings on disk: segments made into one MP4, its thumbnail, and the list of what a room has."""

from __future__ import annotations

import errno
import io
import itertools
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import av
import orjson

from spnb.sandbox.recorder.segments import segment_files

__all__ = ["Interrupted", "RecordedFile", "finalise", "listed"]

log = logging.getLogger(__name__)

INDEX = "recordings.json"

TS_PACKET = 188
STREAM_TYPES = {0x1B: "video", 0x0F: "audio"}
"""H.264 and AAC, as a table of streams names them (ISO/IEC 13818-1, table 2-34)."""
LOOK_BYTES = 64 * TS_PACKET
READ_BYTES = 1 << 18
PACKETS_BETWEEN_LOOKS = 2_000


class Interrupted(Exception):
    """Making a file was given up because the process ends; its segments stand, and the next start begins it anew."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A finished recording of a room; a room that outlived a restart of the sandbox has several, in order."""

    playback_id: str
    path: Path
    thumbnail: Path | None
    duration_seconds: float
    width: int
    height: int


def listed(room: Path) -> list[RecordedFile]:
    """The finished recordings in a room's folder."""
    index = room / INDEX
    if not index.is_file():
        return []
    return [
        RecordedFile(
            playback_id=entry["playback_id"],
            path=room / entry["path"],
            thumbnail=room / entry["thumbnail"] if entry["thumbnail"] else None,
            duration_seconds=entry["duration_seconds"],
            width=entry["width"],
            height=entry["height"],
        )
        for entry in orjson.loads(index.read_bytes())
    ]


def finalise(room: Path, part: Path, *, over: Callable[[], bool] = lambda: False) -> list[RecordedFile]:
    """Make the segments of `part` into a recording of the room and remove them.

    On a full disk the segments are joined in place as MPEG-TS instead, so that nothing that was recorded is lost.

    Args:
        room, part: folders.
        over: asked now and then whether to give up.

    Returns:
        All recordings of the room, the new one last.

    Raises:
        Interrupted: it was given up; nothing was changed.
    """
    before = listed(room)
    sources = [path for path in segment_files(part) if path.stat().st_size]
    number = len(before) + 1
    if not sources:
        shutil.rmtree(part, ignore_errors=True)
        return before
    target = room / f"recording-{number}.mp4"
    try:
        facts = _remux(sources, target, over)
    except Interrupted:
        target.with_suffix(".part").unlink(missing_ok=True)
        raise
    except (OSError, av.FFmpegError) as error:
        target.with_suffix(".part").unlink(missing_ok=True)
        if getattr(error, "errno", None) != errno.ENOSPC:
            log.warning("the recording %s is kept as MPEG-TS: %s", target.name, error)
        target = _joined(sources, room / f"recording-{number}.ts")
        facts = _facts(target)
    if facts is None:
        shutil.rmtree(part, ignore_errors=True)
        target.unlink(missing_ok=True)
        return before
    thumbnail = None
    if (part / "thumbnail.jpg").is_file():
        thumbnail = room / f"recording-{number}.jpg"
        (part / "thumbnail.jpg").replace(thumbnail)
    duration, width, height = facts
    made = RecordedFile(uuid.uuid4().hex[:24], target, thumbnail, duration, width, height)
    _write_index(room, [*before, made])
    shutil.rmtree(part, ignore_errors=True)
    return [*before, made]


def _write_index(room: Path, files: list[RecordedFile]) -> None:
    entries = [
        {**asdict(file), "path": file.path.name, "thumbnail": file.thumbnail.name if file.thumbnail else None}
        for file in files
    ]
    fresh = room / f"{INDEX}.part"
    fresh.write_bytes(orjson.dumps(entries))
    fresh.replace(room / INDEX)


def _remux(sources: list[Path], target: Path, over: Callable[[], bool]) -> tuple[float, int, int] | None:
    """Copy the packets of all segments into one MP4 with its index in front; nothing is encoded anew.

    Returns:
        Duration in seconds, width and height; None where there was no packet at all.
    """
    kinds = _templates(sources)
    if not kinds:
        return None
    first: float | None = None
    last = 0.0
    size = (0, 0)
    unfinished = target.with_suffix(".part")
    with av.open(str(unfinished), "w", format="mp4", options={"movflags": "+faststart"}) as output:
        streams: dict[str, Any] = {}
        holders = []
        for kind, path in kinds.items():
            holder = av.open(str(path), format="mpegts")
            holders.append(holder)
            template: Any = next(stream for stream in holder.streams if stream.type == kind)
            streams[kind] = output.add_stream_from_template(template)
            if kind == "video":
                size = (template.width, template.height)
        written: dict[str, int] = {}
        for number, packet in enumerate(_packets(sources, frozenset(streams))):
            if number % PACKETS_BETWEEN_LOOKS == 0 and over():
                raise Interrupted
            stream = streams[packet.stream.type]
            at = float(packet.pts * packet.time_base)
            first = at if first is None else first
            shift = round(first / packet.time_base)
            packet.pts = max(0, packet.pts - shift)
            packet.dts = packet.pts
            if packet.dts <= written.get(packet.stream.type, -1):
                continue  # a double on the seam of two segments
            written[packet.stream.type] = packet.dts
            length = float((packet.duration or 0) * packet.time_base) if packet.stream.type == "audio" else 0
            last = max(last, at + length)
            packet.stream = stream
            output.mux(packet)
        for holder in holders:
            holder.close()
    unfinished.replace(target)
    return last - (first or 0.0), *size


def _packets(sources: list[Path], kinds: frozenset[str]) -> Iterator[Any]:
    """The packets of all segments in order. Neighbours with the same streams are read as one: looking into each of the
    1 800 segments of an hour would take ten times as long as copying them."""
    for streams, neighbours in itertools.groupby(sources, key=_streams_of):
        if not streams:
            continue  # the last segment of a killed process may hold nothing yet
        run = list(neighbours)
        try:
            source = av.open(cast(Any, _Joined(run)), format="mpegts", buffer_size=READ_BYTES)
        except (av.FFmpegError, ValueError) as error:
            log.warning("%d segments of %s cannot be read: %s", len(run), run[0].parent, type(error).__name__)
            continue
        with source:
            for packet in source.demux(*[stream for stream in source.streams if stream.type in kinds]):
                if packet.dts is not None and packet.pts is not None:
                    yield packet


def _streams_of(segment: Path) -> frozenset[str] | None:
    """What a segment holds by its tables (ISO/IEC 13818-1, 2.4.4); None where it was cut off before them."""
    with segment.open("rb") as file:
        head = file.read(LOOK_BYTES)
    tables: dict[int, bytes] = {}
    program = -1
    for at in range(0, len(head) - TS_PACKET + 1, TS_PACKET):
        pid = int.from_bytes(head[at + 1 : at + 3]) & 0x1FFF
        section = head[at + 5 + head[at + 4] : at + TS_PACKET]
        tables.setdefault(pid, section)
        if pid == 0:
            program = int.from_bytes(section[10:12]) & 0x1FFF
        if 0 in tables and program in tables:
            return frozenset(_listed_streams(tables[program]))
    return None


def _listed_streams(table: bytes) -> Iterator[str]:
    end = 3 + (int.from_bytes(table[1:3]) & 0xFFF) - 4
    at = 12 + (int.from_bytes(table[10:12]) & 0xFFF)
    while at + 5 <= end:
        if table[at] in STREAM_TYPES:
            yield STREAM_TYPES[table[at]]
        at += 5 + (int.from_bytes(table[at + 3 : at + 5]) & 0xFFF)


class _Joined(io.RawIOBase):
    """Several files, read as if they were one."""

    def __init__(self, paths: list[Path]) -> None:
        self._left = iter(paths)
        self._file: io.FileIO | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        while True:
            if self._file is None:
                path = next(self._left, None)
                if path is None:
                    return b""
                self._file = io.FileIO(path)
            data = self._file.read(size)
            if data:
                return data
            self._file.close()
            self._file = None


def _templates(sources: list[Path]) -> dict[str, Path]:
    """For sound and picture, the first segment that has it with all that a header needs."""
    found: dict[str, Path] = {}
    for path in sources:
        if len(found) == 2:
            break
        if not (_streams_of(path) or frozenset()) - found.keys():
            continue
        try:
            with av.open(str(path), format="mpegts") as source:
                if source.streams.audio and source.streams.audio[0].rate:
                    found.setdefault("audio", path)
                if source.streams.video and source.streams.video[0].width > 0:
                    found.setdefault("video", path)
        except (av.FFmpegError, ValueError):
            continue  # cut off too early to be read
    return dict(sorted(found.items(), reverse=True))


def _joined(sources: list[Path], target: Path) -> Path:
    """Join segments byte by byte, each removed once it is appended: needs no more room than one segment."""
    head, *rest = sources
    head.replace(target)
    with target.open("ab", buffering=0) as joined:
        for path in rest:
            whole = joined.tell()
            try:
                joined.write(path.read_bytes())
            except OSError as error:
                joined.truncate(whole)
                log.warning("the end of the recording %s found no room: %s", target.name, error.strerror)
                break
            path.unlink()
    return target


def _facts(path: Path) -> tuple[float, int, int] | None:
    try:
        with av.open(str(path)) as source:
            video = source.streams.video[0] if source.streams.video else None
            duration = (source.duration or 0) / av.time_base
            return duration, video.width if video else 0, video.height if video else 0
    except av.FFmpegError:
        return None
