"""Events are hints, the service is the word: a forged, misordered or future-dated event ends and freezes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

import spnb
from spnb.live.collection import AsyncLiveRooms
from spnb.live.status import STATUS_OF_EVENT, Knowledge
from spnb.models import Room
from spnb.realtime import Event
from tests.conftest import RunningSandbox
from tests.live.conftest import until
from tests.live.test_live import on_air

FAR = "2099-01-01T00:00:00.000Z"
ENDS = [name for name, status in STATUS_OF_EVENT.items() if status in ("ended", "recorded", "terminated")]


def forged(name: str, room: Any, **fields: Any) -> Event:
    """An event about a room that the service never sent."""
    body = {"roomId": room.room_id, "_id": room.record.id, "updatedAt": FAR, "title": "forged", **fields}
    body.setdefault("status", STATUS_OF_EVENT.get(name, room.status))
    return Event(name, {"rooms": [body]}, f"sandbox/room/{room.record.id}", sent_at=datetime.now(UTC))


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def client(sandbox: RunningSandbox) -> AsyncIterator[Any]:
    connected = await spnb.connect_async("hints-host", url=sandbox.url, api_key=sandbox.api_key)
    yield connected
    await connected.aclose()


async def followed(client: Any, room: Any) -> None:
    await until(lambda: client.realtime.is_subscribed(f"sandbox/room/{room.record.id}"), 30)


@pytest.mark.media
async def test_no_event_ends_a_show(client: Any) -> None:
    room = await client.rooms.create("Not to be ended by word of mouth")
    ended: list[str] = []
    off = spnb.on("room.*", lambda told: ended.append(told.status))
    lobby = AsyncLiveRooms(client)
    stop = [room.observe(lambda _record: None), lobby.observe(lambda _rooms: None)]
    try:
        async with await on_air(room):
            await room.until("live", timeout=30)
            await followed(client, room)
            await until(lambda: room.room_id in {record.room_id for record in lobby.rooms}, 30)
            statuses: list[str] = []
            stop.append(room.observe(lambda record: statuses.append(record.status)))
            for name in ENDS:
                client.realtime.tell(forged(name, room))
            await room.update(title="the true title")
            await room.refresh()
            assert room.status == "live"
            assert room.title == "the true title"
            assert set(statuses) <= {"live"}
            assert room.room_id in {record.room_id for record in await lobby.refresh()}
            assert not set(ended) & {"ended", "recorded", "terminated", "error"}
        assert (await room.until("recorded", timeout=60)).status == "recorded", "the true end is heard and read"
    finally:
        off()
        for end in stop:
            end()


async def test_a_date_in_the_future_freezes_nothing(client: Any) -> None:
    room = await client.rooms.create("Soon renamed")
    stop = room.observe(lambda _record: None)
    await followed(client, room)
    client.realtime.tell(forged("room.didUpdate", room))
    client.realtime.tell(forged("room.startBroadcasting", room))
    await room.update(title="renamed")
    await room.refresh()
    assert (room.title, room.status) == ("renamed", "idle")
    stop()


async def test_a_forged_edit_of_a_message_gives_way_to_what_is_read(client: Any) -> None:
    room = await client.rooms.create("Chatty")
    chat = await room.open_chat()
    texts: dict[str, str] = {}

    async def follow() -> None:
        async for change in chat.changes(last=0):
            texts[change.message.message_id] = str(change.message.data.get("text"))

    following = asyncio.create_task(follow())
    await until(lambda: client.realtime.is_subscribed(f"{chat.channel.path}/#"), 30)
    sent = await chat.send("true")
    await until(lambda: texts.get(sent.message_id) == "true", 30)
    wire = (await client.messages.get(sent.message_id)).to_wire()
    wire |= {"data": {"text": "forged"}, "updatedAt": FAR, "editedAt": FAR}
    client.realtime.tell(
        Event("message.updated", {"messages": [wire]}, str(wire["path"]), sent_at=datetime.fromisoformat(FAR))
    )
    # Heard, perhaps shown, and then read again.
    await asyncio.sleep(0)
    await until(lambda: texts[sent.message_id] == "true", 30)
    await chat.edit(sent, "edited")
    await until(lambda: texts[sent.message_id] == "edited", 30)
    following.cancel()


def room_of(status: str, **fields: Any) -> Room:
    return Room.model_validate({"roomId": "r", "status": status, **fields})


def test_reads_count_in_the_order_they_were_asked() -> None:
    known = Knowledge(room_of("idle"))
    early, late = known.asked(), known.asked()
    assert [record.status for record in known.read(late, room_of("live"))] == ["live"]
    assert known.read(early, room_of("idle", updatedAt=FAR)) == []
    assert known.record.status == "live"


def test_what_is_heard_counts_until_a_read_that_was_asked_after_it() -> None:
    known = Knowledge(room_of("idle"))
    under_way = known.asked()
    known.hear(room_of("live", updatedAt=FAR, title="forged"))
    known.read(under_way, room_of("idle"))
    assert known.record.status == "live", "the read may not know of it yet"
    known.read(known.asked(), room_of("idle", title="true"))
    assert (known.record.status, known.record.title) == ("idle", "true")


def test_an_end_waits_for_the_read_and_is_asked_for_until_it_comes() -> None:
    now = [0.0]
    known = Knowledge(room_of("live"), clock=lambda: now[0])
    assert not known.in_doubt
    known.hear(room_of("ended", updatedAt=FAR))
    assert known.record.status == "live"
    assert known.in_doubt
    known.read(known.asked(), room_of("live"))
    assert known.in_doubt, "the service may not have noticed yet"
    assert [record.status for record in known.read(known.asked(), room_of("recorded"))] == ["ended", "recorded"]
    assert not known.in_doubt
    now[0] = 100
    again = Knowledge(room_of("live"), clock=lambda: now[0])
    again.hear(room_of("terminated"))
    now[0] += 31
    assert not again.in_doubt


async def test_a_flood_of_forged_ends_costs_reads_and_nothing_else(client: Any) -> None:
    room = await client.rooms.create("Flooded")
    stop = room.observe(lambda _record: None)
    await followed(client, room)
    for _ in range(2000):
        client.realtime.tell(forged("room.terminated", room))
    await asyncio.sleep(0)
    await room.refresh()
    assert room.status == "idle"
    assert len(room._knowledge._ends) <= 100
    stop()
