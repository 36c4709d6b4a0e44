"""Notebook 02 as a newcomer goes through it."""

from __future__ import annotations

import shutil

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.lab.conftest import CAMERA, ROOT, Lab
from tests.lab.test_story import PLAYING
from tests.lab.test_studio import make_room, on_air

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

WATCH = """async () => {
    const {content} = window.jupyterapp.shell.currentWidget;
    const wanted = (cell) => cell.model.sharedModel.getSource().startsWith('spnb.Player');
    content.activeCellIndex = content.widgets.findIndex(wanted);
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
"""Runs the cell of the Studio's notebook that shows what viewers see."""


async def test_a_newcomer_goes_through_the_studio_notebook(lab: Lab) -> None:
    cut: list[WebSocketRoute] = []

    def hold(route: WebSocketRoute) -> None:
        route.connect_to_server()
        cut.append(route)

    await lab.page.route_web_socket("**/rtc**", hold)
    shutil.copyfile(ROOT / "notebooks" / "02_studio.ipynb", lab.folder / "02_studio.ipynb")
    await lab.open("02_studio.ipynb")
    outputs = await lab.run_all()
    assert not [output for cell in outputs for output in cell if output.get("name") == "stderr"]
    page = lab.page
    studio = page.locator(".spnb-studio")

    # They see themselves, and go live.
    await studio.get_by_role("button", name="Camera on").click()
    assert await studio.locator(".spnb-preview video").evaluate(PLAYING) == CAMERA
    await make_room(page, "My first stream")
    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-count")).to_be_visible()
    await on_air(page)
    publishing = cut[-1]  # whoever watches has a socket too

    # They watch themselves in the next cell.
    await page.evaluate(WATCH)
    player = page.locator(".spnb-player:not(.spnb-preview) video").first
    await expect(player).to_be_visible()
    await player.evaluate(PLAYING)
    await studio.scroll_into_view_if_needed()

    # Muted, cut off and back, and over.
    await studio.get_by_role("button", name="Mute").click()
    await expect(studio.get_by_role("button", name="Unmute")).to_be_visible()
    await publishing.close(code=4000)
    await expect(studio.get_by_text("Reconnected.")).to_be_visible()
    await lab.shot("studio-notebook")
    await studio.get_by_role("button", name="End", exact=True).click()
    await studio.get_by_role("button", name="End now").click()
    await expect(studio.locator(".spnb-player .spnb-badge").last).to_have_text("REPLAY")
    assert await studio.locator(".spnb-player:not(.spnb-preview) video").evaluate(PLAYING) == CAMERA
    assert not [line for line in lab.console if line.startswith("pageerror")]
