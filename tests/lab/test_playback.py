"""Watching live in a page: close behind, back to the beginning, paused and resumed, handed over to the replay."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
from pathlib import Path
from typing import Literal

import av
import httpx
import numpy as np
import pytest
from playwright.async_api import Route, expect

from spnb.bench.roads import SHOWN
from tests.ingest import encoder
from tests.lab.conftest import CARD, CONNECT, Lab
from tests.lab.test_story import PLAYING

log = logging.getLogger(__name__)

PEERS = """() => {
    window.spnbWalled = false;
    window.spnbHeld = undefined;
    if (window.spnbPeers) return;
    const Native = window.RTCPeerConnection;
    window.spnbPeers = [];
    window.RTCPeerConnection = class extends Native {
        constructor(config) {
            // Where no relay is configured this leaves no way at all, as a firewall does.
            super(window.spnbWalled ? { ...config, iceTransportPolicy: 'relay' } : config);
            window.spnbPeers.push(this);
        }
        async setRemoteDescription(description) {
            await window.spnbHeld;
            return super.setRemoteDescription(description);
        }
    };
}"""
"""The page's WebRTC connections; those to come lead nowhere while it is walled, and do not begin while it is held."""
HOLD = "() => { window.spnbHeld = new Promise((go) => { window.spnbRelease = go; }); }"
NEAR = """() => {
    const hub = window[Symbol.for('spnb.hub')].thing;
    window.spnbStalls = 0;
    hub.Hls = class extends hub.Hls {
        constructor(config) {
            super(config);
            window.spnbHls = this;
            this.on('hlsError', (_event, { details }) => {
                if (details === 'bufferStalledError') window.spnbStalls += 1;
            });
        }
    };
}"""
"""What plays the HLS that is begun from now on, and how often it had nothing to play."""
UNDECODABLE = """() => {
    const broken = document.querySelector('.spnb-player video').src;
    window.spnbHls.trigger('hlsError', { type: 'mediaError', details: 'bufferAppendError', fatal: true });
    return broken !== document.querySelector('.spnb-player video').src;
}"""
"""What hls.js says where the browser cannot decode; whether another source is in the video since."""
ALL_CLOSED = "window.spnbPeers.length && window.spnbPeers.every((peer) => peer.connectionState === 'closed')"
MADE = (
    f"room = sp.rooms.create('Close behind')\nshow = room.go_live({CARD})\nroom.until('live')\n"
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
WAITED = """
import asyncio

async def waited():
    while max((row["value"] for row in player.met if row["kind"] == "waited"), default=0) < 1:
        await asyncio.sleep(0.2)

await asyncio.wait_for(waited(), 60)
print("told")
"""

WATCHED = """(video, {fps, most}) => new Promise((resolve, reject) => {
    const canvas = document.createElement('canvas');
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    const number = () => {
        const [wide, high] = [video.videoWidth, video.videoHeight];
        [canvas.width, canvas.height] = [wide, 1];
        // One row alone: to draw all of a picture keeps a busy page from showing the next.
        pen.drawImage(video, 0, high - Math.floor(high / 24) - 1, wide, 1, 0, 0, wide, 1);
        const row = pen.getImageData(0, 0, wide, 1).data;
        const bit = (at) => row[4 * Math.floor((at + 0.5) * wide / 28)] > 127 ? 1 : 0;
        const bits = [...Array(28)].map((_, at) => bit(at));
        if (!bits[0] || bits[1] || !bits[26] || bits[27]) return undefined;
        const value = bits.slice(2, 22).reduce((sum, one) => sum * 2 + one, 0);
        const check = bits.slice(22, 26).reduce((sum, one) => sum * 2 + one, 0);
        return ((value ^ value >> 4 ^ value >> 8 ^ value >> 12 ^ value >> 16 ^ 10) & 15) === check ? value : undefined;
    };
    const told = { age: Infinity };
    let meter, of;
    const loud = () => {
        if (!meter || of !== video.srcObject) {
            // What is played changes when a better road is found.
            const stream = video.captureStream();
            if (!stream.getAudioTracks().length) return false;
            const context = new AudioContext();
            meter = context.createAnalyser();
            of = video.srcObject;
            context.createMediaStreamSource(stream).connect(meter);
        }
        const samples = new Float32Array(meter.fftSize);
        meter.getFloatTimeDomainData(samples);
        return samples.some((one) => Math.abs(one) > 0.01);
    };
    const began = Date.now();
    const look = () => {
        const shown = video.videoWidth ? number() : undefined;
        if (shown !== undefined) {
            told.shown ??= Date.now();
            const age = (Date.now() / 1000 * fps - shown) % 2 ** 20;
            told.age = Math.min(told.age, age / fps);
            if (told.heard === undefined && loud()) told.heard = (Date.now() - told.shown) / 1000;
        }
        if (told.age < most && told.heard !== undefined) resolve(told);
        else if (Date.now() - began > 150000) reject(new Error(JSON.stringify(told)));
        else setTimeout(look, 50);
    };
    look();
})"""
"""Resolves once sound is heard, and a picture shown that was sent less than `most` seconds ago, as it tells itself."""


def first_sound(playlist: str) -> float:
    """Seconds from the first picture of a playlist's stream to its first sound that is more than silence."""
    with av.open(playlist, options={"live_start_index": "0"}) as stream:
        picture = sound = None
        for frame in stream.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                picture = frame.time if picture is None else picture
            elif isinstance(frame, av.AudioFrame) and np.abs(frame.to_ndarray()).max() > 0.01:
                sound = frame.time if sound is None else sound
            if picture is not None and sound is not None:
                return float(sound - picture)
    raise AssertionError("there is no sound")


THEIRS = """
import asyncio

async def theirs():
    while True:
        (info,) = (await room.asynchronous.refresh()).recorded_playback_infos
        if info.thumbnail_url and card.picture == await room.asynchronous.thumbnail():
            return
        await asyncio.sleep(0.2)

await asyncio.wait_for(theirs(), 60)
print("theirs")
"""
"""Waits until a card shows the recording's picture: the one before it is there until then."""


async def test_a_viewer_is_close_behind_goes_back_pauses_and_gets_the_replay(lab: Lab) -> None:
    page = lab.page
    await page.evaluate(PEERS)
    await page.evaluate(HOLD)
    await lab.write_and_run("behind.ipynb", CONNECT + MADE)
    video = page.locator(".spnb-player video")
    await expect(video).to_be_visible()
    await video.evaluate(PLAYING, timeout=60_000)

    # WebRTC is slow to begin: nobody waits for it, HLS shows what is on air until then. Who asks is told the delay.
    delay = page.get_by_role("button", name="Delay")
    await delay.click()
    await expect(delay).to_have_text(re.compile(r"Delay \d+\.\d s by low-latency HLS"))
    await page.evaluate("window.spnbRelease()")
    await expect(delay).to_have_text(re.compile(r"Delay \d+\.\d s by WebRTC"))
    await video.evaluate(PLAYING, timeout=60_000)
    await expect(delay).to_have_attribute("aria-pressed", "true")
    assert await lab.run_code("print('eyJ' in repr(player.get_state()))") == "False\n", "a token is in no trait"

    # Back to the beginning, which HLS has, and to what is on air again.
    live = page.get_by_role("button", name="Go to live")
    await page.wait_for_function("document.querySelector('.spnb-player video').currentTime > 12", timeout=60_000)
    await page.get_by_role("button", name="From the beginning").click()
    await expect(delay).to_have_text(re.compile(r"by low-latency HLS"))
    await page.wait_for_function("document.querySelector('.spnb-player video').currentTime < 8", timeout=60_000)
    await video.evaluate(PLAYING, timeout=60_000)
    await expect(live).to_be_visible()
    await live.click()
    await expect(delay).to_have_text(re.compile(r"by WebRTC"))
    await expect(live).to_be_hidden()
    await video.evaluate(PLAYING, timeout=60_000)

    # Nothing comes for a moment: what a viewer meets by WebRTC no event of the video tells.
    server = lab.sandbox.process
    server.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(2)
    finally:
        server.send_signal(signal.SIGCONT)
    assert await lab.run_code(WAITED) == "told\n"

    # The line breaks: it goes on by HLS, by itself, for the same viewer.
    cut = "print(spnb.sandbox.faults(sp).cut('viewers', room.room_id))"
    assert await lab.run_code(cut) == "1\n"
    await expect(delay).to_have_text(re.compile(r"Delay \d+\.\d s by low-latency HLS"))
    await expect(page.get_by_text("Not by WebRTC: the line broke.")).to_be_visible()
    await video.evaluate(PLAYING, timeout=60_000)
    assert await lab.run_code("print(len(player._viewings))") == "1\n", "one viewer, whatever the way"

    # After a while it is tried again, unasked.
    await expect(delay).to_have_text(re.compile(r"by WebRTC"))
    await video.evaluate(PLAYING, timeout=60_000)

    # Nor is there a way to it now: it goes on by HLS, where it is live.
    await page.evaluate(NEAR)
    await page.evaluate("window.spnbWalled = true")
    await page.get_by_role("button", name="From the beginning").click()
    await expect(live).to_be_visible()
    await live.click()
    await expect(page.get_by_text("Not by WebRTC: no line to the media server came about.")).to_be_visible()
    await expect(delay).to_have_text(re.compile(r"Delay \d+\.\d s by low-latency HLS"))
    await expect(live).to_be_hidden()
    await video.evaluate(PLAYING, timeout=60_000)
    await page.evaluate("window.spnbWalled = false")

    # It is near, by hls.js's own measure, and comes back after nothing came for a moment.
    near = "window.spnbHls.latency > 0 && window.spnbHls.latency < 1.8"
    await page.wait_for_function(near, timeout=60_000)
    stalls = await page.evaluate("window.spnbStalls")
    server.send_signal(signal.SIGSTOP)
    try:
        await page.wait_for_function("(stalls) => window.spnbStalls > stalls", arg=stalls, timeout=60_000)
    finally:
        server.send_signal(signal.SIGCONT)
    assert await page.evaluate("window.spnbHls.targetLatency") > 1
    await page.wait_for_function(near, timeout=60_000)
    await video.evaluate(PLAYING, timeout=60_000)

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
    await lab.run_code("room.chat.send('Said while you were away')")
    await expect(page.locator(".spnb-words")).to_have_text(["Said while you were away"])
    assert await video.evaluate("(video) => video.paused"), "the chat goes on by itself"
    await video.evaluate("(video) => video.play()")
    await page.wait_for_function(
        "(stood) => document.querySelector('.spnb-player video').currentTime > stood + 3", arg=stood, timeout=60_000
    )

    # By WebRTC again: who has paused keeps no line for long, and has a new one when they go on.
    await page.get_by_role("button", name="From the beginning").click()
    await expect(live).to_be_visible()
    await live.click()
    await expect(delay).to_have_text(re.compile(r"\d s by WebRTC"))
    await video.evaluate(PLAYING, timeout=60_000)
    await video.evaluate("(video) => video.pause()")
    await page.wait_for_function(ALL_CLOSED)
    await video.evaluate("(video) => { void video.play(); }")
    await expect(delay).to_have_text(re.compile(r"\d s by WebRTC"))
    await video.evaluate(PLAYING, timeout=60_000)

    # Ended while paused: the replay stands about where the viewer stood.
    paused_at = await video.evaluate("(video) => { video.pause(); return Date.now() / 1000; }")
    stood = paused_at - float(await lab.run_code("print(player.since)"))
    assert stood > 20
    await lab.run_code("show.stop()")
    await expect(page.locator(".spnb-player .spnb-badge")).to_have_text("REPLAY")
    await page.wait_for_function(
        "(stood) => { const v = document.querySelector('.spnb-player video');"
        " return v.paused && v.readyState >= 2 && Math.abs(v.currentTime - stood) < 10; }",
        arg=stood,
        timeout=60_000,
    )


@pytest.mark.parametrize("way", ["whip", "rtmp"])
async def test_an_encoder_is_watched_within_two_seconds_with_its_sound(
    lab: Lab, way: Literal["whip", "rtmp"], tmp_path: Path
) -> None:
    made = "room = sp.rooms.create('By an encoder', type='directStreaming')\nplayer = spnb.Player(room)\nplayer"
    await lab.write_and_run(f"by-{way}.ipynb", CONNECT + made)
    room_id = (await lab.run_code("print(room.room_id)")).strip()
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers={"X-API-Key": lab.sandbox.api_key}) as client:
        answer = (await client.post(f"{lab.sandbox.url}/sandbox/rooms/{room_id}/ingest")).json()
    told = answer.get("data", answer)
    video = lab.page.locator(".spnb-player video")
    async with encoder.on_air(way, told["whipUrl" if way == "whip" else "rtmpUrl"], told["streamKey"], tmp_path):
        watched = await video.evaluate(WATCHED, {"fps": encoder.FPS, "most": 2})
        log.info("%s: %.2f s behind, sound %+.2f s from its picture", way, watched["age"], watched["heard"])
        playlist = str(await lab.run_code("room.refresh()\nprint(room.record.live_playback_url)")).strip()
        first = await asyncio.to_thread(first_sound, playlist)
    assert abs(first) < 0.1, "the recorded stream has sound from its first moment"
    assert not [line for line in lab.console if line.startswith("pageerror")]
    await lab.run_code("room.stop()")


