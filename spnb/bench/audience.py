"""How many simulated viewers a machine holds, and how long months of past take to write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

if TYPE_CHECKING:
    from spnb.live import AsyncLiveRoom

__all__ = ["back_fill", "simulated_viewers"]

VIEWERS, MOST_VIEWERS = 2_000, 6_000
SECONDS = 30.0
LATE = 1.0


def simulated_viewers() -> Iterator[Figure]:
    """The most viewers, in steps of 2 000 up to 6 000, whose every act goes out within a second of its time.

    Each has a session, heartbeats, watch sessions, chat and reactions; the room is live through real media. Held means:
    all that was planned was accepted, and nothing was more than a second late.
    """
    held, worst, rate = 0, 0.0, 0.0
    with own_sandbox() as sandbox, sandbox.connect() as client:
        room = client.rooms.create("simulated", chat=True)
        room.post(text="simulated")
        room.open_chat()
        viewers = VIEWERS
        while viewers <= MOST_VIEWERS:
            late, acts = run(_audience(sandbox, room.asynchronous, viewers))
            if late > LATE:
                break
            held, worst, rate = viewers, late, acts / SECONDS
            viewers += VIEWERS
        room.stop()
    note = f"{rate:.0f} acts/s in {SECONDS:g} s, {worst * 1000:.0f} ms late at most"
    yield at_least("sandbox: simulated viewers held", held, VIEWERS, "", note)


async def _audience(sandbox: OwnSandbox, room: AsyncLiveRoom, viewers: int) -> tuple[float, int]:
    """The worst delay (seconds; infinite where something was not accepted) and the number of acts."""
    from spnb.bench.media import publishing
    from spnb.sandbox import SandboxInfo, simulate

    data = await room.broadcaster_data()
    async with publishing(str(data.co_host_url), str(data.co_host_token)):
        await room.until("live", timeout=20)
        info = SandboxInfo.read(sandbox.info)
        simulation = await asyncio.to_thread(simulate, room, viewers=viewers, seconds=SECONDS, seed=1, sandbox=info)
        end = await asyncio.to_thread(simulation.wait, 180)
    plan = simulation.plan
    lost = end.refused + end.failed + len(plan.messages) - end.messages + len(plan.reactions) - end.reactions
    acts = end.heartbeats + 2 * end.sessions + end.messages + end.reactions
    return (float("inf") if lost else end.worst), acts


def back_fill() -> Iterator[Figure]:
    """Ninety days of 300 streams, a million watch sessions and two million messages, into a running sandbox."""
    from spnb.sandbox import SandboxInfo, backfill

    with own_sandbox() as sandbox:
        info = SandboxInfo.read(sandbox.info)
        began = time.perf_counter()
        past = backfill(days=90, streams=300, seed=1, views=1_000_000, messages=2_000_000, sandbox=info)
        taken = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(info.data_dir).glob("sandbox.sqlite*")) / 2**20
    rows = past.views + past.messages + past.reactions + past.live_reactions
    yield at_most("back-fill: 300 streams, 1 M views, 2 M messages", taken, 60, "s", f"{rows} rows, {size:.0f} MiB")
