"""Opens media files for reading: as the kinds of file they may be, and from nowhere else.

FFmpeg looks at the content, not the name, and some contents are instructions: a session description opens UDP sockets,
a playlist fetches what it names. So the demuxers are named, and what a file refers to is not opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["open_local", "open_recording"]

RECORDINGS = "mov,mp4,m4a,3gp,3g2,mj2,mpegts,matroska,webm,mp3,aac,wav"
"""FFmpeg's names for the demuxers of recordings."""


def open_recording(file: Any) -> Any:
    """A recording: a path, or an object with `read` and `seek`. What is in it comes from others.

    Raises:
        av.FFmpegError: it is none that can be read.
    """
    import av

    if isinstance(file, (str, Path)):
        return av.open(str(file), options={"format_whitelist": RECORDINGS, "protocol_whitelist": "file"})
    return av.open(file, options={"format_whitelist": RECORDINGS, "protocol_whitelist": "none"})


def open_local(path: Path) -> Any:
    """A file that its user chose to send: of any kind, but it opens nothing beyond this machine's files.

    Raises:
        av.FFmpegError: it is none that can be read.
    """
    import av

    return av.open(str(path), options={"protocol_whitelist": "file"})
