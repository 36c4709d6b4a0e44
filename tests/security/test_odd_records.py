"""Odd records: refused at the door, and harmless where an earlier version has stored one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import spnb
from spnb.sandbox.store import Store
from tests.conftest import RunningSandbox, start_sandbox
from tests.rest.conftest import Caller
from tests.security.mqtt import RawClient

Json = dict[str, Any]


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value}
    return value


class Place:
    """A room with its post, its chat and a message: what odd writes are aimed at."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.me = Caller(sandbox)
        self.room = self.me.room("Whole")["roomId"]
        post = self.me.room_post({"roomId": self.room})
        self.post = post["posts"][0]["postId"]
        self.child = post["postChildren"][0]["postId"]
        channel = self.me.post("/api/v3/channels", {"type": "live", "roomId": self.room, "postId": self.child})
        self.channel = channel["channels"][0]["channelId"]
        sent = self.me.post("/api/v5/messages", {"messageFeedId": self.channel, "data": {"text": "whole"}})
        self.message = sent["messages"][0]["messageId"]

    def assert_lists_are_whole(self, reader: Caller) -> None:
        """What everybody reads is answered, and a client of ours understands it."""
        for path, params in (
            ("/api/v1/rooms", {"sortBy": "lastCreated", "options[limit]": 100}),
            ("/api/v1/rooms/lives", {}),
            ("/api/v5/messages", {"messageFeedId": self.channel, "options[limit]": 100}),
            ("/api/v5/posts", {"targetId": self.me.user_id, "targetType": "user"}),
            ("/api/v3/users", {"keyword": "e"}),
            ("/api/v3/channels", {"types[]": "live"}),
            ("/api/v3/communities", {"keyword": "a"}),
            ("/api/v3/reactions", {"referenceType": "message", "referenceId": self.message}),
        ):
            assert reader.get(path, **params)


@pytest.fixture(scope="module")
def place(sandbox: RunningSandbox) -> Place:
    return Place(sandbox)


@pytest.fixture(scope="module")
def reader(sandbox: RunningSandbox) -> Caller:
    return Caller(sandbox)


