"""Recordings on disk: segments made into one MP4, its thumbnail, and the list of what a room has."""

from __future__ import annotations

import errno
import logging
import shutil
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import orjson

from spnb.sandbox.recorder.segments import segment_files

__all__ = ["Interrupted", "RecordedFile", "finalise", "listed"]

log = logging.getLogger(__name__)

INDEX = "recordings.json"


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
        over: asked before each segment whether to give up.

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
            holder = av.open(str(path))
            holders.append(holder)
            template: Any = next(stream for stream in holder.streams if stream.type == kind)
            streams[kind] = output.add_stream_from_template(template)
            if kind == "video":
                size = (template.width, template.height)
        written: dict[str, int] = {}
        for path in sources:
            if over():
                raise Interrupted
            try:
                source = av.open(str(path))
            except av.FFmpegError as error:
                log.warning("%s is left out of the recording: %s", path.name, type(error).__name__)
                continue  # the last segment of a killed process may hold nothing yet
            with source:
                for packet in source.demux(*[stream for stream in source.streams if stream.type in streams]):
                    if packet.dts is None or packet.pts is None:
                        continue
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


def _templates(sources: list[Path]) -> dict[str, Path]:
    """For sound and picture, the first segment that has it with all that a header needs."""
    found: dict[str, Path] = {}
    for path in sources:
        try:
            with av.open(str(path)) as source:
                if source.streams.audio:
                    found.setdefault("audio", path)
                if source.streams.video and source.streams.video[0].width > 0:
                    found.setdefault("video", path)
        except av.FFmpegError:
            continue  # the last segment of a killed process may hold nothing yet
        if len(found) == 2:
            break
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
