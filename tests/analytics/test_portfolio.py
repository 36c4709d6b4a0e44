"""Seasons: every sum and every distinct count again, by plain pandas and by SQL."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics import metrics, repaired
from spnb.analytics.dataset import Dataset
from spnb.errors import InvalidInput
from tests.analytics.season import season


@pytest.fixture(scope="module")
def memory() -> Dataset:
    return analytics.load(season(streams=15, seed=2))


@pytest.fixture(scope="module", params=["memory", "folder"])
def dataset(request, memory: Dataset, tmp_path_factory) -> Dataset:
    if request.param == "memory":
        return memory
    return analytics.load(memory.save(tmp_path_factory.mktemp("place") / "season"))


def test_kpis_are_the_single_metrics_side_by_side(dataset: Dataset, memory: Dataset) -> None:
    made = dataset.kpis.loc[memory.rooms["room_id"]]
    views, rooms, messages, reactions = memory.views, memory.rooms, memory.messages, memory.reactions
    chat = metrics.chat(messages, rooms)
    same = {
        "views": metrics.views(views, rooms),
        "unique_viewers": metrics.unique_viewers(views, rooms),
        "watch_seconds": metrics.watch_time(views, rooms),
        "view_seconds": metrics.view_duration(views, rooms),
        "peak_viewers": metrics.peak(views, rooms)["peak_viewers"],
        "peak_at": metrics.peak(views, rooms)["peak_at"],
        "average_viewers": metrics.average(views, rooms),
        "returning_viewers": metrics.returning(views, rooms)["returning_viewers"],
        "messages": chat["messages"],
        "deleted_messages": chat["deleted_messages"],
        "messages_per_minute": chat["messages_per_minute"],
        "engagement_rate": metrics.engagement(views, messages, reactions, rooms)["engagement_rate"],
        "chat_penetration": metrics.chat_penetration(messages, views, rooms),
        "reactions": metrics.reactions(reactions, rooms).groupby("room_id")["reactions"].sum(),
    }
    for name, values in same.items():
        expected = values.reindex(made.index, fill_value=0 if name == "reactions" else None)
        pd.testing.assert_series_equal(made[name], expected, check_names=False, check_dtype=False)
    assert set(analytics.KPIS) <= set(made.columns)
    assert dataset.quality.rows("reconnect") == memory.quality.rows("reconnect")


def test_the_overview_is_the_consoles_arithmetic(dataset: Dataset, memory: Dataset) -> None:
    start, end = pd.Timestamp("2026-02-24T00:00Z"), pd.Timestamp("2026-03-05T00:00Z")
    made = analytics.overview(dataset, start, end, time_zone="Europe/Berlin")
    mended, _ = repaired(memory.views, memory.rooms)
    for when, low, high in (("now", start, end), ("before", start - (end - start), start)):
        mine = mended[(mended["start"] >= low) & (mended["start"] < high)]
        rooms = memory.rooms["created_at"].between(low, high, inclusive="left").sum()
        cards = made.cards[when]
        assert cards["streams"] == rooms
        assert cards["views"] == (~mine["reconnect"]).sum()
        assert cards["unique_viewers"] == mine["user_id"].nunique()
        assert cards["minutes_watched"] == pytest.approx(mine["watch_seconds"].sum() / 60)
        assert cards["minutes_per_stream"] == pytest.approx(cards["minutes_watched"] / rooms)
        live = mine[~mine["replay"]]
        expected = live["watch_seconds"].sum() / 60 / live["user_id"].nunique()
        assert cards["minutes_per_viewer"] == pytest.approx(expected)
    row = made.cards.loc["views"]
    assert row["change"] == pytest.approx(row["now"] / row["before"] - 1)
    for name in ("streams", "views", "minutes_watched", "messages", "reactions"):
        assert made.trend[name].sum() == pytest.approx(made.cards.loc[name, "now"])
    assert (made.trend["day"].dt.hour[1:] == 0).all()  # midnights of the zone
    with pytest.raises(InvalidInput, match="ends"):
        analytics.overview(dataset, end, start)


def test_days_of_a_trend_follow_the_changes_of_the_clocks() -> None:
    empty = analytics.load({"rooms": pd.DataFrame({"room_id": ["r"]})})
    made = analytics.overview(empty, "2026-03-28", "2026-03-31", time_zone="Europe/Berlin")
    hours = made.trend["day"].diff().dt.total_seconds().dropna() / 3600
    assert hours.tolist() == [24, 23]


@pytest.mark.parametrize("by", ["creator_id", "type", ["weekday", "hour"], "community_id"])
def test_groups_count_distinct_viewers(dataset: Dataset, memory: Dataset, by: str | list[str]) -> None:
    made = analytics.grouped(dataset, by, time_zone="Asia/Tokyo")
    table = memory.kpis.reset_index()
    went = table["live_at"].dt.tz_convert("Asia/Tokyo")
    table["weekday"], table["hour"] = went.dt.day_name(), went.dt.hour
    mended, _ = repaired(memory.views, memory.rooms)
    assert made["streams"].sum() == len(table)
    for key, rows in table.groupby(by):
        key = key[0] if isinstance(key, tuple) and len(key) == 1 else key
        line = made.loc[key]
        seen = mended[mended["room_id"].isin(rows["room_id"])]
        assert line["unique_viewers"] == seen["user_id"].nunique()
        assert line["views"] == rows["views"].sum()
        assert line["peak_viewers"] == rows["peak_viewers"].max()
        weights = rows["duration_seconds"]
        assert line["average_viewers"] == pytest.approx(np.average(rows["average_viewers"], weights=weights))
        live = seen[~seen["replay"]]
        assert line["live_viewers"] == live["user_id"].nunique()
        per_viewer = live["watch_seconds"].sum() / 60 / line["live_viewers"]
        assert line["minutes_per_viewer"] == pytest.approx(per_viewer)
        expected = (rows["messages"].sum() + rows["reactions"].sum()) / line["live_viewers"]
        assert line["engagement_rate"] == pytest.approx(expected)


def test_groups_need_a_column(dataset: Dataset) -> None:
    with pytest.raises(InvalidInput, match="cannot be grouped by mood"):
        analytics.grouped(dataset, "mood")


def test_own_columns_can_be_grouped_by() -> None:
    tables = season(streams=4, seed=9)
    tables["rooms"]["topic"] = ["a", "b", "a", "b"]
    assert analytics.grouped(analytics.load(tables), "topic")["streams"].tolist() == [2, 2]


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_streams_without_the_value_are_in_no_group() -> None:
    tables = season(streams=5, seed=9)
    tables["rooms"].loc[2, ["live_at", "ended_at"]] = pd.NaT
    tables["rooms"].loc[3, "community_id"] = None
    dataset = analytics.load(tables)
    for by, left_out in (("hour", "s2"), ("community_id", "s3")):
        made = analytics.grouped(dataset, by)
        assert made["streams"].sum() == 4
        assert made["views"].sum() == dataset.kpis["views"].drop(left_out).sum()
    others = dataset.views[dataset.views["room_id"] != "s3"]
    assert made["unique_viewers"].tolist() == [others["user_id"].nunique()]


def test_cohorts_are_shares_of_those_who_first_came_then(dataset: Dataset, memory: Dataset) -> None:
    made = analytics.cohorts(dataset, period="W")
    mended, _ = repaired(memory.views, memory.rooms)
    mended = mended[~mended["replay"]]
    week = memory.rooms.set_index("room_id")["live_at"].dt.tz_localize(None).dt.to_period("W")
    seen = mended.assign(week=mended["room_id"].map(week))
    first = seen.groupby("user_id")["week"].min()
    for start, row in made.iterrows():
        people = first.index[first == pd.Period(start, "W")]
        assert row["viewers"] == len(people)
        for number in [column for column in made.columns if column != "viewers"]:
            then = pd.Period(start, "W") + number
            running = number > 0 and then.end_time.tz_localize("UTC") >= dataset.as_of
            if then > week.max() or running:
                assert np.isnan(row[number])
            else:
                came = seen[(seen["week"] == then) & seen["user_id"].isin(people)]["user_id"].nunique()
                assert row[number] == pytest.approx(came / len(people))
    with pytest.raises(InvalidInput, match="D, W or M"):
        analytics.cohorts(dataset, period="Y")


def test_a_stream_page_agrees_with_the_table(dataset: Dataset) -> None:
    for room in ("s0", "s7"):
        made = dataset.report(room)
        row = dataset.kpis.loc[room]
        for name in analytics.KPIS:
            assert made.kpis[name] == pytest.approx(row[name], nan_ok=True) if name != "peak_at" else True
        assert made.concurrency["viewers"].max() == row["peak_viewers"]
        assert made.chat["messages"].sum() == row["messages"]
        assert made.reactions["reactions"].sum() == row["reactions"]


def test_days_without_a_midnight_begin_when_the_clock_does(memory: Dataset) -> None:
    # In Cairo the clocks of 2026 go forward at midnight of 24 April, and back at midnight of 30 October.
    spring = analytics.overview(memory, "2026-04-23", "2026-04-26", time_zone="Africa/Cairo")
    assert [f"{day:%d %H}" for day in spring.trend["day"]] == ["23 00", "24 01", "25 00"]
    into = analytics.overview(memory, "2026-04-24", "2026-04-25", time_zone="Africa/Cairo")
    assert into.end - into.start == pd.Timedelta("23h")
    autumn = analytics.overview(memory, "2026-10-29", "2026-11-01", time_zone="Africa/Cairo")
    lengths = autumn.trend["day"].diff().dropna()
    assert lengths.sum() + (autumn.end - autumn.trend["day"].iloc[-1]) == pd.Timedelta("73h")
