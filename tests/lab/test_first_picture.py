"""What a page says to a widget does not wait for the cells behind it."""

from __future__ import annotations

import asyncio

from playwright.async_api import expect

from tests.lab.conftest import CONNECT, Lab

WAITS = """
import pathlib, time
until = time.monotonic() + 100
while not pathlib.Path('{name}').exists():
    assert time.monotonic() < until, 'nobody was heard while this cell ran'
    time.sleep(0.05)
"""
"""A cell that runs until the test has seen what it is after: it is over only if that came while it ran."""


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
