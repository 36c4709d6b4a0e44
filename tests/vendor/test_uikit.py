"""The vendor's Web UIKit on the sandbox, nothing answered in its place: it watches what Python has on air."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, expect

import spnb
from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller

SHOTS = Path(__file__).resolve().parents[2] / "test-output" / "screenshots"
PATIENCE = 60_000
PLAYING = "[...document.querySelectorAll('video')].some((video) => video.currentTime > 1 && video.videoWidth > 0)"
COMPOSER = "livestream_player_page/livestream_chat_compose_bar"


@pytest.mark.timeout(240)
async def test_the_app_watches_what_python_has_on_air(browser: Browser, site: str, sandbox: RunningSandbox) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    host = await spnb.connect_async(f"host-{os.urandom(3).hex()}", url=sandbox.url, api_key=sandbox.api_key)
    viewer = Caller(sandbox, f"ann-{os.urandom(3).hex()}")
    community = viewer.post("/api/v3/communities", {"displayName": "Watchers", "userIds": [host.user_id]})
    room = await host.rooms.create("Python on air")
    await room.post(community_id=community["communities"][0]["communityId"], text="Come and see")
    broadcast = await room.go_live()
    page = await browser.new_page(viewport={"width": 1720, "height": 900})
    followed = asyncio.ensure_future(
        page.wait_for_event("console", lambda told: "sandbox/chat/" in told.text, timeout=2 * PATIENCE)
    )
    try:
        await room.until("live")
        address = {"url": f"{sandbox.url}/", "mqtt": sandbox.info["mqtt"], "key": sandbox.api_key}
        await page.goto(f"{site}/uikit.html?{urlencode({**address, 'user': viewer.user_id, 'name': 'Ann'})}")
        await expect(page.get_by_text("Come and see").first).to_be_visible(timeout=PATIENCE)
        await page.screenshot(path=SHOTS / "uikit-home.png")
        await page.get_by_text("LIVE", exact=True).first.click()
        await page.wait_for_function(PLAYING, timeout=PATIENCE)

        said = aiter(room.chat.watch(last=0))
        first = asyncio.ensure_future(anext(said))
        composer = page.locator("[contenteditable=true]").last
        await composer.click()
        await composer.press_sequentially("Hello from the app")
        await page.get_by_test_id(f"{COMPOSER}/create_message_button").click()
        assert (await asyncio.wait_for(first, 60)).text == "Hello from the app"
        # The app follows the chat some moments after it shows it, and says so: what is said before is read, not heard.
        await followed
        await room.chat.send("Hello from Python")
        await expect(page.get_by_text("Hello from Python")).to_be_visible(timeout=PATIENCE)
        await page.screenshot(path=SHOTS / "uikit-watching.png")
        await broadcast.stop()
        await expect(page.get_by_text("This live stream has ended.").last).to_be_visible(timeout=PATIENCE)
        await page.screenshot(path=SHOTS / "uikit-ended.png")
    finally:
        followed.cancel()
        await page.close()
        await broadcast.stop()
        viewer.http.close()
        await host.aclose()
