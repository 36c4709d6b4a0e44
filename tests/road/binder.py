"""What a visitor of the Binder demo gets: `uv run --group dev python -m tests.road.binder`; Linux, as root.

The image's steps in an empty environment, without Docker; then the Jupyter server, its kernel and the sandbox on one
core, and the visitor's page in a network namespace from which only the Jupyter port is reached. Notebooks 01 and 03
are run by mouse, the Studio of 01 goes on air with the page's camera. It takes about three minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.async_api import Page, expect

from spnb.bench.lab import BASE, Lab
from tests.install.test_binder import build
from tests.lab.test_story import PLAYING
from tests.road.conftest import a_namespace, seen_from

expect.set_options(timeout=120_000)
PATIENCE = 120_000
CORE = "0"
MEGABYTE = 2**20


def say(line: str) -> None:
    """Tell who asked."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def size_of(folder: Path) -> int:
    """Bytes on disk."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def memory(home: Path) -> int:
    """Bytes of everything that runs there, memory that is shared counted once."""
    total = 0
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdigit() and f"SPNB_HOME={home}".encode() in (place / "environ").read_bytes():
                found = re.search(r"^Pss:\s+(\d+) kB", (place / "smaps_rollup").read_text(), re.MULTILINE)
                total += int(found[1]) * 1024 if found else 0
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has just ended
    return total


async def watch_memory(home: Path, peaks: list[int]) -> None:
    """Keep the most that was seen."""
    while True:
        peaks.append(await asyncio.to_thread(memory, home))
        await asyncio.sleep(0.5)


async def run_all(page: Page) -> None:
    """As a visitor does, once the kernel is there: before, JupyterLab asks which one is to be taken."""
    named = page.locator(".jp-NotebookPanel-toolbar .jp-KernelName", has_text="Python 3")
    await named.wait_for(timeout=PATIENCE)
    await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=PATIENCE)
    await page.get_by_role("menuitem", name="Run", exact=True).click(timeout=PATIENCE)
    await page.get_by_role("menuitem", name="Run All Cells", exact=True).click(timeout=PATIENCE)


async def visit(lab: Lab) -> dict[str, float]:
    """One visit; seconds."""
    took: dict[str, float] = {}
    assert lab.page.context.browser is not None
    page = await lab.page.context.browser.new_page(viewport={"width": 1280, "height": 1400})
    began = time.monotonic()
    await page.goto(f"{lab.url}{BASE}lab/tree/01_go_live.ipynb?token={lab.token}", timeout=PATIENCE)
    await run_all(page)
    took["page to Run All"] = time.monotonic() - began
    video = page.locator(".spnb-player video").first
    try:
        await expect(video).to_be_visible()
    except AssertionError:
        await page.screenshot(path=lab.shots / "binder-trouble.png")
        raise
    await video.evaluate(PLAYING, timeout=PATIENCE)
    took["page to live picture"] = time.monotonic() - began
    took["Run All to live picture"] = took["page to live picture"] - took["page to Run All"]
    replay = page.locator(".spnb-player .spnb-badge", has_text="REPLAY").last
    await replay.wait_for(timeout=PATIENCE)
    studio = page.locator(".spnb-studio")
    await studio.get_by_role("button", name="Camera on").click(timeout=PATIENCE)
    await studio.locator(".spnb-preview video").first.evaluate(PLAYING, timeout=PATIENCE)
    await studio.get_by_label("Title").or_(page.get_by_label("Title")).last.fill("From Binder")
    await page.get_by_role("button", name="Create room").last.click()
    await expect(studio.locator(".spnb-title").first).to_have_text("From Binder")
    clicked = time.monotonic()
    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-head .spnb-badge").first).to_have_text("LIVE")
    await expect(studio.locator(".spnb-health")).to_contain_text(re.compile("1280×720|640×360"))
    took["countdown of 3 s, the page's camera on air"] = time.monotonic() - clicked
    await studio.screenshot(path=lab.shots / "binder-on-air.png")
    await studio.get_by_role("button", name="End", exact=True).click()
    await studio.get_by_role("button", name="End now").click()
    await expect(studio.get_by_role("button", name="New stream")).to_be_visible()
    await page.close()

    await lab.open("03_lifecycle_and_chat.ipynb")
    outputs = json.dumps(await lab.run_all())
    assert "room.ended" in outputs
    return took


async def measure(base: Path) -> None:
    """Build, visit, tell."""
    place, repository, seconds = build(base)
    say(f"image's environment: {size_of(place) / MEGABYTE:.0f} MB, built in {seconds:.0f} s")
    server = ["taskset", "-c", CORE, str(place / "bin" / "python")]
    folder = base / "lab"
    folder.mkdir()
    with a_namespace() as namespace:
        async with seen_from(namespace, folder, server) as lab:
            for notebook in (repository / "notebooks").glob("*.ipynb"):
                shutil.copy(notebook, lab.folder)
            peaks: list[int] = []
            watching = asyncio.create_task(watch_memory(folder / "spnb", peaks))
            try:
                took = await visit(lab)
            finally:
                watching.cancel()
    for name, taken in took.items():
        say(f"{name}: {taken:.1f} s")
    say(f"memory of server, kernels and sandbox at most: {max(peaks) / MEGABYTE:.0f} MB")
    say(f"load of this machine meanwhile: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("taskset"):
        sys.exit("this needs Linux, root, iproute2 and taskset")
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(measure(Path(made)))
