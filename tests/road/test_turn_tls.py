"""Where no UDP gets out, media go by a relay over TCP, or over TLS, whose certificate is looked at."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer

from tests.broadcast.booth import Listener
from tests.broadcast.relay import relay
from tests.media.conftest import LiveKit, embedded, livekit, real
from tests.road.conftest import RELAY, Wall

__all__ = ["embedded", "livekit", "real"]

pytestmark = [pytest.mark.media, pytest.mark.timeout(300)]

SIGNALLING = 7880


@asynccontextmanager
async def behind(wall: Wall, ice: str, believed: Path | None, *what: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`walled.py` in the namespace."""
    environment = {**os.environ, "SPNB_ICE_SERVERS": ice}
    environment.pop("SSL_CERT_FILE", None)
    if believed is not None:
        environment["SSL_CERT_FILE"] = str(believed)
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", wall.namespace, sys.executable, "-m", "tests.road.walled", *what),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def told(process: asyncio.subprocess.Process) -> dict[str, object]:
    assert process.stdout is not None
    async with asyncio.timeout(90):
        return dict(json.loads(await process.stdout.readline()))


async def test_a_preview_comes_by_a_relay_over_tls_whose_certificate_is_believed(wall: Wall, tmp_path: Path) -> None:
    async with relay(tmp_path, wall.outside, tls=True) as turn:
        page = RTCPeerConnection()
        page.addTrack(MediaPlayer("testsrc=size=320x180:rate=10", format="lavfi").video)
        try:
            await page.setLocalDescription(await page.createOffer())
            offer = json.dumps(page.localDescription.sdp).encode() + b"\n"
            for believed in (None, turn.certificate):
                async with behind(wall, turn.url("kernel"), believed, "preview") as kernel:
                    assert kernel.stdin is not None
                    kernel.stdin.write(offer)
                    answer = str((await told(kernel))["answer"])
                    # The name and the password are for the relay that was meant alone.
                    assert (" typ relay " in answer) is (turn.allocated("kernel") > 0) is (believed is not None)
                    if believed is not None:
                        await page.setRemoteDescription(RTCSessionDescription(answer, "answer"))
                        assert (await told(kernel))["state"] == "connected"
        finally:
            await page.close()


@pytest.fixture
async def signalling(wall: Wall, tmp_path: Path, livekit: LiveKit) -> AsyncIterator[str]:
    """LiveKit's signalling as it is seen from behind the wall: a WebSocket goes where TCP goes."""
    out = tmp_path / "out.sock"
    relays = []
    for where, ends in (
        ([], (str(out), livekit.url.rpartition(":")[2])),
        (["ip", "netns", "exec", wall.namespace], (str(SIGNALLING), str(out))),
    ):
        made = subprocess.Popen([*where, sys.executable, str(RELAY), *ends], stdout=subprocess.PIPE, text=True)
        relays.append(made)
        assert made.stdout is not None
        assert made.stdout.readline() == "ready\n"
    yield f"ws://127.0.0.1:{SIGNALLING}"
    for made in relays:
        made.terminate()
        made.wait(60)


async def test_a_broadcast_goes_by_a_relay_over_tcp_where_no_udp_gets_out(
    wall: Wall, livekit: LiveKit, signalling: str, tmp_path: Path
) -> None:
    """Without TLS: the SDK knows the public authorities alone, and takes no certificate of a house of its own."""
    listener = Listener()
    async with relay(tmp_path, wall.outside, tls=True) as turn:
        room = f"walled-{tmp_path.name}"
        token = livekit.token(room, "host", can_publish=True)
        async with behind(wall, turn.url("host", "turn tcp"), None, "publish", signalling, token) as host:
            assert await told(host) == {"live": True}
            try:
                await listener.connect(livekit, room)
                await listener.sees()
                assert turn.allocated("host")
            finally:
                await listener.leave()
