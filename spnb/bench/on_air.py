"""What a viewer notices of a host's mute, and of a reconnection."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spnb._loop import run
from spnb.bench.figures import Figure, at_most
from spnb.bench.media import viewer_token
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["host_on_air"]

WIDTH, HEIGHT, FPS = 640, 360, 30
ROUNDS = 5
SILENT = 20.0
"""Root mean square of 16-bit samples; the test card's softest tone has about 900."""
SETTLE_SECONDS = 2.0


class _Viewer:
    """Takes all sound and every picture of a room, and keeps when each came."""

    def __init__(self) -> None:
        from livekit import rtc

        self.room = rtc.Room()
        self.heard: list[float] = []
        """Seconds (monotonic) of each 10 ms that were no silence."""
        self.seen: list[float] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.room.on("track_subscribed", self._subscribed)

    def _subscribed(self, track: rtc.Track, *_: Any) -> None:
        from livekit import rtc

        take = self._hear if track.kind == rtc.TrackKind.KIND_AUDIO else self._see
        self._tasks.append(asyncio.create_task(take(track)))

    async def _hear(self, track: rtc.Track) -> None:
        import numpy as np
        from livekit import rtc

        async for event in rtc.AudioStream(track, sample_rate=48_000, num_channels=1):
            wave = np.frombuffer(event.frame.data, np.int16).astype(float)
            if np.sqrt((wave**2).mean()) > SILENT:
                self.heard.append(time.monotonic())

    async def _see(self, track: rtc.Track) -> None:
        from livekit import rtc

        async for _ in rtc.VideoStream(track):
            self.seen.append(time.monotonic())

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.room.disconnect()


def host_on_air() -> Iterator[Figure]:
    """From `mute()` to the last sound at a viewer, and the longest time without a picture while a host reconnects.

    The viewer is the official SDK. The host's connection is broken by the SDK's own scenarios: a signalling socket that
    drops, and a server that has the client publish everything anew.
    """
    with own_sandbox() as sandbox, sandbox.connect() as client:
        silences, dropped, anew = run(_on_air(sandbox, client.rooms.create("on air").asynchronous))
    note = f"median of {ROUNDS}, slowest {max(silences) * 1000:.0f} ms"
    yield at_most("mute → silence at a viewer", statistics.median(silences) * 1000, 150, "ms", note)
    yield at_most("picture gap, signalling dropped", dropped, 0.3, "s", "the longest between two pictures at a viewer")
    yield at_most(
        "picture gap, everything published anew", anew, 3.0, "s", "the longest between two pictures at a viewer"
    )


async def _on_air(sandbox: OwnSandbox, room: Any) -> tuple[list[float], float, float]:
    from livekit import rtc

    from spnb.broadcast import go_live
    from spnb.broadcast.sources import TestCard

    show = await go_live(room, TestCard(WIDTH, HEIGHT, FPS))
    viewer = _Viewer()
    await viewer.room.connect(*viewer_token(sandbox, room.room_id, "viewer"))
    await asyncio.sleep(SETTLE_SECONDS)
    silences = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        await show.mute()
        await asyncio.sleep(SETTLE_SECONDS)
        silences.append(max(0.0, viewer.heard[-1] - began))
        await show.unmute()
        await asyncio.sleep(SETTLE_SECONDS)
    gaps = []
    for scenario in (
        rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT,
        rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT,
    ):
        began = time.monotonic()
        connection: Any = show._line.connection
        await connection._room.simulate_scenario(scenario)
        await asyncio.sleep(5 * SETTLE_SECONDS)
        seen = [at for at in viewer.seen if at >= began - SETTLE_SECONDS]
        gaps.append(max(later - earlier for earlier, later in itertools.pairwise(seen)))
    await viewer.leave()
    await show.stop()
    return silences, gaps[0], gaps[1]
