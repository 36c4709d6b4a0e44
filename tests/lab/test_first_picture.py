"""What a page says to a widget does not wait for the cells behind it."""

from __future__ import annotations

import asyncio
import json

import pytest
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


LATE = """
() => {
    const plain = URL.createObjectURL;
    URL.createObjectURL = (what) => {
        const address = plain.call(URL, what);
        if (what.type !== 'text/javascript') return address;
        // A model was made, and its module comes later than it should, as on a page that has other work for so long.
        window.spnbLate = (window.spnbLate ?? 0) + 1;
        const late = `const { default: made } = await import('${address}');
            await new Promise((done) => setTimeout(done, 2500));
            export default made;`;
        return plain.call(URL, new Blob([late], {type: 'text/javascript'}));
    };
}
"""


@pytest.mark.media
async def test_what_a_busy_page_has_made_too_late_hears_its_kernel_all_the_same(lab: Lab) -> None:
    """anywidget gives a model 2 s to be initialised, and throws away what is said to one that took longer."""
    page = lab.page
    made = "room = sp.rooms.create('Late')\ndisplay(spnb.RoomStatus(room))"
    lab.write("late.ipynb", CONNECT, made, "preview = spnb.CameraPreview()\npreview")
    await lab.open("late.ipynb")
    await page.evaluate(LATE)
    await lab.run_all()
    title = page.locator(".spnb-title")
    await expect(title).to_have_text("Late")
    await lab.run_code("room.update(title='In time')")
    await expect(title).to_have_text("In time")
    # A camera comes to the kernel by questions and answers, which are messages.
    await page.get_by_role("button", name="Camera on").click()
    assert json.loads(await lab.run_code("import json; print(json.dumps(list(next(preview.frames()).shape)))"))[2] == 3
    await page.get_by_role("button", name="Camera off").click()
    await expect(page.get_by_text("Camera is off")).to_be_visible()
    assert await page.evaluate("window.spnbLate") >= 2
