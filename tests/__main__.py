"""`python -m tests`: set up what the tests need (tools, browser, Spark, livekit-server), run them all with coverage.

Further words go to pytest: `python -m tests tests/live -x`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIVEKIT_VERSION = "1.9.11"
"""The newest that builds from the Go module proxy alone."""


def ensure_tools() -> None:
    """What tests need beside spnb itself. Whoever only runs spnb fetches none of it."""
    uv = os.environ.get("UV", "uv")
    if shutil.which(uv):
        subprocess.run([uv, "sync", "--quiet", "--inexact", "--group", "dev"], check=True, cwd=ROOT)


def install_from_debian(package: str) -> bool:
    """Install one of Debian's packages, where we may; whether it was."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], check=True, env=environment)
    subprocess.run(["apt-get", "install", "-qy", package], check=True, env=environment)
    return True


def ensure_ffmpeg() -> None:
    """FFmpeg's programs, the judge of what is recorded; without them its tests say that they are skipped."""
    if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
        install_from_debian("ffmpeg")


def ensure_relay() -> None:
    """coturn, a TURN server; without it its tests say that they are skipped."""
    if not shutil.which("turnserver"):
        install_from_debian("coturn")


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


def ensure_livekit() -> None:
    """An unmodified livekit-server to hold the embedded one against: the one here, else built where Go is.

    It is built into the repository's own cache folder, never onto the PATH. Where it cannot be had, the tests that need
    it say so.
    """
    if os.environ.get("SPNB_LIVEKIT_SERVER") or shutil.which("livekit-server"):
        return
    folder = ROOT / ".cache" / f"livekit-server-{LIVEKIT_VERSION}"
    binary = folder / ("server.exe" if sys.platform == "win32" else "server")
    go = shutil.which("go")
    if not binary.exists() and go is not None:
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "GOBIN": str(folder)}
        if not os.environ.get("HOME"):  # Go asks for a home unless it is told where its caches are
            work = folder / "go"
            environment |= {"GOPATH": str(work), "GOCACHE": str(work / "cache"), "GOFLAGS": "-modcacherw"}
        module = f"github.com/livekit/livekit-server/cmd/server@v{LIVEKIT_VERSION}"
        sys.stderr.write(f"building livekit-server {LIVEKIT_VERSION} into {folder} …\n")
        built = subprocess.run([go, "install", module], env=environment)
        shutil.rmtree(folder / "go", ignore_errors=True)
        if built.returncode:
            sys.stderr.write("livekit-server could not be built: its tests will be skipped\n")
    if binary.exists():
        os.environ["SPNB_LIVEKIT_SERVER"] = str(binary)


def coverage_of(more: list[str]) -> list[str]:
    """Options under which several runs add up to one figure."""
    return ["--cov=spnb", "--cov-append", *more]


def run(*words: str) -> int:
    """One run of pytest; its exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", *words]).returncode


def main() -> int:
    """Run the suite; the exit code is pytest's.

    What only computes or waits runs side by side, more of it than there are cores, since most of it waits. What sends
    media or drives a browser runs after it, one test at a time: it measures pictures and sounds as they come, which two
    of its kind would take from each other.
    """
    ensure_tools()
    os.environ["SPNB_CHROMIUM"] = str(ensure_browser())
    ensure_ffmpeg()
    ensure_relay()
    ensure_spark()
    ensure_livekit()
    os.chdir(ROOT)
    chosen = sys.argv[1:]
    if chosen:
        return run(*chosen)
    for stale in ROOT.glob(".coverage*"):
        stale.unlink()
    real_time = "browser or media"
    spread = ["-n", str(2 * (os.cpu_count() or 1)), "--dist", "loadscope"]
    first = run("-q", "-m", f"not ({real_time})", *spread, *coverage_of(["--cov-report="]))
    whole = ["--durations=30", "--cov-report=term:skip-covered", "--cov-fail-under=85"]
    # In one process beside pytest's own: should native code of a browser's or an SDK's end it, the rest still runs.
    second = run("-q", "-rR", "-m", real_time, "-n", "1", *coverage_of(whole))
    if first:
        sys.stderr.write("The first run, of the tests without media and browser, failed: see above.\n")
    return first or second


if __name__ == "__main__":
    sys.exit(main())
