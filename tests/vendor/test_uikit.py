"""The vendor's Web UIKit on the sandbox, nothing answered in its place.

It watches what Python has on air, and has a room of its own on air that Python sees.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

import spnb
from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller

SHOTS = Path(__file__).resolve().parents[2] / "test-output" / "screenshots"
PATIENCE = 180_000
"""Milliseconds to wait for what must come: the app is a page of several megabytes, and two of them play and film."""
PLAYING = "[...document.querySelectorAll('video')].some((video) => video.currentTime > 1 && video.videoWidth > 0)"
WATCHING = "livestream_player_page/livestream_chat_compose_bar"
HOSTING = "create_livestream_page/livestream_chat_compose_bar"


@pytest_asyncio.fixture(loop_scope="session")
async def python(sandbox: RunningSandbox) -> AsyncIterator[spnb.AsyncClient]:
    SHOTS.mkdir(parents=True, exist_ok=True)
    client = await spnb.connect_async(f"host-{os.urandom(3).hex()}", url=sandbox.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


@asynccontextmanager
async def app(browser: Browser, site: str, sandbox: RunningSandbox, user_id: str, name: str) -> AsyncIterator[Page]:
    """The app in a browser of its own, as one user's."""
    context = await browser.new_context(viewport={"width": 1720, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(60_000)
    address = {"url": f"{sandbox.url}/", "mqtt": sandbox.info["mqtt"], "key": sandbox.api_key}
    try:
        await page.goto(f"{site}/uikit.html?{urlencode({**address, 'user': user_id, 'name': name})}")
        yield page
    finally:
        await context.close()


async def plays(page: Page) -> None:
    await page.wait_for_function(PLAYING, timeout=PATIENCE)


async def shot(page: Page, name: str) -> None:
    await page.screenshot(path=SHOTS / f"uikit-{name}.png", timeout=PATIENCE)


def members(sandbox: RunningSandbox, name: str, *others: str, place: str = "Watchers") -> tuple[str, str]:
    """A new user of the app, and a community of that user and others."""
    user_id = f"{name}-{os.urandom(3).hex()}"
    user = Caller(sandbox, user_id)
    made = user.post("/api/v3/communities", {"displayName": place, "userIds": list(others)})
    user.http.close()
    return user_id, str(made["communities"][0]["communityId"])


@pytest.mark.timeout(400)
async def test_the_app_watches_what_python_has_on_air_and_replays_it(
    browser: Browser, site: str, sandbox: RunningSandbox, python: spnb.AsyncClient
) -> None:
    place = f"Watchers {os.urandom(3).hex()}"
    ann, community_id = members(sandbox, "ann", python.user_id, place=place)
    room = await python.rooms.create("Python on air")
    await room.post(community_id=community_id, text="Come and see")
    broadcast = await room.go_live(spnb.TestCard(320, 180, fps=10))
    said, reacted = aiter(room.chat.watch(last=0)), aiter(room.live_reactions())
    first, reaction = asyncio.ensure_future(anext(said)), asyncio.ensure_future(anext(reacted))
    try:
        async with app(browser, site, sandbox, ann, "Ann") as page:
            followed = asyncio.ensure_future(
                page.wait_for_event("console", lambda told: "sandbox/chat/" in told.text, timeout=PATIENCE)
            )
            await expect(page.get_by_text("Come and see").first).to_be_visible(timeout=PATIENCE)
            await shot(page, "home")
            await pressed(page.get_by_text("Communities", exact=True).first)
            await expect(page.get_by_text("Trending now").first).to_be_visible(timeout=PATIENCE)
            await shot(page, "explore")
            await pressed(page.get_by_text("Following", exact=True).first)
            await pressed(page.get_by_text(place, exact=True).last)
            await expect(page.get_by_role("heading", name=place, level=1)).to_be_visible(timeout=PATIENCE)
            await expect(page.get_by_text("Come and see").first).to_be_visible(timeout=PATIENCE)
            await shot(page, "community")
            await pressed(page.get_by_text("LIVE", exact=True).first)
            await plays(page)
            await pressed(page.get_by_test_id(f"{WATCHING}/reaction_button").last)
            assert (await asyncio.wait_for(reaction, 60)).user_id == ann

            composer = page.locator("[contenteditable=true]").last
            await composer.press_sequentially("Hello from the app", timeout=PATIENCE)
            await pressed(page.get_by_test_id(f"{WATCHING}/create_message_button"))
            assert (await asyncio.wait_for(first, 60)).text == "Hello from the app"
            # The app follows the chat some moments after it shows it, and says so: what came before is read, not heard.
            await followed
            await room.chat.send("Hello from Python")
            await expect(page.get_by_text("Hello from Python")).to_be_visible(timeout=PATIENCE)
            await shot(page, "watching")

            await broadcast.stop()
            await expect(page.get_by_text("This live stream has ended.").last).to_be_visible(timeout=PATIENCE)
            await shot(page, "ended")
            await room.until("recorded")
            await page.keyboard.press("Escape")
            await pressed(page.get_by_text("recorded").first)
            await plays(page)
            await shot(page, "replay")
    finally:
        first.cancel()
        reaction.cancel()
        await broadcast.stop()


@pytest.mark.timeout(600)
async def test_the_app_hosts_with_a_co_host_and_python_sees_it(
    browser: Browser, site: str, sandbox: RunningSandbox, python: spnb.AsyncClient
) -> None:
    ann, _ = members(sandbox, "ann")
    bob, _ = members(sandbox, "bob", ann)
    title = f"Bob's {os.urandom(3).hex()}"
    async with app(browser, site, sandbox, bob, "Bob") as host:
        await pressed(host.get_by_test_id("post_composer_page/*/livestream_button"))
        await pressed(host.get_by_test_id("livestream-target-selection-community-item").first)
        await host.get_by_placeholder("Name your live").fill(title, timeout=PATIENCE)
        await pressed(button(host, "Go live"))
        invite = host.get_by_test_id(f"{HOSTING}/invite_co_host_button")
        await expect(invite).to_be_visible(timeout=PATIENCE)
        room = await on_air(python, title)
        stage = asyncio.ensure_future(both_on_stage(room))

        async with app(browser, site, sandbox, ann, "Ann") as guest:
            await pressed(guest.get_by_text("LIVE", exact=True).first)
            await expect(guest.get_by_text("By Bob")).to_be_visible(timeout=PATIENCE)
            await plays(guest)
            # The app offers those as co-hosts who watch: it reads their list as it opens the list.
            async for count in room.audience.watch():
                if count:
                    break
            await invite.press("Enter", timeout=PATIENCE)
            await pressed(button(host, "Invite"))
            # The app asks whether that is meant, with a second button of this name.
            await expect(host.get_by_role("button", name="Invite", exact=True)).to_have_count(2, timeout=PATIENCE)
            await pressed(button(host, "Invite"))
            await pressed(button(guest, "Accept"))
            # Whoever joins before the camera is there, joins without it.
            await plays(guest)
            await pressed(button(guest, "Join LIVE"))
            assert set(await asyncio.wait_for(stage, 180)) == {ann, bob}
            for page in (host, guest):
                await expect(page.get_by_text("Waiting for co-host")).to_have_count(0, timeout=PATIENCE)
            # It asked once.
            await expect(guest.get_by_text("Join as co-host")).to_have_count(0)
            await shot(host, "hosting")
            await shot(guest, "co-hosting")

        await host.get_by_role("button", name="Close", exact=True).first.press("Enter", timeout=PATIENCE)
        await pressed(button(host, "End"))
        await room.until("ended")
        await expect(host.get_by_text("This live stream has ended.").last).to_be_visible(timeout=PATIENCE)
        await shot(host, "hosted")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True).last


async def pressed(what: Locator) -> None:
    """Pressed as a screen reader would: a page that plays or films draws too seldom for a pointer's hit test."""
    await expect(what).to_be_visible(timeout=PATIENCE)
    await what.dispatch_event("click")


async def on_air(python: spnb.AsyncClient, title: str) -> spnb.AsyncLiveRoom:
    """The room of this title, once `rooms.live()` has it: after the app's own word that it is."""
    async for _change in spnb.AsyncLiveRooms(python).watch():
        for room in await python.rooms.live():
            if room.title == title:
                return room
    raise AssertionError("rooms are watched until they are left")


async def both_on_stage(room: spnb.AsyncLiveRoom) -> list[str]:
    """Ids of host and co-host once media comes from the co-host."""
    async for people in room.stage.watch():
        if any(each.role == "coHost" and each.on_stage for each in people):
            return [each.user_id for each in people]
    raise AssertionError("the stage is watched until it is left")
