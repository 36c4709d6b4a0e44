"""Who waits for a stream sees it soon: hls.js as it comes, in a real browser, plays what little there is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

import spnb.widgets.base
from spnb.bench.lab import browser_options
from tests.recorder.test_recorder import Feeder, Studio, encoded_pictures, encoded_sound, studio
from tests.recorder.viewer import served

__all__ = ["studio"]

pytestmark = [pytest.mark.media, pytest.mark.browser]

PLAY = """async (url) => {
    const { Hls } = await import('/hub.js');
    const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true });
    document.body.append(video);
    const shown = new Promise((resolve) => video.requestVideoFrameCallback((_, { width, height }) => {
        resolve([width, height]);
    }));
    const hls = new Hls();
    hls.loadSource(url);
    hls.attachMedia(video);
    return shown;
}"""
"""The size of the first picture that is shown; as long as there is none it waits."""


async def test_hls_js_plays_before_there_is_a_segments_length_of_it(studio: Studio, tmp_path: Path) -> None:
    """It takes a list of parts alone for an empty one, so a first segment has to be whole soon."""
    Feeder(studio.recorder.start("room")).play(pictures=encoded_pictures(1.5), sounds=encoded_sound(1.5))
    async with served(studio) as viewer, async_playwright() as playwright:
        listed = await viewer.until(lambda playlist: bool(playlist.segments))
        assert listed.target > 1.5
        browser = await playwright.chromium.launch(**browser_options(tmp_path))
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        await page.route("**/hub.js", lambda route: route.fulfill(path=Path(spnb.widgets.base.STATIC) / "hub.js"))
        await page.goto(viewer.address("nothing-here"))
        async with asyncio.timeout(60):
            assert await page.evaluate(PLAY, viewer.url) == [320, 180]
        await browser.close()
    await studio.recorder.finish("room")
