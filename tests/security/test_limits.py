"""Limits before work: a flood of any kind from one client costs the others next to nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import spnb
from spnb import sandbox as spnb_sandbox
from spnb.sandbox.server import log_size
from tests.conftest import RunningSandbox, start_sandbox
from tests.rest.conftest import Caller
from tests.security.mqtt import RawClient, subscribe_packet

MOST_GROWTH = 20 * 2**20


def raw(sandbox: RunningSandbox) -> socket.socket:
    host, port = sandbox.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def head(sandbox: RunningSandbox, path: str, length: str, *lines: str) -> bytes:
    host = sandbox.url.removeprefix("http://")
    fields = (f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {length}", *lines, "", "")
    return "\r\n".join(fields).encode()


def status_of(connection: socket.socket) -> int:
    return int(connection.recv(65536).split(b" ", 2)[1])


@pytest.fixture(scope="module")
def flooded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    running = start_sandbox(tmp_path_factory.mktemp("flooded"), "--no-rate-limit")
    yield running
    running.stop()


PATHS = (
    "/api/v5/sessions",
    "/api/v5/sessions/visitor",
    "/sandbox/products",
    "/sandbox/livekit-token",
    "/sandbox/faults",
)


@pytest.mark.parametrize("path", PATHS)
def test_the_key_is_checked_before_a_body_is_read(sandbox: RunningSandbox, path: str) -> None:
    with raw(sandbox) as connection:
        connection.sendall(head(sandbox, path, "1000"))  # and not one byte of it
        assert status_of(connection) == 401


def test_a_user_is_checked_before_an_upload_is_read(sandbox: RunningSandbox) -> None:
    with raw(sandbox) as connection:
        connection.sendall(head(sandbox, "/api/v4/images", "1000000", "Content-Type: multipart/form-data; boundary=x"))
        assert status_of(connection) == 401


@pytest.mark.parametrize("length", ["1048577", "99999999999999999999", "999999999999"])
@pytest.mark.parametrize("path", ["/api/v1/rooms", "/sandbox/faults", "/sandbox/livekit/webhook", "/nowhere"])
def test_a_size_is_checked_before_a_body_is_read(sandbox: RunningSandbox, path: str, length: str) -> None:
    with raw(sandbox) as connection:
        connection.sendall(head(sandbox, path, length))
        assert status_of(connection) in (400, 413)


def test_an_upload_is_refused_before_it_is_kept(sandbox: RunningSandbox) -> None:
    caller = Caller(sandbox)
    with raw(sandbox) as connection:
        token = f"Authorization: Bearer {caller.session['accessToken']}"
        kind = "Content-Type: multipart/form-data; boundary=x"
        connection.sendall(head(sandbox, "/api/v4/files", str(65 * 2**20), token, kind))
        assert status_of(connection) == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(80):
            yield b"x" * 2**20

    for path in ("/api/v4/files", "/api/v1/rooms"):
        answer = caller.http.post(path, content=chunks(), headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert answer.status_code in (400, 413, 422)
    assert caller.get("/api/v3/sessions")["success"]


def closed(connection: socket.socket) -> bool:
    """Whether it ends without a word; a reset too is an end, where something was still being said."""
    try:
        return connection.recv(65536) == b""
    except ConnectionError:
        return True


def test_a_request_that_does_not_come_is_not_waited_for(flooded: RunningSandbox) -> None:
    # All at once, so that their waits run side by side.
    silent, begun, trickled, headed, offered, dripping, named = (raw(flooded) for _ in range(7))
    begun.sendall(b"GET /api/v1/ro")
    trickled.sendall(head(flooded, "/api/v5/sessions", "1000", f"X-API-Key: {flooded.api_key}") + b'{"userId"')
    headed.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
    with spnb.connect("slow", url=flooded.url, api_key=flooded.api_key) as sp:
        room = sp.rooms.create("Slow", type="directStreaming")
    ask = f"{flooded.url}/sandbox/rooms/{room.room_id}/ingest"
    told = httpx.post(ask, headers={"X-API-Key": flooded.api_key}, trust_env=False, timeout=60).json()
    encoder = told.get("data", told)
    said = (f"Authorization: Bearer {encoder['streamKey']}", "Content-Type: application/sdp")
    offered.sendall(head(flooded, httpx.URL(encoder["whipUrl"]).path, "1000", *said) + b"v=0")
    # Nor is one that comes byte by byte, be it the headers or the offer.
    dripping.sendall(head(flooded, httpx.URL(encoder["whipUrl"]).path, "1000", *said))
    named.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
    over = threading.Event()
    drops = [threading.Thread(target=drip, args=(one, over)) for one in (dripping, named)]
    for each in drops:
        each.start()
    for connection in (silent, begun, headed, named):
        assert closed(connection)
    assert status_of(trickled) == 408
    assert status_of(offered) == 408, "an encoder's offer too"
    assert status_of(dripping) == 408
    over.set()
    for each in drops:
        each.join()
    for connection in (silent, begun, trickled, headed, offered, dripping, named):
        connection.close()


def drip(connection: socket.socket, over: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not over.wait(1):
            connection.sendall(b"v")


def half_open(sandbox: RunningSandbox) -> list[socket.socket]:
    return [raw(sandbox) for _ in range(700)]


def half_logged_in(sandbox: RunningSandbox) -> list[RawClient]:
    return [RawClient(sandbox.url) for _ in range(200)]


def topics(sandbox: RunningSandbox) -> list[RawClient]:
    client = RawClient.of(Caller(sandbox))
    for start in range(0, 5000, 500):
        client.send(subscribe_packet(*(f"sandbox/room/{number:024d}" for number in range(start, start + 500))))
        assert client.receive() is not None
    client.send(subscribe_packet("sandbox/room/one too many"))
    assert client.receive() is None
    return [client]


def connections(sandbox: RunningSandbox) -> list[RawClient]:
    caller = Caller(sandbox)
    return [RawClient.of(caller) for _ in range(64)]


def bodies(sandbox: RunningSandbox) -> list[socket.socket]:
    opened = []
    for _ in range(100):
        connection = raw(sandbox)
        connection.sendall(head(sandbox, "/api/v5/sessions", "250000", f"X-API-Key: {sandbox.api_key}") + b"x" * 60_000)
        opened.append(connection)
    return opened


def large_requests(sandbox: RunningSandbox) -> list[socket.socket]:
    opened = []
    for _ in range(30):
        connection = raw(sandbox)
        try:
            for _ in range(40):
                connection.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"x" * 65_536)
        except OSError:
            opened.append(connection)
            continue
        opened.append(connection)
    return opened


def pipelined(sandbox: RunningSandbox) -> list[socket.socket]:
    opened = []
    for _ in range(20):
        opened.append(raw(sandbox))
        with contextlib.suppress(OSError):
            opened[-1].sendall(head(sandbox, "/api/v5/sessions", "0") * 20_000)
    return opened


FLOODS: dict[str, Callable[[RunningSandbox], list]] = {  # type: ignore[type-arg]
    "half-open connections": half_open,
    "connections that do not log in": half_logged_in,
    "topics": topics,
    "connections of one user": connections,
    "bodies that do not end": bodies,
    "headers without end": large_requests,
    "requests that wait for others": pipelined,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_costs_the_others_little(
    flooded: RunningSandbox, kind: str, record_property: Callable[..., None]
) -> None:
    other = Caller(flooded)
    for _ in range(50):
        other.get("/api/v1/rooms")
    process = psutil.Process(flooded.process.pid)
    before = process.memory_info().rss
    held = FLOODS[kind](flooded)
    waits = []
    for _ in range(100):
        began = time.perf_counter()
        other.get("/api/v1/rooms")
        waits.append(time.perf_counter() - began)
    grown = process.memory_info().rss - before
    record_property("grown_mb", grown / 2**20)
    record_property("p95_ms", sorted(waits)[94] * 1000)
    assert Caller(flooded).get("/api/v3/sessions")["success"], "newcomers are let in"
    with RawClient.of(Caller(flooded)) as follower:
        follower.subscribe("sandbox")
    for each in held:
        (each.socket if isinstance(each, RawClient) else each).close()
    sys.stderr.write(f"{kind}: {grown / 2**20:.1f} MB, p95 {sorted(waits)[94] * 1000:.1f} ms\n")
    assert grown <= MOST_GROWTH


def test_one_user_has_so_many_connections_and_no_more(flooded: RunningSandbox) -> None:
    caller = Caller(flooded)
    held = [RawClient.of(caller) for _ in range(64)]
    with RawClient(flooded.url) as one_more:
        from tests.security.mqtt import connect_packet

        one_more.send(connect_packet("more", caller.internal_id, caller.session["accessToken"]))
        assert one_more.receive() == bytes((0x20, 2, 0, 5))
    for client in held:
        client.socket.close()


def read_out(connection: ClientConnection) -> None:
    """Read what was said before a connection's end, up to that."""
    for _ in range(100):
        connection.recv(timeout=60)


