"""A sandbox process of a benchmark's own, with a client on it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from spnb.errors import SandboxError

if TYPE_CHECKING:
    from spnb.client import Client
    from spnb.live import LiveRoom

__all__ = ["OwnSandbox", "own_sandbox"]


@dataclass(frozen=True)
class OwnSandbox:
    """A running sandbox process, what it said about itself, and how long it took to be ready (seconds)."""

    process: psutil.Process
    info: dict[str, Any]
    ready_after: float

    def connect(self, user_id: str = "bench") -> Client[LiveRoom]:
        """A client of this sandbox."""
        import spnb

        return spnb.connect(user_id, url=self.info["url"], api_key=self.info["apiKey"])

    def resident_megabytes(self) -> float:
        """Resident memory of the process and its children."""
        family = [self.process, *self.process.children(recursive=True)]
        return float(sum(member.memory_info().rss for member in family)) / 2**20

    def cpu_seconds(self) -> float:
        """Processor time used so far by the process and its children."""
        family = [self.process, *self.process.children(recursive=True)]
        times = [member.cpu_times() for member in family]
        return float(sum(spent.user + spent.system for spent in times))


@contextmanager
def own_sandbox(
    *options: str, filled: Callable[[Path], None] | None = None, rate_limit: bool = False
) -> Iterator[OwnSandbox]:
    """Start a sandbox on a free port and a fresh folder; end it afterwards.

    Args:
        options: of `python -m spnb.sandbox`.
        filled: puts something into its data folder before it starts.
        rate_limit: whether users are held to the service's rate.

    Raises:
        SandboxError: it did not become ready.
    """
    with tempfile.TemporaryDirectory(prefix="spnb-bench-") as folder:
        if filled is not None:
            filled(Path(folder))
        began = time.perf_counter()
        command = [sys.executable, "-m", "spnb.sandbox", "--port", "0", "--data-dir", str(Path(folder)), "--json"]
        unlimited = [] if rate_limit else ["--no-rate-limit"]
        started = subprocess.Popen([*command, *unlimited, *options], stdout=subprocess.PIPE, text=True)
        assert started.stdout is not None  # noqa: S101 - a pipe was asked for
        line = started.stdout.readline()
        taken = time.perf_counter() - began
        try:
            if not line.strip():
                raise SandboxError(f"the sandbox did not start: exit code {started.wait(10)}")
            yield OwnSandbox(psutil.Process(started.pid), json.loads(line), taken)
        finally:
            started.terminate()
            started.wait(20)
