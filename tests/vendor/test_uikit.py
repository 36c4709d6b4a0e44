"""The vendor's Web UIKit on the sandbox, nothing answered in its place: it watches what Python has on air."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

import spnb
from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller

SHOTS = Path(__file__).resolve().parents[2] / "test-output" / "screenshots"
PATIENCE = 60_000
STARTING = 120_000
"""Milliseconds for a page of several megabytes, or for media of two cameras, on a busy machine."""
PLAYING = "[...document.querySelectorAll('video')].filter((video) => video.currentTime > 1 && video.videoWidth > 0)"
WATCHING = "livestream_player_page/livestream_chat_compose_bar"


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
    address = {"url": f"{sandbox.url}/", "mqtt": sandbox.info["mqtt"], "key": sandbox.api_key}
    try:
        await page.goto(f"{site}/uikit.html?{urlencode({**address, 'user': user_id, 'name': name})}")
        yield page
    finally:
        await context.close()


async def plays(page: Page, videos: int = 1) -> None:
    await page.wait_for_function(f"{PLAYING}.length >= {videos}", timeout=STARTING)


async def shot(page: Page, name: str) -> None:
    await page.screenshot(path=SHOTS / f"uikit-{name}.png", timeout=PATIENCE)


def members(sandbox: RunningSandbox, name: str, *others: str) -> tuple[str, str]:
    """A new user of the app, and a community of that user and others."""
    user_id = f"{name}-{os.urandom(3).hex()}"
    user = Caller(sandbox, user_id)
    made = user.post("/api/v3/communities", {"displayName": "Watchers", "userIds": list(others)})
    user.http.close()
    return user_id, str(made["communities"][0]["communityId"])


@pytest.mark.timeout(400)
async def test_the_app_watches_what_python_has_on_air_and_replays_it(
    browser: Browser, site: str, sandbox: RunningSandbox, python: spnb.AsyncClient
) -> None:
    ann, community_id = members(sandbox, "ann", python.user_id)
    room = await python.rooms.create("Python on air")
    await room.post(community_id=community_id, text="Come and see")
    broadcast = await room.go_live()
    said, reacted = aiter(room.chat.watch(last=0)), aiter(room.live_reactions())
    first, reaction = asyncio.ensure_future(anext(said)), asyncio.ensure_future(anext(reacted))
    try:
        await room.until("live")
        async with app(browser, site, sandbox, ann, "Ann") as page:
            followed = asyncio.ensure_future(
                page.wait_for_event("console", lambda told: "sandbox/chat/" in told.text, timeout=2 * PATIENCE)
            )
            await expect(page.get_by_text("Come and see").first).to_be_visible(timeout=STARTING)
            await shot(page, "home")
            await page.get_by_text("LIVE", exact=True).first.click(timeout=PATIENCE, no_wait_after=True)
            await plays(page)
            await page.get_by_test_id(f"{WATCHING}/reaction_button").last.click()
            assert (await asyncio.wait_for(reaction, 60)).user_id == ann

            composer = page.locator("[contenteditable=true]").last
            await composer.click(timeout=PATIENCE)
            await composer.press_sequentially("Hello from the app")
            await page.get_by_test_id(f"{WATCHING}/create_message_button").click()
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
            await page.get_by_text("recorded").first.click(timeout=PATIENCE, no_wait_after=True)
            await plays(page)
            await shot(page, "replay")
    finally:
        first.cancel()
        reaction.cancel()
        await broadcast.stop()
