"""How often the service is asked: heartbeats as its settings say, reactions gathered, lost events made up for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from starlette.responses import Response

import spnb
from spnb import _lasting
from spnb._loop import on_loop
from spnb.live.audience import Heartbeat
from tests.client.conftest import FaultProxy, serving
from tests.conftest import RunningSandbox, start_sandbox
from tests.live.conftest import until


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Its presence settings ask for a heartbeat a second, where thirty are the rule."""
    running = start_sandbox(tmp_path_factory.mktemp("cadence"), "--no-rate-limit", "--heartbeat", "1")
    yield running
    running.stop()


@pytest_asyncio.fixture
async def proxy(sandbox: RunningSandbox) -> AsyncIterator[FaultProxy]:
    made = FaultProxy(sandbox.url)
    async with serving(made):
        yield made


@pytest_asyncio.fixture
async def fan(proxy: FaultProxy, sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client = await spnb.connect_async("fan", url=proxy.url, api_key=sandbox.api_key)
    yield client
    await client.aclose()


@on_loop
async def held(beat: Heartbeat, *holders: str) -> None:
    for holder in holders:
        beat.hold(holder)


@on_loop
async def released(beat: Heartbeat, *holders: str) -> None:
    for holder in holders:
        beat.release(holder)


async def test_heartbeats_come_as_the_presence_settings_say(fan: Any, proxy: FaultProxy) -> None:
    room = await fan.rooms.create("beating", chat=False)
    path = f"/api/v1/presence/rooms/{room.room_id}/heartbeat"
    beat = Heartbeat.of(fan, room.room_id)
    assert Heartbeat.of(fan, room.room_id) is beat, "two players of a user are one viewer"
    await held(beat, "player", "other player")
    await until(lambda: proxy.calls("POST", path) >= 3)
    assert proxy.calls("GET", "/api/v1/presence/settings") == 1
    await released(beat, "player")
    before = proxy.calls("POST", path)
    await until(lambda: proxy.calls("POST", path) > before)
    await released(beat, "other player")
    assert beat._task is None
    # Whom the service will not count asks no more.
    proxy.fault = lambda request: Response(b"{}", 403) if request.url.path == path else None
    await held(beat, "player")
    await until(lambda: beat._task is not None and beat._task.done())


async def test_reactions_are_gathered_into_few_requests(fan: Any, proxy: FaultProxy) -> None:
    room = await fan.rooms.create("gathered")
    for number in range(60):
        await room.react(("heart", "fire", "clap")[number % 3])
    assert room._own_reactions().waiting > 30
    await until(lambda: room._own_reactions().waiting == 0)
    assert 1 <= proxy.calls("POST", "/api/v1/reactions/live") <= 4
    assert dict(room._own_reactions()) == {"heart": 20, "fire": 20, "clap": 20}


@pytest.mark.media
async def test_a_recording_whose_event_is_lost_is_found_all_the_same(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lasting, "SETTLED_READ", 0.5)
    client = await spnb.connect_async("recordist", url=sandbox.url, api_key=sandbox.api_key)
    room = await client.rooms.create("untold", chat=False)
    show = await room.go_live(spnb.TestCard(320, 180))
    end = room.observe(lambda _record: None)
    await room.until("live", timeout=60)
    await until(lambda: client.realtime.is_subscribed(f"sandbox/room/{room.record.id}"))
    states: list[str] = []
    client.realtime.on_state(states.append)
    with spnb.sandbox.faults(client) as faults:
        faults.add("drop", match="room.*")
        await show.stop()
        recording = await room.recording(timeout=40)
        assert any(fault.hits for fault in faults.active())
    assert len(recording.files) == 1
    assert set(states) <= {"connected"}, "events could have come all the time"
    told = {(entry.what, entry.source) for entry in room.timeline() if entry.status == "recorded"}
    assert told == {("new state", "read")}
    end()
    await client.aclose()
