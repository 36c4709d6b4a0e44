"""Watching live in a page: close behind, back to the beginning, paused and resumed, handed over to the replay."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.lab.conftest import CONNECT, Lab
from tests.lab.test_story import PLAYING

MADE = (
    "room = sp.rooms.create('Close behind')\nshow = room.go_live()\nroom.until('live')\n"
    "player = spnb.Player(room)\nplayer"
)
MET = """
import asyncio

async def met():
    kinds = set()
    while not {"asked", "started", "played", "delay"} <= kinds:
        await asyncio.sleep(0.2)
        kinds = {row["kind"] for row in player.met}

await asyncio.wait_for(met(), 60)
starts = [row["value"] for row in player.met if row["kind"] == "started"]
print(len(starts) == 1 and starts[0] > 0, len({row["session_id"] for row in player.met}))
"""


async def test_a_viewer_is_close_behind_goes_back_pauses_and_gets_the_replay(lab: Lab) -> None:
    await lab.write_and_run("behind.ipynb", CONNECT + MADE)
    page = lab.page
    video = page.locator(".spnb-player video")
    await expect(video).to_be_visible()
    assert await video.evaluate(PLAYING, timeout=60_000) == [1280, 720]
    heard = await video.evaluate("(video) => video.buffered.length && video.buffered.start(0)")
    assert heard is not None

    # The delay is told to who asks.
    delay = page.get_by_role("button", name="Delay")
    await delay.click()
    await expect(delay).to_have_text(re.compile(r"Delay \d+\.\d s"))
    await expect(delay).to_have_attribute("aria-pressed", "true")

    # Back to the beginning, and to what is on air again.
    live = page.get_by_role("button", name="Go to live")
    await page.wait_for_function("document.querySelector('.spnb-player video').currentTime > 12", timeout=60_000)
    await page.get_by_role("button", name="From the beginning").click()
    await page.wait_for_function("document.querySelector('.spnb-player video').currentTime < 8", timeout=60_000)
    await expect(live).to_be_visible()
    await live.click()
    await page.wait_for_function("document.querySelector('.spnb-player video').currentTime > 11", timeout=60_000)
    await expect(live).to_be_hidden()

    # What the player met is told to the kernel: the start with its seconds, and how far behind it was.
    met = (await lab.run_code(MET)).strip()
    assert met == "True 1", met

    # Paused while it goes on: it resumes with what is on air then.
    stood = await video.evaluate("(video) => { video.pause(); return video.currentTime; }")
    await page.wait_for_function(
        "(stood) => { const s = document.querySelector('.spnb-player video').seekable;"
        " return s.length && s.end(s.length - 1) > stood + 7; }",
        arg=stood,
        timeout=60_000,
    )
    await video.evaluate("(video) => video.play()")
    await page.wait_for_function(
        "(stood) => document.querySelector('.spnb-player video').currentTime > stood + 3", arg=stood, timeout=60_000
    )

    # Ended while paused: the replay stands where the viewer stood.
    stood = await video.evaluate("(video) => { video.pause(); return video.currentTime; }")
    await lab.run_code("show.stop()")
    await expect(page.locator(".spnb-player .spnb-badge")).to_have_text("REPLAY")
    await page.wait_for_function(
        "(stood) => { const v = document.querySelector('.spnb-player video');"
        " return v.paused && v.readyState >= 2 && Math.abs(v.currentTime - stood) < 0.5; }",
        arg=stood,
        timeout=60_000,
    )


async def test_a_player_plays_while_it_is_in_sight_and_a_card_plays_the_replay(lab: Lab) -> None:
    await lab.write_and_run(
        "sight.ipynb",
        CONNECT + "import ipywidgets\nroom = sp.rooms.create('In sight')\n"
        "show = room.go_live(spnb.TestCard(320, 180, 10))\nroom.until('live')\n"
        "player = spnb.Player(room, autoplay='visible')\n"
        'ipywidgets.VBox([ipywidgets.HTML(\'<div class="far" style="height: 3000px"></div>\'), player,'
        " spnb.RoomCard(room)])",
    )
    page = lab.page
    await expect(page.locator(".spnb-player .spnb-badge")).to_have_text("LIVE")
    await page.wait_for_function(
        "document.querySelector('.spnb-player .spnb-waiting').textContent.includes('Starting')"
    )
    assert (await lab.run_code("print(player._addresses)")).strip() == "{}", "what nobody sees asks for nothing"
    video = page.locator(".spnb-player video")
    at = "(video) => video.closest('.spnb-player').scrollIntoView({ block: 'center' })"
    await video.evaluate(at)
    assert await video.evaluate(PLAYING, timeout=60_000) == [320, 180]
    await page.locator(".far").evaluate("(far) => far.scrollIntoView({ block: 'start' })")
    await page.wait_for_function("document.querySelector('.spnb-player video').paused")
    await video.evaluate(at)
    await page.wait_for_function("!document.querySelector('.spnb-player video').paused")

    await lab.run_code("show.stop()")
    card = page.locator(".spnb-roomcard")
    await card.get_by_role("button", name="Watch replay").click(timeout=60_000)
    assert await card.locator("video").evaluate(PLAYING, timeout=60_000) == [320, 180]
    assert not [line for line in lab.console if line.startswith("pageerror")]
