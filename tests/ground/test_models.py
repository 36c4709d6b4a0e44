"""Records: tolerant of what a newer service sends, frozen, and safe to show."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spnb.models import STATUS_LABELS, BroadcasterData, Message, Recording, Room, User

ROOM = {
    "_id": "65f000000000000000000001",
    "roomId": "65f000000000000000000001",
    "type": "coHosts",
    "status": "live",
    "title": "Hello",
    "liveChatEnabled": True,
    "participants": [{"type": "host", "userId": "ann", "userInternalId": "65f000000000000000000002"}],
    "livePlaybackUrl": "https://stream.example/live.m3u8?token=verysecret",
    "recordedPlaybackInfos": [],
    "createdAt": "2026-01-02T03:04:05.678Z",
}


def test_a_room_reads_the_wire_and_writes_it_back() -> None:
    room = Room.model_validate(ROOM)
    assert (room.room_id, room.status, room.participants[0].user_id) == (ROOM["roomId"], "live", "ann")
    assert room.created_at == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    again = Room.model_validate(room.to_wire())
    assert again == room


def test_older_spellings_are_read_as_the_current_ones() -> None:
    room = Room.model_validate({**ROOM, "status": "waiting_reconnect", "type": "co_hosts"})
    assert (room.status, room.type) == ("waitingReconnect", "coHosts")
    del (older := dict(ROOM))["liveChatEnabled"]
    assert not Room.model_validate({**older, "liveChannelEnabled": False}).live_chat_enabled
    assert not Room.model_validate({**older, "channelEnabled": False}).live_chat_enabled


@given(st.dictionaries(st.text(min_size=1).map(lambda name: "x" + name), st.integers() | st.text()), st.text())
def test_unknown_fields_and_statuses_survive(extra: dict[str, object], status: str) -> None:
    room = Room.model_validate({**ROOM, **extra, "status": status})
    assert room.status == ("waitingReconnect" if status == "waiting_reconnect" else status)
    assert {name: room.to_wire()[name] for name in extra} == extra
    assert room.label == STATUS_LABELS.get(room.status, room.status)


def test_records_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Room.model_validate(ROOM).title = "other"  # type: ignore[misc]


def test_secrets_stay_out_of_every_representation() -> None:
    room = Room.model_validate(ROOM)
    data = BroadcasterData.model_validate({"coHostUrl": "wss://x", "coHostToken": "verysecret"})
    recording = Recording.from_answer({"recordedUrls": ["https://cdn.example/verysecret"]})
    for record in (room, data, recording):
        assert "verysecret" not in repr(record) + str(record) + record._repr_html_()


def test_titles_are_shown_as_text() -> None:
    html = Room.model_validate({**ROOM, "title": "<img src=x onerror=alert(1)>"})._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html


@pytest.mark.parametrize(
    "answer",
    [
        ["https://a", "https://b"],
        {"recordedUrls": ["https://a", "https://b"]},
        {"recordedUrls": ["https://a", "https://b"], "url": "https://a", "expiresAt": "2026-01-01T00:00:00.000Z"},
    ],
)
def test_recordings_come_in_three_shapes(answer: object) -> None:
    assert Recording.from_answer(answer).urls == ["https://a", "https://b"]


def test_a_single_recording_url_is_enough() -> None:
    recording = Recording.from_answer({"url": "https://a", "expiresAt": "2026-01-01T00:00:00.000Z"})
    assert recording.urls == ["https://a"]
    assert recording.expires_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_the_network_is_read_off_the_users_path() -> None:
    assert User.model_validate({"userId": "a", "path": "net1/user/65f0"}).network_id == "net1"
    assert User.model_validate({"userId": "a"}).network_id is None


def test_message_text_is_empty_for_other_kinds() -> None:
    assert Message.model_validate({"messageId": "1", "data": {"text": "hi"}}).text == "hi"
    assert Message.model_validate({"messageId": "1", "dataType": "image", "data": {}}).text == ""


def test_over_and_live_are_told_apart() -> None:
    states = ("idle", "live", "waitingReconnect", "ended", "recorded", "terminated", "error", "somethingNew")
    rooms = [Room.model_validate({**ROOM, "status": status}) for status in states]
    assert [room.is_live for room in rooms] == [False, True, True, False, False, False, False, False]
    assert [room.is_over for room in rooms] == [False, False, False, True, True, True, True, False]


def test_html_of_a_room_names_what_a_host_asks_first(tmp_path: Path) -> None:
    html = Room.model_validate({**ROOM, "durationSeconds": 12.5})._repr_html_()
    assert "Live" in html
    assert "2026-01-02 03:04:05 UTC" in html
    assert "12.5 s" in html
    assert json.dumps(ROOM["roomId"])[1:-1] in html
