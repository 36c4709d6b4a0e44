"""Recorded files on disk: download one safely, and look at what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from spnb.errors import InvalidInput, Unreachable

__all__ = ["MediaFacts", "download", "probe"]


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


def download(url: str, target: Path) -> Path:
    """Fetch a recording into `target`, through `target.part`, renamed when complete.

    Args:
        url: a recording's address (http or https). It is signed: it never appears in an error.
        target: the file to write; its folder is made.

    Returns:
        The absolute path of the finished file.

    Raises:
        InvalidInput: the address is of another scheme.
        Unreachable: the transfer failed or came short; the `.part` file is left for a look.
    """
    import httpx

    if urlsplit(url).scheme not in ("http", "https"):
        raise InvalidInput("a recording is fetched over http or https only")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=60) as answer:
            answer.raise_for_status()
            with part.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
            promised = answer.headers.get("content-length")
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise Unreachable(f"the recording could not be fetched: the server answered {status}") from None
    except httpx.HTTPError as error:
        raise Unreachable(f"the recording could not be fetched: {type(error).__name__}") from None
    size = part.stat().st_size
    if promised is not None and int(promised) != size:
        raise Unreachable(f"the recording came short: {size} of {promised} bytes are in {part}")
    part.replace(target)
    return target.resolve()


def probe(path: Path) -> MediaFacts:
    """Read a media file through to its end and tell what it holds.

    Raises:
        InvalidInput: the file is no media file.
    """
    import av

    try:
        with av.open(str(path)) as container:
            video = container.streams.video[0] if container.streams.video else None
            frames = sum(1 for packet in container.demux(video) if packet.size) if video else 0
            return MediaFacts(
                duration_seconds=(container.duration or 0) / av.time_base,
                width=video.width if video else 0,
                height=video.height if video else 0,
                video_frames=frames,
                has_audio=bool(container.streams.audio),
            )
    except av.FFmpegError as error:
        raise InvalidInput(f"{path} is no media file that can be read: {error.strerror}") from error
