"""Muted stays muted where the page itself publishes: what a viewer hears and sees, whatever happens."""

from __future__ import annotations

import asyncio
import time

import pytest
from playwright.async_api import expect

from tests.broadcast.booth import SILENT, Listener
from tests.lab.audience import House
from tests.lab.conftest import Lab
from tests.lab.test_studio import ended, go_live
from tests.live.conftest import until

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(300)]

PICTURES, CARDS = 15, 5
"""A card is sent five times a second: so many last longer than two beeps of Chromium's microphone are apart."""
STRAIGHT = "Sent straight from this page"
JOIN_ANEW = """
from spnb._loop import background_loop
background_loop().call_soon_threadsafe(studio._broadcast._disconnected, "state mismatch")
"""


async def silent_and_dark(lab: Lab, listener: Listener, since: float) -> None:
    """By whatever way: where a busy machine had the page take another, muted pictures do not go out at all, for as long
    as the cards would have taken."""
    now = time.monotonic()
    straight = lab.page.get_by_text(STRAIGHT)
    async with asyncio.timeout(60):
        while len([at for at, *_ in listener.pictures if at > now]) < PICTURES:
            if time.monotonic() > now + PICTURES / CARDS and not await straight.is_visible():
                break
            await asyncio.sleep(0.1)
    assert max(listener.heard_since(since), default=0) < SILENT
    assert not listener.seen_since(since)


def published(listener: Listener) -> dict[str, bool]:
    """The host's tracks, and whether they are announced as muted."""
    hosts = listener.room.remote_participants.values()
    return {sid: publication.muted for host in hosts for sid, publication in host.track_publications.items()}


async def published_anew(listener: Listener, before: dict[str, bool]) -> None:
    """Wait until the host's two tracks are other ones; they are announced as muted from the first moment on."""
    await until(lambda: len(published(listener)) == 2 and not published(listener).keys() & before.keys(), 40)
    assert all(published(listener).values())


async def test_a_muted_page_stays_muted(lab: Lab) -> None:
    room_id = await go_live(lab, "kept-quiet.ipynb")
    page, house = lab.page, House(lab)
    await expect(page.get_by_text(STRAIGHT)).to_be_visible()
    async with house.listener(room_id) as listener:
        await listener.hears()
        await listener.sees()
        await page.get_by_role("button", name="Mute", exact=True).click()
        await page.get_by_role("button", name="Hide camera").click()
        await until(lambda: all(listener.publications[kind].muted for kind in ("audio", "video")))
        await until(lambda: max(listener.heard_since(time.monotonic() - 1.5), default=0) < SILENT)
        since = time.monotonic()

        # A signalling socket that drops is resumed, and the tracks stay what they are.
        before = published(listener)
        assert await house.cut("signalling", room_id) >= 1
        await silent_and_dark(lab, listener, since)

        # Media that are cut have the library publish everything anew.
        assert await house.cut("transports", room_id) >= 1
        await published_anew(listener, before)
        await silent_and_dark(lab, listener, since)

        # The kernel has the page join anew.
        before = published(listener)
        await lab.run_code(JOIN_ANEW)
        await published_anew(listener, before)
        await silent_and_dark(lab, listener, since)
        await expect(page.get_by_role("button", name="Unmute", exact=True)).to_be_visible()

        await page.get_by_role("button", name="Unmute", exact=True).click()
        await listener.hears()
        await page.get_by_role("button", name="Show camera").click()
        await listener.sees()

        # A moderator mutes at the media server: the page says so, and holds to it when it publishes everything anew.
        await house.mute_remotely(room_id, listener.publications["audio"].sid)
        await expect(page.get_by_role("button", name="Unmute", exact=True)).to_be_visible()
        await until(lambda: max(listener.heard_since(time.monotonic() - 1.5), default=0) < SILENT)
        since, before = time.monotonic(), published(listener)
        assert await house.cut("transports", room_id) >= 1
        await until(lambda: len(published(listener)) == 2 and not published(listener).keys() & before.keys(), 40)
        anew = time.monotonic()
        await until(lambda: len(listener.seen_since(anew)) >= PICTURES, 40)
        assert max(listener.heard_since(since), default=0) < SILENT
        assert await lab.run_code("print(studio.broadcast.is_muted())") == "True\n"
        await page.get_by_role("button", name="Unmute", exact=True).click()
        await listener.hears()
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_role("button", name="End now").click()
    await ended(page)
