"""What a visitor of the Binder demo gets: `uv run --group dev python -m tests.road.binder`; Linux, as root.

The image's steps in an empty environment, without Docker; then Jupyter server, kernels and sandbox in a control group
of Binder's size, and the visitor's page in a network namespace from which only the Jupyter port is reached. Notebooks
01, 02 and 03 are run by mouse: live picture and replay, the page's camera on air and a viewer of it, chat. It takes
about four minutes, and fails where a bar is missed.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.async_api import Page, expect

from spnb.bench.lab import BASE, Lab, fine_camera
from spnb.bench.roads import UNTIL_SHOWN
from tests.install.test_binder import build
from tests.lab.test_story import PLAYING
from tests.lab.test_studio_notebook import WATCH
from tests.lab.visitors import visit as visitor
from tests.road.conftest import a_namespace, seen_from

expect.set_options(timeout=120_000)
PATIENCE = 120_000
MEGABYTE = 2**20
CORES, MEMORY = 1, 2048 * MEGABYTE
"""What a visitor of Binder has."""
TO_PICTURE, MOST_MEMORY = "page to live picture", 1536 * MEGABYTE
BARS = {TO_PICTURE: 20.0}
"""Seconds at most."""
COUNTDOWN = 3
TO_SECOND = "counted down, to the picture of a second person who has the same link"
CLICKED = "() => addEventListener('click', () => { window.spnbClicked = Date.now(); }, { capture: true, once: true })"
"""Remembers when that was by the page's own clock: what drives it may be late."""
GROUPS = Path("/sys/fs/cgroup")


def say(line: str) -> None:
    """Tell who asked."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def size_of(folder: Path) -> int:
    """Bytes on disk."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


@contextmanager
def as_large_as_binder() -> Iterator[list[str]]:
    """A control group with so many cores and so much memory: the words before a command that put it there."""
    name, period = f"spnb-binder-{os.getpid()}", 100_000
    if (GROUPS / "cgroup.controllers").exists():
        folders = [GROUPS / name]
        limits = {"cpu.max": f"{CORES * period} {period}", "memory.max": str(MEMORY)}
    else:
        folders = [GROUPS / "cpu" / name, GROUPS / "memory" / name]
        limits = {"cpu.cfs_quota_us": str(CORES * period), "memory.limit_in_bytes": str(MEMORY)}
    for folder in folders:
        folder.mkdir()
        for limit in limits.keys() & {path.name for path in folder.iterdir()}:
            (folder / limit).write_text(limits[limit])
    try:
        joined = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in folders)
        yield ["sh", "-ec", f'{joined}; exec "$0" "$@"']
    finally:
        for folder in folders:
            until = time.monotonic() + 30
            while (folder / "cgroup.procs").read_text() and time.monotonic() < until:
                time.sleep(0.2)
            folder.rmdir()


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


COMPLAINTS = "[data-mime-type*=stderr], [data-mime-type*=error]"


async def nothing_complained(page: Page, notebook: str) -> None:
    """A visitor sees no traceback and no warning."""
    told = await page.locator(f".jp-OutputArea :is({COMPLAINTS})").all_inner_texts()
    assert not told, f"{notebook} shows its visitor:\n" + "\n".join(told)


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
    await nothing_complained(page, "01")
    await page.close()

    page = await lab.page.context.browser.new_page(viewport={"width": 1280, "height": 1400})
    await page.goto(f"{lab.url}{BASE}lab/workspaces/studio/tree/02_studio.ipynb?token={lab.token}", timeout=PATIENCE)
    await run_all(page)
    studio = page.locator(".spnb-studio")
    await page.get_by_label("Title").fill("From Binder", timeout=PATIENCE)
    await page.get_by_role("button", name="Create room").click()
    await expect(studio.locator(".spnb-title").first).to_have_text("From Binder")
    second = await lab.page.context.browser.new_page(viewport={"width": 1280, "height": 1400})
    await (await visitor(lab, second)).open("02_studio.ipynb")
    await second.evaluate(WATCH)
    await expect(second.locator(".spnb-player:not(.spnb-preview) .spnb-badge").first).to_be_visible()
    await studio.get_by_role("button", name="Camera on").click()
    await studio.locator(".spnb-preview video").first.evaluate(PLAYING, timeout=PATIENCE)

    await page.evaluate(CLICKED)
    seen = asyncio.create_task(second.evaluate(UNTIL_SHOWN))
    clicked = time.monotonic()
    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-head .spnb-badge").first).to_have_text("LIVE")
    await expect(studio.locator(".spnb-health")).to_contain_text(re.compile("1280×720|640×360"))
    took[f"countdown of {COUNTDOWN} s, the page's camera on air"] = time.monotonic() - clicked
    shown, pressed = await asyncio.wait_for(seen, PATIENCE / 1000), await page.evaluate("window.spnbClicked")
    took[TO_SECOND] = (shown - pressed) / 1000 - COUNTDOWN
    await second.screenshot(path=lab.shots / "binder-second.png")
    await second.close()
    await studio.screenshot(path=lab.shots / "binder-on-air.png")
    await studio.get_by_role("button", name="End", exact=True).click()
    await studio.get_by_role("button", name="End now").click()
    await expect(studio.get_by_role("button", name="New stream")).to_be_visible()
    await nothing_complained(page, "02")
    await page.close()

    await lab.open("03_lifecycle_and_chat.ipynb")
    outputs = json.dumps(await lab.run_all())
    assert "room.ended" in outputs
    return took


async def measure(base: Path) -> bool:
    """Build, visit, tell; whether every bar is held."""
    place, repository, seconds = build(base, compiled=True)
    say(f"image's environment: {size_of(place) / MEGABYTE:.0f} MB, built in {seconds:.0f} s")
    folder = base / "lab"
    folder.mkdir()
    with as_large_as_binder() as placed, a_namespace() as namespace:
        server = [*placed, str(repository / "binder" / "start"), str(place / "bin" / "python")]
        async with seen_from(namespace, folder, server, camera=fine_camera) as lab:
            for notebook in (repository / "notebooks").glob("*.ipynb"):
                shutil.copy(notebook, lab.folder)
            peaks: list[int] = []
            watching = asyncio.create_task(watch_memory(folder / "spnb", peaks))
            try:
                took = await visit(lab)
            finally:
                watching.cancel()
    for name, taken in took.items():
        say(f"{name}: {taken:.1f} s" + (f" (at most {BARS[name]:.0f})" if name in BARS else ""))
    most = max(peaks)
    say(f"memory of server, kernels and sandbox: {most / MEGABYTE:.0f} MB (at most {MOST_MEMORY / MEGABYTE:.0f})")
    say(f"load of this machine meanwhile: {os.getloadavg()[0]:.1f}")
    return most <= MOST_MEMORY and all(took[name] <= bar for name, bar in BARS.items())


if __name__ == "__main__":
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip") or not GROUPS.exists():
        sys.exit("this needs Linux, root, iproute2 and control groups")
    with tempfile.TemporaryDirectory() as made:
        sys.exit(not asyncio.run(measure(Path(made))))
