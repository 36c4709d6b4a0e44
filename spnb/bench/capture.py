"""Capture: how many rows a second are safely on disk, and what a capture of a busy room costs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

if TYPE_CHECKING:
    from spnb.live import AsyncLiveRoom

__all__ = ["capture"]

ROWS = 200_000
VIEWERS, SECONDS = 500, 30.0
BEGAN = 1_772_366_400_000


def capture() -> Iterator[Figure]:
    """Messages through the writer: written, synced, turned into Parquet; then a real room with five hundred viewers,
    captured by a process of its own, whose use of the processor is measured from its first row to its last."""
    with tempfile.TemporaryDirectory(prefix="spnb-bench-") as folder:
        taken = run(_kept(Path(folder) / "rows"))
        yield at_least("capture: rows acknowledged", ROWS / taken, 10_000, "/s", f"{ROWS} messages, synced, in Parquet")
        with own_sandbox() as sandbox, sandbox.connect() as client:
            room = client.rooms.create("captured")
            share, rows = run(_captured(sandbox, room.asynchronous, Path(folder) / "room"))
            room.stop()
    yield at_most("capture of a room with 500 viewers", 100 * share, 10, "% of a core", f"{rows / SECONDS:.0f} rows/s")


async def _kept(folder: Path) -> float:
    from spnb.analytics.capture.writer import CaptureWriter

    writer = CaptureWriter(folder)
    await writer.open()
    began = time.perf_counter()
    for number in range(ROWS):
        row = {
            "message_id": f"m{number:024}",
            "room_id": "r",
            "channel_id": "c",
            "user_id": f"user-{number % 5000}",
            "created_at": BEGAN + number,
            "length": number % 80,
        }
        writer.put("messages", row)
        if number % 1000 == 0:
            await asyncio.sleep(0)  # as news come: others have their turn
    await writer.flush()
    taken = time.perf_counter() - began
    await writer.close()
    return taken


async def _captured(sandbox: OwnSandbox, room: AsyncLiveRoom, folder: Path) -> tuple[float, int]:
    """Share of a core and number of rows."""
    from spnb.bench.media import publishing
    from spnb.sandbox import SandboxInfo, simulate

    info = SandboxInfo.read(sandbox.info)
    environment = {
        **os.environ,
        "SOCIALPLUS_API_KEY": info.api_key,
        "SOCIALPLUS_URL": info.url,
        "SOCIALPLUS_USER_ID": "recorder",
    }
    command = [sys.executable, "-m", "spnb", "capture", "--json", "--folder", str(folder), room.room_id]
    data = await room.broadcaster_data()
    async with publishing(str(data.co_host_url), str(data.co_host_token)):
        await room.until("live", timeout=20)
        process = await asyncio.to_thread(_started, command, environment)
        try:
            watched = psutil.Process(process.pid)
            before, began = sum(watched.cpu_times()[:2]), time.perf_counter()
            simulation = await asyncio.to_thread(
                simulate, room, viewers=VIEWERS, seconds=SECONDS, seed=1, chattiness=6, sandbox=info
            )
            await asyncio.to_thread(simulation.wait, 180)
            share = (sum(watched.cpu_times()[:2]) - before) / (time.perf_counter() - began)
        finally:
            process.terminate()
            said, _ = await asyncio.to_thread(process.communicate)
    return share, sum(json.loads(said.splitlines()[-1])["rows"].values())


def _started(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    process.stdout.readline()
    return process
