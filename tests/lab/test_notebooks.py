"""Run All on the notebooks, in one lab and on one sandbox; 02 and 03 have files of their own beside this."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
from collections.abc import Callable

import nbformat
import pytest
from playwright.async_api import expect

from spnb import analytics
from tests.lab.conftest import ROOT, Lab
from tests.lab.test_first_picture import WAITS
from tests.lab.test_story import PLAYING

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

ANALYSTS = ("04_stream_analytics", "05_portfolio", "06_bring_your_own_data")
TOLD = {
    "04_stream_analytics": ("people** watched", "watched for half a minute", "distinct users with a session"),
    "05_portfolio": ("**What works.**", "watched again in the week after", "largest difference"),
    "06_bring_your_own_data": ("holds time stamps without a zone", "under 30 s apart", "Launch day", "bilibili.xml"),
}
FIGURES = {"04_stream_analytics": 3, "05_portfolio": 6, "06_bring_your_own_data": 1}
WIDGETS = {
    "04_stream_analytics": (".spnb-page .js-plotly-plot",),
    "05_portfolio": (".spnb-overview .spnb-kpi", ".spnb-streams tbody tr"),
}


async def test_the_first_notebook_shows_the_live_picture_while_its_later_cells_run_and_then_the_replay(
    lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "01_go_live.ipynb", 4)
    player = next(at for at, cell in enumerate(notebook.cells) if cell.source == "spnb.Player(room)")
    notebook.cells.insert(player, nbformat.v4.new_code_cell("import time\nasked = time.time()"))
    # Behind the player all cells wait for this one, and this one for the picture.
    notebook.cells.insert(player + 2, nbformat.v4.new_code_cell(WAITS.format(name="seen-live")))
    nbformat.write(notebook, lab.folder / "01_go_live.ipynb")
    await lab.open("01_go_live.ipynb")
    running = asyncio.create_task(lab.run_all())
    try:
        video = lab.page.locator(".spnb-player video").first
        await expect(video).to_be_visible(timeout=90_000)
        came = await video.evaluate(
            "async (video) => {"
            " while (!video.videoWidth) await new Promise(requestAnimationFrame); return Date.now() / 1000; }"
        )
        await video.evaluate(PLAYING, timeout=60_000)
        assert not running.done()
        (lab.folder / "seen-live").touch()
        outputs = await running
    finally:
        (lab.folder / "seen-live").touch()
        with contextlib.suppress(AssertionError):
            await running
    told = [output for cell in outputs for output in cell]
    assert not [output for output in told if output.get("name") == "stderr"], told
    life = "".join(output["text"] for output in told if output.get("name") == "stdout")
    assert re.search(r"idle → live → (waitingReconnect → )?ended → recorded", life)
    replay = lab.page.locator(".spnb-player:not(.spnb-preview) video").last
    await replay.scroll_into_view_if_needed()
    assert await replay.evaluate(PLAYING) == [1280, 720]
    asked = float(await lab.run_code("print(asked)"))
    record_property("seconds from Player to the live picture", round(came - asked, 1))
    await lab.shot("notebook-end")
    assert not [line for line in lab.console if line.startswith("pageerror")]


@pytest.mark.parametrize("name", ANALYSTS)
async def test_an_analysts_notebook_tells_its_story_without_a_warning(lab: Lab, name: str) -> None:
    shutil.copyfile(ROOT / "notebooks" / f"{name}.ipynb", lab.folder / f"{name}.ipynb")
    await lab.open(f"{name}.ipynb")
    outputs = [output for cell in await lab.run_all() for output in cell]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    said = json.dumps(outputs, ensure_ascii=False)
    for words in TOLD[name]:
        assert words in said
    assert "nan" not in said.split()  # a sentence without its number
    notebook = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    for selector in WIDGETS.get(name, ()):
        await notebook.locator(selector).first.wait_for()
    drawn = notebook.locator(".js-plotly-plot:not(.spnb *)")
    for number in range(FIGURES[name]):
        await drawn.nth(number).wait_for()
    assert await drawn.count() == FIGURES[name]
    await lab.shot(name)
    assert not [line for line in lab.console if line.startswith("pageerror")]


async def test_what_they_leave_behind_is_the_season(lab: Lab) -> None:
    """The folder of notebook 05 is a dataset, with what else was in the network; its page from 04 a whole file."""
    if not (lab.folder / "season").exists():
        pytest.skip("notebooks 04 and 05 were not run before")
    saved = analytics.load(lab.folder / "season")
    assert saved.rows("rooms") >= 300
    assert saved.rows("views") >= 150_000
    assert saved.rows("messages") >= 300_000
    assert (lab.folder / "stream.html").read_text(encoding="utf-8").endswith("</html>")