Odd = tuple[str, str, Json]
WRITES: dict[str, Callable[[Place], Odd]] = {
    "message data null": lambda at: ("PUT", f"/api/v5/messages/{at.message}", {"data": None}),
    "message tags null": lambda at: ("PUT", f"/api/v5/messages/{at.message}", {"tags": None}),
    "message text an object": lambda at: (
        "POST",
        "/api/v5/messages",
        {"messageFeedId": at.channel, "data": {"text": {}}},
    ),
    "room title null": lambda at: ("PUT", f"/api/v1/rooms/{at.room}", {"title": None}),
    "room chat null": lambda at: ("PUT", f"/api/v1/rooms/{at.room}", {"liveChatEnabled": None}),
    "display name null": lambda _: ("PUT", "/api/v3/users", {"displayName": None}),
    "channel name null": lambda at: ("PUT", f"/api/v3/channels/{at.channel}", {"displayName": None}),
    "post tags null": lambda at: ("PUT", f"/api/v4/posts/{at.post}", {"tags": None}),
    "post data of odd names": lambda _: ("POST", "/api/v4/posts", {"dataType": "text", "data": {"roomId": {"a": 1}}}),
    "post text a list": lambda _: ("POST", "/api/v4/posts", {"dataType": "text", "data": {"text": ["a"]}}),
    "metadata deep": lambda at: ("PUT", f"/api/v1/rooms/{at.room}", {"metadata": nested(40)}),
    "metadata too deep to write": lambda at: ("PUT", f"/api/v1/rooms/{at.room}", {"metadata": nested(253)}),
    "metadata far too deep": lambda at: ("PUT", f"/api/v1/rooms/{at.room}", {"metadata": nested(500)}),
    "metadata large": lambda at: ("PUT", f"/api/v1/rooms/{at.room}", {"metadata": {"a": ["x" * 50_000] * 3}}),
    "message data deep": lambda at: (
        "POST",
        "/api/v5/messages",
        {"messageFeedId": at.channel, "dataType": "custom", "data": nested(200)},
    ),
    "a body too large": lambda at: (
        "PUT",
        f"/api/v1/rooms/{at.room}",
        {"description": "x", "more": ["x" * 50_000] * 9},
    ),
    "a reaction's name": lambda at: (
        "POST",
        "/api/v2/reactions",
        {"referenceId": at.message, "referenceType": "message", "reactionName": "x" * 101},
    ),
    "a floating reaction's time": lambda at: (
        "POST",
        "/api/v1/reactions/live",
        {
            "roomId": at.room,
            "reactions": [
                {"referencePublicId": at.child, "reactionName": "x", "occurredAt": "9999-12-31T23:59:59-14:00"}
            ],
        },
    ),
    "a floating reaction's nonsense": lambda at: (
        "POST",
        "/api/v1/reactions/live",
        {"roomId": at.room, "reactions": [{"reactionName": "x", "occurredAt": "soon"}]},
    ),
    "mute without end": lambda at: ("PUT", f"/api/v2/channel/{at.channel}/mute", {"mutePeriod": 10**18}),
    "mute of twenty digits": lambda at: ("PUT", f"/api/v2/channel/{at.channel}/mute", {"mutePeriod": 10**20}),
    "slow mode without end": lambda at: ("PUT", f"/api/v3/channels/{at.channel}", {"rateLimitWindow": 10**15}),
    "a huge product index": lambda at: (
        "PUT",
        f"/api/v4/posts/{at.child}",
        {"productTags": [{"productId": "mug", "index": 2**70}]},
    ),
}
SESSION = {"sessionId": "odd", "watchSeconds": 1.0, "startTime": "2026-01-01T00:00:00Z", "endTime": ""}
for name, change in {
    "watched for ever": {"watchSeconds": 1e308},
    "watched for a century": {"watchSeconds": 3e9},
    "watched in the year 1": {"startTime": "0001-01-01T00:00:00+14:00"},
    "watched in 9999": {"endTime": "9999-12-31T23:59:59-12:00"},
    "watched at no time": {"startTime": "never"},
    "watched null": {"watchSeconds": None},
}.items():
    WRITES[name] = lambda at, change=change: (  # type: ignore[misc]
        "POST",
        "/api/v3/user-event/room",
        {"rooms": [{**SESSION, "roomId": at.room, **change}]},
    )


