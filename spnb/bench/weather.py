"""Network weather on loopback: a relay between an official client and a LiveKit server: loss, delay, a rate cap.

Clients are given the relay's address. It passes their signalling on and writes its own UDP ports into the session
descriptions and candidates of the server; those of the client are left out, so that all media takes the relay.

    python -m spnb.bench.weather ws://127.0.0.1:7880 --loss 3 --delay 50

prints the address to connect to, and lives until its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from livekit.protocol import rtc as signal
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

HOST_CANDIDATE = re.compile(r"(127\.0\.0\.1) (\d+) typ host")
CANDIDATE_LINE = re.compile(r"a=candidate:[^\r\n]*\r?\n")


@dataclass(frozen=True)
class Weather:
    """What happens to packets, each way. It can change on the way."""

    loss: float = 0.0
    """Percent, at random."""
    delay: float = 0.0
    """Milliseconds, one way."""
    jitter: float = 0.0
    """Milliseconds more, at most; order is kept."""
    rate: float = 0.0
    """Kilobits per second from server to client; 0 is no cap."""
    queue: float = 300.0
    """Milliseconds of packets that wait before the cap; more are dropped."""


class _Way:
    """One direction of one path."""

    def __init__(self, relay: Relay, *, capped: bool) -> None:
        self._relay, self._capped = relay, capped
        self._free_at = self._last_at = 0.0

    def carry(self, data: bytes, send: Any) -> None:
        weather, loop = self._relay.weather, asyncio.get_running_loop()
        if self._relay.chance.random() * 100 < weather.loss:
            return
        now = at = loop.time()
        if self._capped and weather.rate:
            if self._free_at - now > weather.queue / 1000:
                return
            self._free_at = at = max(now, self._free_at) + len(data) * 8 / weather.rate / 1000
        at += (weather.delay + self._relay.chance.random() * weather.jitter) / 1000
        self._last_at = at = max(at, self._last_at)
        if at - now < 0.0005:
            send(data)
        else:
            loop.call_at(at, send, data)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, received: Any) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._received(data, addr)


class Relay:
    """The relay of one server."""

    def __init__(self, server: str, weather: Weather, seed: int) -> None:
        self._server = server
        self.weather = weather
        self.chance = random.Random(seed)
        self._ports: dict[int, int] = {}

    def app(self) -> Starlette:
        return Starlette(routes=[WebSocketRoute("/{path:path}", self._signal), Route("/{path:path}", self._get)])

    async def _get(self, request: Request) -> Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            address = self._server.replace("ws", "http", 1) + request.url.path
            answer = await client.get(address, params=dict(request.query_params), headers=_token(request))
        headers = {"access-control-allow-origin": "*"}
        return Response(answer.content, answer.status_code, headers=headers)

    async def _signal(self, client: WebSocket) -> None:
        address = f"{self._server}{client.url.path}?{client.url.query}"
        try:
            upstream = await connect(address, additional_headers=_token(client), proxy=None, max_size=None)
        except InvalidStatus as error:
            await client.send_denial_response(Response(b"refused", error.response.status_code))
            return
        await client.accept()
        tasks = [asyncio.create_task(self._down(upstream, client)), asyncio.create_task(self._up(client, upstream))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await upstream.close()
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await client.close()

    async def _down(self, upstream: Any, client: WebSocket) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in upstream:
                response = signal.SignalResponse.FromString(message)
                kind = response.WhichOneof("message")
                if kind in ("offer", "answer"):
                    described = getattr(response, kind)
                    described.sdp = await self._readdressed(described.sdp)
                elif kind == "trickle":
                    response.trickle.candidateInit = await self._readdressed(response.trickle.candidateInit)
                await client.send_bytes(response.SerializeToString())

    async def _up(self, client: WebSocket, upstream: Any) -> None:
        with contextlib.suppress(ConnectionClosed, WebSocketDisconnect):
            while True:
                request = signal.SignalRequest.FromString(await client.receive_bytes())
                kind = request.WhichOneof("message")
                if kind == "trickle":
                    continue
                if kind in ("offer", "answer"):
                    described = getattr(request, kind)
                    described.sdp = CANDIDATE_LINE.sub("", described.sdp)
                await upstream.send(request.SerializeToString())

    async def _readdressed(self, text: str) -> str:
        for _, port in HOST_CANDIDATE.findall(text):
            if int(port) not in self._ports:
                self._ports[int(port)] = await self._open(int(port))
        return HOST_CANDIDATE.sub(lambda found: f"127.0.0.1 {self._ports[int(found[2])]} typ host", text)

    async def _open(self, server_port: int) -> int:
        """A port for clients that leads to a port of the server, by a socket of its own for each client."""
        loop = asyncio.get_running_loop()
        paths: dict[Any, tuple[Any, _Way]] = {}
        waiting: dict[Any, list[bytes]] = {}

        async def open_path(client: Any) -> None:
            back = _Way(self, capped=True)
            ahead, _ = await loop.create_datagram_endpoint(
                lambda: _Socket(lambda data, _: back.carry(data, lambda late: front.sendto(late, client))),
                remote_addr=("127.0.0.1", server_port),
            )
            paths[client] = (ahead, _Way(self, capped=False))
            for data in waiting.pop(client):
                from_client(data, client)

        def from_client(data: bytes, client: Any) -> None:
            if client in paths:
                ahead, way = paths[client]
                way.carry(data, ahead.sendto)
            elif client in waiting:
                waiting[client].append(data)
            else:
                waiting[client] = [data]
                opening.append(asyncio.ensure_future(open_path(client)))

        opening: list[Any] = []
        front, _ = await loop.create_datagram_endpoint(lambda: _Socket(from_client), local_addr=("127.0.0.1", 0))
        return int(front.get_extra_info("sockname")[1])


def _token(connection: Any) -> dict[str, str]:
    value = connection.headers.get("authorization")
    return {"Authorization": value} if value else {}


class Sky:
    """A relay in a process of its own; `change` makes other weather."""

    def __init__(self, server: str, seed: int = 1, **weather: float) -> None:
        command = [sys.executable, "-m", "spnb.bench.weather", server, "--seed", str(seed)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self.url = self._process.stdout.readline().strip()
        self.change(**weather)

    def change(self, **weather: float) -> None:
        """Make other weather: what is named of `Weather`."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.write(json.dumps(weather) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()
        self._process.wait(20)


@contextlib.contextmanager
def sky(server: str, **weather: float) -> Iterator[Sky]:
    """A relay to `server` with that weather, for a test."""
    made = Sky(server, 1, **weather)
    try:
        yield made
    finally:
        made.close()


@asynccontextmanager
async def _serving(relay: Relay) -> AsyncIterator[str]:
    import uvicorn

    config = uvicorn.Config(relay.app(), log_level="warning", ws="websockets-sansio", lifespan="off")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))  # who comes before it serves waits there
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await task


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("--seed", type=int, default=1)
    for name in Weather.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=float, default=getattr(Weather, name))
    args = vars(parser.parse_args())
    relay = Relay(args.pop("server"), Weather(), args.pop("seed"))
    relay.weather = Weather(**args)
    async with _serving(relay) as url:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        while line := await asyncio.to_thread(sys.stdin.readline):
            relay.weather = replace(relay.weather, **json.loads(line))


if __name__ == "__main__":
    asyncio.run(main())
