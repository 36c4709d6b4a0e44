"""Run All: what a widget shows does not wait for the cells behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json

from playwright.async_api import expect

from tests.lab.conftest import CONNECT, ROOT, Lab
from tests.lab.test_story import PLAYING

WAITS = """
import pathlib, time
until = time.monotonic() + 100
while not pathlib.Path('{name}').exists():
    assert time.monotonic() < until, 'nobody saw the picture while this cell ran'
    time.sleep(0.05)
"""
"""A cell that runs until the test has seen what it is after: it is over only if that came while it ran."""


async def test_run_all_on_the_first_notebook_shows_the_live_picture_while_later_cells_run(lab: Lab) -> None:
    cells = json.loads((ROOT / "notebooks" / "01_go_live.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    player = sources.index("spnb.Player(room)")
    # The first notebook's own cells, in its order; the one that stays on air for some seconds stays until we have seen.
    lab.write("first.ipynb", *sources[: player + 1], WAITS.format(name="seen-live"), "broadcast.stop()")
    await lab.open("first.ipynb")
    running = asyncio.create_task(lab.run_all())
    try:
        video = lab.page.locator(".spnb-player video").first
        await expect(video).to_be_visible(timeout=90_000)
        await video.evaluate(PLAYING, timeout=60_000)
        assert not running.done()
        (lab.folder / "seen-live").touch()
        await running
    finally:
        (lab.folder / "seen-live").touch()
        with contextlib.suppress(AssertionError):
            await running


async def test_every_widget_hears_its_page_while_a_cell_runs(lab: Lab) -> None:
    """Each has its first word heard: made, shown and spoken to with the kernel's cells all busy."""
    made = (
        "room = sp.rooms.create('Busy', chat=True)\n"
        "widgets = [spnb.Studio(sp, room), spnb.Chat(room), spnb.RoomTable(sp)]\n"
        "widgets += [spnb.CameraPreview(), spnb.GoLive(room), spnb.Player(room), spnb.LiveNow(sp)]\n"
        "widgets += [spnb.RoomCard(room), spnb.RoomStatus(room), spnb.ViewerCount(room), spnb.RecordingPlayer(room)]\n"
        "widgets += [spnb.CreateRoom(sp), spnb.Faults(sp), spnb.Doctor(sp)]\n"
        "from IPython.display import display\ndisplay(*widgets)\n"
        "heard = [[] for _ in widgets]\n"
        "for widget, told in zip(widgets, heard):\n"
        "    widget.on_msg(lambda _widget, content, _buffers, told=told: told.append(content))"
    )
    looks = WAITS.format(name="all-heard").replace("pathlib.Path('all-heard').exists()", "all(heard)")
    lab.write("busy.ipynb", CONNECT + made, looks)
    await lab.open("busy.ipynb")
    running = asyncio.create_task(lab.run_all())
    for widget in ("studio", "chat", "table", "preview", "golive"):
        selector = {"chat": ".spnb-chat", "table": ".spnb-table", "preview": ".spnb-preview", "golive": ".spnb-golive"}
        await expect(lab.page.locator(selector.get(widget, ".spnb-studio")).first).to_be_visible()
    # A word of the page to each model: what a button would send.
    await lab.page.evaluate(
        """async () => {
            const kernel = window.spnbPanel.sessionContext.session.kernel;
            for (const comm of kernel._comms.values())
                comm.send({method: 'custom', content: {do: 'nothing'}});
        }"""
    )
    await running
