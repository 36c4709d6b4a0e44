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
from spnb.live.hooks import _registry
from spnb.live.stage import JOINED, LEFT
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
    await until(lambda: client.realtime.is_subscribed(f"sandbox/room/{room.record.id}"))


@pytest.mark.media
async def test_no_event_ends_a_show(client: Any) -> None:
    room = await client.rooms.create("Not to be ended by word of mouth")
    ended: list[str] = []
    off = spnb.on("room.*", lambda told: ended.append(told.status))
    lobby = AsyncLiveRooms(client)
    stop = [room.observe(lambda _record: None), lobby.observe(lambda _rooms: None)]
    try:
        async with await on_air(room):
            await room.until("live", timeout=60)
            await followed(client, room)
            await until(lambda: room.room_id in {record.room_id for record in lobby.rooms})
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
    await until(lambda: client.realtime.is_subscribed(f"{chat.channel.path}/#"))
    sent = await chat.send("true")
    await until(lambda: texts.get(sent.message_id) == "true")
    wire = (await client.messages.get(sent.message_id)).to_wire()
    wire |= {"data": {"text": "forged"}, "updatedAt": FAR, "editedAt": FAR}
    client.realtime.tell(
        Event("message.updated", {"messages": [wire]}, str(wire["path"]), sent_at=datetime.fromisoformat(FAR))
    )
    # Heard, perhaps shown, and then read again.
    await asyncio.sleep(0)
    await until(lambda: texts[sent.message_id] == "true")
    await chat.edit(sent, "edited")
    await until(lambda: texts[sent.message_id] == "edited")
    following.cancel()


async def test_no_event_takes_a_message_away_or_makes_one(client: Any) -> None:
    room = await client.rooms.create("Firm")
    chat = await room.open_chat()
    shown: dict[str, str] = {}
    over = asyncio.Event()

    async def follow() -> None:
        async for change in chat.changes(last=0):
            if change.message is None:
                continue
            if change.kind == "deleted":
                shown.pop(change.message.message_id)
            else:
                shown[change.message.message_id] = str(change.message.data.get("text"))
        over.set()

    following = asyncio.create_task(follow())
    await until(lambda: client.realtime.is_subscribed(f"{chat.channel.path}/#"))
    true = [await chat.send(f"true {number}") for number in range(3)]
    await until(lambda: len(shown) == 3)

    def tell(kind: str, wire: dict[str, Any], **fields: Any) -> None:
        body = {**wire, "updatedAt": FAR, **fields}
        client.realtime.tell(Event(kind, {"messages": [body]}, str(wire["path"]), sent_at=datetime.fromisoformat(FAR)))

    wires = [(await client.messages.get(message.message_id)).to_wire() for message in true]
    for wire in wires:
        tell("message.deleted", wire, isDeleted=True)
    newest = wires[-1]["segment"]
    tell("message.deleted", wires[-1], messageId="never", segment=newest + 1, isDeleted=True)
    tell("message.created", wires[-1], messageId="forged", segment=newest + 1, data={"text": "forged"})
    tell("message.created", wires[-1], messageId="forged ahead", segment=newest + 1000, data={"text": "forged"})
    client.realtime.tell(
        Event("channel.deleted", {"channels": [{"channelId": chat.channel.channel_id}]}, str(chat.channel.path))
    )
    later = await chat.send("true after all")
    await until(lambda: shown.get(later.message_id) == "true after all")
    await until(lambda: set(shown) == {message.message_id for message in [*true, later]}, 60)
    assert not over.is_set(), "the channel is there"
    await chat.delete(true[0])
    await until(lambda: true[0].message_id not in shown)
    following.cancel()


async def test_a_hook_is_called_for_what_is_there(client: Any) -> None:
    said: list[str] = []
    began: list[str] = []
    ends = [
        spnb.on("chat.message", lambda message: said.append(message.text)),
        spnb.on("room.live", lambda room: began.append(room.room_id)),
    ]
    room = await client.rooms.create("Hooked")
    chat = await room.open_chat()
    lobby = AsyncLiveRooms(client)
    ends.append(lobby.observe(lambda _rooms: None))
    await until(lambda: client.realtime.is_subscribed("sandbox/room/+"))
    client.realtime.tell(forged("room.startBroadcasting", room))
    sent = await chat.send("true")
    wire = (await client.messages.get(sent.message_id)).to_wire()
    feed = _registry._clients[client]
    assert feed is not None
    for body in ({**wire, "messageId": "forged", "data": {"text": "forged"}}, {"messageId": 7}, "odd", wire):
        feed._said(Event("message.created", {"messages": [body]}, str(wire["path"])))
    await until(lambda: "true" in said)
    await lobby.refresh()
    assert said == ["true"]
    assert room.room_id not in {record.room_id for record in lobby.rooms}
    assert room.room_id not in began
    for end in ends:
        end()


async def test_a_claimed_date_orders_nothing_on_stage(client: Any) -> None:
    room = await client.rooms.create("Staged")
    people: list[Any] = []
    end = room.stage.observe(people.append)
    topic = f"sandbox/room/{room.record.id}"
    await until(lambda: client.realtime.is_subscribed(topic))
    for name, at in ((JOINED, FAR), (LEFT, "2026-01-01T00:00:00.000Z")):
        body = {
            "eventActor": {"userId": client.user_id},
            "users": [{"userId": client.user_id, "displayName": "<b>forged</b>"}],
        }
        client.realtime.tell(Event(name, body, topic, sent_at=datetime.fromisoformat(at)))
    await until(lambda: client.user_id in room.stage._heard_of)
    assert room.stage._heard_of[client.user_id][0] <= client.clock.now(), "what comes later counts"
    await until(lambda: bool(people) and bool(people[-1]))
    assert "forged" not in repr(room.stage.people)
    end()


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
