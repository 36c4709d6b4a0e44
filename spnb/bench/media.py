"""How quickly media is there, and what forwarding it costs."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["fifty_subscribers", "late_viewer", "publishing", "time_to_first_frame", "watch_in_process"]

WIDTH, HEIGHT, FPS = 640, 360, 30
ROUNDS = 5
SUBSCRIBERS, PROCESSES = 50, 2
SECONDS = 10.0


def viewer_token(sandbox: OwnSandbox, room_id: str, identity: str) -> tuple[str, str]:
    """Address and token of a subscriber, from the sandbox's own call."""
    answer = httpx.post(
        f"{sandbox.info['url']}/sandbox/livekit-token",
        headers={"X-API-Key": sandbox.info["apiKey"]},
        json={"room": room_id, "identity": identity},
        trust_env=False,
    )
    told = answer.raise_for_status().json()
    return str(told["url"]), str(told["token"])


@asynccontextmanager
async def publishing(
    url: str,
    token: str,
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    fps: int = FPS,
    bits: int = 800_000,
    simulcast: bool = False,
    captured: list[float] | None = None,
) -> AsyncIterator[rtc.Room]:
    """The bare SDK as a publisher: one H.264 test card without sound, as an SDK user would write it.

    `captured` is told when (monotonic) each numbered picture was given to it.
    """
    import numpy as np
    from livekit import rtc

    from spnb.broadcast.sources import TestCard

    room = rtc.Room()
    await room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
    source = rtc.VideoSource(width, height)
    track = rtc.LocalVideoTrack.create_video_track("card", source)
    encoding = rtc.VideoEncoding(max_bitrate=bits, max_framerate=fps)
    options = rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_CAMERA,
        video_codec=rtc.VideoCodec.H264,
        simulcast=simulcast,
        video_encoding=encoding,
    )
    await room.local_participant.publish_track(track, options)
    card = TestCard(width, height, fps)
    # Grain that moves: a card alone compresses to almost nothing, a camera's picture does not.
    grain = np.random.default_rng(1).integers(0, 14, (height // 2, width), np.uint8)

    def picture(number: int) -> bytearray:
        made = card.picture(number)
        luma = np.frombuffer(made, np.uint8, width * height).reshape(height, width)
        luma[: height // 2] = np.minimum(luma[: height // 2], 220) + np.roll(grain, number * 7, axis=1)
        return made

    async def feed() -> None:
        began, number = time.monotonic(), 0
        while True:
            made = rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, picture(number))
            if captured is not None:
                captured.append(time.monotonic())
            source.capture_frame(made)
            number += 1
            await asyncio.sleep(max(0.0, began + number / fps - time.monotonic()))

    feeding = asyncio.create_task(feed())
    try:
        yield room
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await room.disconnect()


async def first_frame(room: rtc.Room) -> float:
    """When (perf_counter) the first decoded picture of a joined room's first video track was there."""
    from livekit import rtc

    found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def subscribed(track: Any, *_: Any) -> None:
        if track.kind == rtc.TrackKind.KIND_VIDEO and not found.done():
            found.set_result(track)

    room.on("track_subscribed", subscribed)
    for participant in room.remote_participants.values():
        for publication in participant.track_publications.values():
            if publication.track is not None:
                subscribed(publication.track)
    stream = rtc.VideoStream(await found)
    try:
        async for _ in stream:
            return time.perf_counter()
    finally:
        await stream.aclose()
    raise RuntimeError("the video ended before its first frame")


def time_to_first_frame() -> Iterator[Figure]:
    """From the call of `go_live()` to the first decoded picture at a subscriber that is in the room already.

    The bare SDK does the same on the same server: connect with a token at hand, publish, feed.
    """
    from livekit import rtc

    from spnb.broadcast import go_live
    from spnb.broadcast.sources import TestCard

    ours: list[float] = []
    bare: list[float] = []

    async def measure(sandbox: OwnSandbox, room: Any, times: list[float], *, with_spnb: bool) -> None:
        viewer = rtc.Room()
        await viewer.connect(*viewer_token(sandbox, room.room_id, "viewer"))
        waiting = asyncio.create_task(first_frame(viewer))
        data = await room.broadcaster_data()
        began = time.perf_counter()
        if with_spnb:
            broadcast = await go_live(room, TestCard(WIDTH, HEIGHT, FPS))
            times.append(await waiting - began)
            await broadcast.stop()
        else:
            async with publishing(str(data.co_host_url), str(data.co_host_token)):
                times.append(await waiting - began)
            await room.stop()
        await viewer.disconnect()

    with own_sandbox() as sandbox, sandbox.connect() as client:
        for number in range(2 * ROUNDS + 2):
            room = client.rooms.create(f"first frame {number}").asynchronous
            with_spnb = number % 2 == 0
            # The first round of each warms up what loads on first use.
            times = [] if number < 2 else ours if with_spnb else bare
            run(measure(sandbox, room, times, with_spnb=with_spnb))
    mine, theirs = statistics.median(ours), statistics.median(bare)
    yield at_most("go_live() → first frame at a subscriber", mine, 1.0, "s", f"median of {ROUNDS}, 640×360")
    yield at_most("… against the bare livekit SDK", mine / theirs, 1.3, "×", f"bare: {theirs:.3f} s, token at hand")


def late_viewer() -> Iterator[Figure]:
    """From a subscriber's connect to its first decoded picture, in a room that is on air."""
    from livekit import rtc

    times: list[float] = []

    async def measure(sandbox: OwnSandbox, room: Any) -> None:
        data = await room.broadcaster_data()
        async with publishing(str(data.co_host_url), str(data.co_host_token)):
            await room.until("live", timeout=20)
            for number in range(ROUNDS + 1):
                url, token = viewer_token(sandbox, room.room_id, f"late-{number}")
                viewer = rtc.Room()
                began = time.perf_counter()
                await viewer.connect(url, token)
                taken = await first_frame(viewer) - began
                await viewer.disconnect()
                if number:
                    times.append(taken)
        await room.stop()

    with own_sandbox() as sandbox, sandbox.connect() as client:
        run(measure(sandbox, client.rooms.create("late").asynchronous))
    yield at_most("late viewer: connect → first frame", statistics.median(times), 0.5, "s", f"median of {ROUNDS}")


def fifty_subscribers() -> Iterator[Figure]:
    """Fifty subscribers of one 640×360 publisher, all decoding, in two processes beside the sandbox.

    The cost of one subscriber is the sandbox's processor time with fifty less that with none, divided by fifty. What
    was lost is what the subscribers' own WebRTC statistics say.
    """
    with own_sandbox() as sandbox, sandbox.connect() as client:
        room = client.rooms.create("fifty").asynchronous
        alone, together, lost, received, octets, frames = run(_crowd(sandbox, room))
    share = (together - alone) / SUBSCRIBERS * 100
    yield at_most(
        "server CPU per 640×360@30 subscriber", share, 1.0, "% of a core", f"{together * 100:.0f} % for fifty"
    )
    kilobits = octets * 8 / 1000 / SECONDS / SUBSCRIBERS
    yield at_most(
        "packets lost by fifty subscribers",
        float(lost),
        0,
        "packets",
        f"of {received} on 2 cores, {kilobits:.0f} kb/s each",
    )
    yield at_least("pictures a second, slowest subscriber", frames, 24, "fps", "decoded, of 30 sent")


async def _crowd(sandbox: OwnSandbox, room: Any) -> tuple[float, float, int, int, int, float]:
    data = await room.broadcaster_data()
    context = multiprocessing.get_context("spawn")
    each = SUBSCRIBERS // PROCESSES
    async with publishing(str(data.co_host_url), str(data.co_host_token)):
        await room.until("live", timeout=20)
        alone = await _load(sandbox, 5.0)
        tickets = [viewer_token(sandbox, room.room_id, f"v{number}") for number in range(SUBSCRIBERS)]
        ready, go = context.Semaphore(0), context.Event()
        results: Any = context.Queue()
        crowds = [
            context.Process(
                target=watch_in_process, args=(tickets[index * each : (index + 1) * each], ready, go, results)
            )
            for index in range(PROCESSES)
        ]
        for crowd in crowds:
            crowd.start()
        for _ in crowds:
            await asyncio.to_thread(ready.acquire)
        go.set()
        together = await _load(sandbox, SECONDS)
        told = [await asyncio.to_thread(results.get) for _ in crowds]
        for crowd in crowds:
            await asyncio.to_thread(crowd.join)
    await room.stop()
    counts = [count for part in told for count in part]
    lost, received, octets = (sum(count[index] for count in counts) for index in range(3))
    return alone, together, lost, received, octets, min(count[3] for count in counts) / SECONDS


async def _load(sandbox: OwnSandbox, seconds: float) -> float:
    before, began = sandbox.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    return (sandbox.cpu_seconds() - before) / (time.monotonic() - began)


def watch_in_process(tickets: list[tuple[str, str]], ready: Any, go: Any, results: Any) -> None:
    """A process of subscribers; puts `(lost, received, octets, decoded)` of each, as counted while all were there."""
    from livekit import rtc

    logging.getLogger("livekit").addHandler(logging.NullHandler())

    async def counted(track: Any) -> tuple[int, int, int, int]:
        for report in await track.get_stats():
            if report.WhichOneof("stats") == "inbound_rtp":
                inbound = report.inbound_rtp
                return (
                    inbound.received.packets_lost,
                    inbound.received.packets_received,
                    inbound.inbound.bytes_received,
                    inbound.inbound.frames_decoded,
                )
        return 0, 0, 0, 0

    async def watch() -> list[tuple[int, int, int, int]]:
        rooms, tracks = [], []
        for url, token in tickets:
            room = rtc.Room()
            await room.connect(url, token)
            await first_frame(room)
            rooms.append(room)
            tracks += [
                publication.track
                for participant in room.remote_participants.values()
                for publication in participant.track_publications.values()
                if publication.track is not None
            ]
        # The decoder counts only while somebody takes the pictures.
        streams = [rtc.VideoStream(track) for track in tracks]
        taking = [asyncio.create_task(_take(stream)) for stream in streams]
        ready.release()
        await asyncio.to_thread(go.wait)
        before = [await counted(track) for track in tracks]
        await asyncio.sleep(SECONDS)
        after = [await counted(track) for track in tracks]
        for task in taking:
            task.cancel()
        for room in rooms:
            await room.disconnect()
        return [
            (late[0] - early[0], late[1] - early[1], late[2] - early[2], late[3] - early[3])
            for early, late in zip(before, after, strict=True)
        ]

    results.put(asyncio.run(watch()))


async def _take(stream: Any) -> None:
    with suppress(asyncio.CancelledError):
        async for _ in stream:
            continue
