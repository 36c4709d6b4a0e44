"""What forwarding a packet costs: the embedded server and an unmodified livekit-server, one after the other."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from spnb._loop import run
from spnb.bench.figures import Figure, at_most
from spnb.bench.media import publishing, watch_in_process
from spnb.sandbox.livekit.choice import find_binary
from spnb.sandbox.livekit.own_server import LiveKitServer
from spnb.sandbox.media.tokens import Grants, mint

__all__ = ["forwarding"]

VIEWERS, PROCESSES = 20, 2
SECONDS = 10.0
"""As long as the viewers' processes count."""
KEY = "bench"


def forwarding() -> Iterator[Figure]:
    """Twenty official subscribers of one 640×360 publisher, bandwidth estimation on, on both servers in turn.

    The cost of a packet is the server's processor time divided by the packets its viewers got. How many one core could
    forward follows from it. Without a livekit-server (see `spnb sandbox --livekit`) only the embedded one is measured.
    """
    embedded, sent = run(_measured(_embedded()))
    told = f"{sent / SECONDS:.0f} packets/s to {VIEWERS} viewers; a core is full at {1e6 / embedded:.0f} packets/s"
    binary = find_binary(os.environ)
    if binary is None:
        yield at_most("server CPU per forwarded packet, embedded", embedded, 30, "µs", told)
        return
    real, sent = run(_measured(_real(binary)))
    beside = f"{sent / SECONDS:.0f} packets/s; a core is full at {1e6 / real:.0f} packets/s"
    yield at_most("server CPU per forwarded packet, embedded", embedded, 0.8 * real, "µs", told)
    yield at_most("server CPU per forwarded packet, livekit-server", real, real, "µs", beside)


@asynccontextmanager
async def _embedded() -> AsyncIterator[tuple[str, str, int]]:
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
async def _real(binary: Path) -> AsyncIterator[tuple[str, str, int]]:
    secret = secrets.token_hex(20)
    with tempfile.TemporaryDirectory() as folder:
        server = LiveKitServer(binary, KEY, secret, webhook=None, log_path=Path(folder, "livekit.log"))
        await server.start()
        try:
            assert server.pid is not None  # noqa: S101 - it was started
            yield server.url, secret, server.pid
        finally:
            await server.aclose()


async def _measured(serving: Any) -> tuple[float, int]:
    """Microseconds of the server's processor for each packet its viewers got, and how many those were."""
    context = multiprocessing.get_context("spawn")
    async with serving as (url, secret, pid):

        def ticket(identity: str) -> tuple[str, str]:
            grants = Grants(room="bench", room_join=True)
            return url, mint(KEY, secret, identity=identity, grants=grants, ttl=600)

        async with publishing(*ticket("host")):
            ready, go = context.Semaphore(0), context.Event()
            results: Any = context.Queue()
            each = VIEWERS // PROCESSES
            crowds = [
                context.Process(
                    target=watch_in_process,
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
