"""Floods of each kind from one client: what they cost the sandbox, and everybody else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx

from spnb.bench.figures import Figure, at_most, quantile
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

__all__ = ["floods"]

ASKED = 200
PAUSE = 0.01
"""Seconds between two calls of somebody else, who is measured: as often as a lively client."""
MEGABYTE = 2**20
Flood = Callable[[OwnSandbox, threading.Event], list[socket.socket]]


def floods() -> Iterator[Figure]:
    """Memory, and the 95th percentile of another user's calls, before and during each flood."""
    for name, flood in FLOODS.items():
        with own_sandbox(rate_limit=True) as sandbox, _other(sandbox) as other:
            before = sandbox.resident_megabytes()
            calm = quantile(_waits(other), 0.95)
            over = threading.Event()
            held: list[socket.socket] = []
            flooding = threading.Thread(target=_flooded, args=(flood, sandbox, over, held))
            flooding.start()
            stirred = quantile(_waits(other), 0.95)
            over.set()
            flooding.join()
            grown = sandbox.resident_megabytes() - before
            for connection in held:
                connection.close()
            note = f"p95 {calm * 1000:.1f} → {stirred * 1000:.1f} ms"
            yield at_most(f"{name}: memory", grown, 20, "MB", f"from {before:.0f} MB")
            yield at_most(f"{name}: others' p95", (stirred - calm) * 1000, 50, "ms", note)


def _flooded(flood: Flood, sandbox: OwnSandbox, over: threading.Event, held: list[socket.socket]) -> None:
    held += flood(sandbox, over)


@contextlib.contextmanager
def _other(sandbox: OwnSandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.info["url"], trust_env=False, timeout=60) as http:
        http.headers["Authorization"] = f"Bearer {_token(sandbox, 'somebody else')}"
        for _ in range(50):  # what is made at the first calls is no growth
            http.get("/api/v3/sessions")
            time.sleep(PAUSE)
        yield http


def _token(sandbox: OwnSandbox, user_id: str) -> str:
    answer = httpx.post(
        f"{sandbox.info['url']}/api/v5/sessions",
        json={"userId": user_id, "deviceId": user_id},
        headers={"X-API-Key": sandbox.info["apiKey"]},
        trust_env=False,
    )
    return str(answer.raise_for_status().json()["accessToken"])


def _waits(other: httpx.Client) -> list[float]:
    waits = []
    for _ in range(ASKED):
        began = time.perf_counter()
        other.get("/api/v3/sessions")
        waits.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    return waits


def _connected(sandbox: OwnSandbox) -> socket.socket:
    parts = urlsplit(sandbox.info["url"])
    return socket.create_connection((str(parts.hostname), int(parts.port or 80)), timeout=60)


def _head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", "")).encode()


def _half_open(sandbox: OwnSandbox, _over: threading.Event) -> list[socket.socket]:
    return [_connected(sandbox) for _ in range(700)]


def _not_logged_in(sandbox: OwnSandbox, _over: threading.Event) -> list[socket.socket]:
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt")
    opened = []
    for _ in range(200):
        opened.append(_connected(sandbox))
        opened[-1].sendall(_head("GET", "/mqtt", *upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
    return opened


def _bodies(sandbox: OwnSandbox, _over: threading.Event) -> list[socket.socket]:
    key = f"X-API-Key: {sandbox.info['apiKey']}"
    opened = []
    for _ in range(100):
        opened.append(_connected(sandbox))
        opened[-1].sendall(_head("POST", "/api/v5/sessions", "Content-Length: 250000", key) + b"x" * 60_000)
    return opened


def _headers(sandbox: OwnSandbox, _over: threading.Event) -> list[socket.socket]:
    opened = []
    for _ in range(30):
        opened.append(_connected(sandbox))
        with contextlib.suppress(OSError):
            for _ in range(40):
                opened[-1].sendall(b"GET / HTTP/1.1\r\nX-A: " + b"x" * 65_536)
    return opened


def _too_large(sandbox: OwnSandbox, over: threading.Event) -> list[socket.socket]:
    while not over.is_set():
        with _connected(sandbox) as connection, contextlib.suppress(OSError):
            connection.sendall(_head("POST", "/api/v1/rooms", f"Content-Length: {8 * MEGABYTE}"))
            for _ in range(8):
                connection.sendall(bytes(MEGABYTE))
            connection.recv(65_536)
    return []


def _asked(head: Callable[[OwnSandbox], bytes], at_once: int = 1) -> Flood:
    def flood(sandbox: OwnSandbox, over: threading.Event) -> list[socket.socket]:
        request = head(sandbox)
        connection = _connected(sandbox)
        while not over.is_set():
            try:
                connection.sendall(request * at_once)
                connection.recv(MEGABYTE)
            except OSError:
                connection.close()
                connection = _connected(sandbox)
        return [connection]

    return flood


FLOODS: dict[str, Flood] = {
    "half-open connections": _half_open,
    "sockets without login": _not_logged_in,
    "bodies without end": _bodies,
    "headers without end": _headers,
    "bodies that are too large": _too_large,
    "logins without key": _asked(lambda _sandbox: _head("POST", "/api/v5/sessions", "Content-Length: 0")),
    "pipelined calls": _asked(lambda _sandbox: _head("POST", "/api/v5/sessions", "Content-Length: 0"), 2000),
    "calls of one user": _asked(
        lambda sandbox: _head("GET", "/api/v1/rooms", f"Authorization: Bearer {_token(sandbox, 'flood')}")
    ),
}
