"""What comes over SRT, by an `ffmpeg` program: the FFmpeg that PyAV brings has none.

Only the packets are read there; they come here as they are, and are decoded as those of any other stream.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import shutil
import subprocess
from urllib.parse import parse_qs, urlsplit

from spnb.errors import SourceError

__all__ = ["SrtLine", "program"]

REACH_SECONDS = 3
"""For a sender to answer."""
LOOK_SECONDS = 30
"""For the program to say what it can."""


@functools.cache
def program() -> str:
    """An `ffmpeg` with SRT; empty where there is none."""
    found = [shutil.which("ffmpeg")]
    with contextlib.suppress(ImportError, RuntimeError):
        found.append(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    for one in filter(None, found):
        try:
            told = subprocess.run(
                [one, "-hide_banner", "-protocols"],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=LOOK_SECONDS,
                check=False,
            ).stdout.split()
        except (OSError, subprocess.SubprocessError):
            continue
        if "srt" in told:
            return str(one)
    return ""


class SrtLine:
    """A file to read an MPEG transport stream from.

    Args:
        url: `srt://…`, with what SRT is to do behind the `?` as ffmpeg has it. It may hold a passphrase: no command
            line shows it.
        silence: seconds after which a sender that sends nothing is gone.

    Raises:
        SourceError: there is no program that can read it.
    """

    def __init__(self, url: str, *, silence: float) -> None:
        reader = program()
        if not reader:
            raise SourceError(
                "srt:// needs an ffmpeg program with SRT on the PATH: install ffmpeg (Debian's has it) or "
                "imageio-ffmpeg, or use RTMP, RTSP or HLS"
            )
        self.name = "live.ts"
        given = parse_qs(urlsplit(url).query, keep_blank_values=True)
        limits = {"timeout": round(silence * 1e6), "connect_timeout": REACH_SECONDS * 1000}
        more = "&".join(f"{name}={value}" for name, value in limits.items() if name not in given)
        if more:
            url += ("&" if "?" in url else "?") + more
        taken = ["-f", "concat", "-safe", "0", "-protocol_whitelist", "pipe,srt", "-i", "pipe:0"]
        made = ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-f", "mpegts", "-flush_packets", "1", "pipe:1"]
        self._process = subprocess.Popen(
            [reader, "-v", "quiet", *taken, *made],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        quoted = url.replace("'", "'\\''")
        try:
            with self._process.stdin as told:
                told.write(f"ffconcat version 1.0\nfile '{quoted}'\n".encode())
        except BrokenPipeError:  # it has ended already, as is seen when it is read
            pass

    def read(self, size: int) -> bytes:
        """At most so many bytes, as soon as there are some; empty at the end."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        return self._process.stdout.read(size) or b""

    def end(self) -> None:
        """Break off: who reads comes to the end."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Let go of everything; nobody reads any more."""
        self.end()
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._process.stdout.close()
