"""The official JavaScript SDK in a real browser, simulcast on as by default, as publisher and as viewer."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from livekit import rtc
from playwright.async_api import Page, async_playwright

import spnb.widgets.base
from tests.media.conftest import LiveKit, publisher, viewer

pytestmark = [pytest.mark.media, pytest.mark.browser]

PAGE = """<!doctype html><video id=v muted autoplay playsinline></video><script type=module>
import { Room, RoomEvent } from "./hub.js";
const create = RTCPeerConnection.prototype.addTransceiver;
RTCPeerConnection.prototype.addTransceiver = function (track, options) {
  const made = create.call(this, track, options);
  if (options?.sendEncodings?.length > 1) window.sender = made.sender;
  return made;
};
window.active = () => window.sender.getParameters().encodings.map((encoding) => encoding.active).join();
window.publish = async (url, token, options) => {
  const room = window.room = new Room(options);
  await room.connect(url, token);
  await room.localParticipant.setCameraEnabled(true, { resolution: { width: 1280, height: 720, frameRate: 30 } });
  await room.localParticipant.setMicrophoneEnabled(true);
  return room.localParticipant.trackPublications.size;
};
window.watch = async (url, token) => {
  const room = window.room = new Room();
  const seen = new Promise((resolve) => room.on(RoomEvent.TrackSubscribed, (track) => {
    if (track.kind === "video") { track.attach(document.getElementById("v")); resolve(); }
  }));
  await room.connect(url, token);
  await seen;
};
window.adapt = async (url, token, width, height) => {
  const video = document.getElementById("v");
  const room = window.room = new Room({ adaptiveStream: { pixelDensity: 1 } });
  window.size = (width, height) => { video.style.width = `${width}px`; video.style.height = `${height}px`; };
  window.size(width, height);
  room.on(RoomEvent.TrackSubscribed, (track) => { if (track.kind === "video") track.attach(video); });
  await room.connect(url, token);
};
window.rate = (pictures) => new Promise((resolve) => {
  const video = document.getElementById("v");
  let first;
  const shown = (_, picture) => {
    first ??= picture;
    const count = picture.presentedFrames - first.presentedFrames;
    if (count >= pictures) resolve(count * 90000 / ((picture.rtpTimestamp - first.rtpTimestamp) >>> 0));
    else video.requestVideoFrameCallback(shown);
  };
  video.requestVideoFrameCallback(shown);
});
window.limit = (fps) => {
  for (const participant of window.room.remoteParticipants.values())
    for (const publication of participant.videoTrackPublications.values()) publication.setVideoFPS(fps);
};
window.ready = true;
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text(PAGE)
    (folder / "hub.js").write_bytes((Path(spnb.widgets.base.STATIC) / "hub.js").read_bytes())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
    server.shutdown()
    server.server_close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(site: str) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=os.environ.get("SPNB_CHROMIUM") or "/usr/bin/chromium",
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--use-fake-device-for-media-stream=fps=30",
                "--use-fake-ui-for-media-stream",
                "--autoplay-policy=no-user-gesture-required",
                "--disable-background-networking",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        await page.goto(site)
        await page.wait_for_function("window.ready")
        yield page
        await browser.close()


async def test_a_browser_publishes_and_the_best_layer_arrives(livekit: LiveKit, page: Page) -> None:
    room = f"room-{uuid.uuid4().hex[:8]}"
    async with viewer(livekit, room) as seen:
        token = livekit.token(room, "browser")
        assert await page.evaluate("([url, token]) => window.publish(url, token)", [livekit.url, token]) == 2
        assert await page.evaluate("window.room.engine.pcManager.mode") == "publisher-only"  # one connection
        track, who = await seen.track()
        assert who == "browser"
        stream = rtc.VideoStream(track)
        sizes = []
        async for event in stream:
            sizes.append((event.frame.width, event.frame.height))
            # A browser that has no time leaves the best one out for a while.
            if sizes.count((1280, 720)) >= 20 or len(sizes) > 900:
                break
        await stream.aclose()
        assert sizes.count((1280, 720)) >= 20, sorted(set(sizes))
        sound, _ = await seen.track("audio")
        assert await seen.loudest(sound, 0.5) > 20
        await page.evaluate("window.room.disconnect()")


