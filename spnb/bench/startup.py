"""How quickly spnb and its sandbox are there, and what the sandbox weighs."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from spnb.bench.figures import Figure, at_most
from spnb.bench.sandboxed import own_sandbox

__all__ = ["importing", "sandbox_start"]


def importing() -> Iterator[Figure]:
    """`import spnb` in a fresh interpreter, the interpreter's own start left out; median of nine."""
    program = "import time; t = time.perf_counter(); import spnb; print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout) for _ in range(9)
    ]
    yield at_most("import spnb", statistics.median(times), 0.2, "s", "median of 9 fresh interpreters")


def sandbox_start() -> Iterator[Figure]:
    """Process start → ready line, and resident memory while one 720p room is live and recorded."""
    with own_sandbox() as sandbox:
        yield at_most("sandbox cold start → ready", sandbox.ready_after, 3.0, "s", "process start to its JSON line")
        with sandbox.connect() as client:
            room = client.rooms.create("memory")
            with room.go_live() as broadcast:
                room.until("live", timeout=20)
                broadcast.wait_ended(8)  # long enough for receiver, recorder and thumbnails to be in memory
                megabytes = sandbox.resident_megabytes()
                yield at_most("sandbox memory, one live room", megabytes, 250, "MB", "720p30, recorded, after 8 s")