def test_a_message_that_is_too_large_ends_the_connection(flooded: RunningSandbox) -> None:
    room = Caller(flooded).room()["roomId"]
    wish = {"room": room, "identity": "large", "canPublish": True}
    headers = {"X-API-Key": flooded.api_key}
    answer = httpx.post(
        f"{flooded.url}/sandbox/livekit-token", json=wish, headers=headers, trust_env=False, timeout=60
    ).json()
    doors = {f"ws{flooded.url[4:]}/mqtt": ["mqtt"], f"{answer['url']}/rtc?access_token={answer['token']}": None}
    for address, protocols in doors.items():
        with connect(address, subprotocols=protocols, proxy=None, max_size=None) as socket_:  # type: ignore[arg-type]
            with contextlib.suppress(ConnectionClosed):  # its end may come while it is still being sent
                socket_.send(bytes(8 * 2**20))
            with pytest.raises(ConnectionClosed):
                read_out(socket_)
    assert Caller(flooded).get("/api/v3/sessions")["success"]


def test_a_log_that_has_grown_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    log = tmp_path / "sandbox.log"
    log.write_bytes(b"x" * (log_size.MOST_BYTES + 1))
    spnb_sandbox.start(tmp_path).stop()
    assert log.stat().st_size < 100_000
    assert (tmp_path / "sandbox.log.1").stat().st_size > log_size.MOST_BYTES


def test_the_log_keeps_its_last_part(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.log"
    keep = os.dup(2)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(descriptor, 2)
        os.write(2, b"x" * (log_size.MOST_BYTES + 1))
        assert log_size.shorten(path)
        os.write(2, b"and on\n")
        assert not log_size.shorten(path)
    finally:
        os.dup2(keep, 2)
        os.close(keep)
        os.close(descriptor)
    assert path.read_bytes() == b"and on\n"
    assert (tmp_path / "sandbox.log.1").stat().st_size == log_size.MOST_BYTES + 1
    assert not log_size.shorten(path), "another file than the error stream is left alone"
