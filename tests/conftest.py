"""Fixtures shared by all tests: one real sandbox process per run, and a place for its files."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

from spnb.broadcast.running import on_air_here
from tests.scheduling import Modules, shares_first

# How long an example takes tells how busy the machine is, not whether the code is right.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of this run's random tests, one for all workers; `SPNB_SEED` repeats a run.

    Each worker is a user of its own: no two of them meet in a file, nor anybody's own sandbox or settings.
    """
    os.environ.setdefault("SPNB_SEED", str(random.SystemRandom().randrange(2**32)))
    home = tempfile.TemporaryDirectory(prefix="spnb-tests-", ignore_cleanup_errors=True)
    os.environ["SPNB_HOME"] = home.name
    config.add_cleanup(home.cleanup)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share what is dear to start go to one worker."""
    return Modules(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_report_header() -> str:
    return f"random tests: SPNB_SEED={os.environ['SPNB_SEED']}"


@pytest.fixture(scope="session")
def run_seed() -> int:
    """The seed of this run, which its head and each failure tell."""
    return int(os.environ["SPNB_SEED"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what a browser or a live encoder does on a busy machine more chances; the summary names each one.

    `SPNB_RERUNS=0` gives none: for whoever looks for the cause. Where tests give way to others (`SPNB_GIVES_WAY`), time
    limits are several times as long: they are for what hangs, not for what waits its turn.
    """
    again = int(os.environ.get("SPNB_RERUNS", "1"))
    patience = 5 if os.environ.get("SPNB_GIVES_WAY") else 1
    for item in items:
        limit = item.get_closest_marker("timeout")
        seconds = float(limit.args[0] if limit else item.config.getini("timeout"))
        item.add_marker(pytest.mark.timeout(seconds * patience), append=False)
        if {"lab", "vendor"} & set(item.path.parent.parts):
            item.add_marker(pytest.mark.browser)
        if item.get_closest_marker("browser") or item.get_closest_marker("media"):
            item.add_marker(pytest.mark.flaky(reruns=again))
    shares_first(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """End what a test that fails leaves on air or running: it would be in the way of those after it.

    What belongs to its fixtures, which others may share, stays.
    """
    before, running = set(on_air_here), set(_started())
    try:
        return (yield)
    except BaseException:
        for key in set(on_air_here) - before:
            with contextlib.suppress(Exception):
                on_air_here[key].sync.stop()
        for process in set(_started()) - running:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        raise


def _started() -> list[psutil.Process]:
    """The processes that this one has started and that still run, but for Python's own."""
    started = []
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "multiprocessing" not in " ".join(process.cmdline()):
                started.append(process)
    return started


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The tests that failed, for who asked for them: a line each."""
    if (wanted := os.environ.get("SPNB_FAILED")) and not os.environ.get("PYTEST_XDIST_WORKER"):
        stats = terminalreporter.stats
        failed = {report.nodeid for kind in ("failed", "error") for report in stats.get(kind, [])}
        Path(wanted).write_text("".join(f"{test}\n" for test in sorted(failed)))


def ffmpeg(program: str = "ffmpeg") -> str:
    """One of FFmpeg's own programs, a judge that nobody here wrote; the test is skipped where it is missing."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}: `python -m tests` installs it where it may")
    return found


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox process started for tests, and what it said about itself."""

    process: subprocess.Popen[str]
    data_dir: Path
    info: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.info["url"])

    @property
    def api_key(self) -> str:
        return str(self.info["apiKey"])

    def stop(self, *, kill: bool = False) -> None:
        """End the process and wait for it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self.process.wait(60)


def start_sandbox(data_dir: Path, *options: str, env: dict[str, str] | None = None) -> RunningSandbox:
    """Start `spnb sandbox` in the foreground on a free port and wait until it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "spnb.sandbox", "--port", "0", "--data-dir", str(data_dir), "--json", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    return ready_sandbox(process, data_dir)


def ready_sandbox(process: subprocess.Popen[str], data_dir: Path) -> RunningSandbox:
    """Wait until a sandbox that was started says that it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.strip():
        raise AssertionError(f"the sandbox said nothing; exit code {process.wait(60)}")
    return RunningSandbox(process, data_dir, json.loads(line))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[RunningSandbox]:
    """The sandbox that tests share. Its rate limit is off; grace and similar times are short.

    Where coverage is measured, so is this one's, and no other child's: each would take half as long again to start.
    """
    measured = {"COVERAGE_PROCESS_START": str(pytestconfig.rootpath / "pyproject.toml")}
    running = start_sandbox(
        tmp_path_factory.mktemp("sandbox"),
        *("--no-rate-limit", "--grace", "3"),
        env=measured if pytestconfig.getoption("cov_source", None) else {},
    )
    yield running
    running.stop()


@pytest.fixture
def quiet_sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    """A sandbox in which nothing has happened yet, for tests of what a whole network holds.

    The one that tests share holds what others made in it, and a test that failed may have left a room on air there.
    """
    running = start_sandbox(tmp_path / "quiet-sandbox", "--no-rate-limit", "--grace", "3")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def real_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """The same before an unmodified livekit-server that it starts by itself; skips the test where there is none."""
    from tests.media.conftest import livekit_binary

    options = ("--no-rate-limit", "--grace", "5", "--livekit", str(livekit_binary()))
    running = start_sandbox(tmp_path_factory.mktemp("sandbox-real"), *options)
    yield running
    running.stop()
