"""Notebook 03 from the invitation to the replay: run from top to end, and what its widgets show then."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.lab.conftest import ROOT, Lab
from tests.lab.test_story import PLAYING

NAME = "03_lifecycle_and_chat.ipynb"


@pytest.mark.browser
@pytest.mark.media
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_lifecycle_notebook_runs_from_top_to_end(lab: Lab) -> None:
    shutil.copyfile(ROOT / "notebooks" / NAME, lab.folder / NAME)
    await lab.open(NAME)
    outputs = await lab.run_all()
    told = [output for cell in outputs for output in cell]
    assert not [output for output in told if output.get("name") == "stderr"], told
    printed = "".join(output["text"] for output in told if output.get("name") == "stdout")
    assert re.search(r"room\.live → room\.flagged → (room\.live → )?room\.ended → room\.recorded", printed)
    assert "2 requests refused" in printed
    assert "the room is live and the message there 1 time" in printed
    assert re.search(r"Bo is off the stage; Cy watched for \d+\.\d s", printed)
    assert "pinned: " in printed
    assert any("terminates from" in output.get("data", {}).get("text/html", "") for output in told)

    # What was said, sold, found and delivered is there to see.
    page = lab.page
    chat = page.locator(".spnb-chat")
    for place in await chat.all():
        await expect(place.get_by_text("Still with us?")).to_be_visible()
    await expect(page.locator(".spnb-roomcard")).to_contain_text("flagged: profanity")
    await expect(page.locator(".spnb-deliveries")).to_contain_text("room.recorded")

    # The first player has turned into the replay; the second has the planted moments to jump to.
    player = page.locator(".spnb-player video").first
    await player.scroll_into_view_if_needed()
    assert await player.evaluate(PLAYING) == [1280, 720]
    await page.get_by_role("button", name=re.compile(r"^0:\d\d ")).first.click()
    await page.wait_for_function(
        "[...document.querySelectorAll('.spnb-player video')].at(-1).currentTime > 1", timeout=60_000
    )
    await page.locator(".spnb-deliveries").scroll_into_view_if_needed()
    await lab.shot("lifecycle-notebook")
    clips = list(lab.folder.glob("launch-night.mp4"))
    assert [clip.stat().st_size > 10_000 for clip in clips] == [True]

    # Nothing secret is in the saved notebook.
    secrets = json.loads(
        await lab.run_code(
            "import json\nprint(json.dumps([spnb.sandbox.ensure().api_key, sp.access_token(), signed_with,"
            " recording.urls[0].split('/')[4]]))"
        )
    )
    await lab.save()
    saved = (lab.folder / NAME).read_text()
    for secret in secrets:
        assert secret
        assert secret not in saved
    assert not [line for line in lab.console if line.startswith("pageerror")]


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_ship_without_outputs_and_wait_for_events(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        source = "".join(cell["source"])
        assert not re.search(r"\bsleep\b|%%time", source)
        assert len(source.splitlines()) <= 24, "a cell is short"
