"""Of rows with one id the one that tells more counts, whatever came first, on every engine."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from spnb import analytics
from tests.analytics.season import season

LIVE = pd.Timestamp("2026-03-02 18:00", tz="UTC")
ROOM = pd.DataFrame(
    {"room_id": ["a"], "created_at": [LIVE], "live_at": [LIVE], "ended_at": [LIVE + pd.Timedelta(hours=1)]}
)


def session(seconds: float | None, watched: float | None) -> dict[str, Any]:
    end = pd.NaT if seconds is None else LIVE + pd.Timedelta(seconds=seconds)
    return {"session_id": "s", "room_id": "a", "user_id": "u", "start": LIVE, "end": end, "watch_seconds": watched}


@pytest.mark.parametrize("turned", [False, True])
def test_closed_beats_open_and_more_seconds_beat_fewer(turned: bool) -> None:
    for one, other, seconds in (
        (session(None, None), session(60, 60), 60),
        (session(None, 3540), session(60, 60), 60),
        (session(60, 60), session(120, 90), 90),
        (session(120, 50), session(100, 90), 90),  # not the later end
    ):
        rows = [other, one] if turned else [one, other]
        made = analytics.load({"rooms": ROOM, "views": pd.DataFrame(rows)})
        assert made.kpis.loc["a", "watch_seconds"] == seconds


@pytest.mark.parametrize("turned", [False, True])
def test_deleted_beats_standing_and_a_fuller_room_a_barer_one(turned: bool) -> None:
    said = {"message_id": "m", "room_id": "a", "user_id": "u", "created_at": LIVE, "length": 3}
    later = LIVE + pd.Timedelta(seconds=1)  # a standing copy of later is no more complete
    messages = [{**said, "deleted": True}, {**said, "deleted": False, "created_at": later, "channel_id": "c"}]
    barer = ROOM[["room_id", "created_at"]].assign(title="Zebra")
    rooms = pd.concat([ROOM.assign(title="Soup"), barer], ignore_index=True)
    step = -1 if turned else 1
    made = analytics.load({"rooms": rooms.iloc[::step], "messages": pd.DataFrame(messages[::step])})
    assert made.kpis.loc["a", "messages"] == 0
    assert made.rooms["title"].tolist() == ["Soup"]
    assert made.rooms["live_at"].notna().all()


def test_of_messages_without_ids_none_is_a_double_of_sessions_equal_ones_are() -> None:
    said = {"room_id": "a", "user_id": "u", "created_at": LIVE + pd.Timedelta(seconds=5), "length": 3}
    watched = {name: value for name, value in session(60, 60).items() if name != "session_id"}
    given = {"room_id": "a", "user_id": "u", "name": "like", "at": LIVE + pd.Timedelta(seconds=5)}
    made = analytics.load(
        {
            "rooms": ROOM,
            "messages": pd.DataFrame([said, said]),
            "views": pd.DataFrame([watched, watched]),
            "reactions": pd.DataFrame([given, given]),
        }
    )
    assert made.kpis.loc["a", ["messages", "reactions", "views"]].tolist() == [2, 2, 1]
    assert made.mended.rows("double") == 1


def shuffled(tables: dict[str, pd.DataFrame], seed: int) -> dict[str, pd.DataFrame]:
    """Every row twice or more, some of them with less in them, in any order."""
    draw = np.random.default_rng(seed)
    made = {}
    for name, frame in tables.items():
        again = frame.sample(frac=0.5, random_state=seed)
        if name == "views":
            again = again.assign(
                end=again["end"].where(draw.random(len(again)) < 0.5),
                watch_seconds=again["watch_seconds"] * draw.choice([0.5, 1.0, 2.0], len(again)),
            )
        elif name == "messages":
            again = again.assign(deleted=draw.random(len(again)) < 0.5)
        made[name] = pd.concat([frame, again], ignore_index=True).sample(frac=1, random_state=seed + 1)
    return made


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_arrival_never_matters(seed: int) -> None:
    tables = {name: frame for name, frame in season(streams=4, seed=seed).items() if name != "health"}
    doubled = shuffled(tables, seed)
    first = analytics.load(doubled).kpis.sort_index()
    for other in range(3):
        mixed = {name: frame.sample(frac=1, random_state=other) for name, frame in doubled.items()}
        pd.testing.assert_frame_equal(first, analytics.load(mixed).kpis.sort_index())
    for engine in (pl.from_pandas, duckdb.from_df):
        told = analytics.portable.kpis({name: engine(frame) for name, frame in doubled.items()})
        frame = (told.collect().to_pandas() if isinstance(told, pl.LazyFrame) else told.df()).set_index("room_id")
        for column in ("views", "unique_viewers", "messages", "chatters"):
            assert frame[column].loc[first.index].tolist() == first[column].tolist(), column
