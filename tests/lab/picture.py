"""The README's picture, drawn anew: `uv run --group dev python -m tests.lab.picture`, with Chromium and its fonts.

A Studio on air with the page's camera, watched and talked to by a simulated audience, beside its chat.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from playwright.async_api import expect

from spnb.bench.lab import fine_camera, open_lab

IMAGES = Path(__file__).parents[2] / "notebooks" / "images"
SIZE = {"width": 1500, "height": 900}
TITLE = "Spring collection, live from the studio"
NAMED = """
const told = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
const names = {videoinput: 'Integrated camera', audioinput: 'Built-in microphone'};
navigator.mediaDevices.enumerateDevices = async () => {
    const devices = await told();
    return Object.entries(names).map(([kind, value]) =>
        Object.defineProperty(devices.find((device) => device.kind === kind), 'label', {value}));
};
"""
STUDIO = "import spnb\n\nsp = spnb.connect()\nstudio = spnb.Studio(sp)\nstudio"
AUDIENCE = "crowd = spnb.sandbox.simulate(studio.room, viewers=60, seconds=90, seed=11, chattiness=8)"


async def draw() -> Path:
    """Make the picture; its path."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with open_lab(Path(folder), camera=fine_camera, shots=IMAGES) as lab:
            page = lab.page
            await page.add_init_script(NAMED)
            await page.reload()
            await page.wait_for_function("window.jupyterapp !== undefined")
            await page.set_viewport_size(SIZE)  # type: ignore[arg-type]
            await page.evaluate("window.jupyterapp.shell.collapseLeft()")
            await lab.write_and_run("on_air.ipynb", STUDIO)
            studio = page.locator(".spnb-studio")
            await page.get_by_label("Title").fill(TITLE)
            await page.get_by_role("button", name="Create room").click()
            await studio.get_by_role("button", name="Go live").click()
            await expect(studio.locator(".spnb-badge", has_text="LIVE").first).to_be_visible(timeout=60_000)
            await lab.run_code(AUDIENCE)
            await expect(page.get_by_text(re.compile(r"\d\d viewers")).first).to_be_visible(timeout=60_000)
            await expect(page.get_by_text("0:45").first).to_be_visible(timeout=60_000)
            await page.evaluate(
                "window.spnbPanel.content.node.querySelector('.jp-WindowedPanel-outer')?.scrollTo(0, 0)"
            )
            return await lab.shot("on-air", ".jp-WindowedPanel-outer")


if __name__ == "__main__":
    asyncio.run(draw())
