"""Who is on the stage, by whatever comes of the events that tell of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spnb.client import AsyncClient
from spnb.config import Credentials, Endpoints
from spnb.live import AsyncLiveRoom
from spnb.live.stage import JOINED, LEFT
from spnb.models import Room
from spnb.realtime import Event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = ("ann", "bob", "cy")
CLIENT: AsyncClient[Any] = AsyncClient(Endpoints.of_url("http://127.0.0.1:9"), Credentials("no key", "ann"))
MOVES = st.dictionaries(st.integers(0, 50), st.tuples(st.sampled_from(PEOPLE), st.booleans()), max_size=20)


def stage_of(status: str = "live") -> Any:
    broadcasters = [{"type": "coHost" if number else "host", "userId": who} for number, who in enumerate(PEOPLE)]
    record = Room.model_validate({"roomId": "r", "status": status, "participants": broadcasters})
    return AsyncLiveRoom(CLIENT, record).stage


@given(MOVES, st.data())
def test_loss_doubling_and_order_give_each_persons_newest_move(
    moves: dict[int, tuple[str, bool]], data: st.DataObject
) -> None:
    """At each moment one moves; whatever part of it arrives, however often, the newest that arrived counts."""
    told = data.draw(st.lists(st.sampled_from(sorted(moves)), max_size=60)) if moves else []
    stage = stage_of()
    for at in told:
        who, came = moves[at]
        stage._heard(
            Event(
                JOINED if came else LEFT,
                {"eventActor": {"userId": who}},
                "sandbox/room/r",
                sent_at=NOW + timedelta(milliseconds=at),
            )
        )
    newest = {who: came for _, (who, came) in sorted((at, moves[at]) for at in set(told))}
    assert {one.user_id: one.on_stage for one in stage.people} == {who: newest.get(who) for who in PEOPLE}


@given(st.sets(st.sampled_from(PEOPLE)))
def test_what_the_media_server_shows_goes_before_what_events_told(there: set[str]) -> None:
    stage = stage_of()
    stage._heard(Event(JOINED, {"eventActor": {"userId": "bob"}}, "t", sent_at=NOW))
    stage.seen(there)
    assert {one.user_id for one in stage.people if one.on_stage} == there
    stage.seen(None)
    assert {one.user_id for one in stage.people if one.on_stage} == there, "the last sight is the best guess"
    stage._heard(Event(LEFT, {"eventActor": {"userId": "bob"}}, "t", sent_at=NOW + timedelta(seconds=1)))
    assert "bob" not in {one.user_id for one in stage.people if one.on_stage}


def test_nobody_is_on_the_stage_of_a_room_that_is_off_the_air() -> None:
    for status in ("idle", "waitingReconnect", "ended", "recorded", "terminated"):
        assert not any(one.on_stage for one in stage_of(status).people)
