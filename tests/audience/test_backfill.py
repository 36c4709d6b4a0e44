"""A back-filled past: exact totals, readable like the present, its truth aside, the same for the same seed."""

from __future__ import annotations

import itertools
import json
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spnb import sandbox as spnb_sandbox
from spnb.errors import InvalidInput, SandboxError
from spnb.sandbox import Past, SandboxInfo
from spnb.sandbox.audience.crowd import TEXTS, crowd_of, peak_of
from spnb.sandbox.audience.history import plan_history
from spnb.sandbox.store import Store
from tests.conftest import RunningSandbox, start_sandbox
from tests.rest.conftest import Caller

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
SIZES: dict[str, Any] = {"days": 14, "streams": 12, "seed": 5, "views": 1_500, "messages": 2_400, "until": UNTIL}


@dataclass(frozen=True)
class Filled:
    """A sandbox of its own that runs while its past is written, and that past."""

    sandbox: RunningSandbox
    past: Past
    told: list[tuple[int, int]]
    present_room: str

    def table(self, name: str, **query: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.sandbox.url}/sandbox/tables/{name}",
            params=query,
            headers={"X-API-Key": self.sandbox.api_key},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        if query.get("format") == "json":
            return [json.loads(line) for line in answer.text.splitlines()]
        rows: list[dict[str, Any]] = pa.ipc.open_stream(answer.content).read_all().to_pylist()
        return rows


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    running = start_sandbox(tmp_path_factory.mktemp("past"), "--no-rate-limit")
    room = Caller(running, "present").room("Of today")
    told: list[tuple[int, int]] = []
    past = spnb_sandbox.backfill(
        **SIZES, sandbox=SandboxInfo.read(running.info), progress=lambda done, of: told.append((done, of))
    )
    yield Filled(running, past, told, room["roomId"])
    running.stop()


def test_totals_are_what_was_asked_for(filled: Filled) -> None:
    past = filled.past
    assert (past.streams, past.views, past.messages) == (12, 1_500, 2_400)
    assert past.until == UNTIL
    assert past.start == UNTIL - timedelta(days=14)
    assert filled.told[-1] == (12, 12)
    assert len(filled.table("views")) == past.views
    assert len(filled.table("messages")) == past.messages
    assert len(filled.table("reactions")) == past.reactions + past.live_reactions
    rooms = filled.table("rooms")
    assert len(rooms) == 13
    assert all(room["created_at"] < UNTIL for room in rooms if room["room_id"] != filled.present_room)


def test_the_truth_is_aside_and_true(filled: Filled) -> None:
    past = filled.past
    assert stat.S_IMODE(past.path.stat().st_mode) == 0o600
    truth = past.truth
    assert sum(creator["pull"] for creator in truth["creators"]) == pytest.approx(1)
    assert any(stream["moments"] for stream in truth["streams"])
    views, messages = filled.table("views"), filled.table("messages")
    rooms = {room["room_id"]: room for room in filled.table("rooms")}
    for stream in truth["streams"]:
        mine = [view for view in views if view["room_id"] == stream["roomId"]]
        assert len(mine) == stream["views"]
        assert sum(view["replay"] for view in mine) == stream["replays"]
        assert len({view["user_id"] for view in mine}) == stream["uniqueViewers"]
        assert sum(view["watch_seconds"] for view in mine) == pytest.approx(stream["watchSeconds"], abs=0.5)
        live = [view for view in mine if not view["replay"]]
        edges = sorted([(view["start"], 1) for view in live] + [(view["end"], -1) for view in live])
        assert max(itertools.accumulate(step for _, step in edges), default=0) == stream["peakViewers"]
        said = [message for message in messages if message["room_id"] == stream["roomId"]]
        assert len(said) == stream["messages"]
        assert sum(message["deleted"] for message in said) == stream["deletedMessages"]
        room = rooms[stream["roomId"]]
        assert room["status"] == stream["status"]
        assert all(room["live_at"] <= view["start"] <= view["end"] <= room["ended_at"] for view in live)
    for path in ("/sandbox/truth", "/sandbox/tables/truth"):
        headers = {"X-API-Key": filled.sandbox.api_key}
        assert httpx.get(filled.sandbox.url + path, headers=headers, timeout=60).status_code == 404


