"""Recordings on disk: segments made into one file, its playlist and thumbnail, and the list of what a room has."""

from __future__ import annotations

import errno
import shutil
import struct
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

import av
import orjson

from spnb.sandbox.recorder.fmp4 import (
    AUDIO,
    VIDEO,
    VIDEO_RATE,
    Fragment,
    Track,
    audio_entry,
    file_head,
    moov,
    read_fragments,
    stored_entry,
)
from spnb.sandbox.recorder.picture import THUMBNAIL_WIDTH, jpeg
from spnb.sandbox.recorder.playlist import Stored, finished
from spnb.sandbox.recorder.segments import initialisation_file, segment_files

__all__ = ["Interrupted", "RecordedFile", "finalise", "listed", "taken_in"]

INDEX = "recordings.json"
PLAYED = "recording.mp4"
"""What a recording's playlist calls its file."""


class Interrupted(Exception):
    """Making a file was given up because the process ends; its segments stand, and the next start begins it anew."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A finished recording of a room; a room that outlived a restart of the sandbox has several, in order."""

    playback_id: str
    path: Path
    playlist: Path | None
    """None where it was made elsewhere, or by an earlier version, as an MP4 alone."""
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
            playlist=room / entry["playlist"] if entry.get("playlist") else None,
            thumbnail=room / entry["thumbnail"] if entry["thumbnail"] else None,
            duration_seconds=entry["duration_seconds"],
            width=entry["width"],
            height=entry["height"],
        )
        for entry in orjson.loads(index.read_bytes())
    ]


def finalise(
    room: Path,
    part: Path,
    *,
    over: Callable[[], bool] = lambda: False,
    damaged: Callable[[Path, str], None] = lambda _path, _reason: None,
) -> list[RecordedFile]:
    """Make the segments of `part` into a recording of the room and remove them.

    Its file is an MP4 with its index in front, and the bytes of its segments lie in it as they were, each with its own
    head: so a playlist beside it makes it HLS too, and nothing is there twice. On a full disk the segments are joined
    in place, the index at the end, so that nothing that was recorded is lost.

    Args:
        room, part: folders.
        over: asked before each segment whether to give up.
        damaged: called with each segment that cannot be read and is left out, and why.

    Returns:
        All recordings of the room, the new one last.

    Raises:
        Interrupted: it was given up; nothing was changed.
    """
    before = listed(room)
    sources = [source for found in segment_files(part) if (source := _source(found, part, damaged)) is not None]
    number = len(before) + 1
    if not sources:
        shutil.rmtree(part, ignore_errors=True)
        return before
    target = room / f"recording-{number}.mp4"
    tracks, stored = _described(sources)
    head = file_head()
    index = moov(tracks)
    try:
        # The index knows where it lies itself: its length does not depend on what it tells.
        shift = len(head) + len(index) + MDAT
        with target.with_suffix(".part").open("wb") as whole:
            whole.write(head + moov(tracks, shift=shift) + _mdat(sources))
            for source in sources:
                if over():
                    raise Interrupted
                whole.write(source.initialisation)
                with source.path.open("rb") as segment:
                    _copy(segment, whole, source.length)
        target.with_suffix(".part").replace(target)
    except Interrupted:
        target.with_suffix(".part").unlink(missing_ok=True)
        raise
    except OSError as error:
        target.with_suffix(".part").unlink(missing_ok=True)
        if error.errno != errno.ENOSPC:
            raise
        (part / "ballast").unlink(missing_ok=True)
        shift = len(head) + MDAT
        _joined(sources, target, head + _mdat(sources), moov(tracks, shift=shift))
    playlist = room / f"recording-{number}.m3u8"
    began = _began(part)
    moved = [replace(one, offset=one.offset + shift, initialisation=_moved(one, shift)) for one in stored]
    playlist.write_text(finished(PLAYED, moved, began))
    thumbnail = None
    if (part / "thumbnail.jpg").is_file():
        thumbnail = room / f"recording-{number}.jpg"
        (part / "thumbnail.jpg").replace(thumbnail)
    width, height = tracks[0].shown
    duration = max(track.seconds for track in tracks)
    made = RecordedFile(uuid.uuid4().hex[:24], target, playlist, thumbnail, duration, width, height)
    _write_index(room, [*before, made])
    shutil.rmtree(part, ignore_errors=True)
    return [*before, made]


