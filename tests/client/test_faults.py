"""What networks and services do to requests, and what the client makes of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import subprocess
import sys
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import spnb
from spnb.client.retries import Retries
from spnb.client.session import Session
from spnb.config import Credentials, Endpoints
from spnb.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    ServerFault,
    Unauthorized,
    Unreachable,
)
from tests.client.conftest import Fault, FaultProxy
from tests.conftest import RunningSandbox


def error(status: int, code: int, message: str = "told", **headers: str) -> Response:
    body = {"status": "error", "code": code, "message": message, "data": {"detail": ["why"]}}
    return JSONResponse(body, status, headers=headers)


def first(times: int, answer: Any, *, method: str | None = None, path: str | None = None) -> Fault:
    """The fault for the first `times` matching requests."""
    left = times

    def fault(request: Request) -> Any:
        nonlocal left
        if (method and request.method != method) or (path and request.url.path != path) or left <= 0:
            return None
        left -= 1
        return answer

    return fault


async def test_a_few_server_faults_are_survived(faulty: Any, proxy: FaultProxy) -> None:
    proxy.fault = first(3, error(503, 500000), path="/api/v3/users/faulty")
    assert (await faulty.users.get("faulty")).user_id == "faulty"
    assert proxy.calls("GET", "/api/v3/users/faulty") == 4


async def test_retries_are_bounded_and_the_error_tells(faulty: Any, proxy: FaultProxy) -> None:
    proxy.fault = first(99, error(500, 500000, "out of order"))
    with pytest.raises(ServerFault, match=r"could not read the user: out of order \(why\)") as caught:
        await faulty.users.get("faulty")
    assert (caught.value.status, caught.value.code) == (500, 500000)
    assert proxy.calls("GET", "/api/v3/users/faulty") == 5


async def test_a_rate_limit_is_waited_out_as_it_asks(
    faulty: Any, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="spnb.client.retries")
    proxy.fault = first(1, error(429, 400311, **{"Retry-After": "0.2"}), method="POST", path="/api/v1/rooms")
    room = await faulty.rooms.create("After the wait")
    assert room.title == "After the wait"
    assert proxy.calls("POST", "/api/v1/rooms") == 2
    assert [record.message for record in caplog.records] == ["create the room: RateLimited; again in 0.20 s"]


def test_a_retry_is_no_warning_to_whoever_calls(sandbox: RunningSandbox) -> None:
    program = (
        "import sys, spnb, spnb.errors\n"
        "from spnb.client.retries import Retries\n"
        "sp = spnb.connect('quiet', url=sys.argv[1], api_key=sys.argv[2])\n"
        "sp.asynchronous._session.endpoints = sp.asynchronous._session.endpoints.of_url('http://127.0.0.1:9')\n"
        "sp.asynchronous._session.retries = Retries(first=0.0, longest=0.0, jitter=0.0)\n"
        "try:\n"
        "    sp.users.get('quiet')\n"
        "except spnb.errors.Unreachable:\n"
        "    print('told once')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, sandbox.url, sandbox.api_key], capture_output=True, text=True, check=True
    )
    assert (ran.stdout, ran.stderr) == ("told once\n", "")


async def test_an_endless_rate_limit_is_told(faulty: Any, proxy: FaultProxy) -> None:
    proxy.fault = first(99, error(429, 400311))
    with pytest.raises(RateLimited):
        await faulty.rooms.create("never")


@pytest.mark.parametrize("answer", ["lose", error(500, 500000), error(502, 0)])
async def test_a_create_whose_answer_is_lost_makes_no_twin(
    sandbox: RunningSandbox, proxy: FaultProxy, answer: Any
) -> None:
    client = await spnb.connect_async("careful", url=proxy.url, api_key=sandbox.api_key)
    client._session._http.timeout = 4.0
    proxy.fault = first(1, answer, method="POST", path="/api/v1/rooms")
    title = f"Only one {id(answer)}"
    room = await client.rooms.create(title, metadata={"mine": 1}, chat=False)
    found = [one.room_id async for one in client.rooms.query(page_size=100) if one.title == title]
    assert found == [room.room_id]
    assert room.record.metadata == {"mine": 1}
    assert room.record.key
    proxy.fault = first(1, answer, method="POST", path="/api/v4/posts")
    post = await room.post(text="only one")
    posts = [one async for one in client.posts.query("careful", target_type="user")]
    assert sum(one.key == post.key for one in posts) == 1
    proxy.fault = first(1, answer, method="POST", path="/api/v3/channels")
    chat = await room.open_chat()
    assert chat.channel.channel_id == room.record.live_channel_id
    proxy.fault = first(1, answer, method="POST", path="/api/v5/messages")
    await chat.send("once")
    assert [message.text async for message in chat.history()] == ["once"]
    proxy.fault = first(1, answer, method="POST", path="/api/v3/communities")
    community = await client.communities.create(title)
    names = [one.display_name async for one in client.communities.query(keyword=title)]
    assert names == [title]
    assert community.display_name == title
    await client.aclose()


async def test_a_service_that_stays_away_is_unreachable(faulty: Any, proxy: FaultProxy) -> None:
    proxy.fault = first(99, error(503, 500000))
    with pytest.raises(ServerFault):
        await faulty.rooms.create("never")
    client: spnb.AsyncClient[Any] = spnb.AsyncClient(Endpoints.of_url("http://127.0.0.1:9"), Credentials("key", "user"))
    client._session.retries = Retries(attempts=2, first=0.0)
    with pytest.raises(Unreachable, match="cannot be reached"):
        await client.login()
    await client.aclose()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadRequest), (403, Forbidden), (404, NotFound), (409, Conflict), (422, BadRequest), (418, BadRequest)],
)
async def test_each_status_has_its_error(faulty: Any, proxy: FaultProxy, status: int, kind: type[Exception]) -> None:
    proxy.fault = first(1, error(status, 123456))
    with pytest.raises(kind) as caught:
        await faulty.users.get("x")
    assert caught.value.code == 123456  # type: ignore[attr-defined]


async def test_answers_that_are_no_json_are_told_too(faulty: Any, proxy: FaultProxy) -> None:
    proxy.fault = first(1, Response("<h1>gateway</h1>", 404))
    with pytest.raises(NotFound, match="gateway"):
        await faulty.users.get("x")
    proxy.fault = first(1, Response("[]", 403, media_type="application/json"))
    with pytest.raises(Forbidden, match="HTTP 403"):
        await faulty.users.get("x")


async def test_many_refusals_at_once_lead_to_one_login(faulty: Any, proxy: FaultProxy) -> None:
    old = await faulty.access_token()

    def fault(request: Request) -> Response | None:
        expired = request.headers.get("authorization") == f"Bearer {old}"
        return error(401, 400100) if expired else None

    proxy.fault = fault
    users = await asyncio.gather(*(faulty.users.get("faulty") for _ in range(20)))
    assert {user.user_id for user in users} == {"faulty"}
    assert proxy.calls("POST", "/api/v5/sessions") == 1


async def test_a_session_that_is_refused_again_is_told(faulty: Any, proxy: FaultProxy) -> None:
    proxy.fault = first(99, error(401, 400100, "gone"), method="GET")
    with pytest.raises(Unauthorized, match="log in again"):
        await faulty.users.get("faulty")
    assert proxy.calls("POST", "/api/v5/sessions") == 1


async def test_the_session_is_renewed_at_four_fifths_of_its_life(sandbox: RunningSandbox) -> None:
    now = [dt.datetime.now(dt.UTC)]
    session = Session(Endpoints.of_url(sandbox.url), Credentials(sandbox.api_key, "renewed"), clock=lambda: now[0])
    token = await session.token()
    now[0] += dt.timedelta(days=30) * 0.79
    assert await session.token() == token
    now[0] += dt.timedelta(days=30) * 0.02
    renewed = await session.token()
    assert renewed != token
    assert await session.token() == renewed
    await session.aclose()
    with pytest.raises(Unreachable, match="closed"):
        await session.request("GET", "/api/v3/users/x", doing="read")


async def test_nothing_secret_is_told(faulty: Any, proxy: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = await faulty.access_token()
    key = faulty._credentials.api_key
    proxy.fault = first(99, error(500, 500000))
    with pytest.raises(ServerFault) as caught:
        await faulty.users.get("faulty")
    proxy.fault = first(99, error(401, 400100))
    with pytest.raises(Unauthorized) as refused:
        await faulty.login()
    room = spnb.models.Room.model_validate({"roomId": "r", "livePlaybackUrl": "http://x/secret"})
    told = [repr(faulty), repr(faulty.sync), str(caught.value), repr(caught.value), str(refused.value), repr(room)]
    for text in (*told, caplog.text):
        assert token not in text
        assert key not in text


async def test_an_upload_too_large_or_no_image_is_not_sent(faulty: Any, proxy: FaultProxy, tmp_path: Any) -> None:
    for image, why in ((b"\x89PNG" + bytes(2_000_001), "2,000,005"), (b"<svg>", "no PNG")):
        with pytest.raises(InvalidInput, match=why):
            await faulty.files.upload_image(image)
    with pytest.raises(InvalidInput, match="cannot be read"):
        await faulty.files.upload_image(tmp_path / "none.png")
    assert not proxy.seen


def test_a_client_that_is_closed_in_the_middle_says_nothing(sandbox: RunningSandbox) -> None:
    """What the broker answers to a connection that is being left is no error of the user's."""
    program = (
        "import asyncio, sys, threading, spnb\n"
        "from spnb._loop import run\n"
        "for _ in range(12):\n"
        "    sp = spnb.connect('leaver', url=sys.argv[1], api_key=sys.argv[2])\n"
        "    room, there = sp.rooms.create('Left', chat=False), threading.Event()\n"
        "    sp.asynchronous.realtime.on_state(lambda state: state == 'connected' and there.set())\n"
        "    end = room.observe(lambda _record: None)\n"
        "    assert there.wait(60)\n"
        "    end()\n"
        "    run(asyncio.sleep(0))\n"
        "    sp.close()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, sandbox.url, sandbox.api_key], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
