"""What was found shut stays shut, door by door: each route there is, asked with a wrong host, from a page elsewhere,
without a token, and with ids and words that want to be something else."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from starlette.routing import BaseRoute, Route, WebSocketRoute

from spnb.sandbox.server.app import Sandbox
from spnb.sandbox.server.settings import SandboxSettings
from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller

Door = tuple[str, str]
"""Method and path; `WS` for a WebSocket."""

SIGNED = {("GET", "/media/{ticket}/{room_id}/{scope}/{name}"), ("HEAD", "/media/{ticket}/{room_id}/{scope}/{name}")}
"""Played media: the signed address is the secret itself, whatever the host is called."""
OPEN = {("GET", "/sandbox/proof"), ("HEAD", "/sandbox/proof")}
"""Answers a challenge, which tells nothing to who does not know the key."""
NOTHING_THERE = {"/files/{fileId}", "/exports/{name}.csv", "/rtc/v1", "/rtc/v1/validate", "/twirp/{path:path}"}
"""A file or an export by an id that cannot be guessed, and calls that are none as they are asked here."""
FIRST_WORD = {"/mqtt", "/sandbox/publish"}
"""Who one is stands in the first message of a WebSocket, not in its handshake, whose address is logged."""
STRANGE = (
    "' OR '1'='1",
    '" OR ""="',
    "x'; DROP TABLE rooms; --",
    "x) UNION SELECT token FROM sessions --",
    "../../sandbox.sqlite",
    "..%2f..%2fsandbox.sqlite",
    "%00",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "*",
    "%",
    "_",
)
"""Ids that want to be SQL, a path, markup, or all of them."""


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> list[Door]:
    """All routes of a sandbox, as its app has them."""

    async def made() -> Sandbox:
        return Sandbox(SandboxSettings(data_dir=tmp_path_factory.mktemp("doors"), livekit="embedded"), 1)

    sandbox = asyncio.run(made())
    app = sandbox.app
    while not hasattr(app, "routes"):
        inner = getattr(app, "_app", None)
        app = inner if inner is not None else inspect.getclosurevars(app).nonlocals["app"]
    sandbox.store.close()
    found = list(all_of(app.routes))
    assert len(found) > 250
    return found


def all_of(routes: list[BaseRoute]) -> Iterator[Door]:
    for route in routes:
        if isinstance(route, WebSocketRoute):
            yield "WS", route.path
        else:
            assert isinstance(route, Route), "a new kind of route has doors too: list them here"
            yield from ((method, route.path) for method in sorted(route.methods or ()))


def filled(path: str, word: str = "x") -> str:
    """The path with `word` for each id in it."""
    parts = (quote(word, safe="%") if part.startswith("{") else part for part in path.split("/"))
    return "/".join(parts)


def knock(sandbox: RunningSandbox, door: Door, headers: dict[str, str], word: str = "x") -> tuple[int, bytes]:
    """Status and body of an answer to a request that is sent as it is."""
    method, path = door
    host = sandbox.url.removeprefix("http://")
    lines = {"Host": host, "Connection": "close", "Content-Length": "2", "Content-Type": "application/json", **headers}
    if method == "WS":
        method = "GET"
        del lines["Content-Length"]
        lines |= {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        lines |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "mqtt"}
    head = "\r\n".join([f"{method} {filled(path, word)} HTTP/1.1", *(f"{k}: {v}" for k, v in lines.items()), "", ""])
    name, port = host.split(":")
    with socket.create_connection((name, int(port)), timeout=60) as connection:
        connection.sendall(head.encode() + (b"{}" if "Content-Length" in lines else b""))
        answer = bytearray()
        while b"\r\n\r\n" not in answer or lines["Connection"] != "Upgrade":
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
    return int(answer.split(b" ", 2)[1]), bytes(answer)


def let_in(sandbox: RunningSandbox, doors: list[Door], headers: dict[str, str], *, shut: set[int]) -> list[str]:
    """The doors that answer with another status than those."""
    answers = ((door, knock(sandbox, door, headers)[0]) for door in doors)
    return [f"{method} {path}: {status}" for (method, path), status in answers if status not in shut]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
def test_no_door_opens_for_another_host_name(sandbox: RunningSandbox, doors: list[Door], host: str) -> None:
    mine = {"Host": host, "X-API-Key": sandbox.api_key}
    assert not let_in(sandbox, [door for door in doors if door not in SIGNED], mine, shut={403})
    assert not let_in(sandbox, sorted(SIGNED), mine, shut={403, 404})


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_no_door_opens_for_a_page_from_elsewhere(sandbox: RunningSandbox, doors: list[Door], origin: str) -> None:
    assert not let_in(sandbox, doors, {"Origin": origin, "X-API-Key": sandbox.api_key}, shut={403})


@pytest.mark.parametrize("bearer", ["", "Bearer x", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJob3N0In0."])
def test_no_door_opens_without_who_one_is(sandbox: RunningSandbox, doors: list[Door], bearer: str) -> None:
    headers = {"Authorization": bearer} if bearer else {}
    closed = [door for door in doors if door not in OPEN | SIGNED and door[1] not in NOTHING_THERE | FIRST_WORD]
    assert not let_in(sandbox, closed, headers, shut={401, 403, 415})
    assert not let_in(sandbox, [door for door in doors if door[1] in NOTHING_THERE], headers, shut={400, 404})
    assert not let_in(sandbox, sorted(SIGNED), headers, shut={403, 404})


@pytest.mark.parametrize("word", STRANGE)
def test_no_id_is_more_than_an_id(sandbox: RunningSandbox, doors: list[Door], word: str) -> None:
    """Nothing is found by it, nothing breaks, and nothing of the database or of the disk is in the answer."""
    caller = Caller(sandbox)
    mine = {"Authorization": caller.http.headers["Authorization"]}
    broken = []
    for door in doors:
        if "{" not in door[1] or door[0] == "WS":
            continue
        status, answer = knock(sandbox, door, mine, word)
        if status >= 500 or b"SQLite format" in answer or b"sqlite3" in answer or b"Traceback" in answer:
            broken.append(f"{door}: {status} {answer[:300]!r}")
    assert not broken
    assert caller.get("/api/v1/rooms")["rooms"] is not None, "the tables are there"


def test_words_are_kept_as_they_are_and_found_by_what_they_are(sandbox: RunningSandbox) -> None:
    caller, other = Caller(sandbox), Caller(sandbox)
    rooms = {word: caller.room(word)["roomId"] for word in STRANGE}
    titles = {
        room["roomId"]: room["title"]
        for room in other.get("/api/v1/rooms", sortBy="lastCreated", **{"options[limit]": 100})["rooms"]
    }
    assert {room_id: titles.get(room_id) for room_id in rooms.values()} == {name: word for word, name in rooms.items()}
    for word in STRANGE:
        answer = other.http.get("/api/v3/users", params={"displayName": word, "keyword": word})
        assert answer.status_code < 500, answer.text
        answer = other.http.get("/api/v3/communities", params={"keyword": word})
        assert answer.status_code < 500, answer.text


def test_signed_addresses_open_one_file_each(sandbox: RunningSandbox) -> None:
    """No ticket, a ticket of another room, or a name that leads elsewhere: nothing, and the same words for all."""
    names = ("index.m3u8", "../../sandbox.sqlite", "..%2f..%2fsandbox.sqlite", "%2e%2e/x", "/etc/passwd", "a\\b", "%00")
    tickets = ("x", "0.0", "9999999999.", "9" * 30, "-1.x", "1e99.x")
    with httpx.Client(base_url=sandbox.url, trust_env=False, timeout=60) as http:
        for ticket in tickets:
            for name in names:
                for scope in ("live", "recording", ".."):
                    answer = http.get(f"/media/{ticket}/room/{scope}/{name}")
                    assert answer.status_code in (400, 401, 403, 404, 405), answer.url
                    assert b"SQLite" not in answer.content
                    assert b"root:" not in answer.content
