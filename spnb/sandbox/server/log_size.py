"""The sandbox's log, which its starter opened for it, never outgrows its place."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path

__all__ = ["keep_log_small"]

MOST_BYTES = 5 * 2**20
LOOK_SECONDS = 30.0
STDERR = 2


def keep_log_small(path: Path) -> None:
    """Look now and then, as long as the loop runs, and keep the log's last part beside it when it has grown.

    Args:
        path: where it is, if the standard error stream is that file; anything else is left alone.
    """
    shorten(path)
    asyncio.get_running_loop().call_later(LOOK_SECONDS, keep_log_small, path)


def shorten(path: Path) -> bool:
    """Move what the log holds to `….1`, where that is much; whether it was."""
    try:
        facts = os.fstat(STDERR)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size <= MOST_BYTES or not os.path.samestat(facts, path.stat()):
            return False
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        # It is open for appending: what is written next begins at the front.
        os.ftruncate(STDERR, 0)
    except OSError:
        return False  # a full disk, say: the next look tries again
    return True
