"""A sandbox that was killed and comes back elsewhere: every notebook finds it, and keeps it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import spnb
from spnb.broadcast import BroadcastEvent, Reconnected
from spnb.broadcast.sources import TestCard
from spnb.errors import Unreachable
from spnb.models import Room
from spnb.sandbox import SandboxInfo, running
from spnb.sandbox.control import launch, lease
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


def killed(pid: int) -> None:
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    process.wait(60)


def elsewhere(home: Path, url: str) -> tuple[subprocess.Popen[str], str, str]:
    """Another notebook has it started while its port is somebody else's: that notebook, the sandbox's pid, its URL."""
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int(url.rpartition(":")[2])))
        squatter.listen()
        other = joiner(home)
        pid, found = line_of(other)
    return other, pid, found


async def test_it_is_found_at_its_new_address_and_held_there(home: Path) -> None:
    sp = await spnb.connect_async(sandbox=True)
    room = await sp.rooms.create("Before")
    heard: list[Room] = []
    room.observe(heard.append)
    await until(lambda: sp.realtime.state == "connected")
    first = running()
    killed(first.pid)
    await until(lambda: sp.realtime.state == "away")
    with pytest.raises(Unreachable, match=r"your sandbox does not run; spnb\.connect\(\) starts it"):
        await sp.rooms.get(room.room_id)
    other, pid, url = elsewhere(home, first.url)
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


def test_one_that_ends_as_it_is_found_is_started_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = launch.ensure()
    lease._leases.pop(home).close()
    find = launch._running

    def dying(folder: Path) -> SandboxInfo | None:
        found = find(folder)
        if found is not None and found.pid == first.pid:
            killed(first.pid)
        return found

    monkeypatch.setattr(launch, "_running", dying)
    second = launch.ensure()
    assert second.pid != first.pid
    assert leases() == 1


@pytest.mark.media
async def test_a_broadcast_goes_on_at_the_new_address(home: Path) -> None:
    events: list[BroadcastEvent] = []
    sp = await spnb.connect_async(sandbox=True)
    room = await sp.rooms.create("On air")
    show = await room.go_live(TestCard(320, 180, 10), on_event=events.append)
    await room.until("live", timeout=60)
    first = running()
    killed(first.pid)
    other, _, url = elsewhere(home, first.url)
    assert url != first.url
    await until(lambda: any(isinstance(event, Reconnected) for event in events), 120)
    assert show.on_air
    assert sp.endpoints.rest == url
    await room.until("live", timeout=60)
    before = show.stats
    await until(lambda: show.stats is not None and show.stats is not before and show.stats.fps > 0)
    await show.stop()
    await room.until("recorded", timeout=60)
    assert (await room.recording()).urls
    other.communicate(timeout=60)
    await sp.aclose()
