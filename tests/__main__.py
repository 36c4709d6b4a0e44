"""`python -m tests`: set up what the tests need (tools, browser, Spark, livekit-server), run them all.

Further words go to pytest: `python -m tests tests/live -x`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from types import MappingProxyType
from typing import IO

import psutil

from tests import pythons

ROOT = Path(__file__).resolve().parents[1]
LIVEKIT_VERSION = "1.9.11"
"""The newest that builds from the Go module proxy alone."""


def ensure_tools() -> None:
    """What tests need beside spnb itself. Whoever only runs spnb fetches none of it."""
    uv = os.environ.get("UV", "uv")
    if shutil.which(uv):
        subprocess.run([uv, "sync", "--quiet", "--inexact", "--group", "dev"], check=True, cwd=ROOT)


def install_from_debian(*packages: str) -> bool:
    """Install some of Debian's packages, where we may; whether they were."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    # Servers are started by the tests, not by their packages.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    subprocess.run(["apt-get", "update", "-q"], check=True, env=environment)
    subprocess.run(["apt-get", "install", "-qy", *packages], check=True, env=environment)
    return True


def ensure_ffmpeg() -> None:
    """FFmpeg's programs, the judge of what is recorded; without them its tests say that they are skipped."""
    if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
        install_from_debian("ffmpeg")


def ensure_roads() -> None:
    """What stands on the way to a notebook: coturn, nginx, an SSH server; without one its tests say that they are
    skipped."""
    known = {"turnserver": "coturn", "nginx": "nginx-light", "sshd": "openssh-server", "ssh": "openssh-client"}
    if missing := [package for program, package in known.items() if not shutil.which(program)]:
        install_from_debian(*missing)


