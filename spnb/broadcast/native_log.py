"""Keeps one codec's chatter out of notebooks.

The H.264 encoder inside LiveKit's native library writes a harmless warning straight to the process's stderr at its
first frame, and a notebook shows what is written there. For the short time of a start, stderr passes through here and
lines of that encoder are left out; everything else goes on its way unchanged.
"""

from __future__ import annotations

import contextlib
import os
import threading

__all__ = ["QuietEncoder"]

MARK = b"[OpenH264]"


class QuietEncoder:
    """Filters the process's stderr between `begin` and `end`; nested uses count as one."""

    _lock = threading.Lock()
    _users = 0
    _kept: int | None = None
    _reader: threading.Thread | None = None

    @classmethod
    def begin(cls) -> None:
        """Start to filter; where stderr cannot be redirected, nothing happens."""
        with cls._lock:
            cls._users += 1
            if cls._users > 1:
                return
            try:
                kept = os.dup(2)
                source, target = os.pipe()
                os.dup2(target, 2)
                os.close(target)
            except OSError:
                return
            cls._kept = kept
            cls._reader = threading.Thread(target=_pass_on, args=(source, kept), name="spnb-stderr", daemon=True)
            cls._reader.start()

    @classmethod
    def end(cls) -> None:
        """Stop filtering; what was written meanwhile has been passed on when this returns."""
        with cls._lock:
            cls._users -= 1
            kept, reader = cls._kept, cls._reader
            if cls._users > 0 or kept is None or reader is None:
                return
            cls._kept = cls._reader = None
            # Closing the pipe's last writing end, which stderr is, ends the reader. A program that was started
            # meanwhile and still runs has that end too: so the reader itself closes what it writes to.
            os.dup2(kept, 2)
            reader.join(2)


def _pass_on(source: int, target: int) -> None:
    def write(line: bytes) -> None:
        if line.strip() and not line.startswith(MARK):
            with contextlib.suppress(OSError):  # where nobody reads stderr any more, the pipe is emptied all the same
                os.write(target, line)

    with os.fdopen(source, "rb", buffering=0) as stream:
        waiting = b""
        while chunk := stream.read(65536):
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines:
                write(line + b"\n")
        write(waiting)
    os.close(target)
