"""What cannot be played is told in words, with a way to try again: expired addresses, pages that lack a player."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from spnb.bench.lab import another_page
from tests.lab.conftest import CONNECT, Lab
from tests.lab.test_story import PLAYING
from tests.recordings.planted import film, plant

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(240)]


async def test_an_expired_address_is_told_and_tried_again(lab: Lab, tmp_path: Path) -> None:
    page = lab.page

    async def expired(route: Route) -> None:
        await route.fulfill(status=403, headers={"access-control-allow-origin": "*"}, body="expired")

    # What the address leads to, by whatever road, is refused as a signature of yesterday is.
    for kind in ("**/*.m3u8*", "**/*.mp4*"):
        await page.route(kind, expired)
    await lab.write_and_run(
        "expired.ipynb",
        CONNECT + "over = sp.rooms.create('Over')\nair = sp.rooms.create('On air')\n"
        "show = air.go_live(spnb.TestCard(320, 180))\nair.until('live')\nspnb.Player(air, webrtc=False)",
        "spnb.RecordingPlayer(over)",
    )
    room_id = (await lab.run_code("print(over.room_id)")).strip()
    plant(lab.sandbox, room_id, [film(tmp_path / "talk.mp4", 6, size=(320, 180))])
    await lab.run_code("over.refresh()")
    live, replay = page.locator(".spnb-player").first, page.locator(".spnb-player").last
    for player in (live, replay):
        await expect(player).to_contain_text("The address has expired", timeout=60_000)
        await expect(player.get_by_role("button", name="Try again")).to_be_visible()
    await page.unroute_all()
    await replay.get_by_role("button", name="Try again").click()
    await page.get_by_role("button", name="▶ Play").click()
    for player in (live, replay):
        assert await player.locator("video").evaluate(PLAYING) == [320, 180]
        await expect(player.get_by_role("button", name="Try again")).to_be_hidden()
    await lab.run_code("show.stop()")


async def test_a_page_that_lacks_the_player_says_so(lab: Lab) -> None:
    async with another_page(lab) as other:
        # A front end that knows no model of the hub's, and runs no module that comes in the kernel's messages either.
        await other.page.evaluate(
            """() => {
                const made = URL.createObjectURL.bind(URL);
                URL.createObjectURL = (thing) => (thing.size > 500_000 ? 'blob:nothing' : made(thing));
            }"""
        )
        await other.write_and_run(
            "no-hub.ipynb",
            CONNECT + "air = sp.rooms.create('On air', chat=True)\n"
            "show = air.go_live(spnb.TestCard(320, 180))\nair.until('live')\n"
            "player = spnb.Player(air)\nplayer.hub.close()\nplayer",
        )
        player = other.page.locator(".spnb-player")
        await expect(player).to_contain_text("does not give a widget what it needs", timeout=60_000)
        await expect(player.get_by_role("button", name="Try again")).to_be_visible()
        await expect(other.page.locator(".spnb-aside")).to_contain_text("does not give a widget what it needs")
        await other.run_code("show.stop()")