async def test_who_has_seen_all_of_it_gets_the_replay_unasked(lab: Lab) -> None:
    """A browser pauses what has come to its end: that is no wish of the viewer's."""
    page = lab.page
    await lab.write_and_run("to-the-end.ipynb", CONNECT + MADE)
    video = page.locator(".spnb-player video")
    await expect(video).to_be_visible()
    await page.get_by_role("button", name="Delay").click()
    await expect(page.get_by_role("button", name="Delay")).to_have_text(re.compile(r"by WebRTC"))
    await page.evaluate(NEAR)
    await page.get_by_role("button", name="From the beginning").click()
    await page.wait_for_function("window.spnbHls")
    await video.evaluate(PLAYING, timeout=60_000)
    # What the browser could not decode is put into the video anew, and goes on.
    assert await page.evaluate(UNDECODABLE)
    await page.wait_for_function(SHOWN)
    await video.evaluate(PLAYING, timeout=60_000)

    # The list ends, as a service's does whose recording takes its time: the video comes to its end.
    async def ended(route: Route) -> None:
        told = (await (await route.fetch()).text()).splitlines()
        whole = [line for line in told if not line.startswith(("#EXT-X-PART", "#EXT-X-PRELOAD", "#EXT-X-SERVER"))]
        last = max(at for at, line in enumerate(whole) if not line.startswith("#"))
        await route.fulfill(body="\n".join([*whole[: last + 1], "#EXT-X-ENDLIST", ""]))

    await page.route(re.compile(r"/main\.m3u8"), ended)
    await page.wait_for_function("document.querySelector('.spnb-player video').ended", timeout=60_000)
    await page.unroute_all()
    await lab.run_code("show.stop()")
    await expect(page.locator(".spnb-player .spnb-badge")).to_have_text("REPLAY")
    await page.wait_for_function(SHOWN)
    await video.evaluate(PLAYING, timeout=60_000)


