"""A client bounds every answer, and tells all that is odd as an error of its own tree."""

from __future__ import annotations

import asyncio
import gzip
import io
import socket
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import orjson
import psutil
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

import spnb
from spnb.client import session
from spnb.client.answers import plain_text
from spnb.client.retries import Retries
from spnb.errors import BadAnswer, ServiceError, SpnbError
from spnb.recordings.containers import open_local, open_recording
from spnb.recordings.media import probe, read_head
from tests.client.conftest import FaultProxy, serving
from tests.conftest import RunningSandbox

AT_ONCE = Retries(attempts=2, first=0.0, longest=0.0, jitter=0.0)
BOMB = gzip.compress(bytes(64 * 2**20)) * 8  # half a gigabyte of zeros in half a megabyte


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(sandbox: RunningSandbox) -> AsyncIterator[FaultProxy]:
    made = FaultProxy(sandbox.url)
    async with serving(made):
        yield made


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def client(service: FaultProxy, sandbox: RunningSandbox) -> AsyncIterator[Any]:
    service.fault = lambda _request: None
    connected: Any = await spnb.connect_async("trusting", url=service.url, api_key=sandbox.api_key)
    connected._session.retries = AT_ONCE
    yield connected
    await connected.aclose()


def json(content: Any, **headers: str) -> Response:
    return Response(orjson.dumps(content), media_type="application/json", headers=headers)


def deep(levels: int) -> bytes:
    return b'{"rooms": ' + b"[" * levels + b"]" * levels + b"}"


PORTAL = Response("<!doctype html><title>Sign in</title>", media_type="text/html")
ODD: dict[str, Response] = {
    "a captive portal": PORTAL,
    "a list": json([]),
    "a list of lists": json([[[]]]),
    "null": json(None),
    "a number": json(7),
    "a text": json("x"),
    "an empty object": json({}),
    "null for a list": json({"rooms": None, "users": None, "messages": None, "paging": None}),
    "an object for a list": json({"rooms": {"a": 1}, "users": {}, "channels": {}, "messages": {}, "posts": {}}),
    "numbers for records": json({"rooms": [1], "users": [2], "channels": [3], "messages": [4], "posts": [5]}),
    "odd kinds": json({"rooms": [{"roomId": {}, "status": [], "participants": 5}], "paging": "x", "count": "many"}),
    "edge times": json({"rooms": [{"roomId": "r", "createdAt": "9999-12-31T23:59:59-14:00"}], "count": -1}),
    "deep": Response(deep(500), media_type="application/json"),
    "deeper": Response(deep(100_000), media_type="application/json"),
    "no UTF-8": Response(b'{"rooms": "\xff"}', media_type="application/json"),
    "cut": Response(b'{"rooms": [', media_type="application/json"),
    "a bomb": Response(BOMB, media_type="application/json", headers={"Content-Encoding": "gzip"}),
    "packed otherwise": Response(b"x", headers={"Content-Encoding": "br"}),
    "packed in words only": Response(b"no gzip", headers={"Content-Encoding": "gzip"}),
    "away": Response(status_code=302, headers={"Location": "https://portal.example/sign-in"}),
    "to another port": Response(status_code=307, headers={"Location": "http://127.0.0.1:9/x"}),
    "round and round": Response(status_code=307, headers={"Location": "?again"}),
    "to nonsense": Response(status_code=302, headers={"Location": "http://[::"}),
    "a refusal of nonsense": Response(b"\x1b[2J\x00\xff", status_code=400),
    "a refusal of lists": json([1]),
}
CALLS: dict[str, Any] = {
    "create a room": lambda sp: sp.rooms.create("x", chat=False),
    "read a room": lambda sp: sp.rooms.record("r"),
    "list rooms": lambda sp: sp.rooms.records(statuses=["live"]),
    "what is live": lambda sp: sp.rooms.lives(),
    "stop a room": lambda sp: sp.rooms.stop("r"),
    "broadcaster data": lambda sp: sp.rooms.broadcaster_data("r"),
    "the recording": lambda sp: sp.rooms.recording("r"),
    "count viewers": lambda sp: sp.presence.count("r"),
    "read a channel": lambda sp: sp.channels.get("c"),
    "send a message": lambda sp: sp.messages.send("c", "x"),
    "read a message": lambda sp: sp.messages.get("m"),
    "read a post": lambda sp: sp.posts.get("p"),
    "read a file": lambda sp: sp.files.get("f"),
    "upload": lambda sp: sp.files.upload_image(b"\x89PNG" + bytes(20)),
    "log in": lambda sp: sp.login(),
}


@pytest.mark.parametrize("what", ODD)
async def test_whatever_answers_it_is_an_error_of_the_tree(service: FaultProxy, client: Any, what: str) -> None:
    service.fault = lambda _request: ODD[what]
    before = psutil.Process().memory_info().rss
    try:
        for name, call in CALLS.items():
            words = ""
            try:
                async with asyncio.timeout(60):
                    await call(client)
            except SpnbError as error:
                # Some odd answers make sense to some calls, an empty object say: those raise nothing.
                words = str(error)
            assert "\x1b" not in words, name
            assert "\x00" not in words, name
            assert len(words) < 1000, name
    finally:
        service.fault = lambda _request: None
    assert psutil.Process().memory_info().rss - before < 300 * 2**20