def taken_in(room: Path, playback_id: str, made: Path) -> list[RecordedFile]:
    """Make a film that was recorded elsewhere a recording of the room; once, however often it is told.

    Returns:
        All recordings of the room, the new one last.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it cannot be read.
    """
    before = listed(room)
    if any(file.playback_id == playback_id for file in before):
        return before
    if not made.is_file():
        raise FileNotFoundError(f"{made.name} was recorded elsewhere and is not in {made.parent}: it must come there")
    room.mkdir(parents=True, exist_ok=True)
    try:
        with av.open(str(made)) as film:
            (video,) = film.streams.video
            first = next(film.decode(video))
            size, seconds = (video.width, video.height), (film.duration or 0) / av.time_base
    except (av.FFmpegError, StopIteration, ValueError) as error:
        raise ValueError(f"{made.name} cannot be read: {error}") from None
    target = room / f"recording-{len(before) + 1}.mp4"
    shutil.copyfile(made, target.with_suffix(".part"))
    target.with_suffix(".part").replace(target)
    target.with_suffix(".jpg").write_bytes(jpeg(first, width=THUMBNAIL_WIDTH))
    files = [*before, RecordedFile(playback_id, target, None, target.with_suffix(".jpg"), seconds, *size)]
    _write_index(room, files)
    made.unlink()
    return files


def _moved(one: Stored, shift: int) -> tuple[int, int]:
    return one.initialisation[0] + shift, one.initialisation[1]


def _write_index(room: Path, files: list[RecordedFile]) -> None:
    entries = [
        {
            **asdict(file),
            "path": file.path.name,
            "playlist": file.playlist.name if file.playlist else None,
            "thumbnail": file.thumbnail.name if file.thumbnail else None,
        }
        for file in files
    ]
    fresh = room / f"{INDEX}.part"
    fresh.write_bytes(orjson.dumps(entries))
    fresh.replace(room / INDEX)


@dataclass(frozen=True, slots=True)
class _Source:
    """A segment on disk: its whole fragments, and the initialisation segment it needs where that is another."""

    path: Path
    fragments: list[Fragment]
    entry: bytes
    initialisation: bytes

    @property
    def length(self) -> int:
        return self.fragments[-1].end


def _source(found: tuple[Path, int], part: Path, damaged: Callable[[Path, str], None]) -> _Source | None:
    path, number = found
    try:
        initialisation = initialisation_file(part, number).read_bytes()
        with path.open("rb") as file:
            fragments = list(read_fragments(file))
        if fragments:
            return _Source(path, fragments, stored_entry(initialisation), initialisation)
        damaged(path, f"{path.name} was cut off and is left out of the recording")
    except (OSError, ValueError) as error:
        damaged(path, f"{path.name} cannot be read and is left out of the recording: {error}")
    return None


def _described(sources: list[_Source]) -> tuple[list[Track], list[Stored]]:
    """The tracks of one file that holds these segments one after the other, and where each lies, from its first on."""
    entries = list(dict.fromkeys(source.entry for source in sources))
    tracks = {VIDEO: Track(VIDEO, entries), AUDIO: Track(AUDIO, [audio_entry()])}
    ends: dict[int, int] = {}
    stored: list[Stored] = []
    place = 0
    for source in sources:
        initialisation = (place, len(source.initialisation))
        if stored and source.entry == sources[len(stored) - 1].entry:
            initialisation = stored[-1].initialisation
        place += len(source.initialisation)
        began = None
        for fragment in source.fragments:
            for number, offset, time, samples in fragment.runs:
                track = tracks[number]
                if number in ends and track.durations:
                    # What is missing in between, after a crash, is shown as the picture before lasting longer.
                    track.durations[-1] += max(0, time - ends[number])
                track.chunks.append(
                    (place + offset, len(samples), entries.index(source.entry) + 1 if number == VIDEO else 1)
                )
                for duration, size, sync in samples:
                    track.durations.append(duration)
                    track.sizes.append(size)
                    track.syncs.append(sync)
                ends[number] = time + sum(duration for duration, _, _ in samples)
                if number == VIDEO and began is None:
                    began = time
        start = (began or 0) / VIDEO_RATE
        stored.append(Stored(place, source.length, start, ends[VIDEO] / VIDEO_RATE - start, initialisation))
        place += source.length
    return [track for track in tracks.values() if track.sizes], stored


MDAT = 16
"""Length of the head of a box of media that may be larger than 4 GB."""


def _mdat(sources: list[_Source]) -> bytes:
    size = MDAT + sum(len(source.initialisation) + source.length for source in sources)
    return struct.pack(">I4sQ", 1, b"mdat", size)


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length > 0 and (block := source.read(min(length, 1 << 20))):
        target.write(block)
        length -= len(block)


def _joined(sources: list[_Source], target: Path, head: bytes, index: bytes) -> None:
    """Join segments, each removed once it is appended: needs no more room than one segment and the index."""
    unfinished = target.with_suffix(".part")
    with unfinished.open("wb", buffering=0) as whole:
        whole.write(head)
        for source in sources:
            whole.write(source.initialisation + source.path.read_bytes()[: source.length])
            source.path.unlink()
        whole.write(index)
    unfinished.replace(target)


def _began(part: Path) -> float:
    try:
        return float((part / "began").read_text())
    except (OSError, ValueError):
        return 0.0