def ensure_browser() -> Path:
    """A Chromium to drive: the one here, else Debian's where we are root, else Playwright's own."""
    named = os.environ.get("SPNB_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return Path(found)
    if install_from_debian("chromium"):
        return Path("/usr/bin/chromium")
    subprocess.run([sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"], check=True)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def ensure_spark() -> None:
    """Spark, where there is a Java to run it. It is half a gigabyte, which nobody else should have to fetch."""
    here = {found.name for found in distributions()}
    if shutil.which("java") and "pyspark" not in here:
        uv = os.environ.get("UV", "uv")
        subprocess.run([uv, "sync", "--quiet", "--inexact", "--group", "dev", "--extra", "spark"], check=True, cwd=ROOT)


def ensure_measuring() -> tuple[str, dict[str, str]]:
    """A Python that tells which lines were run at hardly a cost, with all that the tests need and Spark; what it is to
    be told.

    From 3.12 on Python tells that itself (`sys.monitoring`, PEP 669); before, what computes takes twice as long. So the
    newer of those here has an environment of its own, and the two parts of the suite show two versions at work.
    """
    uv = os.environ.get("UV", "uv")
    newer = sys.version_info >= (3, 12)
    found = None if newer or not shutil.which(uv) else next(filter(None, map(pythons.find, ("3.13", "3.12"))), None)
    made = _environment_of(found, uv) if found else None
    if made is None:
        ensure_spark()
        return sys.executable, MEASURED if newer else {}
    return made


def _environment_of(python: str, uv: str) -> tuple[str, dict[str, str]] | None:
    """An environment of all that the tests need with this Python, and what a process in it is to be told; `None` where
    it cannot be made, which is told."""
    place = ROOT / ".cache" / f"python-{Path(python).resolve().name.removeprefix('python')}"
    told = {**MEASURED, "UV_PROJECT_ENVIRONMENT": str(place), "VIRTUAL_ENV": str(place)}
    spark = ("--extra", "spark") if shutil.which("java") else ()
    words = [uv, "sync", "--quiet", "--python", python, "--group", "dev", *spark]
    if subprocess.run(words, cwd=ROOT, env={**os.environ, **told}).returncode:
        sys.stderr.write(
            f"no environment could be made with {python}: what computes runs in this one, and takes longer\n"
        )
        return None
    programs = place / ("Scripts" if sys.platform == "win32" else "bin")
    told["PATH"] = os.pathsep.join((str(programs), os.environ.get("PATH", "")))
    return str(programs / "python"), told


def give_way(process: subprocess.Popen[bytes]) -> None:
    """Let what keeps time go before a process and its children."""
    if sys.platform != "win32":
        psutil.Process(process.pid).nice(10)
        among_sessions(process, 5)


def among_sessions(process: subprocess.Popen[bytes], nice: int) -> None:
    """How far a session gives way to others, by a process that leads it.

    Linux may share its time among sessions first, and only then among the processes of each, by their niceness
    (`man 7 sched`, autogroups). A browser has a session of its own; so must have what gives way to it.
    """
    with contextlib.suppress(OSError):  # where no sessions are told apart, or it is over
        Path(f"/proc/{process.pid}/autogroup").write_text(str(nice))


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process in a session of its own, with all of it."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGTERM)


class LiveKitBuild:
    """An unmodified livekit-server to hold the embedded one against: the one here, else built where Go is.

    It is built into the repository's own cache folder, never onto the PATH, while tests run that need none; those that
    do wait for it (`tests.media.conftest.livekit_binary`). Where it cannot be had, they say so.
    """

    def __init__(self) -> None:
        self._build: subprocess.Popen[bytes] | None = None
        self._folder = ROOT / ".cache" / f"livekit-server-{LIVEKIT_VERSION}"
        self._waiting = threading.Thread(target=self._finish, daemon=True)
        if os.environ.get("SPNB_LIVEKIT_SERVER") or shutil.which("livekit-server"):
            return
        binary = self._folder / ("server.exe" if sys.platform == "win32" else "server")
        go = shutil.which("go")
        if not binary.exists() and go is not None:
            self._start(go)
        if binary.exists() or self._build:
            os.environ["SPNB_LIVEKIT_SERVER"] = str(binary)

    def _start(self, go: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Done sooner: it seldom looks for memory to use again, writes nothing for debuggers, and makes quick what is
        # called much alone.
        environment = {**os.environ, "GOBIN": str(self._folder), "GOGC": "400"}
        called = ("std", "github.com/pion/...", "github.com/livekit/...")
        quick = (f"-gcflags={packages}=-dwarf=false" for packages in called)
        brief = ("-ldflags=-s -w", "-gcflags=all=-dwarf=false -N -l", *quick)
        if not os.environ.get("HOME"):  # Go asks for a home unless it is told where its caches are
            work = self._folder / "go"
            environment |= {"GOPATH": str(work), "GOCACHE": str(work / "cache"), "GOFLAGS": "-modcacherw"}
        module = f"github.com/livekit/livekit-server/cmd/server@v{LIVEKIT_VERSION}"
        sys.stderr.write(f"building livekit-server {LIVEKIT_VERSION} into {self._folder} …\n")
        self._build = subprocess.Popen([go, "install", *brief, module], env=environment, start_new_session=True)
        os.environ["SPNB_LIVEKIT_BUILD"] = str(self._build.pid)
        self._waiting.start()

    def _finish(self) -> None:
        assert self._build is not None
        if self._build.wait():
            sys.stderr.write("livekit-server could not be built: its tests will be skipped\n")
        shutil.rmtree(self._folder / "go", ignore_errors=True)

    def end(self) -> None:
        """Leave it, if it is not done."""
        if self._build is not None:
            end(self._build)


MOST_AGAIN = 10
"""Tests of one run that are tried once more; where more fail, something is wrong, and trying is a waste of time."""

MEASURED = {"COVERAGE_CORE": "sysmon"}
REAL_TIME = "browser or media"
COVERAGE = ("--cov=spnb", "--cov-report=term:skip-covered", "--cov-fail-under=84")


def run(*words: str, stdout: int | None = None) -> int:
    """One run of pytest; its exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", *words], stdout=stdout).returncode


class Part:
    """A run of many tests in processes of its own; what failed is tried once more, each test alone.

    A busy machine makes a few of thousands fail, and what one leaves behind can fail others. Each second try is named:
    it is a fault of the test or of what it tests, and is to be mended.

    Args:
        name: what it is called where its output is told.
        words: pytest's.
        shown: whether it prints while it runs; else `tell` prints all of it in the end.
        gives_way: whether what keeps time goes first.
        python: runs it; this one without.
        told: more of its environment.
    """

    def __init__(
        self,
        name: str,
        *words: str,
        shown: bool = False,
        gives_way: bool = False,
        python: str = sys.executable,
        told: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._name = name
        self._printed: IO[bytes] | None = None if shown else tempfile.TemporaryFile()  # noqa: SIM115 - closed by `tell`
        self._folder = tempfile.TemporaryDirectory()
        self._failed = Path(self._folder.name, "failed")
        self._pytest, self._told = [python, "-m", "pytest"], {**os.environ, **told}
        environment = {**self._told, "SPNB_FAILED": str(self._failed), "SPNB_GIVES_WAY": "1" if gives_way else ""}
        command = [*self._pytest, *words]
        self._process = subprocess.Popen(command, stdout=self._printed, env=environment, start_new_session=True)
        if gives_way:
            give_way(self._process)

    def stand_back_no_more(self) -> None:
        """There is nothing left that goes first."""
        among_sessions(self._process, 0)

    def end(self) -> None:
        """End it, if it still runs."""
        end(self._process)

    def tell(self) -> None:
        """Wait for the end, and print what was not shown."""
        self._process.wait()
        if self._printed:
            sys.stderr.write(f"\n{self._name}:\n")
            sys.stderr.flush()
            self._printed.seek(0)
            shutil.copyfileobj(self._printed, sys.stderr.buffer)
            sys.stderr.flush()
            self._printed.close()

    def verdict(self) -> int:
        """Try what failed once more; 0 where all passed in the end."""
        code = self._process.wait()
        again = self._failed.read_text().splitlines() if self._failed.exists() else []
        self._folder.cleanup()
        if code != 1 or not 0 < len(again) <= MOST_AGAIN:
            return code
        still = [test for test in again if subprocess.run([*self._pytest, "-q", test], env=self._told).returncode]
        for test in again:
            sys.stderr.write(f"{'FAILED TWICE' if test in still else 'passed alone, at a second try'}: {test}\n")
        return 1 if still else 0


def run_all() -> int:
    """The whole suite, both parts at once; 0 where all passed.

    What sends media or drives a browser keeps time, and mostly waits: the busier the machine, the longer it waits and
    the more it computes meanwhile. So two of it run at a time, of which one drives a lab (`tests.scheduling`). What
    only computes fills the time that is left: it gives way, and is measured for coverage.
    """
    for stale in ROOT.glob(".coverage*"):
        stale.unlink()
    # Each process imports every module of the tests; the first of them keeps them compiled for the others.
    run("--collect-only", "-qq", "--no-header", "--no-summary", stdout=subprocess.DEVNULL)
    alike = ("-q", "--dist", "loadscope", "--no-loadscope-reorder")
    parts = []
    try:
        # Beside pytest's own process: should native code of an SDK's end one of these, the rest still runs.
        in_time = Part(
            "Media and pages",
            *(*alike, "-n", "2", "-m", REAL_TIME, "-rR", "--durations=30"),
            shown=True,
        )
        parts.append(in_time)
        python, told = ensure_measuring()
        computed = Part(
            "What neither sends media nor drives a browser",
            *(*alike, "-n", "2", "-m", f"not ({REAL_TIME})", *COVERAGE),
            gives_way=True,
            python=python,
            told=told,
        )
        parts.append(computed)
        in_time.tell()
        computed.stand_back_no_more()
        computed.tell()
        codes = [part.verdict() for part in parts]
        return next((code for code in codes if code), 0)
    finally:
        for part in parts:
            part.end()


def main() -> int:
    """Run the suite; the exit code is pytest's."""
    # Hundreds of processes are started: without a cache of what it imports, each would spend seconds on compiling it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.chdir(ROOT)
    ensure_tools()
    livekit = LiveKitBuild()
    try:
        os.environ["SPNB_CHROMIUM"] = str(ensure_browser())
        ensure_ffmpeg()
        ensure_roads()
        if not sys.argv[1:]:
            return run_all()
        ensure_spark()
        return run(*sys.argv[1:])
    finally:
        livekit.end()


if __name__ == "__main__":
    sys.exit(main())
