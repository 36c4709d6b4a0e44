"""Global hooks and timelines: what happens to any room is told once, whoever noticed, and kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import spnb
from spnb.errors import InvalidInput
from spnb.live import LiveRoom, hooks
from spnb.live.hooks import _passed
from spnb.models import Message, Room
from spnb.realtime import Event
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until
from tests.live.test_live import connected, on_air


@pytest.fixture(autouse=True)
def nothing_hooked_after() -> Iterator[None]:
    yield
    for _, hook in list(hooks._registry._hooks.values()):
        spnb.off(hook)


def following(client: Any) -> bool:
    """Whether the hooks hear of this connection's rooms by now."""
    return bool(client.realtime.is_subscribed(f"{client.network_id}/room/+"))


@pytest.mark.media
async def test_every_state_of_anybodys_room_is_told_once(sp: Any, sandbox: RunningSandbox) -> None:
    told: list[tuple[str, str]] = []
    rooms: list[Any] = []
    later: list[Any] = []

    @spnb.on("room.*")
    def everything(room: LiveRoom) -> None:
        told.append((room.room_id, room.status))
        rooms.append(room)

    async def live(room: Any) -> None:
        later.append(await room.refresh())

    end = spnb.on("room.live", live)
    guest = await spnb.connect_async("hook-guest", url=sandbox.url, api_key=sandbox.api_key)
    await sp.rooms.create("makes the connection known")
    await until(lambda: following(sp) and following(guest))
    host = await spnb.connect_async("hook-host", url=sandbox.url, api_key=sandbox.api_key)
    room = await host.rooms.create("Hooked")
    stop = room.observe(lambda _record: None)
    async with await on_air(room):
        await until(lambda: (room.room_id, "live") in told and later)
    await room.until("waitingReconnect", timeout=20)
    await room.stop()
    await until(lambda: (room.room_id, "recorded") in told)
    mine = [status for room_id, status in told if room_id == room.room_id]
    assert mine == ["live", "waitingReconnect", "ended", "recorded"]
    assert isinstance(rooms[0], LiveRoom)
    assert [one.room_id for one in later if one.room_id == room.room_id] == [room.room_id]
    stop()
    end()
    spnb.off(everything)
    await until(lambda: not following(sp))
    for client in (guest, host):
        await client.aclose()


async def test_a_hook_that_fails_is_logged_and_stops_nothing(sp: Any, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def broken(_room: Any) -> None:
        raise RuntimeError("a hook's own fault")

    async def broken_too(_room: Any) -> None:
        raise RuntimeError("another's")

    for hook in (broken, broken_too, lambda room: told.append(room.status)):
        spnb.on("room.ended", hook)
    spnb.on("room.*", lambda room: told.append(f"* {room.status}"))
    before = Room(room_id="made-up", status="live")
    spnb._loop.run(_told(sp, before, before.model_copy(update={"status": "ended"})))
    await until(lambda: told == ["ended", "* ended"])
    await until(lambda: caplog.text.count("a hook of room.ended failed") == 2)


async def _told(client: Any, before: Room | None, after: Room) -> None:
    hooks.room_changed(client, before, after)


async def test_hooks_may_block_and_chat_is_heard(sp: Any, sandbox: RunningSandbox) -> None:
    host = await spnb.connect_async("chat-hook-host", url=sandbox.url, api_key=sandbox.api_key)
    room = await host.rooms.create("Greeted")
    await room.open_chat()
    said: list[Message] = []
    answered = threading.Event()

    @spnb.on("room.live")
    def greet(live: LiveRoom) -> None:
        if live.room_id == room.room_id:
            live.chat.send("We are live!")
            answered.set()

    spnb.on("chat.message", said.append)
    await until(lambda: following(host))
    async with await on_air(room):
        await until(answered.is_set)
        feed = hooks._registry._clients[host]
        assert feed is not None
        topic = f"{host.network_id}/chat/{room.live_channel_id}/#"
        await until(lambda: host.realtime.is_subscribed(topic) or said)
        await room.chat.send("Hello")
        await until(lambda: any(message.text == "Hello" for message in said))
    assert len({message.message_id for message in said}) == len(said)
    await room.stop()
    await host.aclose()
    await until(lambda: feed.closed)


@pytest.mark.media
async def test_what_happened_while_real_time_was_away_is_told_afterwards(
    sp: Any, wire: Wire, sandbox: RunningSandbox
) -> None:
    other = await spnb.connect_async("unheard-host", url=sandbox.url, api_key=sandbox.api_key)
    await other.realtime.aclose()  # only the connection through the wire hears
    told: list[tuple[str, str]] = []
    spnb.on("room.*", lambda room: told.append((room.room_id, room.status)))
    await sp.rooms.create("makes the connection known")
    await until(lambda: following(sp))
    room = await other.rooms.create("Unheard")
    async with await on_air(room):
        await until(lambda: (room.room_id, "live") in told)
        await wire.cut()
        await until(lambda: sp.realtime.state == "away")
    await room.stop()
    await until(lambda: (room.room_id, "ended") in told)
    wire.mend()
    await until(lambda: (room.room_id, "recorded") in told or told[-1][1] == "ended")
    await other.aclose()


def test_names_that_never_happen_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"room\.live"):
        spnb.on("room.started", print)
    spnb.off(print)
    assert _passed("live", "recorded") == ["ended", "recorded"]
    assert _passed("idle", "ended") == ["live", "ended"]
    assert _passed("live", "terminated") == ["terminated"]
    assert _passed(None, "live") == ["live"]
    assert _passed("live", "live") == _passed(None, "idle") == []