def test_the_past_is_read_like_the_present(filled: Filled) -> None:
    reader = Caller(filled.sandbox, "reader")
    newest = reader.get("/api/v1/rooms?sortBy=lastCreated&options[limit]=20")["rooms"]
    assert newest[0]["roomId"] == filled.present_room  # made before the past was written, and younger all the same
    assert [room["createdAt"] for room in newest] == sorted((room["createdAt"] for room in newest), reverse=True)
    for order in ("firstCreated", "lastCreated"):  # one by one, there and back
        token, steps = "options[limit]=1", []
        while token:
            answer = reader.get(f"/api/v1/rooms?sortBy={order}&{token}")
            steps.append((answer["rooms"][0]["roomId"], answer["paging"]))
            following = answer["paging"].get("next")
            token = f"options[token]={following}" if following else ""
        wanted = [room["roomId"] for room in newest]
        assert [room for room, _ in steps] == (wanted if order == "lastCreated" else wanted[::-1])
        for (before, _), (_, paging) in pairwise(steps):
            back = reader.get(f"/api/v1/rooms?sortBy={order}&options[token]={paging['previous']}")
            assert [room["roomId"] for room in back["rooms"]] == [before]
    stream = max(filled.past.truth["streams"], key=lambda stream: stream["messages"])
    room = reader.get(f"/api/v1/rooms/{stream['roomId']}")["rooms"][0]
    assert room["createdBy"] == stream["creator"]
    channel_id = room["liveChannelId"]
    channel = reader.get(f"/api/v3/channels/{channel_id}")["channels"][0]
    assert channel["messageCount"] == stream["messages"]
    seen: list[dict[str, Any]] = []
    query = "options[limit]=100"
    while True:
        page = reader.get(f"/api/v5/messages?messageFeedId={channel_id}&sortBy=segmentAsc&isDeleted=false&{query}")
        seen += page["messages"]
        if "next" not in page["paging"]:
            break
        query = f"options[token]={page['paging']['next']}"
    assert len(seen) == stream["messages"] - stream["deletedMessages"]
    assert [message["segment"] for message in seen] == sorted({message["segment"] for message in seen})
    assert {message["data"]["text"] for message in seen} <= set(TEXTS)
    assert all(message["reactionCount"] == sum(message["reactions"].values()) for message in seen)
    reply = next(message for message in seen if message.get("parentId"))
    parent = reader.get(f"/api/v5/messages/{reply['parentId']}")["messages"][0]
    assert parent["childCount"] >= 1
    assert parent["createdAt"] <= reply["createdAt"]
    author = reader.get(f"/api/v3/users/{reply['creatorPublicId']}")["users"][0]
    assert author["_id"] == reply["creatorId"]


def test_the_past_can_still_be_reacted_to(filled: Filled) -> None:
    reader = Caller(filled.sandbox, "late")
    stream = max(filled.past.truth["streams"], key=lambda stream: stream["messages"])
    room = reader.get(f"/api/v1/rooms/{stream['roomId']}")["rooms"][0]
    feed = room["liveChannelId"]
    message = reader.get(f"/api/v5/messages?messageFeedId={feed}&options[limit]=1")["messages"][0]
    wish = {"referenceId": message["messageId"], "referenceType": "message", "reactionName": "late"}
    for _ in range(2):
        reader.post("/api/v2/reactions", wish)
    changed = reader.get(f"/api/v5/messages/{message['messageId']}")["messages"][0]
    assert changed["reactions"] == {**message["reactions"], "late": 1}
    assert changed["myReactions"] == ["late"]
    assert changed["data"] == message["data"]
    reader.call("DELETE", "/api/v2/reactions", wish)
    taken_back = [row for row in filled.table("reactions") if row["name"] == "late"]
    assert [row["added"] for row in sorted(taken_back, key=lambda row: not row["added"])] == [True, False]
    assert all(row["room_id"] == stream["roomId"] for row in taken_back)
    assert reader.get(f"/api/v5/messages/{message['messageId']}")["messages"][0]["reactions"] == message["reactions"]
    post = reader.get(f"/api/v3/posts/{room['referenceId']}")["posts"][0]
    listed = reader.get(f"/api/v3/reactions?referenceType=post&referenceId={post['postId']}&options[limit]=100")
    assert len(listed["reactions"][0]["reactors"]) == post["reactionsCount"] == sum(post["reactions"].values())


