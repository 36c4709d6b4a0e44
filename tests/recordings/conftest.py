"""A server of files that behaves as badly as it is told, and recorded rooms in the real sandbox."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

import spnb
from tests.conftest import RunningSandbox
from tests.recordings.planted import film, plant


class Cdn:
    """Serves `content` under any path, with ranges; what goes wrong is set by the test."""

    def __init__(self) -> None:
        self.content = bytes(range(256)) * 4096
        self.etag = '"one"'
        self.cuts: list[int] = []
        """After how many bytes each of the next answers breaks off."""
        self.answers: list[Response] = []
        """What the next requests get instead of the file."""
        self.ranges = True
        self.lengths = True
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.served = 0
        self.url = ""
        self._server: uvicorn.Server | None = None

    async def serve(self, request: Request) -> Response:
        self.asked.append(dict(request.headers))
        if self.answers:
            return self.answers.pop(0)
        start, total = 0, len(self.content)
        end = total
        status = 200
        headers = {"ETag": self.etag} if self.etag else {}
        headers |= self.headers
        wanted = request.headers.get("range", "")
        same = request.headers.get("if-range", self.etag) == self.etag
        if self.ranges and same and wanted.startswith("bytes="):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1, total) if last else total
            if start >= total:
                return PlainTextResponse("", 416, {"Content-Range": f"bytes */{total}"})
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{total}"
            status = 206
        if self.lengths:
            headers["Content-Length"] = str(end - start)
        cut = self.cuts.pop(0) if self.cuts and wanted != "bytes=0-0" else None

        async def body() -> AsyncIterator[bytes]:
            stop = end if cut is None else min(end, start + cut)
            for at in range(start, stop, 16384):
                piece = self.content[at : min(at + 16384, stop)]
                self.served += len(piece)
                yield piece
            if cut is not None:
                raise ConnectionAbortedError("cut on purpose")

        return StreamingResponse(body(), status, headers, media_type="video/mp4")

    def start(self) -> None:
        app = Starlette(routes=[Route("/{path:path}", self.serve)])
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)  # type: ignore[union-attr]
        self._thread.start()
        ready = threading.Event()
        while not self._server.started:
            ready.wait(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(10)

    def redirect(self, *targets: str) -> None:
        """The next requests are sent elsewhere."""
        self.answers += [RedirectResponse(target, 302) for target in targets]


@pytest.fixture(scope="session")
def cdn_server() -> Iterator[Cdn]:
    made = Cdn()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def cdn(cdn_server: Cdn) -> Cdn:
    """The server, well-behaved again."""
    url, server, thread = cdn_server.url, cdn_server._server, cdn_server._thread
    cdn_server.__init__()  # type: ignore[misc]
    cdn_server.url, cdn_server._server, cdn_server._thread = url, server, thread
    return cdn_server


@pytest_asyncio.fixture
async def sp(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("recordist", url=sandbox.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two films whose pictures are numbered through: 0 to 99, and 100 to 174."""
    folder = tmp_path_factory.mktemp("films")
    return [film(folder / "one.mp4", 4), film(folder / "two.mp4", 3, first=100)]


@pytest_asyncio.fixture
async def recorded_room(sp: Any, sandbox: RunningSandbox, films: list[Path]) -> Any:
    """A recorded room with two files of 4 and 3 s, of the recordist's."""
    room = await sp.rooms.create("Two <b>parts</b>/..")
    plant(sandbox, room.room_id, films)
    return room
