"""Simulated viewers of a real live room: what arrives is what was planned."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as pa
import pytest

import spnb
from spnb import sandbox as spnb_sandbox
from spnb.config import Credentials, Endpoints
from spnb.errors import InvalidInput, SandboxError
from spnb.sandbox import SandboxInfo, Simulation
from spnb.sandbox.store import Store
from tests.conftest import RunningSandbox, start_sandbox
from tests.media.conftest import LiveKit, publisher
from tests.rest.conftest import Caller

pytestmark = pytest.mark.media


def table(sandbox: RunningSandbox, name: str, room_id: str) -> list[dict[str, object]]:
    answer = httpx.get(
        f"{sandbox.url}/sandbox/tables/{name}",
        params={"room_id": room_id},
        headers={"X-API-Key": sandbox.api_key},
        timeout=60,
    )
    rows: list[dict[str, object]] = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    return rows


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningSandbox, str]]:
    """A sandbox with the rate limit of the service, and a recorded room with chat in it, to be watched at any time."""
    running = start_sandbox(tmp_path_factory.mktemp("watched"))
    until = datetime(2026, 6, 1, tzinfo=UTC)
    past = spnb_sandbox.backfill(
        days=2, streams=1, views=5, messages=5, until=until, sandbox=SandboxInfo.read(running.info)
    )
    yield running, past.truth["streams"][0]["roomId"]
    running.stop()


async def test_what_arrives_is_what_was_planned(sandbox: RunningSandbox) -> None:
    host = Caller(sandbox, "simulated-host")
    room = host.room("Simulated")
    post = host.room_post(room)["posts"][0]["children"][0]
    body = {"type": "live", "displayName": "chat", "postId": post, "roomId": room["roomId"]}
    host.post("/api/v3/channels", body)
    data = host.get(f"/api/v1/rooms/{room['roomId']}/token")

    class Given(LiveKit):
        def token(self, room: str, identity: str, **_: object) -> str:
            return str(data["coHostToken"])

    client = await spnb.connect_async("simulated-host", url=sandbox.url, api_key=sandbox.api_key)
    live = await client.rooms.get(room["roomId"])
    async with publisher(Given(data["coHostUrl"], "", "", embedded=True), room["roomId"]):
        await live.until("live", timeout=60)
        info = SandboxInfo.read(sandbox.info)
        simulation = await spnb_sandbox.simulate_async(live, viewers=40, seconds=6, seed=7, chattiness=6)
        assert info.api_key not in " ".join(psutil.Process(simulation._process.pid).cmdline())
        told = [progress async for progress in simulation.watch()]
        end = await simulation.wait(60)
        assert told[-1] == end
        assert any(0 < progress.sessions < end.sessions for progress in told)
        present = host.get(f"/api/v1/presence/rooms/{room['roomId']}/users/count")["count"]
    await client.aclose()
    plan = simulation.plan
    assert simulation.finished
    assert simulation.began is not None
    assert (end.refused, end.failed, end.watching) == (0, 0, 0)
    assert end.sessions == len(plan.sessions)
    assert end.messages == len(plan.messages)
    assert end.reactions == len(plan.reactions)
    assert present == 40  # nobody can say goodbye to a heartbeat: presence ends by silence

    views = table(sandbox, "views", room["roomId"])
    began = simulation.began.timestamp()
    seen = sorted(
        (str(view["user_id"]), round(view["start"].timestamp() - began, 2), round(view["watch_seconds"], 2))  # type: ignore[attr-defined, call-overload]
        for view in views
    )
    planned = sorted((f"{simulation.name}-{each.viewer}", each.start, each.end - each.start) for each in plan.sessions)
    assert [row[0] for row in seen] == [row[0] for row in planned]
    for (_, start, length), (_, planned_start, planned_length) in zip(seen, planned, strict=True):
        assert start == pytest.approx(planned_start, abs=0.02)
        assert length == pytest.approx(planned_length, abs=0.02)
    messages = table(sandbox, "messages", room["roomId"])
    said = Counter((row["user_id"], row["length"]) for row in messages)
    assert said == Counter((f"{simulation.name}-{each.viewer}", len(each.text)) for each in plan.messages)
    assert sum(bool(row["is_reply"]) for row in messages) == sum(each.reply_to is not None for each in plan.messages)
    reacted = Counter((row["user_id"], row["name"]) for row in table(sandbox, "reactions", room["roomId"]))
    assert reacted == Counter((f"{simulation.name}-{each.viewer}", each.name) for each in plan.reactions)
    assert max(row["viewers"] for row in table(sandbox, "presence", room["roomId"])) <= 40  # type: ignore[type-var, operator]
    statuses = [row["status"] for row in table(sandbox, "status", room["roomId"])]
    assert {"idle", "live"} <= set(statuses)


def started(watched: tuple[RunningSandbox, str], **sizes: float) -> Simulation:
    running, room_id = watched
    return spnb_sandbox.simulate(room_id, sandbox=SandboxInfo.read(running.info), **{"seed": 2, **sizes})  # type: ignore[arg-type]


def wait_for(simulation: Simulation, sessions: int) -> None:
    assert any(progress.sessions >= sessions for progress in simulation.watch())
    assert simulation.running


def test_an_audience_can_be_sent_home(watched: tuple[RunningSandbox, str]) -> None:
    with started(watched, viewers=30, seconds=600) as simulation:
        assert "running" in repr(simulation)
        with pytest.raises(TimeoutError):
            simulation.wait(0.01)
        wait_for(simulation, 1)
        process = psutil.Process(simulation.asynchronous._process.pid)
    assert not process.is_running()
    assert not simulation.running
    assert not simulation.finished
    assert simulation.wait(0).sessions >= 1  # stopped on purpose is no error
    assert "stopped" in repr(simulation)
    simulation.stop()  # once more does no harm


def test_an_audience_that_dies_is_told(watched: tuple[RunningSandbox, str]) -> None:
    simulation = started(watched, viewers=5, seconds=600)
    wait_for(simulation, 1)
    os.kill(simulation.asynchronous._process.pid, signal.SIGKILL)
    with pytest.raises(SandboxError, match="broke off"):
        simulation.wait(60)
    gone = SandboxInfo.read({**watched[0].info, "apiKey": "wrong"})
    with pytest.raises(SandboxError, match="refused"):
        spnb_sandbox.simulate(watched[1], sandbox=gone)
    gone = SandboxInfo.read({**watched[0].info, "url": "http://127.0.0.1:9"})
    with pytest.raises(SandboxError, match="does not answer"):
        spnb_sandbox.simulate(watched[1], sandbox=gone)


def test_what_the_room_refuses_is_counted(watched: tuple[RunningSandbox, str]) -> None:
    running, room_id = watched
    simulation = started(watched, viewers=10, seconds=4, chattiness=10)
    # A viewer who is banned while the others go on: their session stays, their acts are refused.
    store = Store(Path(running.data_dir) / "sandbox.sqlite")
    for viewer in range(10):
        key = f"{room_id}:{simulation.name}-{viewer}"
        store.bans.insert({"_id": key, "roomId": room_id, "userId": f"{simulation.name}-{viewer}"})
    store.close()
    end = simulation.wait(60)
    assert simulation.finished
    assert end.refused > 0
    assert end.failed == 0
    assert end.sessions == len(simulation.plan.sessions)


def test_rooms_that_nobody_can_watch_are_refused(watched: tuple[RunningSandbox, str]) -> None:
    running, room_id = watched
    info = SandboxInfo.read(running.info)
    idle = Caller(running, "idle-host").room("Idle")
    for wrong, hint in (("nowhere", "there is no room"), (idle["roomId"], "go live first")):
        with pytest.raises(InvalidInput, match=hint):
            spnb_sandbox.simulate(wrong, sandbox=info)
    for sizes in ({"viewers": 0}, {"viewers": 10**7}, {"seconds": 0}, {"seed": -1}):
        with pytest.raises(InvalidInput, match=next(iter(sizes))):
            spnb_sandbox.simulate(room_id, sandbox=info, **sizes)  # type: ignore[arg-type]


def test_nobody_is_simulated_on_the_real_service() -> None:
    real: Any = spnb.AsyncClient(Endpoints.of_url("http://127.0.0.1:9"), Credentials("a key", "ann"))
    room = spnb.LiveRoom(spnb.AsyncLiveRoom(real, spnb.Room(room_id="r", status="live")))
    for given in ({"room": room}, {"room": "r", "sandbox": real}):
        with pytest.raises(SandboxError, match=r"127\.0\.0\.1:9, where the room or client given lives, is no running"):
            spnb_sandbox.simulate(**given)
