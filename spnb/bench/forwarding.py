"""What forwarding a packet costs: the embedded server and an unmodified livekit-server, one after the other."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import secrets
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from spnb._loop import run
from spnb.bench.crowd import crowd_in_process
from spnb.bench.figures import Figure, at_most
from spnb.bench.media import publishing, watch_in_process
from spnb.sandbox.livekit.choice import find_binary
from spnb.sandbox.livekit.own_server import LiveKitServer
from spnb.sandbox.media.tokens import Grants, mint

__all__ = ["KEY", "forwarding", "served_by_embedded", "served_by_livekit"]

PROCESSES = 2
SECONDS = 10.0
"""As long as the viewers' processes count."""
ROUNDS = 3
KEY = "bench"


@dataclass(frozen=True)
class _Load:
    """A publisher and how many watch it."""

    viewers: int
    width: int
    height: int
    fps: int
    bits: int
    decoding: bool
    """Whether the viewers are official SDKs, which decode; else they only take packets, and report."""


LOADS = (
    _Load(20, 640, 360, 30, 800_000, decoding=True),
    _Load(300, 320, 180, 15, 150_000, decoding=False),
)
"""Twenty who see all of a usual picture; three hundred, of whom one machine can only carry the packets."""


def forwarding() -> Iterator[Figure]:
    """Viewers of one publisher, bandwidth estimation on, on the embedded server and on a livekit-server.

    The cost of a packet is the server's processor time divided by the packets its viewers got: the median of several
    rounds, in which the two take turns. How many one core could forward follows from it. Without a livekit-server (see
    `spnb sandbox --livekit`) only the embedded one is measured.
    """
    binary = find_binary(os.environ)
    for load in LOADS:
        ours: list[float] = []
        theirs: list[float] = []
        packets = 0
        for _ in range(ROUNDS):
            cost, packets = run(_measured(served_by_embedded(), load))
            ours.append(cost)
            if binary is not None:
                theirs.append(run(_measured(served_by_livekit(binary), load))[0])
        cost = statistics.median(ours)
        what = f"server CPU per forwarded packet, {load.viewers} viewers"
        told = f"median of {ROUNDS}; {packets / SECONDS:.0f} packets/s; a core is full at {1e6 / cost:.0f} packets/s"
        if not theirs:
            yield at_most(f"{what}: embedded", cost, 30, "µs", told)
            continue
        real = statistics.median(theirs)
        yield at_most(f"{what}: embedded", cost, 0.8 * real, "µs", told)
        yield at_most(f"{what}: livekit-server", real, real, "µs", f"a core is full at {1e6 / real:.0f} packets/s")


@asynccontextmanager
async def served_by_embedded() -> AsyncIterator[tuple[str, str, int]]:
    """An embedded server of its own: its address, secret and process id."""
    secret = secrets.token_hex(20)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "spnb.sandbox.media", "--api-key", KEY),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "LIVEKIT_API_SECRET": secret},
    )
    try:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        told = json.loads(await process.stdout.readline())
        yield str(told["url"]), secret, process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def served_by_livekit(binary: Path) -> AsyncIterator[tuple[str, str, int]]:
    """The same with a livekit-server."""
    secret = secrets.token_hex(20)
    with tempfile.TemporaryDirectory() as folder:
        server = LiveKitServer(binary, KEY, secret, webhook=None, log_path=Path(folder, "livekit.log"))
        await server.start()
        try:
            assert server.pid is not None  # noqa: S101 - it was started
            yield server.url, secret, server.pid
        finally:
            await server.aclose()


async def _measured(serving: Any, load: _Load) -> tuple[float, int]:
    """Microseconds of the server's processor for each packet its viewers got, and how many those were."""
    context = multiprocessing.get_context("spawn")
    async with serving as (url, secret, pid):

        def ticket(identity: str) -> tuple[str, str]:
            grants = Grants(room="bench", room_join=True)
            return url, mint(KEY, secret, identity=identity, grants=grants, ttl=600)

        media: dict[str, Any] = {"width": load.width, "height": load.height, "fps": load.fps, "bits": load.bits}
        async with publishing(*ticket("host"), **media):
            ready, go = context.Semaphore(0), context.Event()
            results: Any = context.Queue()
            each = load.viewers // PROCESSES
            watch = watch_in_process if load.decoding else partial(crowd_in_process, seconds=SECONDS)
            crowds = [
                context.Process(
                    target=watch,
                    args=([ticket(f"v{index}-{number}") for number in range(each)], ready, go, results),
                )
                for index in range(PROCESSES)
            ]
            for crowd in crowds:
                crowd.start()
            for _ in crowds:
                await asyncio.to_thread(ready.acquire)
            before = _spent(pid)
            go.set()
            await asyncio.sleep(SECONDS)
            spent = _spent(pid) - before
            told = [count for _ in crowds for count in await asyncio.to_thread(results.get)]
            for crowd in crowds:
                await asyncio.to_thread(crowd.join)
    packets = sum(count[1] for count in told)
    return spent / packets * 1e6, packets


def _spent(pid: int) -> float:
    """Seconds of processor time of a process and its children."""
    process = psutil.Process(pid)
    return sum(sum(member.cpu_times()[:2]) for member in (process, *process.children(recursive=True)))
