"""One window for each stream from all its tables; periods that are equal in days; live and replay apart."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

from spnb import analytics
from spnb.analytics import portable
from spnb.analytics.figures import leaderboard, streams_compared
from spnb.errors import InvalidInput
from tests.analytics.season import season
from tests.analytics.test_portable import agree, by_duckdb

ZERO = pd.Timestamp("2026-03-01T18:00:00Z")


def after(*seconds: float) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([ZERO + pd.Timedelta(seconds=second) for second in seconds])


def chatted(*seconds: float, room: str = "r") -> pd.DataFrame:
    at = after(*seconds)
    users = [f"u{number % 3}" for number in range(len(at))]
    return pd.DataFrame({"room_id": room, "user_id": users, "created_at": at})


def test_a_stream_known_by_its_chat_alone_has_a_length_a_rate_and_bins_to_look_at() -> None:
    messages = chatted(*np.linspace(0, 8460, 600))
    dataset = analytics.load({"messages": messages})
    made = dataset.kpis.loc["r"]
    assert made["duration_seconds"] == 8460
    assert made["messages_per_minute"] == pytest.approx(600 / 141)
    assert dataset.quality.rows("stream without its times") == 1
    report = dataset.report("r")
    assert report.bin_seconds == 60
    assert len(report.chat) == 141 + 1 - 1 * (8460 % 60 == 0)
    assert report.chat["messages"].sum() == 600
    figures = report.figures()
    assert set(figures) == {"stack"}
    assert not math.isnan(report.kpis["duration_seconds"])
    named = {trace.name for trace in figures["stack"].data}
    assert "messages" in named
    assert not named & {"viewers", "viewers, as polled", "reactions"}


def test_every_table_widens_the_window_that_nobody_told_and_none_one_that_is_known() -> None:
    views = pd.DataFrame({"room_id": "r", "user_id": ["a", "b"], "start": after(100, 130), "end": after(400, 190)})
    tables = {
        "views": views,
        "messages": chatted(40, 150),
        "reactions": pd.DataFrame({"room_id": "r", "user_id": "a", "name": "like", "at": after(460)}),
        "presence": pd.DataFrame({"room_id": "r", "at": after(10, 200), "viewers": [0, 2]}),
    }
    dataset = analytics.load(tables)
    made = dataset.kpis.loc["r"]
    assert made["duration_seconds"] == 450
    assert made["average_viewers"] == pytest.approx(360 / 450)
    assert (made["messages"], made["reactions"]) == (2, 1)
    report = dataset.report("r")
    assert len(report.joins_leaves) == len(report.chat)
    agree(by_duckdb(dataset), dataset)
    frames = {name: pl.from_pandas(dataset.table(name)).lazy() for name in dataset.known | {"rooms"}}
    agree(portable.kpis(frames, as_of=dataset.as_of).collect().to_pandas(), dataset)
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": after(120), "ended_at": after(180)})
    known = analytics.load({**tables, "rooms": rooms}).kpis.loc["r"]
    assert (known["duration_seconds"], known["messages"], known["reactions"]) == (60, 1, 0)


def test_replays_have_numbers_of_their_own() -> None:
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [ZERO], "ended_at": after(3600)})
    live = pd.DataFrame({"room_id": "r", "user_id": ["a", "b"], "start": after(0, 0), "end": after(600, 1200)})
    again = pd.DataFrame(
        {"room_id": "r", "user_id": ["b", "c", "c"], "start": after(9000, 9000, 9900), "end": after(9060, 9300, 9960)}
    )
    dataset = analytics.load({"rooms": rooms, "views": pd.concat([live, again], ignore_index=True)})
    made = dataset.kpis.loc["r"]
    assert (made["live_viewers"], made["replay_viewers"], made["unique_viewers"]) == (2, 2, 3)
    assert made["minutes_per_viewer"] == pytest.approx(30 / 2)
    assert made["view_seconds"] == pytest.approx(900)
    assert made["replay_watch_seconds"] == 420
    assert made["replay_minutes_per_viewer"] == pytest.approx(7 / 2)
    assert made["replay_view_seconds"] == pytest.approx(140)
    agree(by_duckdb(dataset), dataset)
    nothing = analytics.load({"rooms": rooms, "views": live}).kpis.loc["r"]
    assert nothing["replay_viewers"] == 0
    assert math.isnan(nothing["replay_view_seconds"])


def test_periods_are_equal_in_days_of_the_zone_where_clocks_change() -> None:
    """Berlin's 29 March has 23 hours: a week with it is compared with the seven days before, not with 167 hours."""
    at = pd.DatetimeIndex(["2026-03-22T23:30Z", "2026-03-22T22:30Z", "2026-03-29T22:30Z"])
    rooms = pd.DataFrame({"room_id": list("abc"), "live_at": at, "ended_at": at + pd.Timedelta("10min")})
    made = analytics.overview(analytics.load({"rooms": rooms}), "2026-03-30", "2026-04-06", time_zone="Europe/Berlin")
    assert made.cards.loc["streams", ["now", "before"]].tolist() == [1, 1]
    assert made.cards.loc["streams", "definition"].startswith("streams created; 2 of them by when they went live")
    hours = analytics.overview(analytics.load({"rooms": rooms}), "2026-03-29T10:00Z", "2026-03-29T23:00Z")
    assert hours.end - hours.start == pd.Timedelta("13h")


