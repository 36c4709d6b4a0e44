"""Lists of rooms in a browser: a thousand of them, ghosts, the management table, and the player that counts."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import expect

from tests.lab.conftest import CARD, CONNECT, Lab
from tests.lab.test_story import PLAYING

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

CAPTION = """(() => {
    const tracks = [...document.querySelector('.spnb-chosen video').textTracks];
    const track = tracks.find(({mode, label}) => mode === 'showing' && label === 'On screen');
    return track?.activeCues?.[0]?.getCueAsHTML().textContent;
})()"""
"""What a browser's own full screen shows over the picture."""

MANY = (
    CONNECT + "import asyncio\n"
    "from spnb._loop import run\n"
    "async def make(client, count):\n"
    "    gate = asyncio.Semaphore(16)\n"
    "    async def one(number):\n"
    "        async with gate:\n"
    "            return await client.rooms.create(f'Room {number:04}', chat=False)\n"
    "    return await asyncio.gather(*(one(number) for number in range(count)))\n"
)


async def test_a_thousand_rooms_are_filtered_sorted_and_kept_fresh(lab: Lab) -> None:
    await lab.write_and_run(
        "many.ipynb",
        MANY + "rooms = run(make(sp.asynchronous, 1000))\ntable = spnb.RoomTable(sp)\ntable",
    )
    page = lab.page
    await expect(page.locator(".spnb-table tbody tr")).to_have_count(25)
    await expect(page.get_by_role("heading", name="Rooms · 1000")).to_be_visible()
    await page.get_by_role("button", name="Next ›").click()
    await expect(page.get_by_text("2 of 40")).to_be_visible()
    await page.get_by_label("search rooms").fill("room 0042")
    await expect(page.locator(".spnb-table tbody tr")).to_have_count(1)
    await lab.shot("room-table")
    # One that changes is one row, soon.
    await page.evaluate(
        """async () => {
            const kernel = window.spnbPanel.sessionContext.session.kernel;
            const cell = document.querySelector('.spnb-table tbody tr .spnb-title');
            const seen = new Promise((resolve) => {
                new MutationObserver(() => {
                    const now = document.querySelector('.spnb-table tbody tr .spnb-title');
                    if (now?.textContent.startsWith('Room 0042!')) resolve(performance.now());
                }).observe(document.querySelector('.spnb-table tbody'), {childList: true, subtree: true});
            });
            const code = "run(sp.asynchronous.rooms.update(rooms[42].room_id, title='Room 0042!'));"
                + " run(table._collection.refresh())";
            await kernel.requestExecute({code, store_history: false}).done;
            await seen;
        }"""
    )
    await page.get_by_label("search rooms").fill("Room 0042!")
    row = page.locator(".spnb-table tbody tr")
    await row.get_by_role("button", name="Edit").click()
    await page.get_by_label("new title").fill("<b>Renamed</b>")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_label("search rooms").fill("renamed")
    await expect(row.locator(".spnb-title")).to_have_text("<b>Renamed</b>")
    await row.get_by_role("button", name="Delete…").click()
    await row.get_by_role("button", name="Keep").click()
    await row.get_by_role("button", name="Delete…").click()
    await row.get_by_role("button", name="Delete", exact=True).click()
    await expect(row).to_have_count(0)
    await expect(page.get_by_role("heading", name="Rooms · 0")).to_be_visible()
    await lab.run_code("[run(sp.asynchronous.rooms.delete(room.room_id)) for room in rooms if room is not rooms[42]]")


async def watched_more_than(lab: Lab, seconds: float) -> float:
    """What the one watch session of `now` counts, once it counts more."""
    async with asyncio.timeout(60):
        while True:
            told = await lab.run_code("import json; print(json.dumps([s.watch_seconds for s in now.watched]))")
            counted: list[float] = json.loads(told)
            if counted and max(counted) > seconds:
                assert len(counted) == 1
                return counted[0]
            await asyncio.sleep(0.1)


@pytest.mark.media
async def test_a_click_plays_and_watching_counts(lab: Lab) -> None:
    await lab.write_and_run(
        "watch.ipynb",
        CONNECT + "host = spnb.connect('the-host', url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])\n"
        "room = host.rooms.create('Watched room', chat=True)\n"
        f"show = room.go_live({CARD})\nroom.until('live')\n"
        "now = spnb.LiveNow(sp)\nnow",
    )
    page = lab.page
    await page.locator(".spnb-room", has_text="Watched room").click(timeout=60_000)
    video = page.locator(".spnb-chosen video")
    await expect(video).to_be_visible()
    assert await video.evaluate(PLAYING) == [640, 360]
    await expect(page.locator(".spnb-room", has_text="Watched room")).to_contain_text("1 viewer")
    # What the host puts on screen stands over the picture, in full screen too.
    await lab.run_code("room.chat.show('<b>Welcome</b>')")
    placard = page.locator(".spnb-chosen .spnb-onscreen")
    await expect(placard).to_have_text("<b>Welcome</b>")
    await lab.shot("live-now")
    assert await video.get_attribute("controlslist") == "nofullscreen"
    await page.locator(".spnb-chosen").get_by_role("button", name="Full screen").click()
    await page.wait_for_function("document.fullscreenElement?.contains(document.querySelector('.spnb-onscreen'))")
    await lab.shot("live-now-full-screen")
    await page.evaluate("document.exitFullscreen()")
    # A browser whose own full screen is of the video alone shows it as a caption, and as text.
    await video.evaluate("(video) => video.requestFullscreen()")
    await page.wait_for_function(f"{CAPTION} === '<b>Welcome</b>'")
    await page.screenshot(path=lab.shots / "live-now-own-full-screen.png")
    await page.evaluate("document.exitFullscreen()")
    await page.wait_for_function(f"{CAPTION} === undefined")
    # A pause is not watched.
    await video.evaluate("(video) => video.pause()")
    first = await watched_more_than(lab, 0.3)
    await asyncio.sleep(1.5)
    assert await watched_more_than(lab, 0.3) == first
    await video.evaluate("(video) => video.play()")
    assert await watched_more_than(lab, first) > first
    await lab.run_code("show.stop()")
    await expect(page.locator(".spnb-chosen .spnb-badge")).to_have_text("REPLAY")
    assert await video.evaluate(PLAYING) == [640, 360]
    await expect(page.get_by_role("button", name="+ 10 s")).to_be_visible()


@pytest.mark.media
async def test_a_ghost_is_marked_and_ended_by_its_owner(lab: Lab) -> None:
    await lab.write_and_run(
        "ghost.ipynb",
        CONNECT + "import subprocess, sys\n"
        "room = sp.rooms.create('Ghost room')\n"
        "code = '''import os, spnb, sys\nsp = spnb.connect(sys.argv[1], url=os.environ[\"TEST_URL\"],"
        ' api_key=os.environ["TEST_KEY"])\nroom = sp.rooms.get(sys.argv[2])\nshow = room.go_live()\n'
        "room.until(\"live\")\nos.kill(os.getpid(), 9)'''\n"
        "subprocess.run([sys.executable, '-c', code, sp.user_id, room.room_id])\n"
        "now = spnb.LiveNow(sp)\nnow",
    )
    card = lab.page.locator("li[data-room]", has_text="Ghost room")
    await card.get_by_role("button", name="End ghost…").click(timeout=60_000)
    await expect(card.get_by_role("alertdialog")).to_contain_text("over for good")
    await card.get_by_role("button", name="End now").click()
    await expect(card).to_have_count(0)
    assert (await lab.run_code("print(room.refresh().status)")).strip() in ("ended", "recorded")
