"""Encoders into rooms for direct streaming: how soon a viewer has a picture, and what ten rooms at once cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spnb._loop import run
from spnb.bench.figures import Figure, at_most
from spnb.bench.media import viewer_token
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["ingest"]

ROOMS = 10
SECONDS = 10.0
SETTLE_SECONDS = 3.0


async def _first_picture(sandbox: OwnSandbox, room: Any) -> float:
    """Seconds from `go_live`, which pushes over RTMP, to the first picture of a viewer who was there before."""
    from livekit import rtc

    from spnb.broadcast.sources import TestCard

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
    show = await room.go_live(TestCard(640, 360, 25))
    async with asyncio.timeout(60):
        await seen.wait()
    taken = time.perf_counter() - began
    await show.stop()
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
    """RTMP by `go_live`, as it goes to the real service too, into the sandbox and its embedded media server."""

    def direct(client: Any, title: str) -> Any:
        return client.rooms.create(title, type="directStreaming").asynchronous

    with own_sandbox() as sandbox, sandbox.connect() as client:
        first = run(_first_picture(sandbox, direct(client, "first")))
        yield at_most("RTMP to first frame", first, 2.0, "s", "from go_live to a viewer's first picture")
        share = run(_share(sandbox, [direct(client, f"room {number}") for number in range(ROOMS)]))
    how = "320×180 at 15: taken, encoded anew, forwarded, recorded"
    yield at_most(f"{ROOMS} direct rooms", share * 100, 100, "% of a core", how)