async def test_the_timeline_tells_sources_and_both_clocks(sp: Any) -> None:
    began = datetime.now(UTC)
    room = await sp.rooms.create("Remembered")
    end = room.observe(lambda _record: None)
    await connected(sp)
    await until(lambda: sp.realtime.is_subscribed(f"sandbox/room/{room.room_id}"))
    await room.update(title="<b>renamed</b>")
    await until(lambda: any(entry.source == "event" for entry in room.timeline()))
    hook = {"rooms": [{"roomId": room.room_id, "status": "live", "updatedAt": "2100-01-01T00:00:00.000Z"}]}
    for _ in range(3):  # delivered more than once, as webhooks are
        room.hear(Event("room.startBroadcasting", hook, "", sent_at=began))
    room.hear(Event("room.didUpdate", hook, "", sent_at=began))
    await until(lambda: ("room.didUpdate", "webhook") in {(entry.what, entry.source) for entry in room.timeline()})
    # A hint only: the reads that follow have the last word, and it is the service's.
    await until(lambda: room.status == "idle")
    timeline = room.timeline()
    assert [entry.what for entry in timeline].count("room.startBroadcasting") == 1
    kinds = {(entry.what, entry.source) for entry in timeline}
    assert {
        ("first seen", "read"),
        ("update()", "call"),
        ("room.didUpdate", "event"),
        ("room.startBroadcasting", "webhook"),
    } <= kinds
    assert [entry.status for entry in timeline.changes][:3] == ["idle", "live", "idle"]
    assert timeline.changes[1].told_at == began
    assert all(entry.seen_at >= began for entry in timeline)
    assert list(timeline.df.columns) == ["what", "source", "status", "changed", "since", "seen_at", "told_at"]
    assert str(timeline.df["seen_at"].dtype).endswith("UTC]")
    assert len(timeline.df) == len(timeline)
    shown = timeline._repr_html_()
    assert "webhook" in shown
    assert "new state" in shown
    end()
    await asyncio.sleep(0)
    assert room.sync.timeline() == timeline or len(room.sync.timeline()) > len(timeline)


async def test_a_long_life_keeps_its_changes(sp: Any) -> None:
    room = await sp.rooms.create("Long")
    for _ in range(2100):
        room._called("nothing")
    timeline = room.timeline()
    assert timeline[0].what == "first seen"
    assert len(timeline) == 2001
