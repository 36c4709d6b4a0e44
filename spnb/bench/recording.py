"""What recording costs, and whether it keeps every frame."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator

import orjson

from spnb.bench.figures import Figure, at_most

__all__ = ["recorder_cost"]

SECONDS = 10


def recorder_cost() -> Iterator[Figure]:
    """The recorder alone, in a process of its own, fed with ten seconds of 720p30 in real time, H.264 and VP8."""
    for codec, how in (("h264", "H.264, copied as it is"), ("vp8", "VP8, encoded anew as H.264")):
        with tempfile.TemporaryDirectory(prefix="spnb-bench-") as folder:
            command = [sys.executable, "-m", "spnb.bench.recorder_load", codec, str(SECONDS), folder]
            told = orjson.loads(subprocess.run(command, capture_output=True, check=True).stdout.splitlines()[-1])
        yield at_most(f"recorder 720p30, {codec}", told["share"] * 100, 50, "% of a core", how)
        yield at_most(f"frames dropped, {codec}", told["sent"] - told["kept"], 0, "frames", f"of {told['sent']}")
