"""What is refused to a host or a viewer, and what they see of it: words, and a way on."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Route, WebSocketRoute, expect

from tests.lab.audience import House, good_pictures
from tests.lab.conftest import CARD, CONNECT, Lab
from tests.lab.test_playback import PEERS
from tests.lab.test_story import PLAYING
from tests.lab.test_studio import CELL, ended, make_room, on_air
from tests.lab.visitors import visit

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

OTHER = "other = spnb.connect('somebody-else', url=os.environ['TEST_URL'], api_key=os.environ['TEST_KEY'])\n"


async def refuse(route: Route) -> None:
    await route.abort()


async def hang_up(socket: WebSocketRoute) -> None:
    await socket.close(code=1011)


async def test_where_livekit_does_not_answer_the_page_its_frames_are_sent_by_the_kernel(lab: Lab) -> None:
    address = re.compile(r"/sandbox/proof|/rtc")
    await lab.page.route(address, refuse)
    # A page that has found a road before keeps to it: this one has found none yet.
    await lab.page.evaluate("globalThis[Symbol.for('spnb.roads')]?.clear()")
    try:
        await lab.write_and_run("unreachable.ipynb", CELL)
        page = lab.page
        await make_room(page)
        await page.get_by_role("button", name="Go live").click()
        await on_air(page)
        await expect(page.get_by_text("LiveKit does not answer this page")).to_be_visible()
        house = House(lab)
        async with house.viewer(await house.room_id()) as watching:
            track, _ = await watching.track()
            await good_pictures(track)
        await page.get_by_role("button", name="End", exact=True).click()
        await page.get_by_role("button", name="End now").click()
        await ended(page)
    finally:
        await lab.page.unroute(address)
        # Nor does it keep to what it found while this was lifted.
        await lab.page.evaluate("globalThis[Symbol.for('spnb.roads')]?.clear()")


async def test_a_connection_that_fails_is_told_and_may_be_tried_again(lab: Lab) -> None:
    browser = lab.page.context.browser
    assert browser is not None
    context = await browser.new_context(viewport={"width": 1280, "height": 1400})
    page = await context.new_page()
    page.set_default_timeout(60_000)
    blocked = True

    async def gate(socket: WebSocketRoute) -> None:
        if blocked:
            await hang_up(socket)
        else:
            socket.connect_to_server()

    await page.route_web_socket("**/rtc**", gate)
    visitor = await visit(lab, page)
    await visitor.write_and_run("refused.ipynb", CELL.replace("countdown=0", "countdown=0, path='browser'"))
    await make_room(page)
    await page.get_by_role("button", name="Go live").click()
    await expect(page.locator(".spnb-studio .spnb-main > .spnb-error")).not_to_be_empty()
    go = page.get_by_role("button", name="Go live")
    await expect(go).to_be_visible()
    blocked = False
    await go.click()
    await on_air(page)
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)
    await visitor.close()
    await context.close()


async def test_a_room_of_somebody_else_cannot_be_put_on_air(lab: Lab) -> None:
    await lab.write_and_run(
        "not-mine.ipynb",
        CONNECT
        + OTHER
        + f"theirs = other.rooms.create('Not yours')\nshow = theirs.go_live({CARD})\ntheirs.until('live')\n"
        "studio = spnb.Studio(sp, sp.rooms.get(theirs.room_id), countdown=0)\nstudio",
    )
    page = lab.page
    await page.get_by_role("button", name="Join stage").click()
    await expect(page.locator(".spnb-studio .spnb-main > .spnb-error")).to_contain_text("co-host")
    await expect(page.get_by_role("button", name="Join stage")).to_be_visible()
    assert (await lab.run_code("print(theirs.stage.people)")).count("coHost") == 0
    await lab.run_code("show.stop()")


async def test_bad_thumbnails_are_refused_and_the_form_stays(lab: Lab) -> None:
    await lab.write_and_run("thumbnails.ipynb", CELL)
    page = lab.page
    await page.get_by_label("Title").fill("With a picture")
    picture = page.locator("input[type=file]").first
    await picture.set_input_files(files=[{"name": "no.png", "mimeType": "image/png", "buffer": b"this is no picture"}])
    await page.get_by_role("button", name="Create room").click()
    await expect(page.get_by_role("alert").filter(has_text=re.compile("picture|image"))).to_be_visible()
    large = b"\x89PNG\r\n\x1a\n" + bytes(2_100_000)
    await picture.set_input_files(files=[{"name": "large.png", "mimeType": "image/png", "buffer": large}])
    await page.get_by_role("button", name="Create room").click()
    await expect(page.get_by_role("alert").filter(has_text="2 MB")).to_be_visible()
    await expect(page.get_by_label("Title")).to_have_value("With a picture")


async def test_a_live_stream_that_is_cut_for_a_viewer_comes_back(lab: Lab) -> None:
    made = f"room = other.rooms.create('Cut')\nshow = room.go_live({CARD})\nroom.until('live')\nspnb.Player(room)"
    missing = True

    async def lists(route: Route) -> None:
        if missing:
            await route.fulfill(status=404, body="")
        else:
            await route.continue_()

    # Nor does a line for WebRTC come about, which makes it HLS from the first.
    await lab.page.evaluate(PEERS)
    await lab.page.evaluate("window.spnbWalled = true")
    await lab.page.route("**/*.m3u8*", lists)
    try:
        await lab.write_and_run("cut.ipynb", CONNECT + OTHER + made)
        page = lab.page
        await expect(page.locator(".spnb-player .spnb-waiting")).to_be_visible()
        missing = False
        video = page.locator(".spnb-player video")
        assert await video.evaluate(PLAYING, timeout=60_000) == [640, 360]
        missing = True
        await expect(page.locator(".spnb-player .spnb-waiting")).to_be_visible()
        missing = False
        await expect(page.locator(".spnb-player .spnb-waiting")).to_be_hidden()
        assert await video.evaluate(PLAYING) == [640, 360]
        await page.get_by_role("button", name="Delay").click()
        await expect(page.get_by_text("Not by WebRTC: no line to the media server came about.")).to_be_visible()
        await lab.run_code("show.stop()")
    finally:
        await lab.page.evaluate("window.spnbWalled = false")
        await lab.page.unroute("**/*.m3u8*")
