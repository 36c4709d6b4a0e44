"""Logs turned all the way up tell what was asked, and no signed address."""

from __future__ import annotations

import asyncio
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

import spnb
from spnb._loop import spawn
from spnb.client.discretion import without_secrets
from spnb.client.reach import Reach
from tests.client.conftest import FaultProxy
from tests.conftest import RunningSandbox

SECRET = "s3cret"


def storage(proxy: FaultProxy) -> Any:
    """Answers as a store of signed files does, redirects included."""

    def answer(request: Request) -> Response | None:
        if request.url.path.startswith("/api/v1/rooms/r/recorded"):
            return RedirectResponse(f"{proxy.url}/store/{SECRET}/picture.jpg?Signature={SECRET}")
        if request.url.path == "/first":
            return RedirectResponse(f"{proxy.url}/store/{SECRET}/picture.jpg?Signature={SECRET}&again=1")
        if request.url.path.startswith("/store/"):
            return Response(b"a picture", headers={"x-address": f"https://store/{SECRET}"})
        return None

    return answer


async def test_signed_addresses_are_in_no_log(
    proxy: FaultProxy, sandbox: RunningSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.fault = storage(proxy)
    client = await spnb.connect_async("discreet", url=proxy.url, api_key=sandbox.api_key)
    session = client._session
    caplog.set_level(logging.INFO)
    with caplog.at_level(logging.DEBUG, "httpcore"), caplog.at_level(logging.DEBUG, "httpx"):

        async def fetch() -> list[bytes | None]:
            signed = await session.signed(f"{proxy.url}/api/v1/rooms/r/recorded/p/thumbnail", doing="see")
            assert signed is not None
            assert SECRET in signed
            async with Reach(loopback=True) as reach, reach.ask(f"{proxy.url}/first?token={SECRET}") as answer:
                read = b"".join([chunk async for chunk in answer.body])
            return [await session.fetch(signed), await session.fetch(f"{proxy.url}/first?token={SECRET}"), read]

        assert await asyncio.wrap_future(spawn(fetch())) == [b"a picture"] * 3
    told = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert f'HTTP Request: GET {proxy.url}/api/v1/rooms/r/recorded/p/thumbnail "HTTP/1.1 307' in told[0]
    assert told[1:] == [], "pictures and recordings are fetched by what names no address at all"
    assert "receive_response_headers.complete" in caplog.text
    assert SECRET not in caplog.text
    # What users look for is nobody's either. (The proxy itself logs with httpx too, as others do.)
    assert [user async for user in client.users.query(keyword=SECRET)] == []
    told = [
        record.getMessage() for record in caplog.records if record.name == "httpx" and proxy.url in record.getMessage()
    ]
    assert f'GET {proxy.url}/api/v3/users "HTTP/1.1 200' in told[-1]
    await client.aclose()


async def test_a_repetition_is_told_quietly_and_in_words(
    proxy: FaultProxy, sandbox: RunningSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    client = await spnb.connect_async("repeated", url=proxy.url, api_key=sandbox.api_key)
    left = [503]
    proxy.fault = lambda _request: Response(b"{}", left.pop()) if left else None
    caplog.set_level(logging.INFO)
    assert (await client.users.get("repeated")).user_id == "repeated"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "read the user: ServerFault; again in" in caplog.text
    await client.aclose()


def test_others_log_as_before(caplog: pytest.LogCaptureFixture) -> None:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    caplog.set_level(logging.INFO)
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/mine?key=value"
        assert httpx.get(url, trust_env=False, timeout=60).status_code == 204
    assert url in caplog.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://store.example/a/b.mp4?Signature=s3cret", "https://store.example/…"),
        ("http://[::1]:8000/api/v1/rooms?token=s3cret", "http://[::1]:8000/api/v1/rooms"),
        ("https://user:s3cret@host/x#s3cret", "https://host/…"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert without_secrets(httpx.URL(url)) == shown
