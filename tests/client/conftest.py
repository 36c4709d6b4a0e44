"""A real sandbox behind a proxy that can misbehave: real bytes, injected faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import spnb
from spnb.client.retries import Retries
from spnb.live import AsyncLiveRoom
from tests.conftest import RunningSandbox

Fault = Callable[[Request], "Response | str | None"]


class FaultProxy:
    """Passes requests on to the sandbox, unless `fault` says otherwise.

    A fault gives a response to send instead, `"carried out"` to carry the request out and answer 502, `"lose"` to carry
    it out and answer nothing in time, or None to let it pass.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.fault: Fault = lambda _request: None
        self.spoil: Callable[[str, bytes], bytes] = lambda _path, body: body
        """What becomes of the answers that are passed on."""
        self.seen: list[tuple[str, str]] = []
        self.answered: list[int] = []
        """The statuses of what was passed on."""
        self.asked = threading.Event()
        self.url = ""

    def calls(self, method: str, path: str) -> int:
        return sum(one == (method, path) for one in self.seen)

    async def handle(self, request: Request) -> Response:
        self.seen.append((request.method, request.url.path))
        wanted = self.fault(request)
        if isinstance(wanted, Response):
            return wanted
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        async with httpx.AsyncClient(base_url=self.target, trust_env=False, timeout=60) as client:
            answer = await client.request(
                request.method,
                request.scope["raw_path"].decode(),
                params=httpx.QueryParams(request.url.query),
                content=await request.body(),
                headers=headers,
            )
        self.answered.append(answer.status_code)
        self.asked.set()
        if wanted == "carried out":
            return Response("the answer was lost", 502)
        if wanted == "lose":
            await asyncio.sleep(3)
        kept = {
            name: value for name, value in answer.headers.items() if name in ("content-type", "retry-after", "location")
        }
        return Response(self.spoil(request.url.path, answer.content), answer.status_code, kept)


@contextlib.asynccontextmanager
async def serving(proxy: FaultProxy) -> AsyncIterator[None]:
    app = Starlette(routes=[Route("/{path:path}", proxy.handle, methods=["GET", "POST", "PUT", "DELETE"])])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    proxy.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.to_thread(thread.join, 10)


AT_ONCE = Retries(first=0.0, longest=0.0, jitter=0.0)


@pytest_asyncio.fixture
async def proxy(sandbox: RunningSandbox) -> AsyncIterator[FaultProxy]:
    made = FaultProxy(sandbox.url)
    async with serving(made):
        yield made


@pytest_asyncio.fixture
async def faulty(proxy: FaultProxy, sandbox: RunningSandbox) -> AsyncIterator[Any]:
    """A client whose requests go through the proxy; waits between retries are left out."""
    client: spnb.AsyncClient[AsyncLiveRoom] = await spnb.connect_async("faulty", url=proxy.url, api_key=sandbox.api_key)
    client._session.retries = AT_ONCE
    proxy.seen.clear()
    yield client
    await client.aclose()