async def test_a_browser_watches_a_python_publisher(livekit: LiveKit, page: Page) -> None:
    room = f"room-{uuid.uuid4().hex[:8]}"
    async with publisher(livekit, room, size=(1280, 720), sound=True):
        token = livekit.token(room, "watcher", can_publish=False)
        await page.evaluate("([url, token]) => window.watch(url, token)", [livekit.url, token])
        await page.wait_for_function(
            "() => { const v = document.getElementById('v'); return v.videoWidth === 1280 && v.currentTime > 1; }",
            timeout=15_000,
        )
        shown = await page.evaluate("document.getElementById('v').getVideoPlaybackQuality().totalVideoFrames")
        assert shown >= 15
        await page.evaluate("window.room.disconnect()")


async def test_a_browser_resumes_a_lost_signalling_socket(livekit: LiveKit, page: Page) -> None:
    room = f"room-{uuid.uuid4().hex[:8]}"
    async with viewer(livekit, room) as seen:
        await page.evaluate(
            "([url, token]) => window.publish(url, token)", [livekit.url, livekit.token(room, "browser")]
        )
        track, _ = await seen.track()
        mine = "() => [window.room.localParticipant.sid, ...window.room.localParticipant.trackPublications.keys()]"
        before = await page.evaluate(mine)
        await page.evaluate(
            "async () => { const back = new Promise((done) => window.room.once('reconnected', done));"
            " await window.room.simulateScenario('signal-reconnect'); await back; }"
        )
        assert await page.evaluate(mine) == before
        assert "track_unsubscribed" not in seen.events
        assert "participant_disconnected" not in seen.events
        stream = rtc.VideoStream(track)
        async with asyncio.timeout(60):
            await anext(stream)
        await stream.aclose()
        await page.evaluate("window.room.disconnect()")


async def test_an_adaptive_stream_gets_the_layer_that_fills_its_view(livekit: LiveKit, page: Page) -> None:
    room = f"room-{uuid.uuid4().hex[:8]}"
    async with publisher(livekit, room, size=(1280, 720), simulcast=True, busy=True):
        token = livekit.token(room, "watcher", can_publish=False)
        await page.evaluate("([url, token]) => window.adapt(url, token, 1200, 675)", [livekit.url, token])
        shows = "(height) => document.getElementById('v').videoHeight === height"
        await page.wait_for_function(shows, arg=720, timeout=60_000)
        for size, height in (((320, 180), 180), ((600, 340), 360), ((1200, 675), 720)):
            await page.evaluate("([width, height]) => window.size(width, height)", list(size))
            await page.wait_for_function(shows, arg=height, timeout=60_000)
        await page.evaluate("window.room.disconnect()")


async def test_layers_nobody_wants_are_not_sent(livekit: LiveKit, page: Page) -> None:
    """Dynacast: the publisher is told what its viewers have use for."""
    room = f"room-{uuid.uuid4().hex[:8]}"
    async with viewer(livekit, room) as seen:
        arguments = [livekit.url, livekit.token(room, "browser"), {"dynacast": True}]
        await page.evaluate("([url, token, options]) => window.publish(url, token, options)", arguments)
        _, who = await seen.track()
        publications = seen.room.remote_participants[who].track_publications.values()
        publication = next(found for found in publications if found.kind == rtc.TrackKind.KIND_VIDEO)
        for quality, active in ((0, "true,false,false"), (2, "true,true,true"), (1, "true,true,false")):
            publication.set_video_quality(quality)  # type: ignore[arg-type]
            await page.wait_for_function("(active) => window.active() === active", arg=active, timeout=60_000)
        await page.evaluate("window.room.disconnect()")


async def test_a_viewer_chooses_how_many_pictures_it_gets(livekit: LiveKit, page: Page) -> None:
    """Of a codec with temporal layers: those that are too much are left out, and what is left can be shown."""
    room = f"room-{uuid.uuid4().hex[:8]}"
    async with publisher(livekit, room, codec="VP8", simulcast=True), asyncio.timeout(120):
        await page.evaluate("([url, token]) => window.watch(url, token)", [livekit.url, livekit.token(room, "browser")])
        # Layers come up one after another: it is full when it has been so for a while.
        everything = [await page.evaluate("window.rate(30)") for _ in range(3)][-1]
        await page.evaluate("window.limit(5)")
        while await page.evaluate("window.rate(15)") > 0.7 * everything:
            continue
        await page.evaluate("window.limit(60)")
        while await page.evaluate("window.rate(15)") < 0.8 * everything:
            continue
        await page.evaluate("window.room.disconnect()")
