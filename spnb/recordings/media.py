"""What a media file holds, on disk or wherever it can be read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spnb.errors import InvalidInput
from spnb.recordings.containers import open_recording
from spnb.recordings.shown import shown_size

__all__ = ["MediaFacts", "MediaHead", "probe", "read_head"]


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What a media file holds."""

    duration_seconds: float
    width: int
    height: int
    video_frames: int
    has_audio: bool

    def __str__(self) -> str:
        sound = "with sound" if self.has_audio else "silent"
        return f"{self.duration_seconds:.1f} s, {self.width}×{self.height}, {self.video_frames} frames, {sound}"


@dataclass(frozen=True, slots=True)
class MediaHead:
    """What a media file's head tells, without reading it through."""

    duration_seconds: float
    width: int
    height: int


def read_head(file: Any) -> MediaHead | None:
    """What the head of a media file tells; None where it is none.

    Args:
        file: a path, or an object with `read` and `seek`.
    """
    import av

    try:
        with open_recording(file) as container:
            video = container.streams.video[0] if container.streams.video else None
            seconds = (container.duration or 0) / av.time_base
            size = (video.width, video.height) if video else (0, 0)
        return MediaHead(seconds, *_shown(file, size))
    except av.FFmpegError:
        return None


def _shown(file: Any, first: tuple[int, int]) -> tuple[int, int]:
    """The size a file is shown in, where its first is not the only one."""
    if not any(first):
        return first
    if not isinstance(file, (str, Path)):
        return shown_size(file) or first
    with Path(file).open("rb") as opened:
        return shown_size(opened) or first


def probe(path: Path) -> MediaFacts:
    """Read a media file through to its end and tell what it holds.

    Raises:
        InvalidInput: the file is no media file.
    """
    import av

    try:
        with open_recording(path) as container:
            video = container.streams.video[0] if container.streams.video else None
            frames = sum(1 for packet in container.demux(video) if packet.size) if video else 0
            width, height = _shown(path, (video.width, video.height)) if video else (0, 0)
            return MediaFacts(
                duration_seconds=(container.duration or 0) / av.time_base,
                width=width,
                height=height,
                video_frames=frames,
                has_audio=bool(container.streams.audio),
            )
    except av.FFmpegError as error:
        raise InvalidInput(f"{path} is no media file that can be read: {error.strerror}") from error
