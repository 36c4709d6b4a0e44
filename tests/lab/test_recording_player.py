"""The recording player in a browser: two files as one, marks, the keyboard, a click on a chart; and moderation seen."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from playwright.async_api import TimeoutError as NotYet
from playwright.async_api import expect

import spnb
from tests.lab.conftest import CONNECT, Lab
from tests.lab.test_story import PLAYING
from tests.recordings.planted import film, plant

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]


POINT_AT_5 = """() => {
    const plot = document.querySelector('.js-plotly-plot');
    const { xaxis, yaxis } = plot._fullLayout;
    const box = plot.querySelector('.nsewdrag').getBoundingClientRect();
    return [box.left + xaxis.d2p(5), box.top + yaxis.d2p(6)];
}"""


async def test_two_files_play_as_one_and_follow_a_chart(lab: Lab, tmp_path: Path) -> None:
    await lab.write_and_run(
        "replay.ipynb",
        CONNECT + "room = sp.rooms.create('Talk in two parts')\nprint(room.room_id)",
        "import plotly.graph_objects as go\n"
        "figure = go.FigureWidget(go.Scatter(x=[0, 1, 2, 3, 4, 5, 6, 7], y=[3, 5, 9, 12, 8, 6, 4, 2]))\n"
        "figure.update_layout(height=260, margin=dict(l=40, r=10, t=20, b=40), xaxis_title='seconds',"
        " yaxis_title='viewers')\n"
        "figure",
        "player = spnb.RecordingPlayer(room, marks=[(1, '<img src=x onerror=window.spnbBroken=1> Intro'),"
        " (5, 'Questions')])\nend = player.follow(figure)\nplayer",
    )
    page = lab.page
    card = page.locator(".spnb-player .spnb-waiting")
    await expect(card).to_contain_text("has not started")
    room_id = (await lab.run_code("print(room.room_id)")).strip()
    size = (640, 360)
    parts = [film(tmp_path / "one.mp4", 4, size=size), film(tmp_path / "two.mp4", 4, first=100, size=size)]
    # Waiting for it shows quietly how the wait goes, and then what there is.
    host_id = (await lab.run_code("print(sp.user_id)")).strip()
    await page.evaluate(
        """() => {
            const { commands } = window.jupyterapp;
            const { content } = window.spnbPanel;
            content.activeCellIndex = content.widgets.length - 1;
            return commands.execute('notebook:insert-cell-below').then(() => {
                content.activeCell.model.sharedModel.setSource('room.recording()');
                commands.execute('notebook:run-cell');
            });
        }"""
    )
    waiting = page.locator(".jp-OutputArea [role=status]", has_text="The broadcast has not begun (")
    await expect(waiting).to_be_visible()
    plant(lab.sandbox, room_id, parts)
    host = await spnb.connect_async(host_id, url=lab.sandbox.url, api_key=lab.sandbox.api_key)
    await host.rooms.update(room_id, description="the event by which the kernel looks")
    await host.aclose()
    table = page.locator("table", has_text="Recording of Talk in two parts: 2 file(s)")
    await expect(table.locator("img")).to_have_count(2)
    await expect(waiting).to_have_count(0)
    await table.scroll_into_view_if_needed()
    await lab.shot("recording-table")
    position = page.get_by_label("position")
    await expect(position).to_be_enabled()
    await expect(page.locator(".spnb-timer").first).to_contain_text("0:00 / 0:08")
    video = page.locator(".spnb-player video")

    # It plays on into the second file by itself.
    await page.get_by_role("button", name="▶ Play").click()
    assert await video.evaluate(PLAYING) == list(size)
    await page.wait_for_function("Number(document.querySelector('.spnb-track input').value) > 4.3", timeout=60_000)
    await page.get_by_role("button", name="Pause").click()
    told = float(await lab.run_code("import time; time.sleep(0); print(player.current_time)"))
    assert told > 3

    # Marks are text, and jump.
    await expect(page.locator(".spnb-marks")).to_contain_text("<img src=x")
    assert not await page.evaluate("window.spnbBroken")
    await page.locator(".spnb-marks button", has_text="Intro").click()
    await page.wait_for_function("Math.abs(Number(document.querySelector('.spnb-track input').value) - 1) < 0.3")

    # What the host had on screen stands there while it stood, as text.
    placard = page.locator(".spnb-onscreen")
    await lab.run_code("player.placards = [dict(at=0.5, until=2, text='<img src=x> Why?', name='Ann')]")
    await expect(placard).to_have_text("<img src=x> Why?")
    await lab.shot("recording-placard")

    # Python seeks, into the other file.
    assert await lab.run_code("player.seek(6)") == ""
    await page.wait_for_function("Math.abs(Number(document.querySelector('.spnb-track input').value) - 6) < 0.3")
    await expect(video).to_have_js_property("paused", True)
    await expect(placard).to_be_hidden()

    # The keyboard seeks and plays.
    await video.focus()
    await page.keyboard.press("ArrowLeft")
    await page.wait_for_function("Number(document.querySelector('.spnb-track input').value) < 0.3")
    await page.keyboard.press("Space")
    assert await video.evaluate(PLAYING) == list(size)
    await page.keyboard.press("Space")

    # A click on the chart seeks.
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    await plot.scroll_into_view_if_needed()
    hovered = page.locator(".js-plotly-plot .hovertext").first
    async with asyncio.timeout(60):
        while not await hovered.is_visible():  # the lab may scroll, or lay out, while the mouse is on its way
            x, y = await page.evaluate(POINT_AT_5)
            await page.mouse.move(x - 3, y - 3)
            await page.mouse.move(x, y, steps=4)
            with contextlib.suppress(NotYet):
                await hovered.wait_for(timeout=2_000)
    await page.mouse.click(x, y)
    await page.wait_for_function("Math.abs(Number(document.querySelector('.spnb-track input').value) - 5) < 0.3")
    await page.locator(".js-plotly-plot .shapelayer path").first.wait_for(state="attached")
    await lab.shot("recording-player")

    # Nothing secret in what is saved.
    await lab.save()
    saved = (lab.folder / "replay.ipynb").read_text()
    assert "/media/" not in saved
    assert "/media/" not in await lab.run_code("print(player.get_state())")
    assert not [line for line in lab.console if line.startswith("pageerror")]


async def test_a_terminated_room_closes_the_studio_with_the_reason(lab: Lab) -> None:
    await lab.write_and_run(
        "moderated.ipynb",
        CONNECT + "import httpx\nroom = sp.rooms.create('Watched over')\n"
        "studio = spnb.Studio(sp, room, countdown=0)\nstudio",
        "spnb.Player(room)",
        "spnb.RoomCard(room)",
        "spnb.RoomTable(sp)",
        "def moderate(category, confidence):\n"
        "    url = f\"{os.environ['TEST_URL']}/sandbox/rooms/{room.room_id}/moderation\"\n"
        "    key = {'X-API-Key': os.environ['TEST_KEY']}\n"
        "    found = {'category': category, 'confidence': confidence}\n"
        "    return httpx.post(url, headers=key, json=found, trust_env=False)",
    )
    page = lab.page
    studio = page.locator(".spnb-studio")
    await studio.get_by_label("source", exact=True).select_option("test-card")
    await studio.get_by_role("button", name="Go live").click()
    await expect(studio.locator(".spnb-badge").first).to_have_text("LIVE")
    video = page.locator(".spnb-player:not(.spnb-preview) video").last
    await expect(video).to_be_visible()
    await lab.run_code("moderate('profanity', 0.5)")
    await expect(studio.locator(".spnb-finding")).to_have_text("⚑ flagged: profanity")
    await expect(page.locator(".spnb-roomcard .spnb-finding")).to_have_text("⚑ flagged: profanity")
    row = page.locator(".spnb-table tbody tr", has_text="Watched over")
    await expect(row.locator(".spnb-finding")).to_have_text("⚑ flagged: profanity")
    await lab.shot("flagged")
    await lab.run_code("moderate('violence', 0.9)")
    await expect(
        studio.get_by_role("alert").filter(has_text="Moderation has ended this stream for violence")
    ).to_be_visible()
    await expect(studio.get_by_role("button", name="New stream")).to_be_visible()
    await expect(studio.locator(".spnb-finding")).to_have_text("▲ terminated: violence")
    player = page.locator(".spnb-player:not(.spnb-preview)").last
    await expect(player.locator(".spnb-badge")).to_have_text("Terminated")
    await expect(player).to_contain_text("ended by moderation")
    await expect(row.locator(".spnb-finding")).to_have_text("▲ terminated: violence")
    await page.wait_for_function(
        "[...document.querySelectorAll('.spnb-player video')].every((video) => !video.getAttribute('src')"
        " && !video.srcObject)"
    )
    await lab.shot("terminated")
    assert not [line for line in lab.console if line.startswith("pageerror")]
