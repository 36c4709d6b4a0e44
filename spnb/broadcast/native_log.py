"""Keeps one codec's chatter out of notebooks.

The H.264 encoder inside LiveKit's native library writes a harmless warning straight to the process's stderr once it has
settled, and a notebook shows what is written there. For the short time until it has, stderr passes through here and
lines of that encoder are left out; everything else goes on its way unchanged.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections import deque
from collections.abc import Callable
from typing import ClassVar

__all__ = ["QuietEncoder"]

MARK = b"[OpenH264]"
LINE = re.compile(rb"[^\n]*\n|[^\n]+")
ENDED = b"\0"
"""Goes through the pipe last: what was written before it has been passed on once it comes out."""


class QuietEncoder:
    """Filters the process's stderr between `begin` and `end`; nested uses count as one."""

    _lock = threading.Lock()
    _users = 0
    _ends: tuple[int, int] | None = None
    """Where stderr goes in truth, and the pipe's writing end."""
    _through = threading.Event()
    _waiting: ClassVar[deque[Callable[[], object]]] = deque()

    @classmethod
    def begin(cls, heard: Callable[[], object]) -> None:
        """Start to filter; where stderr cannot be redirected, nothing happens.

        Args:
            heard: called once, on another thread, when an encoder's line was left out. Of several users, each hears of
                one line: every encoder writes its own.
        """
        with cls._lock:
            cls._users += 1
            cls._waiting.append(heard)
            if cls._users > 1:
                return
            try:
                kept = os.dup(2)
                source, target = os.pipe()
                os.dup2(target, 2)
            except OSError:
                return
            cls._ends = kept, target
            cls._through = threading.Event()
            reader = threading.Thread(
                target=_pass_on, args=(source, kept, cls._through), name="spnb-stderr", daemon=True
            )
            reader.start()

    @classmethod
    def end(cls) -> None:
        """Stop filtering; what was written meanwhile has been passed on when this returns."""
        with cls._lock:
            cls._users -= 1
            if cls._users > 0 or cls._ends is None:
                return
            kept, target = cls._ends
            cls._ends = None
            os.dup2(kept, 2)
            os.write(target, ENDED)
            # Closing the pipe's last writing end ends the reader. A program that was started meanwhile and still runs
            # has one too: so nobody waits for the reader's end, and the reader itself closes what it writes to.
            os.close(target)
            cls._through.wait(2)
            cls._waiting.clear()

    @classmethod
    def left_out(cls) -> None:
        """An encoder's line came and was left out."""
        # Nobody waits, or on a loop that has ended: who reads stderr must live on.
        with contextlib.suppress(IndexError, RuntimeError):
            cls._waiting.popleft()()


def _pass_on(source: int, target: int, through: threading.Event) -> None:
    begun, dropped = False, False
    """Whether a line has been passed on in part, and whether an encoder's line was the last: a blank one follows it."""

    def write(text: bytes) -> None:
        nonlocal begun, dropped
        if text:
            begun, dropped = not text.endswith(b"\n"), False
            with contextlib.suppress(OSError):  # where nobody reads stderr any more, the pipe is emptied all the same
                os.write(target, text)

    def pass_on(text: bytes) -> bytes:
        """Pass on what is sure to be no encoder's; what may become such a line is returned."""
        nonlocal dropped
        line: bytes
        for line in LINE.findall(text):
            whole = line.endswith(b"\n")
            if not begun and line.startswith(MARK) and whole:
                QuietEncoder.left_out()
                dropped = True
            elif not begun and not whole and (line.startswith(MARK) or MARK.startswith(line)):
                return line
            elif not (dropped and line == b"\n"):
                write(line)
        return b""

    with os.fdopen(source, "rb", buffering=0) as stream:
        waiting = b""
        while chunk := stream.read(65536):
            before, ended, after = (waiting + chunk).partition(ENDED)
            waiting = pass_on(before)
            if ended:
                write(waiting)
                through.set()
                waiting = pass_on(after)
        write(waiting)
    os.close(target)
