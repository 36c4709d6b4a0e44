"""The sandbox's REST under load, and how quickly a status change reaches its observer."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most, quantile
from spnb.bench.sandboxed import own_sandbox

if TYPE_CHECKING:
    from spnb.live import AsyncLiveRoom
    from spnb.models import Room

__all__ = ["rest_load", "status_latency"]

CLIENTS = 8
SECONDS = 5.0


def rest_load() -> Iterator[Figure]:
    """Eight keep-alive connections ask for one room and for the list of twenty in turn, as fast as they can."""
    with own_sandbox() as sandbox, sandbox.connect() as client:
        rooms = [client.rooms.create(f"room {number}", chat=False) for number in range(40)]
        token = client.access_token()
        paths = [f"/api/v1/rooms/{rooms[0].room_id}", "/api/v1/rooms?options%5Blimit%5D=20"]
        # The load comes from a process of its own, so that it does not share the interpreter lock with the clients
        # of this one.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            times = pool.apply(_load, (sandbox.info["url"], token, paths, CLIENTS, SECONDS))
    rate = len(times) / SECONDS
    yield at_least("REST get and list, 8 clients", rate, 500, "/s", f"{len(times)} requests in {SECONDS:g} s")
    yield at_most("REST answer, p95", quantile(times, 0.95) * 1000, 25, "ms", "8 keep-alive connections")


def _load(url: str, token: str, paths: list[str], clients: int, seconds: float) -> list[float]:
    async def one(until: float, times: list[float]) -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        requests = [
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            for path in paths
        ]
        number = 0
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(requests[number % len(requests)])
            number += 1
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the sandbox answered {head.splitlines()[0]!r} under load")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            times.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    async def all_of_them() -> list[float]:
        times: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(one(until, times) for _ in range(clients)))
        return times

    return asyncio.run(all_of_them())


def status_latency() -> Iterator[Figure]:
    """From the moment the sandbox changes a room's status to the call of an observer in this process.

    A publisher joins and leaves again and again; the room's `updatedAt`, stamped by the sandbox at the change, is read
    off the same clock as the observer's.
    """
    from spnb.bench.media import publishing

    delays: list[float] = []
    statuses: list[str] = []

    def observed(record: Room) -> None:
        if record.updated_at is not None and (not statuses or statuses[-1] != record.status):
            statuses.append(record.status)
            delays.append(time.time() - record.updated_at.timestamp())

    async def come_and_go(room: AsyncLiveRoom) -> None:
        data = await room.broadcaster_data()
        for _ in range(20):
            async with publishing(str(data.co_host_url), str(data.co_host_token)):
                await room.until("live", timeout=20)
            await room.until("waitingReconnect", timeout=20)
        await room.stop()
        await room.until("recorded", timeout=30)

    with own_sandbox("--grace", "30") as sandbox, sandbox.connect() as client:
        room = client.rooms.create("status")
        forget = room.observe(observed)
        run(come_and_go(room.asynchronous))
        forget()
    worst = quantile(delays, 0.95) * 1000
    yield at_most("status change → observer, p95", worst, 100, "ms", f"{len(delays)} changes by media")
