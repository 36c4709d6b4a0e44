"""The webhook receiver under load: deliveries verified and stored, and how long each waits for its answer."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from spnb.bench.figures import Figure, at_least, at_most, quantile

__all__ = ["webhook_receiver"]

SECRET = "the secret of a benchmark"  # noqa: S105 - guards nothing
SENDERS = 16
SECONDS = 5.0


def webhook_receiver() -> Iterator[Figure]:
    """Sixteen keep-alive connections post signed deliveries, each another one, as fast as they are answered.

    A handler counts them meanwhile, as a backend's would. All that was answered must be in the database afterwards.
    """
    from spnb.webhooks import Receiver

    with tempfile.TemporaryDirectory(prefix="spnb-bench-") as folder:
        receiver = Receiver(SECRET, path=Path(folder) / "webhooks.sqlite")
        with receiver:

            @receiver.on("room.*")
            async def count(_delivery: object) -> None:
                await asyncio.sleep(0)

            # The load comes from a process of its own: a backend's senders are elsewhere too.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                times, took = pool.apply(_load, (receiver.url, SENDERS, SECONDS))
            stored = len(receiver.df)
    note = f"{stored} deliveries, {SENDERS} connections, handlers running"
    kept = stored if stored == len(times) else 0
    yield at_least("webhooks verified and stored", kept / took, 1000, "/s", note)
    yield at_most("webhook answer, p99", quantile(times, 0.99) * 1000, 100, "ms", "on disk before the answer")


def _load(url: str, senders: int, seconds: float) -> tuple[list[float], float]:
    from spnb.webhooks.signature import signed

    parts = urlsplit(url)
    filler = "x" * 1000

    def request(sender: int, number: int) -> bytes:
        room = {"roomId": f"{sender}-{number}", "title": filler}
        body = json.dumps({"event": "room.startBroadcasting", "data": {"rooms": [room]}}).encode()
        head = (
            f"POST / HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nx-amity-signature: {signed(body, SECRET)}\r\n\r\n"
        )
        return head.encode() + body

    async def one(sender: int, until: float, times: list[float]) -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        number = 0
        while time.perf_counter() < until:
            message = request(sender, number)
            number += 1
            began = time.perf_counter()
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the receiver answered {head.splitlines()[0]!r} under load")
            await reader.readexactly(2)
            times.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    async def all_of_them() -> tuple[list[float], float]:
        times: list[float] = []
        began = time.perf_counter()
        await asyncio.gather(*(one(number, began + seconds, times) for number in range(senders)))
        return times, time.perf_counter() - began

    return asyncio.run(all_of_them())