async def test_a_player_plays_while_it_is_in_sight_and_a_card_plays_the_replay(lab: Lab) -> None:
    await lab.page.evaluate(PEERS)
    await lab.write_and_run(
        "sight.ipynb",
        CONNECT + "import ipywidgets\nroom = sp.rooms.create('In sight')\n"
        "show = room.go_live(spnb.TestCard(320, 180, 10))\nroom.until('live')\n"
        "player = spnb.Player(room, autoplay='visible')\n"
        'ipywidgets.VBox([ipywidgets.HTML(\'<div class="far" style="height: 3000px"></div>\'), player,'
        " card := spnb.RoomCard(room)])",
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
    # What nobody sees keeps no line, and neither does what is closed.
    await page.wait_for_function(ALL_CLOSED)
    await video.evaluate(at)
    assert await video.evaluate(PLAYING, timeout=60_000) == [320, 180]
    await page.wait_for_function(f"!({ALL_CLOSED})")
    await lab.run_code("player.close()")
    await page.wait_for_function(ALL_CLOSED)

    await lab.run_code("show.stop()")
    card = page.locator(".spnb-roomcard")
    await expect(card.get_by_role("button", name="Watch replay")).to_be_visible(timeout=60_000)
    await page.wait_for_function("document.querySelector('.spnb-roomcard img').naturalWidth > 0")
    assert await lab.run_code(THEIRS) == "theirs\n", "it is the recording's own picture"
    await card.get_by_role("button", name="Watch replay").click()
    assert await card.locator("video").evaluate(PLAYING, timeout=60_000) == [320, 180]
    assert not [line for line in lab.console if line.startswith("pageerror")]
