"""An odd record never takes others with it, and never a live object."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

import spnb
from spnb.errors import BadAnswer
from spnb.models import Message, Post, Room, User
from spnb.realtime import Event
from tests.client.conftest import FaultProxy
from tests.client.test_faults import first
from tests.conftest import RunningSandbox
from tests.live.conftest import until


def test_null_is_the_default_and_what_cannot_be_read_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    odd = {
        "roomId": "r",
        "title": None,
        "liveChatEnabled": None,
        "liveChannelEnabled": False,
        "status": ["live"],
        "type": {},
        "durationSeconds": "long",
        "createdAt": "0001-01-01T00:00:00+14:00",
        "updatedAt": "2026-01-01T00:00:00",
        "participants": [{"type": "host", "userId": "ann"}, {"type": "coHost"}, None, 5],
        "moderation": {"flagLabels": "many"},
    }
    room = Room.model_validate(odd)
    assert (room.title, room.status, room.type, room.live_chat_enabled) == ("", "idle", "directStreaming", False)
    assert [person.user_id for person in room.participants] == ["ann"]
    assert room.updated_at is not None
    assert room.updated_at.tzinfo is not None
    told = {"status", "type", "durationSeconds", "createdAt", "participants"}
    assert set(room.unreadable) == told
    assert room.unreadable["participants"] == odd["participants"]
    assert "unreadable" not in room.to_wire()
    before = len(caplog.records)
    assert before
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    Room.model_validate(odd)
    assert len(caplog.records) == before, "it is told once"
    assert Message.model_validate({"messageId": "m", "data": None, "reactions": {"a": "x", "b": 2}}).reactions == {
        "b": 2
    }
    assert Room.model_validate({"roomId": "r", "liveChatEnabled": "perhaps"}).live_chat_enabled
    with pytest.raises(ValueError, match="roomId"):
        Room.model_validate({"roomId": 5})


def test_records_are_in_sets_by_their_id() -> None:
    one = Room(room_id="r", metadata={"a": [1]})
    assert len({one, Room(room_id="r", metadata={"a": [1]}), Room(room_id="r", title="later"), User(user_id="r")}) == 3
    assert {Post(post_id="p"): 1}[Post(post_id="p")] == 1


def test_the_id_that_calls_take_comes_first() -> None:
    assert repr(User(id="65f0", user_id="eve", display_name="Eve")).startswith("User(user_id='eve'")
    assert repr(Message(message_id="m", creator_public_id="eve", data={"text": "buy"})) == "Message(eve: 'buy', m)"


def test_a_creation_s_key_is_not_among_what_is_the_users() -> None:
    wire = {"roomId": "r", "metadata": {"mine": 1, "spnbKey": "k"}}
    room = Room.model_validate(wire)
    assert (room.metadata, room.key) == ({"mine": 1}, "k")
    assert room.to_wire()["metadata"] == wire["metadata"]
    assert Room.model_validate(room.to_wire()) == room


async def test_lists_leave_out_what_cannot_be_read_and_count_it(sandbox: RunningSandbox, proxy: FaultProxy) -> None:
    def spoil(path: str, body: bytes) -> bytes:
        if path != "/api/v1/rooms":
            return body
        told = json.loads(body)
        rooms = [{**room, "description": None} for room in told.get("rooms", [])]
        return json.dumps({**told, "rooms": [{"title": "no id"}, None, 7, *rooms]}).encode()

    async with spnb.connect_async("odd-lists", url=proxy.url, api_key=sandbox.api_key) as sp:
        room = await sp.rooms.create("Whole", chat=False)
        proxy.spoil = spoil
        found = [one async for one in sp.rooms.query()]
        assert room.room_id in [one.room_id for one in found]
        rooms = await sp.rooms.records(statuses="idle", most=2)
        assert rooms
        live = await sp.rooms.live()
        assert live.skipped >= 3
        assert "cannot be read" in live._repr_html_()


async def test_an_answer_that_is_odd_altogether_is_an_error_of_the_services(
    sandbox: RunningSandbox, proxy: FaultProxy
) -> None:
    async with spnb.connect_async("odd-answers", url=proxy.url, api_key=sandbox.api_key) as sp:
        room = await sp.rooms.create("Whole", chat=False)
        odds: list[Any] = [{"rooms": [{"roomId": 5}]}, {"rooms": "none"}, {"rooms": []}, [], {"rooms": None}]
        for odd in odds:
            proxy.fault = first(99, JSONResponse(odd), path=f"/api/v1/rooms/{room.room_id}")
            with pytest.raises(BadAnswer):
                await sp.rooms.get(room.room_id)


async def test_a_live_object_outlives_odd_events_and_readings(sandbox: RunningSandbox, proxy: FaultProxy) -> None:
    async with spnb.connect_async("odd-events", url=proxy.url, api_key=sandbox.api_key) as sp:
        # Requests pass the proxy; real time goes straight.
        sp._session.endpoints = replace(sp._session.endpoints, mqtt=f"ws{sandbox.url[4:]}/mqtt")
        room = await sp.rooms.create("Followed", chat=False)
        heard: asyncio.Queue[Room] = asyncio.Queue()
        end = room.observe(heard.put_nowait)
        topic = f"{sp.network_id}/room/{room.record.id}"
        odd = spnb.AsyncLiveRoom(sp, room.record.model_copy(update={"path": "a#b/room/c"}))
        ends = [odd.observe(lambda _record: None), odd.stage.observe(lambda _people: None)]
        for data in (
            {"rooms": 5},
            {"rooms": [None, 5, {"roomId": room.room_id, "status": ["x"], "participants": 9}]},
            {"rooms": [{"_id": room.record.id, "roomId": None}]},
        ):
            sp.realtime.tell(Event("room.didUpdate", data, topic))
        proxy.fault = first(99, Response(b"[[["), path=f"/api/v1/rooms/{room.room_id}")
        sp.realtime.tell(Event("room.didUpdate", {}, topic))
        proxy.fault = lambda _request: None
        await sp.rooms.update(room.room_id, title="Still followed")
        async with asyncio.timeout(60):
            while (await heard.get()).title != "Still followed":
                pass
        # A path that is no topic ends nobody else's real time.
        await until(lambda: sp.realtime.is_subscribed(topic), 60)
        for each in (end, *ends):
            each()
