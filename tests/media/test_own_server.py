"""A real livekit-server by one word: chosen, started, configured, watched and ended by the sandbox."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from livekit import rtc

import spnb
from spnb.errors import SandboxError
from spnb.sandbox.livekit.choice import Deployment, Embedded, OwnServer, choose
from spnb.sandbox.livekit.own_server import LiveKitServer
from tests.conftest import RunningSandbox, start_sandbox
from tests.media.conftest import livekit_binary
from tests.recorder.test_recorder import numbers_in

KEYS = {"LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s" * 40}


def program(folder: Path, name: str = "livekit-server", text: str = "#!/bin/sh\necho no >&2\nexit 3\n") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_one_word_chooses_the_server(tmp_path: Path) -> None:
    binary = program(tmp_path)
    on_path = {"PATH": str(tmp_path)}
    address = {**KEYS, "LIVEKIT_URL": "ws://there"}
    assert choose("", on_path) == Embedded(), "a server that happens to be installed surprises nobody"
    assert choose("", address) == Deployment("ws://there", "k", "s" * 40)
    assert choose("embedded", address) == Embedded()
    assert choose("", {**address, "SPNB_LIVEKIT": "embedded"}) == Embedded()
    assert choose("auto", on_path) == OwnServer(binary)
    assert choose("auto", {"PATH": ""}) == Embedded()
    assert choose("auto", {"PATH": "", "SPNB_LIVEKIT_SERVER": str(binary)}) == OwnServer(binary)
    assert choose("", {**on_path, "SPNB_LIVEKIT": "auto"}) == OwnServer(binary)
    assert choose(str(binary), {}) == OwnServer(binary)
    assert choose("livekit-server", on_path) == OwnServer(binary)
    assert choose("wss://live.example/", KEYS) == Deployment("wss://live.example", "k", "s" * 40)
    assert "s" * 40 not in repr(choose("wss://live.example", KEYS))


@pytest.mark.parametrize(
    ("word", "environ", "why"),
    [
        ("ws://there", {}, "LIVEKIT_API_KEY and LIVEKIT_API_SECRET"),
        ("/no/such/program", {}, "no program that can be run"),
        ("auto", {"SPNB_LIVEKIT_SERVER": "/no/such/program"}, "SPNB_LIVEKIT_SERVER"),
    ],
)
def test_a_word_that_leads_nowhere_says_so(word: str, environ: dict[str, str], why: str) -> None:
    with pytest.raises(SandboxError, match=why):
        choose(word, {"PATH": "", **environ})


def test_a_server_that_does_not_come_up_is_told_with_its_own_words(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spnb.sandbox", "--data-dir", str(tmp_path / "data"), "--livekit"]
    for word, why in ((str(program(tmp_path)), "no"), ("/no/such/program", "no program that can be run")):
        ended = subprocess.run([*command, word], capture_output=True, text=True, timeout=150)
        assert ended.returncode == 2
        assert why in ended.stderr
        assert "Traceback" not in ended.stderr


def servers_below(process: int) -> list[psutil.Process]:
    """The livekit-server processes that a process has started."""
    name = livekit_binary().name
    below = psutil.Process(process).children(recursive=True)
    return [child for child in below if child.name()[:15] == name[:15] and child.exe() == str(livekit_binary())]


@pytest.fixture
def with_server(tmp_path: Path) -> RunningSandbox:
    return start_sandbox(tmp_path, "--grace", "3", "--livekit", str(livekit_binary()))


async def put_out(url: str, token: str) -> int:
    """Why somebody is put out whose token is good for hours, of a room that is over. livekit-server lets them in, and
    the sandbox, which hears of it, has them leave again."""
    late = rtc.Room()
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    late.on("disconnected", lambda why: told.done() or told.set_result(why))
    await late.connect(url, token)
    async with asyncio.timeout(60):
        return await told


@pytest.mark.media
async def test_the_whole_story_through_a_server_of_the_sandboxs_own(with_server: RunningSandbox) -> None:
    running = with_server
    sp = await spnb.connect_async("host", url=running.url, api_key=running.api_key)
    try:
        (server,) = servers_below(running.process.pid)
        for connection in server.net_connections():
            assert connection.laddr.ip in ("127.0.0.1", ""), "it listens beyond loopback"
        assert running.info["livekit"] != running.url.replace("http", "ws")
        assert not any("sandbox:" in word or "secret" in word for word in server.cmdline())
        room = await sp.rooms.create("Through a real server")
        kept = await room.broadcaster_data()
        show = await room.go_live(spnb.TestCard(640, 360))
        await room.until("live", timeout=60)
        await show.wait_ended(3)
        await show.stop()
        recording = await room.recording(timeout=60)
        (path,) = await recording.download(running.data_dir, name="made", progress=False)
        numbers = [number for _, number in numbers_in(path) if number is not None]
        assert numbers, "nothing of it can be read"
        assert numbers == sorted(numbers)
        assert await put_out(str(kept.co_host_url), str(kept.co_host_token)) == rtc.DisconnectReason.ROOM_DELETED
        assert (await room.refresh()).status == "recorded"
    finally:
        await sp.aclose()
        running.stop()
    assert running.process.returncode == 0
    assert not server.is_running()


@pytest.mark.parametrize("kill", [False, True])
def test_it_ends_with_the_sandbox_also_when_that_is_killed(with_server: RunningSandbox, *, kill: bool) -> None:
    (server,) = servers_below(with_server.process.pid)
    with_server.stop(kill=kill)
    server.wait(60)


async def test_a_server_that_dies_is_started_again_on_its_ports(tmp_path: Path) -> None:
    server = LiveKitServer(livekit_binary(), "key", "s" * 40, webhook=None, log_path=tmp_path / "livekit.log")
    others = servers_below(os.getpid())
    await server.start()
    try:
        address = server.url
        (first,) = set(servers_below(os.getpid())) - set(others)
        first.send_signal(signal.SIGKILL)
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client, asyncio.timeout(60):
            while True:
                try:
                    if (await client.get(f"http{address[2:]}/")).is_success and not first.is_running():
                        break
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
        assert server.url == address
    finally:
        await server.aclose()
    assert servers_below(os.getpid()) == others