@pytest.mark.parametrize("seed", range(3))
def test_watch_time_by_when_it_was_watched_is_that_of_every_second(seed: int) -> None:
    draw = np.random.default_rng(seed)
    start, length = draw.integers(0, 4 * 86_400, 60), draw.integers(0, 86_400, 60)
    views = pd.DataFrame(
        {
            "room_id": "r",
            "user_id": [f"u{number}" for number in range(60)],
            "start": ZERO + pd.to_timedelta(start, unit="s"),
            "end": ZERO + pd.to_timedelta(start + length, unit="s"),
            "watch_seconds": length * draw.uniform(0, 1, 60),
        }
    )
    dataset = analytics.load({"views": views})
    made = analytics.overview(dataset, "2026-03-02", "2026-03-05", watch_time="watched")
    for day, minutes in zip(made.trend["day"], made.trend["minutes_watched"], strict=True):
        low, high = (day - ZERO).total_seconds(), (day - ZERO).total_seconds() + 86_400
        seconds = 0.0
        for row, begin, lasted in zip(views.itertuples(), start, length, strict=True):
            inside = max(0, min(begin + lasted, high) - max(begin, low))
            seconds += row.watch_seconds * inside / lasted if lasted else 0
        assert minutes == pytest.approx(seconds / 60)
    assert made.cards.loc["minutes_watched", "now"] == pytest.approx(made.trend["minutes_watched"].sum())
    with pytest.raises(InvalidInput, match="watch_time is"):
        analytics.overview(dataset, "2026-03-02", "2026-03-05", watch_time="never")  # type: ignore[arg-type]


def test_what_was_given_before_a_window_and_taken_back_in_it_is_not_below_zero() -> None:
    at = after(10, 20, 86_400, 86_410, 86_420)
    reactions = pd.DataFrame(
        {
            "reaction_id": ["1", "2", "1", "2", "3"],
            "room_id": "r",
            "user_id": "u",
            "name": ["like", "like", "like", "like", "wow"],
            "at": at,
            "added": [True, True, False, False, True],
        }
    )
    dataset = analytics.load({"reactions": reactions})
    cards = analytics.overview(dataset, "2026-03-02", "2026-03-03").cards
    assert cards.loc["reactions", ["now", "before"]].tolist() == [1, 2]
    binned = analytics.metrics.reactions(reactions, bin_seconds=3600)
    assert (binned["reactions"] >= 0).all()
    assert binned["taken_back"].sum() == 2
    assert dataset.kpis.loc["r", "reactions"] == 1


def test_a_report_takes_who_left_just_before_the_end_for_still_there() -> None:
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [ZERO], "ended_at": after(600)})
    views = pd.DataFrame({"room_id": "r", "user_id": ["a", "b"], "start": after(0, 0), "end": after(590, 300)})
    dataset = analytics.load({"rooms": rooms, "views": views})
    assert dataset.report("r").retention.censored == 0
    assert dataset.report("r", tolerance_seconds=15).retention.censored == 1


def test_figures_of_many_streams_leave_out_what_nobody_knows() -> None:
    tables = season(streams=4, seed=3)
    counted = analytics.load({name: tables[name] for name in ("rooms", "messages", "presence")})
    made = streams_compared(counted, ["s0", "s1"])
    polls = tables["presence"]
    for trace, room in zip(made.data, ("s0", "s1"), strict=True):
        assert max(trace.y) == polls[polls["room_id"] == room]["viewers"].max()
        assert "as polled" in trace.name
    blind = analytics.load({name: tables[name] for name in ("rooms", "messages")})
    assert not streams_compared(blind, ["s0", "s1"]).data
    with pytest.raises(InvalidInput, match="holds no numbers"):
        leaderboard(blind.kpis, "title")
    for ask in (analytics.overlap, analytics.watch_percentiles, analytics.new_and_returning, analytics.cohorts):
        with pytest.raises(InvalidInput, match="watch sessions"):
            ask(blind)
