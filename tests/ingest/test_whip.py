"""Encoders go live in a room over WHIP: a client of others in Chromium, and aiortc."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.contrib.media import MediaPlayer
from playwright.async_api import async_playwright

from tests.broadcast.films import planes
from tests.conftest import RunningSandbox
from tests.ingest import encoder
from tests.ingest.conftest import HOOKS, Studio, studio_of
from tests.live.conftest import until
from tests.node import bundled

pytestmark = pytest.mark.media
APP = Path(__file__).parent / "app"


class Card(VideoStreamTrack):
    """Numbered pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    async def recv(self) -> Any:
        pts, base = await self.next_timestamp()
        frame = planes(self.count)
        self.count += 1
        frame.pts, frame.time_base = pts, Fraction(base)
        return frame


async def asked(url: str, key: str, sdp: str | bytes = "", *, method: str = "POST", **headers: str) -> httpx.Response:
    said = {"Content-Type": "application/sdp", **({"Authorization": f"Bearer {key}"} if key else {}), **headers}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.request(method, url, content=sdp, headers=said)


@asynccontextmanager
async def sending(url: str, key: str, film: Path | None = None) -> AsyncIterator[httpx.Response]:
    """aiortc as an encoder, for as long as the block lasts."""
    connection = RTCPeerConnection()
    connection.addTrack(Card())
    if film is not None:
        connection.addTrack(MediaPlayer(str(film), loop=True).audio)
    await connection.setLocalDescription(await connection.createOffer())
    answer = await asked(url, key, connection.localDescription.sdp)
    try:
        if answer.status_code == 201:
            await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        yield answer
    finally:
        await connection.close()


async def offer() -> str:
    connection = RTCPeerConnection()
    connection.addTrack(Card())
    await connection.setLocalDescription(await connection.createOffer())
    sdp = str(connection.localDescription.sdp)
    await connection.close()
    return sdp


@pytest.mark.parametrize("kind", ["directStreaming", "coHosts"])
async def test_an_encoder_goes_live(each_studio: Studio, clip: Path, kind: Any) -> None:
    studio = each_studio
    room = await studio.sp.rooms.create("Over WHIP", type=kind)
    told = await studio.ask("POST", room)
    async with studio.webhooks(room) as told_of:
        await _life(studio, room, told, clip)
        await until(lambda: told_of[-1:] == ["room.recordedAvailable"], 60)
    assert told_of == HOOKS


async def _life(studio: Studio, room: Any, told: dict[str, Any], clip: Path) -> None:
    async with sending(told["whipUrl"], told["streamKey"], clip) as answer:
        assert answer.status_code == 201
        assert answer.headers["content-type"].startswith("application/sdp")
        await room.until("live", timeout=60)
        viewer = await studio.viewer(room)
        await viewer.sees()
        await viewer.hears()
        session = str(httpx.URL(told["whipUrl"]).join(answer.headers["location"]))
        stranger = await asked(session, "eyJ.nonsense", method="DELETE")
        assert stranger.status_code in (401, 403)
        assert (await room.refresh()).status == "live"
        ended = await asked(session, told["streamKey"], method="DELETE")
        assert ended.status_code == 200
        await room.until("waitingReconnect", timeout=60)
    await room.stop()
    await room.until("recorded", timeout=60)
    assert (await room.recording()).urls
    await viewer.leave()


async def test_ffmpegs_own_client_goes_live(each_studio: Studio, tmp_path: Path) -> None:
    studio = each_studio
    room = await studio.sp.rooms.create("FFmpeg over WHIP", type="directStreaming")
    told = await studio.ask("POST", room)
    async with encoder.on_air("whip", told["whipUrl"], told["streamKey"], tmp_path):
        await room.until("live", timeout=60)
        viewer = await studio.viewer(room)
        await viewer.sees()
        await viewer.hears()
        await viewer.leave()
    await room.stop()