@pytest.mark.parametrize("what", WRITES)
def test_an_odd_write_is_refused_and_harms_no_list(place: Place, reader: Caller, what: str) -> None:
    method, path, body = WRITES[what](place)
    answer = place.me.http.request(method, path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    if what == "display name null" and answer.status_code == 200:
        # As if it were not there, as SDKs mean it.
        assert place.me.get(f"/api/v3/users/{place.me.user_id}")["users"][0]["displayName"] == place.me.user_id
        place.assert_lists_are_whole(reader)
        return
    assert answer.status_code in (400, 413, 422), f"{answer.status_code} {answer.text[:300]}"
    assert answer.json()["status"] == "error"
    place.assert_lists_are_whole(reader)


BODIES: dict[str, bytes] = {
    "a list": b"[]",
    "a list of lists": b"[[[]]]",
    "a number": b"1",
    "null": b"null",
    "a text": b'"x"',
    "no JSON": b"{",
    "no UTF-8": b'{"title": "\xff"}',
    "half a character": b'{"title": "\\ud800"}',
    "infinity": b'{"watchSeconds": 1e999}',
    "brackets": b"[" * 100_000,
}
CALLS = [
    ("POST", "/api/v1/rooms"),
    ("PUT", "/api/v1/rooms/{room}"),
    ("POST", "/api/v5/messages"),
    ("PUT", "/api/v5/messages/{message}"),
    ("POST", "/api/v5/messages/{message}/flags"),
    ("POST", "/api/v2/reactions"),
    ("DELETE", "/api/v2/reactions"),
    ("POST", "/api/v1/reactions/live"),
    ("POST", "/api/v4/posts"),
    ("PUT", "/api/v4/posts/{post}"),
    ("POST", "/api/v3/channels"),
    ("PUT", "/api/v3/channels/{channel}"),
    ("PUT", "/api/v2/channel/{channel}/mute"),
    ("PUT", "/api/v2/channel/{channel}/users/mute"),
    ("PUT", "/api/v3/channels/{channel}/users/ban"),
    ("POST", "/api/v3/communities"),
    ("POST", "/api/v3/user-event/room"),
    ("POST", "/api/v1/analytics/activities"),
    ("POST", "/api/v1/invitations"),
    ("POST", "/api/v1/rooms/{room}/viewer-bans"),
    ("DELETE", "/api/v1/rooms/{room}/viewer-bans"),
    ("DELETE", "/api/v1/rooms/{room}/participants"),
    ("PUT", "/api/v3/users"),
    ("PUT", "/api/v3/network-settings/video-streaming"),
    ("PUT", "/api/v3/network-settings/webhook"),
    ("POST", "/api/v5/sessions"),
    ("POST", "/api/v5/sessions/visitor"),
    ("POST", "/sandbox/livekit-token"),
    ("POST", "/sandbox/products"),
    ("POST", "/sandbox/rooms/{room}/moderation"),
    ("POST", "/sandbox/faults"),
    ("POST", "/sandbox/faults/cut"),
    ("POST", "/sandbox/faults/expire"),
    ("POST", "/sandbox/webhooks"),
    ("POST", "/api/v4/images"),
]


@pytest.mark.parametrize("what", BODIES)
def test_no_body_makes_a_call_fail(place: Place, what: str) -> None:
    for method, path in CALLS:
        answer = place.me.http.request(
            method,
            path.format_map(vars(place)),
            content=BODIES[what],
            headers={"X-API-Key": place.me.sandbox.api_key, "Content-Type": "application/json"},
        )
        assert answer.status_code < 500, f"{method} {path}: {answer.text[:300]}"


@pytest.mark.parametrize(
    "query",
    [
        "options[limit]=²",
        "options[limit]=٣",
        "options[limit]=" + "9" * 5000,
        "options[limit]=-1",
        "options[limit]=1.0",
        "options[token]=²",
        "options[token]=eyJsIjoxMCwicyI6OTIyMzM3MjAzNjg1NDc3NTgwOH0",  # {"l":10,"s":9223372036854775808}
        "options[token]=eyJsIjoxMCwicyI6LTF9",  # {"l":10,"s":-1}
        "options[token]=eyJsIjoxMCwicyI6MWUzMDh9",  # {"l":10,"s":1e308}
        "options[token]=eyJsIjpudWxsLCJzIjpudWxsfQ",  # {"l":null,"s":null}
        "options[token]=WzFd",  # [1]
        "sortBy=%00",
        "isDeleted=perhaps",
        "&".join(f"statuses[]={number}" for number in range(101)),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/rooms", "/api/v3/users", "/api/v1/products/search", "/api/v3/communities"])
def test_no_query_makes_a_list_fail(place: Place, path: str, query: str) -> None:
    answer = place.me.http.get(f"{path}?{query}")
    assert answer.status_code < 500, answer.text[:300]


@pytest.mark.parametrize(
    "path",
    [
        "/media/²./{room}/live/index.m3u8",
        "/media/9{nines}.x/{room}/live/index.m3u8",
        "/media/99999999999.%C3%A9/{room}/live/index.m3u8",
        "/media/.{room}/{room}/live/index.m3u8",
        "/media/1.x/..%2f..%2f/live/..%2fsandbox.sqlite",
        "/files/%00",
        "/files/..%2fsandbox.sqlite",
        "/api/v1/rooms/%00",
        "/api/v1/rooms/%ff%fe",
        "/api/v1/rooms/{nines}",
        "/sandbox/tables/%00",
        "/rtc",
        "/rtc/validate?access_token=%00",
        "/twirp/livekit.RoomService/ListRooms",
    ],
)
def test_odd_addresses_are_refused(place: Place, path: str) -> None:
    address = path.replace("{room}", place.room).replace("{nines}", "9" * 5000)
    for method in ("GET", "POST", "HEAD"):
        answer = place.me.http.request(method, address)
        assert 400 <= answer.status_code < 500, f"{method} {answer.status_code}"


@pytest.mark.parametrize("token", ["x", "é", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "\x7f", "x" * 20_000, "..", "{}"])
def test_odd_tokens_are_no_login(sandbox: RunningSandbox, token: str) -> None:
    raw = token.encode()
    for headers in ({"Authorization": b"Bearer " + raw}, {"X-Admin-Token": raw}, {"Cookie": b"_ascSession=" + raw}):
        answer = httpx.get(f"{sandbox.url}/api/v1/rooms", headers=headers, trust_env=False, timeout=60)
        assert answer.status_code in (400, 401, 431)
    answer = httpx.get(f"{sandbox.url}/sandbox/info", headers={"X-API-Key": raw}, trust_env=False, timeout=60)
    assert answer.status_code in (400, 401, 431)


def test_different_reactions_are_so_many_and_no_more(place: Place) -> None:
    sent = place.me.post("/api/v5/messages", {"messageFeedId": place.channel, "data": {"text": "react"}})
    message_id = sent["messages"][0]["messageId"]
    wish = {"referenceId": message_id, "referenceType": "message"}
    for number in range(20):
        place.me.post("/api/v2/reactions", {**wish, "reactionName": f"name {number}"})
    place.me.post("/api/v2/reactions", {**wish, "reactionName": "name 3"})
    place.me.post("/api/v2/reactions", {**wish, "reactionName": "one more"}, expect=400)


async def test_what_is_stored_in_an_odd_form_is_answered_without_harm(tmp_path: Path) -> None:
    first = start_sandbox(tmp_path, "--no-rate-limit")
    at = Place(first)
    first.stop()
    spoil(tmp_path / "sandbox.sqlite", at)
    second = start_sandbox(tmp_path, "--no-rate-limit")
    try:
        reader = Caller(second, "reader")
        at.me.http.base_url = second.url
        at.assert_lists_are_whole(reader)
        with RawClient.of(reader) as follower:
            follower.subscribe(f"sandbox/room/{at.room}")
            at.me.call("PUT", f"/api/v1/rooms/{at.room}", {"description": "told all the same"})
            told = follower.receive()
            assert told is not None
            assert b"told all the same" in told
        at.me.call("PUT", f"/api/v4/posts/{at.child}", {"data": {"text": "edited"}})
        at.me.post("/api/v2/reactions", {"referenceId": at.message, "referenceType": "message", "reactionName": "x"})
        for table in ("views", "chat", "reactions", "rooms"):
            answer = httpx.get(
                f"{second.url}/sandbox/tables/{table}?format=json",
                headers={"X-API-Key": second.api_key},
                trust_env=False,
                timeout=60,
            )
            assert answer.status_code in (200, 404), answer.text
        async with await spnb.connect_async("client", url=second.url, api_key=second.api_key) as client:
            rooms = await client.rooms.records(statuses=["idle"])
            assert at.room in [room.room_id for room in rooms]
    finally:
        second.stop()


def spoil(path: Path, at: Place) -> None:
    """Write what earlier versions took."""
    store = Store(path)
    store.close()
    with sqlite3.connect(path) as db:

        def change(table: str, key: str, **fields: Any) -> None:
            (doc,) = db.execute(f"SELECT doc FROM {table} WHERE id = ?", (key,)).fetchone()
            document = {**json.loads(doc), **fields}
            db.execute(f"UPDATE {table} SET doc = ? WHERE id = ?", (json.dumps(document).encode(), key))

        deep = nested(252)
        change("rooms", at.room, title=None, metadata=deep, participants=None)
        change("messages", at.message, data=None, metadata=deep, tags=None, reactions=None)
        change("posts", at.child, data={"roomId": {"odd": True}}, tags=None)
        change("posts", at.post, data=None)
        change("channels", at.channel, displayName=None, metadata=deep)
        (user,) = db.execute("SELECT id FROM users WHERE userId = ?", (at.me.user_id,)).fetchone()
        change("users", user, displayName=None, roles=None)
        session = {**SESSION, "roomId": at.room, "userId": "x", "userInternalId": "x"}
        odd = {
            **session,
            "watchSeconds": 1e308,
            "startTime": "0001-01-01T00:00:00+14:00",
            "endTime": "9999-12-31T23:59:59-14:00",
        }
        db.execute(
            "INSERT INTO watch_sessions (id, doc, roomId) VALUES (?, ?, ?)", ("odd", json.dumps(odd).encode(), at.room)
        )