async def test_a_sign_in_page_is_called_what_it_is(service: FaultProxy, client: Any) -> None:
    service.fault = lambda _request: PORTAL
    with pytest.raises(BadAnswer, match="sign-in"):
        await client.rooms.record("r")
    service.fault = lambda _request: ODD["away"]
    with pytest.raises(BadAnswer, match="not followed"):
        await client.rooms.record("r")
    service.fault = lambda _request: None


async def test_the_token_follows_no_redirect_away(service: FaultProxy, client: Any) -> None:
    heard: list[str] = []

    async def thief(request: Request) -> Response:
        heard.append(request.headers.get("authorization", ""))
        return json({"rooms": []})

    other = FaultProxy("http://127.0.0.1:9")
    other.handle = thief  # type: ignore[method-assign]
    async with serving(other):
        for status in (301, 302, 303, 307, 308):
            service.fault = lambda request, status=status: Response(  # type: ignore[misc]
                status_code=status, headers={"Location": f"{other.url}{request.url.path}"}
            )
            with pytest.raises(ServiceError):
                await client.rooms.record("r")
    service.fault = lambda _request: None
    assert heard == []


async def test_an_endless_answer_has_an_end(service: FaultProxy, client: Any) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"rooms": ["'
        for _ in range(1500):  # far beyond what is taken
            yield b"x" * 65536

    service.fault = lambda _request: StreamingResponse(endless(), media_type="application/json")
    with pytest.raises(BadAnswer, match="over"):
        await client.rooms.record("r")
    assert await client._session.fetch(f"{service.url}/thumbnail") is None
    service.fault = lambda _request: None


async def test_an_answer_that_drips_has_an_end(
    service: FaultProxy, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, and the whole never."""
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.5)

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.02)

    service.fault = lambda _request: StreamingResponse(dripping(), media_type="application/json")
    async with asyncio.timeout(60):
        with pytest.raises(SpnbError, match="did not answer in time"):
            await client.rooms.record("r")
        assert await client._session.fetch(f"{service.url}/thumbnail") is None
    service.fault = lambda _request: None


async def test_a_bomb_is_never_unpacked(service: FaultProxy, client: Any) -> None:
    service.fault = lambda _request: ODD["a bomb"]
    tracemalloc.start()
    with pytest.raises(BadAnswer, match="over"):
        await client.rooms.record("r")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    service.fault = lambda _request: None
    assert peak < 160 * 2**20, "it holds half a gigabyte"


async def test_pictures_are_fetched_from_where_it_is_safe(client: Any) -> None:
    # The service runs here, so loopback may be asked; its neighbours and other schemes may not.
    for address in (
        "http://169.254.169.254/latest/meta-data",
        "http://192.168.0.1/x",
        "file:///etc/passwd",
        "http://user:pass@127.0.0.1/x",
        "gopher://127.0.0.1/",
        "nonsense",
    ):
        assert await client._session.fetch(address) is None


def test_words_of_the_service_are_one_plain_line() -> None:
    assert plain_text("a\x1b[2J\nb\u202egnp.exe\x00") == "a [2J b gnp.exe"
    assert len(plain_text("x" * 10_000)) == 301
    assert plain_text(None) == "None"


SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    b"m=video 40000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
)
TEXTS: dict[str, bytes] = {
    "session description": SDP,
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:PORT/seen.ts\n#EXT-X-ENDLIST\n",
    "playlist of files": b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "list": b"ffconcat version 1.0\nfile http://127.0.0.1:PORT/seen.mp4\n",
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nx\n",
    "script": b"<?xml version='1.0'?><MPD><Period/></MPD>",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_no_text_opens_anything(tmp_path: Path, kind: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.2)
        content = TEXTS[kind].replace(b"PORT", str(listener.getsockname()[1]).encode())
        mine = psutil.Process()
        before = {connection.laddr for connection in mine.net_connections("udp") if connection.laddr}
        path = tmp_path / "recording.mp4"
        path.write_bytes(content)
        for opened in (lambda: open_recording(path), lambda: open_recording(io.BytesIO(content))):
            with pytest.raises(av.FFmpegError):
                opened()
        assert read_head(io.BytesIO(content)) is None
        with pytest.raises(SpnbError):
            probe(path)
        if kind != "subtitles":
            with pytest.raises(av.FFmpegError), open_local(path) as container:
                list(container.demux())
        assert {connection.laddr for connection in mine.net_connections("udp") if connection.laddr} <= before
        with pytest.raises(TimeoutError):
            listener.accept()


def test_recordings_are_opened_still(tmp_path: Path) -> None:
    path = tmp_path / "made.mp4"
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            for coded in stream.encode(av.VideoFrame(64, 48, "yuv420p")):
                made.mux(coded)
        for coded in stream.encode():
            made.mux(coded)
    assert probe(path).video_frames == 5
    assert read_head(io.BytesIO(path.read_bytes())) is not None
    with open_local(path) as container:
        assert container.streams.video