async def test_in_a_livekit_deployment_the_newest_encoder_takes_over(
    real_sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """As everything does there that comes in by the same name; the sandbox's own media server refuses the second."""
    async for studio in studio_of(real_sandbox):
        room = await studio.sp.rooms.create("Two encoders", type="directStreaming")
        told = await studio.ask("POST", room)
        async with sending(told["whipUrl"], told["streamKey"]) as first:
            assert first.status_code == 201
            await room.until("live", timeout=60)
            viewer = await studio.viewer(room)
            await viewer.sees()
            async with encoder.on_air("whip", told["whipUrl"], told["streamKey"], tmp_path):
                await viewer.hears()  # the first one is silent
                await viewer.sees()
                assert (await room.refresh()).status == "live"
        await room.stop()
        await viewer.leave()


async def test_a_hosts_own_token_is_a_key_too(studio: Studio) -> None:
    room = await studio.sp.rooms.create("Its token", type="coHosts")
    data = await room.broadcaster_data()
    url = f"http{str(data.co_host_url).removeprefix('ws')}/whip/v1"
    async with sending(url, str(data.co_host_token)) as answer:
        assert answer.status_code == 201
        await room.until("live", timeout=60)
    await room.stop()


async def test_a_cut_encoder_is_waited_for(studio: Studio) -> None:
    room = await studio.sp.rooms.create("Cut", type="directStreaming")
    told = await studio.ask("POST", room)
    async with sending(told["whipUrl"], told["streamKey"]):
        await room.until("live", timeout=60)
    await room.until("waitingReconnect", timeout=60)
    async with sending(told["whipUrl"], told["streamKey"]) as again:
        assert again.status_code == 201
        await room.until("live", timeout=60)
        await studio.ask("DELETE", room)  # the key is revoked: out, at once
        await room.until("waitingReconnect", timeout=60)
    assert (await asked(told["whipUrl"], told["streamKey"], await offer())).status_code == 401
    await room.until("ended", "recorded", timeout=60)


async def test_who_may_not_is_told_why(studio: Studio, clip: Path) -> None:
    room = await studio.sp.rooms.create("Refusals", type="directStreaming")
    told = await studio.ask("POST", room)
    url, key = told["whipUrl"], told["streamKey"]
    good = await offer()
    for wrong in ("", "nonsense", key[:-2], "eyJ.nonsense"):
        refused = await asked(url, wrong, good)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert not wrong or wrong not in refused.text
    assert (await asked(url, "", good, Authorization=f"Basic {key}")).status_code == 401
    assert (await asked(url, (await studio.pass_of(room))["token"], good)).status_code == 401
    assert (await asked(url, key, good, **{"Content-Type": "text/plain"})).status_code == 415
    for lines in (20_000, 150_000, 3_000_000):
        assert (await asked(url, key, "v=0\r\n" + "a=x:y\r\n" * lines)).status_code == 413
    for broken in ("", "nonsense", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", b"\xff\xfe"):
        assert (await asked(url, key, broken)).status_code in (400, 406)
    only_receives = good.replace("a=sendrecv", "a=recvonly")
    assert (await asked(url, key, only_receives)).status_code == 406
    unknown = good.replace(" VP8/", " VP9/").replace(" H264/", " AV1/")
    assert (await asked(url, key, unknown)).status_code == 406
    assert (await asked(f"{url}/PA_nobody", key, method="DELETE")).status_code == 404
    async with sending(url, key) as first:
        assert first.status_code == 201
        assert (await asked(url, key, good)).status_code == 409
        other_way = await studio.encoder(clip, f"{told['rtmpUrl']}/{key}")
        assert await asyncio.wait_for(other_way.wait(), 60) != 0
        session = str(httpx.URL(url).join(first.headers["location"]))
        candidates = "a=ice-ufrag:x\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
        fragment = {"Content-Type": "application/trickle-ice-sdpfrag"}
        assert (await asked(session, key, candidates, method="PATCH", **fragment)).status_code == 204
        assert (await asked(session, key, candidates, method="PATCH")).status_code == 415
        others = await studio.ask("POST", await studio.sp.rooms.create("Another's", type="directStreaming"))
        assert (await asked(session, others["streamKey"], method="DELETE")).status_code == 404
        await room.until("live", timeout=60)
    await room.stop()
    assert (await asked(url, key, good)).status_code == 401


async def test_one_that_sends_nothing_is_put_out(studio: Studio) -> None:
    room = await studio.sp.rooms.create("Nothing", type="directStreaming")
    told = await studio.ask("POST", room)
    answer = await asked(told["whipUrl"], told["streamKey"], await offer())
    assert answer.status_code == 201
    session = str(httpx.URL(told["whipUrl"]).join(answer.headers["location"]))
    async with asyncio.timeout(60):
        while (await asked(session, told["streamKey"], "", method="PATCH")).status_code != 404:
            await asyncio.sleep(0.5)
    assert (await room.refresh()).status == "idle"


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The client of others, on a page of another origin than the sandbox."""
    app = bundled(APP)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    handler = functools.partial(Quiet, directory=str(app))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.mark.browser
async def test_a_client_of_others_goes_live_from_a_page(studio: Studio, site: str) -> None:
    room = await studio.sp.rooms.create("From a page", type="directStreaming")
    told = await studio.ask("POST", room)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=os.environ.get("SPNB_CHROMIUM") or "/usr/bin/chromium",
            args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        await page.goto(site)
        await page.wait_for_function("window.ready")
        await page.evaluate("([url, key]) => window.golive(url, key)", [told["whipUrl"], told["streamKey"]])
        await room.until("live", timeout=60)
        viewer = await studio.viewer(room)
        await until(lambda: len(viewer.pictures) > 10)
        await viewer.hears()  # the fake microphone beeps
        await page.evaluate("window.leave()")
        await room.until("waitingReconnect", timeout=40)
        await browser.close()
    await room.stop()
    await room.until("recorded", timeout=60)
    await viewer.leave()