def test_tables_tell_of_one_room_and_in_lines(filled: Filled) -> None:
    stream = max(filled.past.truth["streams"], key=lambda stream: stream["views"])
    for name, count in (
        ("views", stream["views"]),
        ("messages", stream["messages"]),
        ("rooms", 1),
    ):
        rows = filled.table(name, room_id=stream["roomId"], format="json")
        assert len(rows) == count
        assert {row["room_id"] for row in rows} == {stream["roomId"]}
    reactions = [row for row in filled.table("reactions", room_id=stream["roomId"]) if row["name"] != "late"]
    assert len(reactions) == stream["reactions"] + stream["liveReactions"]
    statuses = filled.table("status", room_id=stream["roomId"])
    assert [row["status"] for row in sorted(statuses, key=lambda row: row["at"])][:2] == ["idle", "live"]
    presence = filled.table("presence", room_id=stream["roomId"])
    assert 0 < max(row["viewers"] for row in presence) <= stream["peakViewers"]
    assert filled.table("presence", room_id="nobody's") == []


def test_tables_are_for_the_key_and_by_name(filled: Filled) -> None:
    url = f"{filled.sandbox.url}/sandbox/tables"
    key = {"X-API-Key": filled.sandbox.api_key}
    assert httpx.get(f"{url}/views", timeout=60).status_code == 401
    assert httpx.get(f"{url}/views", headers={"X-API-Key": "wrong"}, timeout=60).status_code == 401
    assert "there are views" in httpx.get(f"{url}/secrets", headers=key, timeout=60).json()["message"]
    assert httpx.get(f"{url}/views?format=xml", headers=key, timeout=60).status_code == 422


def rows_of(folder: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "sandbox.sqlite") as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return [
            (name, *row)
            for name in names
            if not name.startswith(("sqlite_", "facts"))
            for row in db.execute(f"SELECT id, doc FROM {name} ORDER BY id")
        ]


def test_the_same_seed_gives_the_same_rows_and_a_broken_off_one_is_completed(tmp_path: Path) -> None:
    sizes = {**SIZES, "streams": 5, "views": 300, "messages": 300}
    first = spnb_sandbox.backfill(**sizes, data_dir=tmp_path / "one")
    before = rows_of(tmp_path / "one")
    again = spnb_sandbox.backfill(**sizes, data_dir=tmp_path / "one")
    assert again == first
    assert rows_of(tmp_path / "one") == before
    other = spnb_sandbox.backfill(**sizes, data_dir=tmp_path / "two")
    assert other.run == first.run
    assert rows_of(tmp_path / "two") == before
    assert other.truth == first.truth
    # What a kill leaves: whole streams and missing ones.
    store = Store(tmp_path / "two" / "sandbox.sqlite")
    missing = first.truth["streams"][3]["roomId"]
    with store.bulk():
        for table in ("rooms", "posts", "channels", "messages", "watch_sessions", "reactions", "live_reactions"):
            store._db.execute(f"DELETE FROM {table} WHERE substr(id, 11, 6) = ?", (missing[10:16],))
        for table in ("statuses", "presence"):
            store._db.execute(f"DELETE FROM {table} WHERE roomId = ?", (missing,))
        store._db.execute("DELETE FROM members WHERE scopeId = ?", (f"{missing[:8]}05{missing[10:]}",))
    store.close()
    assert rows_of(tmp_path / "two") != before
    spnb_sandbox.backfill(**sizes, data_dir=tmp_path / "two")
    assert rows_of(tmp_path / "two") == before
    assert spnb_sandbox.backfill(**{**sizes, "seed": 6}, data_dir=tmp_path / "two").run != first.run


