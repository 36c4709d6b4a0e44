"""A sandbox that was killed and comes back elsewhere: every notebook finds it, and keeps it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import spnb
from spnb.errors import Unreachable
from spnb.models import Room
from spnb.sandbox import running
from spnb.sandbox.control import lease
from tests.live.conftest import until
from tests.sandbox.test_process import joiner, line_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of this test's own for the shared sandbox, which ends with it."""
    monkeypatch.setenv("SPNB_HOME", str(tmp_path))
    yield tmp_path
    pid = running().pid
    lease._leases.pop(tmp_path).close()
    psutil.Process(pid).wait(60)


def leases() -> int:
    info = running()
    told = httpx.get(
        f"{info.url}/sandbox/info", headers={"X-API-Key": info.api_key}, trust_env=False, timeout=60
    ).json()
    return int(told["leases"])


async def test_it_is_found_at_its_new_address_and_held_there(home: Path) -> None:
    sp = await spnb.connect_async(sandbox=True)
    room = await sp.rooms.create("Before")
    heard: list[Room] = []
    room.observe(heard.append)
    await until(lambda: sp.realtime.state == "connected")
    first = running()
    os.kill(first.pid, signal.SIGKILL)
    psutil.Process(first.pid).wait(60) if psutil.pid_exists(first.pid) else None
    await until(lambda: sp.realtime.state == "away")
    with pytest.raises(Unreachable, match=r"your sandbox does not run; spnb\.connect\(\) starts it"):
        await sp.rooms.get(room.room_id)
    port = int(first.url.rpartition(":")[2])
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        other = joiner(home)
        pid, url = line_of(other)
    assert url != first.url
    assert (await sp.rooms.get(room.room_id)).title == "Before"
    assert sp.endpoints.rest == url
    await until(lambda: sp.realtime.state == "connected", 60)
    await sp.rooms.update(room.room_id, title="After")
    await until(lambda: heard and heard[-1].title == "After", 60)
    await until(lambda: leases() == 2, 60)
    assert other.stdin is not None
    other.stdin.close()
    other.wait(60)
    await until(lambda: leases() == 1, 60)
    assert running().pid == int(pid), "it is held by who found it again"
    await sp.aclose()
