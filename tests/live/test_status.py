"""The order of states: whatever is lost, doubled or shuffled, a room converges to the truth and never steps back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spnb.live.status import FOLLOWS, RANK, STATUS_OF_EVENT, advance, can_still_reach, room_of_event
from spnb.models import FINAL_STATUSES, Room
from spnb.realtime import Event, _matches, _read

START = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = {status: name for name, status in STATUS_OF_EVENT.items()}


def room(status: str, second: float, **fields: Any) -> Room:
    return Room.model_validate(
        {"roomId": "r", "_id": "r", "status": status, "updatedAt": START + timedelta(seconds=second), **fields}
    )


@st.composite
def lives(draw: st.DrawFn) -> list[Room]:
    """What a service may go through with a room, in its order."""
    status, found, second = "idle", [room("idle", 0)], 0
    while FOLLOWS[status] and len(found) < 12:
        status = draw(st.sampled_from(sorted(FOLLOWS[status])))
        second += draw(st.integers(1, 5))
        found.append(room(status, second))
        if status in FINAL_STATUSES and draw(st.booleans()):
            break
    return found


@given(lives(), st.data())
def test_any_loss_doubling_and_order_converges(life: list[Room], data: st.DataObject) -> None:
    heard = data.draw(st.lists(st.sampled_from(life), max_size=20))
    known, seen = life[0], [life[0].status]
    for news in [*heard, life[-1]]:  # the last one is the reading that follows every event
        known = advance(known, news)
        if known.status != seen[-1]:
            seen.append(known.status)
    assert known == life[-1]
    ranks = [RANK[status] for status in seen]
    assert ranks == sorted(ranks)


@given(lives(), st.randoms(use_true_random=False))
def test_events_are_trusted_over_the_room_inside(life: list[Room], random: Any) -> None:
    events = [
        Event(
            EVENTS[state.status],
            {"rooms": [{"roomId": "r", "status": "idle"}, {"roomId": "other", "status": "error"}, "junk"]},
            "sandbox/room/r",
            sent_at=state.updated_at,
        )
        for state in life
        if state.status in EVENTS
    ]
    random.shuffle(events)
    known = life[0]
    for event in events + events:
        told = room_of_event(event, "r")
        assert told is not None
        known = advance(known, told)
    reached = [state for state in life if state.status in EVENTS]
    if reached and life[-1].status in EVENTS:
        assert known.status == life[-1].status


def test_unknown_states_are_kept_and_give_way_to_newer_ones() -> None:
    strange = room("rehearsal", 5)
    assert advance(room("idle", 1), strange) is strange
    assert advance(strange, room("live", 6)).status == "live"
    assert advance(strange, room("idle", 1)) is strange
    assert advance(room("recorded", 3), strange).status == "recorded"
    assert can_still_reach("rehearsal", "live")


def test_old_news_changes_nothing() -> None:
    live = room("live", 5, title="new")
    assert advance(live, room("waitingReconnect", 4)) is live
    assert advance(live, room("live", 3, title="old")) is live
    assert advance(live, room("idle", 9)) is live
    assert advance(live, room("waitingReconnect", 6)).status == "waitingReconnect"


@pytest.mark.parametrize(
    ("status", "wanted", "can"),
    [
        ("idle", "recorded", True),
        ("waitingReconnect", "live", True),
        ("ended", "live", False),
        ("recorded", "ended", False),
        ("terminated", "recorded", False),
        ("error", "error", True),
    ],
)
def test_what_can_still_come_is_known(status: str, wanted: str, can: bool) -> None:
    assert can_still_reach(status, wanted) is can


def test_topics_match_like_mqtt() -> None:
    assert _matches("a/+/c", "a/b/c")
    assert _matches("a/#", "a/b/c")
    assert not _matches("a/+", "a/b/c")
    assert not _matches("a/b/c", "a/b")
    assert not _matches("a/b/+", "a/b")


@given(st.binary(max_size=50) | st.sampled_from([b"[]", b"{}", b'{"eventType": 1, "data": 5}', b'{"eventType": "x"}']))
def test_no_payload_breaks_the_reader(payload: bytes) -> None:
    event = _read("t", payload)
    assert event is None or isinstance(event.data, dict)