def test_bad_input_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (
        {"days": 0},
        {"streams": 0},
        {"streams": 10**9},
        {"seed": -1},
        {"views": -1},
        {"views": 10**12},
        {"views": 0, "messages": 5},
        {"until": datetime(2026, 1, 1)},
    ):
        with pytest.raises(InvalidInput):
            spnb_sandbox.backfill(**{**SIZES, **wrong}, data_dir=tmp_path / "x")
    assert not (tmp_path / "x").exists()
    monkeypatch.setenv("SOCIALPLUS_API_KEY", "key")
    monkeypatch.setenv("SOCIALPLUS_USER_ID", "me")
    monkeypatch.setenv("SOCIALPLUS_URL", "http://127.0.0.1:9")
    with pytest.raises(SandboxError, match="no running sandbox"):
        spnb_sandbox.backfill(**SIZES)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sandbox.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(SandboxError, match="not a database"):
        spnb_sandbox.backfill(**SIZES, data_dir=tmp_path / "broken")
    with pytest.raises(AttributeError):
        _ = spnb_sandbox.nothing  # type: ignore[attr-defined]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    days=st.integers(1, 400),
    streams=st.integers(1, 30),
    views=st.integers(0, 3_000),
    share=st.floats(0, 3),
)
def test_every_past_is_possible(seed: int, days: int, streams: int, views: int, share: float) -> None:
    messages = int(views * share)
    history = plan_history(seed=seed, days=days, streams=streams, views=views, messages=messages, until=UNTIL)
    assert sum(stream.views for stream in history.streams) == views
    assert sum(stream.messages for stream in history.streams) == messages
    created = [stream.created for stream in history.streams]
    starts = [stream.live for stream in history.streams if stream.live is not None]
    assert starts == sorted(set(starts))
    assert len(created) == streams
    for stream in history.streams:
        crowd = crowd_of(history, stream)
        watched, chat = crowd.watched, crowd.chat
        assert len(watched.start) == stream.views
        assert len(chat.at) == stream.messages
        if stream.live is None or stream.ended is None:
            assert not stream.views
            continue
        assert history.start <= stream.live < stream.ended < history.until
        on_air = len(watched.start) - watched.replays
        start, end, fan = watched.start[:on_air], watched.end[:on_air], watched.fan[:on_air]
        assert ((stream.live <= start) & (start <= end) & (end <= stream.ended)).all()
        assert (watched.start[on_air:] >= (stream.recorded or 0)).all()
        assert (watched.end <= history.until).all()
        assert (watched.played * 1000 <= watched.end - watched.start + 51).all()
        # Nobody watches twice at once, so that sessions open are viewers.
        order = np.lexsort((start, fan))
        same = fan[order][1:] == fan[order][:-1]
        assert (start[order][1:][same] >= end[order][:-1][same]).all()
        assert peak_of(start, end)[0] <= len(set(fan.tolist()))
        # Whoever writes or reacts was there at some time, and answers only what was said before.
        assert set(chat.fan.tolist()) <= set(fan.tolist())
        assert (np.diff(chat.at) >= 0).all()
        assert (chat.parent < np.arange(1, len(chat.at) + 1)).all()
        assert chat.replies.sum() == (chat.parent > 0).sum()
        assert (crowd.reacted.segment <= len(chat.at)).all()
        assert all(stream.live < moment.at < stream.ended for moment in stream.moments)
