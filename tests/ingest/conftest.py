"""A sandbox for encoders: its address of RTMP and WHIP, and viewers of the official SDK."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

import spnb
from spnb.webhooks import AsyncReceiver
from tests.broadcast.booth import Listener
from tests.broadcast.films import film
from tests.conftest import RunningSandbox, ffmpeg, start_sandbox

__all__ = ["HOOKS", "Studio", "studio_of"]

HOOKS = ["room.startBroadcasting", "room.waitingReconnect", "room.endBroadcasting", "room.recordedAvailable"]
"""What a webhook tells of a room whose encoder was cut and did not come back."""


class Studio:
    """A sandbox and a host in it."""

    def __init__(self, box: RunningSandbox, sp: Any) -> None:
        self.box, self.sp = box, sp
        self._encoders: list[asyncio.subprocess.Process] = []

    async def ask(self, method: str, room: Any) -> dict[str, Any]:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.request(
                method, f"{self.box.url}/sandbox/rooms/{room.room_id}/ingest", headers={"X-API-Key": self.box.api_key}
            )
            answer.raise_for_status()
            told: dict[str, Any] = answer.json()
            return dict(told.get("data", told))

    async def pass_of(self, room: Any) -> dict[str, Any]:
        """Where a viewer of LiveKit's SDK connects, and with what token."""
        return await self.ticket(room=room.room_id, identity="viewer", hidden=True)

    async def ticket(self, **wish: Any) -> dict[str, Any]:
        """The same for whoever is wished for, in whatever room."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            told = await client.post(
                f"{self.box.url}/sandbox/livekit-token", headers={"X-API-Key": self.box.api_key}, json=wish
            )
        answer = told.json()
        return dict(answer.get("data", answer))

    @asynccontextmanager
    async def webhooks(self, room: Any) -> AsyncIterator[list[str]]:
        """What becomes of a room, as a webhook of the service tells it."""
        told: list[str] = []
        kept = self.box.data_dir.with_name(f"webhooks-{room.room_id}.sqlite")
        async with AsyncReceiver("of the encoders", path=kept) as receiver:
            receiver.on()(
                lambda one: told.append(one.event) if one.room_id == room.room_id and one.event in HOOKS else None
            )
            hooks = spnb.sandbox.webhooks(self.sp)
            hook = hooks.add(receiver.url, "of the encoders", style="room")
            try:
                yield told
            finally:
                hooks.remove(hook)

    async def viewer(self, room: Any) -> Listener:
        answer = await self.pass_of(room)
        listener = Listener()
        await listener.join(answer["url"], answer["token"])
        return listener

    async def encoder(self, path: Path, address: str, *options: str) -> asyncio.subprocess.Process:
        """Debian's ffmpeg, which sends a film again and again as it is."""
        command = ["-v", "error", "-re", "-stream_loop", "-1", "-i", str(path), *(options or ("-c", "copy"))]
        process = await asyncio.create_subprocess_exec(
            ffmpeg(), *command, "-f", "flv", address, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._encoders.append(process)
        return process

    async def aclose(self) -> None:
        for process in self._encoders:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@pytest.fixture(scope="session")
def embedded_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    running = start_sandbox(
        tmp_path_factory.mktemp("ingest"), "--no-rate-limit", "--grace", "5", "--livekit", "embedded"
    )
    yield running
    running.stop()


async def studio_of(box: RunningSandbox) -> AsyncIterator[Studio]:
    client = await spnb.connect_async("encoder", url=box.url, api_key=box.api_key)
    made = Studio(box, client)
    yield made
    await made.aclose()
    await client.aclose()


@pytest_asyncio.fixture
async def studio(embedded_box: RunningSandbox) -> AsyncIterator[Studio]:
    """With the embedded media server."""
    async for made in studio_of(embedded_box):
        yield made


@pytest_asyncio.fixture(params=["embedded_box", "real_sandbox"])
async def each_studio(request: pytest.FixtureRequest) -> AsyncIterator[Studio]:
    """With either media server."""
    async for made in studio_of(request.getfixturevalue(request.param)):
        yield made


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film as OBS sends it: pictures that refer to later ones, a key frame each second, AAC."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return film(path, seconds=4, fps=30, options={"bf": "2", "g": "30"})
