"""Columns of one's own are dimensions: of streams and of viewers, to group, filter and draw by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics.dimensions import split
from spnb.analytics.figures import cohort_grid, leaderboard
from spnb.analytics.sessions import repaired
from spnb.errors import InvalidInput
from tests.analytics.season import season

COUNTRIES = np.array(["DE", "FR", "JP", None], dtype=object)


@pytest.fixture(scope="module", params=["memory", "saved", "csv"])
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> analytics.Dataset:
    tables = season(streams=6, seed=5)
    draw = np.random.default_rng(5)
    views = tables["views"]
    home = {user: COUNTRIES[draw.integers(0, 4)] for user in views["user_id"].unique()}
    tables["views"] = views.assign(country=views["user_id"].map(home), version=draw.integers(1, 3, len(views)))
    tables["rooms"] = tables["rooms"].assign(topic=["cooking", "talk"] * 3)
    made = analytics.load(tables)
    if request.param == "saved":
        return analytics.load(made.save(tmp_path_factory.mktemp("dimensions") / "saved"))
    if request.param == "csv":
        folder = tmp_path_factory.mktemp("dimensions")
        for name in made.known:
            made.export(folder / f"{name}.csv", name)
        return analytics.load(folder, as_of=made.as_of)
    return made


@pytest.mark.parametrize("by", ["country", "topic"])
def test_cohorts_by_a_dimension_are_those_of_each_of_its_values(dataset: analytics.Dataset, by: str) -> None:
    made = analytics.cohorts(dataset, by=by, period="D")
    assert made.index.names == [by, "first watched"]
    mended, _ = repaired(dataset.views, dataset.rooms, as_of=dataset.as_of)
    mended = mended[~mended["replay"]]
    day = dataset.rooms.set_index("room_id")["live_at"].dt.tz_localize(None).dt.to_period("D")
    if by == "topic":
        mended = mended.assign(topic=mended["room_id"].map(dataset.rooms.set_index("room_id")["topic"]))
    else:
        mended = mended.assign(country=mended["user_id"].map(dataset.views.groupby("user_id")["country"].first()))
    seen = mended.assign(day=mended["room_id"].map(day))
    last = seen["day"].max()
    assert set(made.index.get_level_values(by)) == set(seen[by].dropna())
    for value, mine in seen.groupby(by):
        first = mine.groupby("user_id")["day"].min()
        assert made.loc[value, "viewers"].to_dict() == first.value_counts().rename(lambda one: one.start_time).to_dict()
        for start, row in made.loc[value].iterrows():
            people = first.index[first == pd.Period(start, "D")]
            for number in [column for column in made.columns if column != "viewers"]:
                then = pd.Period(start, "D") + number
                running = number > 0 and then.end_time.tz_localize("UTC") >= dataset.as_of
                came = mine[(mine["day"] == then) & mine["user_id"].isin(people)]["user_id"].nunique()
                expected = np.nan if then > last or running else came / len(people)
                assert row[number] == pytest.approx(expected, nan_ok=True)
    drawn = cohort_grid(made)
    assert drawn.data[0].y[0].startswith(f"{made.index[0][0]}, ")
    assert len(set(drawn.data[0].y)) == len(made)


def test_cohorts_by_a_column_that_there_is_not(dataset: analytics.Dataset) -> None:
    with pytest.raises(InvalidInput, match="no column 'planet'"):
        analytics.cohorts(dataset, by="planet")


def test_columns_of_views_survive_saving_and_every_query(dataset: analytics.Dataset, tmp_path: Path) -> None:
    assert set(dataset.views["country"].dropna()) == {"DE", "FR", "JP"}
    again = analytics.load(dataset.save(tmp_path / "saved"))
    asked = again.sql("select country, count(*) as n from views where country is not null group by all")
    assert asked.set_index("country")["n"].to_dict() == dataset.views["country"].value_counts().to_dict()


def test_groups_by_a_dimension_of_viewers_count_what_those_did(dataset: analytics.Dataset) -> None:
    made = analytics.grouped(dataset, "country")
    assert set(made.index) == {"DE", "FR", "JP"}
    mended, _ = repaired(dataset.views, dataset.rooms, as_of=dataset.as_of)
    country = dataset.views.drop_duplicates("user_id").set_index("user_id")["country"]
    mended = mended.assign(country=mended["user_id"].map(country))
    inside = dataset.messages.merge(dataset.rooms[["room_id", "live_at", "ended_at"]], on="room_id")
    inside = inside[inside["created_at"].between(inside["live_at"], inside["ended_at"]) & ~inside["deleted"]]
    for name, line in made.iterrows():
        mine = mended[mended["country"] == name]
        live = mine[~mine["replay"]]
        assert line["streams"] == mine["room_id"].nunique()
        assert line["views"] == (~mine["reconnect"]).sum()
        assert line["unique_viewers"] == mine["user_id"].nunique()
        assert line["minutes_watched"] == pytest.approx(mine["watch_seconds"].sum() / 60)
        best = 0
        for _, rows in live.groupby("room_id"):
            for at in rows["start"]:
                best = max(best, rows[(rows["start"] <= at) & (rows["end"] > at)]["user_id"].nunique())
        assert line["peak_viewers"] == best
        here = set(map(tuple, mine[["room_id", "user_id"]].to_numpy()))
        wrote = [tuple(row) in here for row in inside[["room_id", "user_id"]].to_numpy()]
        assert line["messages"] == sum(wrote)
    both = analytics.grouped(dataset, ["topic", "country"])
    assert both["minutes_watched"].groupby("country").sum().to_dict() == pytest.approx(
        made["minutes_watched"].to_dict()
    )
    assert len(leaderboard(made, "minutes_watched").data[0].x) == 3


def test_a_part_of_the_audience_is_that_part_and_streams_stay_as_long(dataset: analytics.Dataset) -> None:
    part = dataset.where(country="DE", topic="talk")
    assert set(part.rooms["topic"]) == {"talk"}
    assert set(part.views["country"]) == {"DE"}
    grouped = analytics.grouped(dataset, ["topic", "country"]).loc[("talk", "DE")]
    assert part.kpis["minutes_watched"].sum() == pytest.approx(grouped["minutes_watched"])
    assert part.kpis["messages"].sum() == grouped["messages"]
    whole = dataset.kpis.loc[part.kpis.index]
    pd.testing.assert_series_equal(part.kpis["duration_seconds"], whole["duration_seconds"])
    assert (part.kpis["peak_viewers"] <= whole["peak_viewers"]).all()
    assert part.kpis["polled_peak_viewers"].isna().all()
    several = dataset.where(country=["DE", "FR", "JP"]).views["user_id"].nunique()
    assert several == sum(dataset.where(country=one).views["user_id"].nunique() for one in ("DE", "FR", "JP"))
    assert len(dataset.where(topic="talk").presence) == dataset.presence["room_id"].isin(part.rooms["room_id"]).sum()
    assert part.report(part.rooms["room_id"].iloc[0]).figures()


def test_what_players_met_goes_with_its_viewer(dataset: analytics.Dataset) -> None:
    visits = dataset.views.drop_duplicates(["room_id", "user_id"])
    met = visits[["room_id", "user_id"]].assign(
        session_id=[f"s{number}" for number in range(len(visits))], at=visits["start"], kind="failed"
    )
    whole = analytics.load({"rooms": dataset.rooms, "views": dataset.views, "playback": met})
    parts = split(whole, "country")
    country = parts.rooms.set_index("room_id")["country"]
    found = parts.playback["room_id"].astype(object).map(country).value_counts().to_dict()
    home = visits["country"].value_counts().to_dict()
    assert found == home == {name: len(whole.where(country=name).playback) for name in home}


def test_what_makes_no_dimension_is_refused(dataset: analytics.Dataset) -> None:
    with pytest.raises(InvalidInput, match="no column 'mood' to choose by: rooms and views have room_id"):
        dataset.where(mood="good")
    with pytest.raises(InvalidInput, match="one column of viewers at a time"):
        analytics.grouped(dataset, ["country", "version"])


def test_a_dataset_of_some_time(dataset: analytics.Dataset) -> None:
    began = dataset.rooms.set_index("room_id")["live_at"].sort_values()
    some = analytics.load(dataset, since=began.iloc[2], until=began.iloc[4])
    assert set(some.rooms["room_id"]) == set(began.index[2:4])
    assert set(some.views["room_id"]) == set(began.index[2:4])
    assert len(analytics.load(dataset, until=began.iloc[0]).rooms) == 0
    with pytest.raises(InvalidInput, match="since is 2026-03-01"):
        analytics.load(dataset, since="2026-03-01")
    with pytest.raises(InvalidInput, match="no later than since"):
        analytics.load(dataset, since=began.iloc[4], until=began.iloc[4])
