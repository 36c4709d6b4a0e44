"""The named road: a sandbox's own socket, and the rules for who comes by it."""

from __future__ import annotations

import importlib.metadata
import stat
import sys
from pathlib import Path

import httpx
import pytest

from spnb.broadcast.signpost import signpost
from spnb.widgets.roads import fetch
from tests.conftest import RunningSandbox, start_sandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets for this")


def by_road(home: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(home / "road.sock")),
        base_url="http://hub.example",
        headers={"Host": "hub.example:8000"},
        timeout=60,
    )


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:  # type: ignore[misc]
    """A sandbox that is this user's own."""
    monkeypatch.setenv("SPNB_HOME", str(tmp_path))
    running = start_sandbox(tmp_path / "data", "--running-file", str(tmp_path / "running.json"))
    yield running  # type: ignore[misc]
    running.stop()
    assert not (tmp_path / "road.sock").exists()


async def test_the_road_leads_to_this_users_sandbox_and_its_end_proves_itself(
    known: RunningSandbox, tmp_path: Path
) -> None:
    [entry] = [
        found for found in importlib.metadata.entry_points(group="jupyter_serverproxy_servers") if found.name == "spnb"
    ]
    named = entry.load()()
    assert Path(named["unix_socket"]) == tmp_path / "road.sock"
    mode = (tmp_path / "road.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert not mode & 0o077

    post = await signpost(known.url)
    assert post is not None
    assert post["answer"]
    async with by_road(tmp_path) as client:
        told = await client.get("/sandbox/proof", params={"challenge": post["challenge"]})
        assert told.json() == {"proof": post["answer"]}
        # The way in is not the right to anything: each call asks for its own key, as on the port.
        assert (await client.get("/sandbox/info")).status_code == 401
        # A page of the very host that was asked for, and no other.
        ours = await client.get("/sandbox/info", headers={"Origin": "https://hub.example:8000"})
        assert ours.status_code == 401
        strange = await client.get("/sandbox/info", headers={"Origin": "https://evil.example"})
        assert strange.status_code == 403
    # The port goes on asking for a loopback name.
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        refused = await client.get(f"{known.url}/sandbox/info", headers={"Host": "hub.example"})
        assert refused.status_code == 403


async def test_an_address_elsewhere_needs_no_signpost_and_a_dumb_one_gives_none() -> None:
    assert await signpost("wss://livekit.example/rtc") is None
    nobody = await signpost("ws://127.0.0.1:9/rtc")
    assert nobody is not None
    assert nobody["answer"] == ""


async def test_messages_bring_what_lies_beside_what_is_played_and_nothing_else(known: RunningSandbox) -> None:
    allowed = f"{known.url}/sandbox/proof?challenge={'0' * 32}"
    status, body, _ = await fetch(allowed, f"/sandbox/proof?challenge={'1' * 32}")
    assert status == 200
    assert b"proof" in body
    for elsewhere in (
        "/api/v3/users",
        "../api/v3/users",
        f"{known.url}/sandbox/../api",
        "http://127.0.0.1:9/sandbox/x",
    ):
        assert await fetch(allowed, elsewhere) == (403, b"", 0)
    assert await fetch("https://example.com/a/b.m3u8", "https://example.com/a/c.ts") == (403, b"", 0)
    ranged, part, _ = await fetch(allowed, allowed, 0, 5)
    assert ranged in (200, 206)
    assert part


async def test_of_a_part_of_a_file_messages_tell_how_much_the_whole_is(tmp_path: Path) -> None:
    from starlette.applications import Starlette
    from starlette.responses import FileResponse
    from starlette.routing import Route

    from spnb.webhooks.server import BackgroundServer

    (tmp_path / "film.mp4").write_bytes(bytes(5000))
    server = BackgroundServer(
        Starlette(routes=[Route("/r/film.mp4", lambda _: FileResponse(tmp_path / "film.mp4"))]), 0
    )
    try:
        address = f"{server.url}/r/film.mp4"
        assert await fetch(address, address, 0, 99) == (206, bytes(100), 5000)
        assert await fetch(address, address) == (200, bytes(5000), 0)
    finally:
        server.stop()
