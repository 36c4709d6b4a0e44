"""A client whose real-time connection can be cut or held: a TCP proxy between it and the sandbox's broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

import spnb
from spnb._loop import on_loop
from spnb.config import Credentials, Endpoints
from spnb.live import AsyncLiveRoom
from tests.conftest import RunningSandbox


class Wire:
    """A TCP proxy on spnb's own loop: counts, cuts, and refuses connections."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.open = True
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @on_loop
    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if not self.open:
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer), return_exceptions=True)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self.flowing.wait()
                target.write(data)
                await target.drain()
        finally:
            target.close()

    @on_loop
    async def cut(self) -> None:
        """Drop all connections and refuse new ones."""
        self.open = False
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def mend(self) -> None:
        self.open = True

    @on_loop
    async def hold(self) -> None:
        """Let nothing through for now; nothing is lost either."""
        self.flowing.clear()

    @on_loop
    async def release(self) -> None:
        """Let everything through again."""
        self.flowing.set()

    @on_loop
    async def stop(self) -> None:
        await self.cut()
        if self._server is not None:
            self._server.close()


@contextlib.asynccontextmanager
async def wired(sandbox: RunningSandbox) -> AsyncIterator[Wire]:
    """A wire to this sandbox."""
    made = Wire(int(sandbox.url.rsplit(":", 1)[1]))
    await made.start()
    yield made
    await made.stop()


@contextlib.asynccontextmanager
async def client_through(sandbox: RunningSandbox, wire: Wire) -> AsyncIterator[Any]:
    """A client that speaks REST directly and MQTT through the wire."""
    straight = Endpoints.of_url(sandbox.url)
    endpoints = Endpoints(straight.rest, straight.upload, f"ws://127.0.0.1:{wire.port}/mqtt")
    client: spnb.AsyncClient[AsyncLiveRoom] = spnb.AsyncClient(
        endpoints, Credentials(sandbox.api_key, "live-host"), room_factory=AsyncLiveRoom
    )
    await client.login()
    yield client
    with contextlib.suppress(spnb.SpnbError):
        await client.aclose()


@pytest_asyncio.fixture
async def wire(sandbox: RunningSandbox) -> AsyncIterator[Wire]:
    async with wired(sandbox) as made:
        yield made


@pytest_asyncio.fixture
async def sp(sandbox: RunningSandbox, wire: Wire) -> AsyncIterator[Any]:
    async with client_through(sandbox, wire) as client:
        yield client


async def until(condition: Any, seconds: float = 60) -> None:
    """Wait until something observed from outside is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
