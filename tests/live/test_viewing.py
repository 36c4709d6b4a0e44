"""Who watches and how long, against a sandbox with a quick heartbeat: presence, watch sessions, gaps."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

import spnb
from spnb._loop import on_loop
from spnb.client.watch_key import throwaway
from spnb.config import Credentials, Endpoints, Network
from spnb.errors import InvalidInput
from spnb.live import AsyncLiveRoom, AsyncViewing, viewing
from spnb.live.audience import AsyncAudience
from tests.conftest import RunningSandbox, start_sandbox
from tests.live.conftest import Wire, until
from tests.live.test_live import on_air

pytestmark = pytest.mark.media


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A viewer is gone after two seconds of silence."""
    running = start_sandbox(tmp_path_factory.mktemp("watched"), "--no-rate-limit", "--grace", "30", "--heartbeat", "1")
    yield running
    running.stop()


@pytest_asyncio.fixture
async def sp(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    client: spnb.AsyncClient[AsyncLiveRoom] = spnb.AsyncClient(
        Endpoints.of_url(sandbox.url), Credentials(sandbox.api_key, "host"), room_factory=AsyncLiveRoom
    )
    await client.login()
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def fan(sandbox: RunningSandbox, wire: Wire) -> AsyncIterator[Any]:
    """A viewer whose network can be cut."""
    client: spnb.AsyncClient[AsyncLiveRoom] = spnb.AsyncClient(
        Endpoints.of_url(f"http://127.0.0.1:{wire.port}"),
        Credentials(sandbox.api_key, "fan", watch_key=throwaway),
        room_factory=AsyncLiveRoom,
        network=Network(timeout=3),
    )
    await client.login()
    yield client
    await client.aclose()


def stored(sandbox: RunningSandbox, room_id: str) -> dict[str, Any]:
    """Watch sessions of a room as the service keeps them, by id."""
    with sqlite3.connect(sandbox.data_dir / "sandbox.sqlite") as database:
        rows = database.execute("SELECT doc FROM watch_sessions WHERE roomId = ?", (room_id,)).fetchall()
    return {(found := orjson.loads(doc))["sessionId"]: found for (doc,) in rows}


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_viewing_counts_what_was_watched_and_survives_a_gap(
    sp: Any, fan: Any, wire: Wire, sandbox: RunningSandbox
) -> None:
    room = await sp.rooms.create("watched")
    theirs = await fan.rooms.get(room.room_id)
    with pytest.raises(InvalidInput, match="is idle"):
        await theirs.watch_session().start()
    clock = Clock()
    counts: list[int] = []
    end_counts = room.audience.observe(counts.append)
    async with await on_air(room):
        await room.until("live", timeout=60)
        await theirs.until("live", timeout=60)
        with pytest.raises(InvalidInput, match="no viewers"):
            await room.watch_session().start()
        seen = AsyncViewing(theirs, clock=clock)
        with pytest.raises(InvalidInput, match="not begun"):
            _ = seen.session
        await seen.start()
        await seen.start()
        assert seen.session_id.startswith("room_")
        assert len(seen.session_id) <= 50
        await until(lambda: 1 in counts)
        assert await room.audience.read() == await room.viewers() == 1
        assert [viewer.user_id for viewer in await room.audience.viewers()] == ["fan"]
        # Ten seconds watched, a pause, buffering, and five more.
        clock.now += 10
        await seen.pause()
        clock.now += 60
        await seen.buffering()
        await seen.resume()
        clock.now += 5
        await seen.buffering()
        clock.now += 30
        assert seen.state == "buffering"
        await seen.resume()
        assert seen.seconds == 15
        await viewing.WatchReports.of(fan).flush()
        # The network goes: watching goes on, and one session is there afterwards, not two.
        await wire.cut()
        clock.now += 20
        last = await seen.end()
        assert last is not None
        assert last.watch_seconds == 35
        assert await seen.end() == last
        await seen.resume()
        assert len(viewing.WatchReports.of(fan)) == 1
        await until(lambda: counts[-1] == 0)  # silence means gone
        wire.mend()
        fan.realtime.reconnect_now()
        await viewing.WatchReports.of(fan).flush()
        assert {one: found["watchSeconds"] for one, found in stored(sandbox, room.room_id).items()} == {
            seen.session_id: 35
        }
        assert room.audience.peak == 1
        assert "at most 1" in repr(room.audience)
        assert AsyncAudience.of(sp, room.room_id) is room.audience
    end_counts()
    await room.stop()
    # The replay is watched too; it has sessions of its own and no presence.
    await theirs.until("recorded", timeout=60)
    async with theirs.watch_session() as replay:
        assert replay.session_id.startswith("room_playback_")
        assert "watching" in repr(replay)
    assert len(stored(sandbox, room.room_id)) == 2


async def test_a_viewing_ends_with_the_stream_and_with_the_connection(
    sp: Any, fan: Any, sandbox: RunningSandbox
) -> None:
    room = await sp.rooms.create("ends")
    theirs = await fan.rooms.get(room.room_id)
    clock = Clock()
    one, other, third = (AsyncViewing(theirs, clock=clock) for _ in range(3))
    async with await on_air(room):
        await theirs.until("live", timeout=60)
        await one.start()
        # A player that measures by itself: only more counts, and it is forgotten once it falls silent.
        await other.start()
        await other.tell(4.5)
        await other.tell(3.0, playing=False)
        assert (other.seconds, other.state) == (4.5, "paused")
        told = other.session
        assert not other._silent
        clock.now += viewing.FRESH_SECONDS + 1
        assert other._silent
        assert other.session == told
        clock.now -= viewing.FRESH_SECONDS + 1
        clock.now += 7
    # The host's own absence is not watched.
    await theirs.until("waitingReconnect", timeout=60)
    await until(lambda: one._since is None)
    before = one.seconds
    assert before == 7
    clock.now += 50
    assert one.seconds == before
    await room.stop()
    await until(lambda: one.state == other.state == "ended")
    await theirs.until("recorded", timeout=60)
    await third.start()
    await fan.aclose()
    assert third.state == "ended"
    seconds = [found["watchSeconds"] for found in stored(sandbox, room.room_id).values()]
    assert sorted(seconds) == [0, 4.5, 7]


async def test_who_comes_on_stage_is_no_viewer_any_more(sp: Any, fan: Any, sandbox: RunningSandbox) -> None:
    room = await sp.rooms.create("stage")
    theirs = await fan.rooms.get(room.room_id)
    async with await on_air(room):
        await theirs.until("live", timeout=60)
        async with theirs.watch_session() as seen:
            invitation = await sp.invitations.create(room.room_id, "fan")
            await until(lambda: fan.realtime.state == "connected")
            await fan.invitations.accept(invitation.invitation_id)
            assert await room.audience.read() == 0
            await until(lambda: seen.state == "ended")
        with pytest.raises(InvalidInput, match="no viewers"):
            await theirs.watch_session().start()
        # What is reported all the same does not count.
        later = seen.session.model_copy(update={"watch_seconds": 999.0, "session_id": "room_of_a_co_host"})
        assert await fan.presence.report([later])
        assert "room_of_a_co_host" not in stored(sandbox, room.room_id)
    await room.stop()


async def test_the_blocking_faces(sp: Any, fan: Any) -> None:
    room = await sp.rooms.create("plain")
    theirs = (await fan.rooms.get(room.room_id)).sync

    def watch() -> None:
        with theirs.watch_session() as seen:
            seen.pause()
            seen.buffering()
            assert seen.state == "paused"
            seen.resume()
            assert seen.seconds >= 0
            assert seen.session.room_id == room.room_id
        assert "ended" in repr(seen)
        assert seen.end() is not None
        audience = room.sync.audience
        assert audience.read(max_age=60) >= 0
        assert next(iter(audience.watch())) >= 0
        assert audience.count <= audience.peak
        assert {viewer.user_id for viewer in audience.viewers()} <= {"fan"}
        assert repr(audience).startswith("Audience(")

    async with await on_air(room):
        await theirs.asynchronous.until("live", timeout=60)
        await asyncio.to_thread(watch)
    await room.stop()


async def test_a_session_the_service_will_not_take_holds_up_no_other(
    sp: Any, fan: Any, sandbox: RunningSandbox, monkeypatch: Any
) -> None:
    monkeypatch.setattr(viewing, "TRIES", 1)
    room = await sp.rooms.create("never live")
    shown = await sp.rooms.create("live")
    async with await on_air(shown):
        await shown.until("live", timeout=60)
        reports = viewing.WatchReports(fan)
        good = viewing.WatchSession(
            session_id="room_good", room_id=shown.room_id, watch_seconds=3, start_time="2026-01-01T00:00:00Z"
        )

        @on_loop
        async def both() -> None:
            reports.put(good.model_copy(update={"session_id": "room_bad", "room_id": room.room_id}))
            reports.put(good)
            await reports.flush()

        await both()
        assert len(reports) == 0
        assert list(stored(sandbox, shown.room_id)) == ["room_good"]
    await shown.stop()
