"""Encoders into rooms for direct streaming: how soon a viewer has a picture, and what ten rooms at once cost."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from spnb._loop import run
from spnb.bench.figures import Figure, at_most
from spnb.bench.media import viewer_token
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["ingest"]

ROOMS = 10
ROUNDS = 3
SECONDS = 10.0
SETTLE_SECONDS = 3.0


@asynccontextmanager
async def _by_rtmp(_sandbox: OwnSandbox, room: Any) -> AsyncIterator[None]:
    """`go_live`, which pushes to a room of this type."""
    from spnb.broadcast.sources import TestCard

    show = await room.go_live(TestCard(640, 360, 25))
    yield
    await show.stop()


@asynccontextmanager
async def _by_whip(sandbox: OwnSandbox, room: Any) -> AsyncIterator[None]:
    """aiortc as an encoder, from its offer on; what it needs before that is made already."""
    from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

    box, key = sandbox.info["url"], {"X-API-Key": sandbox.info["apiKey"]}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        told = (await client.post(f"{box}/sandbox/rooms/{room.room_id}/ingest", headers=key)).json()
        told = told.get("data", told)
        connection = RTCPeerConnection()
        connection.addTrack(VideoStreamTrack())
        await connection.setLocalDescription(await connection.createOffer())
        bearer = {"Authorization": f"Bearer {told['streamKey']}", "Content-Type": "application/sdp"}
        answer = await client.post(told["whipUrl"], headers=bearer, content=connection.localDescription.sdp)
        answer.raise_for_status()
        await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        yield
        await connection.close()
    await room.stop()


async def _first_picture(sandbox: OwnSandbox, room: Any, sending: Any) -> float:
    """Seconds from the call that sends to the first picture of a viewer who was there before."""
    from livekit import rtc

    viewer, seen = rtc.Room(), asyncio.Event()
    watching: list[asyncio.Task[None]] = []

    async def see(track: rtc.Track) -> None:
        async for _ in rtc.VideoStream(track):
            seen.set()

    def subscribed(track: rtc.Track, *_: Any) -> None:
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            watching.append(asyncio.create_task(see(track)))

    viewer.on("track_subscribed", subscribed)
    await viewer.connect(*viewer_token(sandbox, room.room_id, "viewer"))
    began = time.perf_counter()
    async with sending(sandbox, room):
        async with asyncio.timeout(60):
            await seen.wait()
        taken = time.perf_counter() - began
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    await viewer.disconnect()
    return taken


async def _share(sandbox: OwnSandbox, rooms: list[Any]) -> float:
    """The sandbox's share of a core while all these rooms are pushed to."""
    from spnb.broadcast.sources import TestCard

    shows = [await room.go_live(TestCard(320, 180, 15)) for room in rooms]
    for room in rooms:
        await room.until("live", timeout=60)
    await asyncio.sleep(SETTLE_SECONDS)
    spent, began = sandbox.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(SECONDS)
    share = (sandbox.cpu_seconds() - spent) / (time.perf_counter() - began)
    await asyncio.gather(*(show.stop() for show in shows))
    return share


def ingest() -> Iterator[Figure]:
    """WHIP, and RTMP by `go_live` as it goes to the real service too, into a sandbox with its embedded media server."""

    def direct(client: Any, title: str) -> Any:
        return client.rooms.create(title, type="directStreaming").asynchronous

    with own_sandbox() as sandbox, sandbox.connect() as client:
        for name, sending, bar, how in (
            ("RTMP to first frame", _by_rtmp, 2.0, "from go_live to a viewer's first picture"),
            ("WHIP to first frame", _by_whip, 1.0, "from the offer to a viewer's first picture"),
        ):
            rounds = [run(_first_picture(sandbox, direct(client, f"{name} {n}"), sending)) for n in range(ROUNDS)]
            yield at_most(name, statistics.median(rounds), bar, "s", f"{how}; median of {ROUNDS}")
        share = run(_share(sandbox, [direct(client, f"room {number}") for number in range(ROOMS)]))
    how = "320×180 at 15: taken, encoded anew, forwarded, recorded"
    yield at_most(f"{ROOMS} direct rooms", share * 100, 100, "% of a core", how)
