"""What annotations did, and what is usual for a host."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics import metrics
from spnb.errors import InvalidInput, TableError
from tests.analytics.season import season

ZERO = pd.Timestamp("2026-03-01T18:00:00Z")


def at(seconds: object) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(ZERO + pd.to_timedelta(np.asarray(seconds, dtype=float), unit="s"))


@pytest.fixture(scope="module")
def raided() -> analytics.Dataset:
    """An hour with a message every two seconds or so, and thirty joins more in the minute after second 2000."""
    draw = np.random.default_rng(2)
    joins = np.sort(np.concatenate((draw.uniform(0, 3600, 300), draw.uniform(2000, 2060, 30))))
    spoken = np.sort(draw.uniform(0, 3600, 1800))
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [ZERO], "ended_at": [ZERO + pd.Timedelta("1h")]})
    views = pd.DataFrame(
        {"room_id": "r", "user_id": [f"u{n}" for n in range(len(joins))], "start": at(joins), "end": at(joins + 30)}
    )
    messages = pd.DataFrame({"room_id": "r", "user_id": "u", "created_at": at(spoken)})
    return analytics.load({"rooms": rooms, "views": views, "messages": messages})


def test_what_followed_is_judged_by_the_streams_own_chance(raided: analytics.Dataset) -> None:
    marks = pd.DataFrame({"room_id": "r", "at": at([2000, 1000, 20]), "what": ["raid", "nothing", "too early"]})
    made = analytics.effects(raided, marks)
    assert made["what"].tolist()[:2] == ["too early", "too early"]
    table = made.set_index(["what", "number"])
    raid = table.loc[("raid", "joins")]
    assert raid["lift"] == pytest.approx(30, abs=8)
    assert raid["p"] < 0.02
    assert table.loc[("raid", "messages"), "p"] > 0.05 < table.loc[("nothing", "joins"), "p"]
    assert np.isnan(table.loc[("too early", "joins"), "expected"])
    assert "reactions" not in made["number"].tolist()


def test_effects_by_brute_force(raided: analytics.Dataset) -> None:
    when = [2000.0, 700.5, 90.0]
    made = analytics.effects(
        raided, pd.DataFrame({"room_id": "r", "at": at(when), "what": "x"}), window_seconds=50, before_seconds=300
    )
    times = {
        "joins": (raided.views["start"] - ZERO).dt.total_seconds().to_numpy(),
        "messages": (raided.messages["created_at"] - ZERO).dt.total_seconds().to_numpy(),
    }

    def lift(number: str, moment: float) -> tuple[int, float]:
        low = max(0.0, moment - 300)
        before = sum(low <= time < moment for time in times[number])
        after = sum(moment <= time < moment + 50 for time in times[number])
        return after, before / (moment - low) * 50

    quiet = [moment for moment in np.arange(50, 3550.5, 25) if all(abs(moment - other) >= 50 for other in when)]
    for row in made.itertuples():
        moment = (row.at - ZERO).total_seconds()
        after, due = lift(row.number, moment)
        assert (row.observed, row.expected) == (after, pytest.approx(due))
        chance = [one - other for one, other in (lift(row.number, placebo) for placebo in quiet)]
        assert row.placebos == len(quiet)
        higher = sum(one >= row.lift - 1e-9 for one in chance)
        assert row.p == pytest.approx((1 + higher) / (1 + len(quiet)), abs=1.5 / len(quiet))


def test_annotations_that_say_too_little_are_refused(raided: analytics.Dataset) -> None:
    marks = pd.DataFrame({"room_id": ["r"], "at": at([5]), "what": ["x"]})
    with pytest.raises(TableError, match="annotations lack what"):
        analytics.effects(raided, marks.drop(columns="what"))
    with pytest.raises(TableError, match="times with a zone"):
        analytics.effects(raided, marks.assign(at="2026-03-01"))
    with pytest.raises(InvalidInput, match="no longer than the time before"):
        analytics.effects(raided, marks, window_seconds=900)
    with pytest.raises(TableError, match="no stream elsewhere"):
        analytics.effects(raided, marks.assign(room_id="elsewhere"))


def test_what_is_usual_at_a_minute_is_the_hosts_earlier_streams_then() -> None:
    tables = season(streams=24, seed=12)
    dataset = analytics.load(tables)
    made = metrics.usual_viewers(dataset.views, dataset.rooms, bin_seconds=120, as_of=dataset.as_of)
    steps = metrics.concurrency(dataset.views, dataset.rooms, as_of=dataset.as_of)
    rooms = dataset.rooms.set_index("room_id")
    for row in made.itertuples():
        counts = []
        for room, line in rooms.iterrows():
            moment = line["live_at"] + pd.Timedelta(seconds=row.seconds)
            if moment < line["ended_at"]:
                mine = steps[(steps["room_id"] == room) & (steps["at"] <= moment)]
                counts.append(mine["viewers"].iloc[-1])
        assert row.streams == len(counts) >= 5
        assert [row.low, row.median, row.high] == pytest.approx(np.percentile(counts, [10, 50, 90]).tolist())
    newest = dataset.rooms.sort_values("live_at")["room_id"].iloc[-1]
    report = dataset.report(newest)
    host = rooms.loc[newest, "creator_id"]
    earlier = rooms[(rooms["creator_id"] == host) & (rooms["live_at"] < rooms.loc[newest, "live_at"])]
    assert len(earlier) >= 5
    assert report.usual["streams"].max() == len(earlier)
    named = [trace.name for trace in report.figures()["stack"].data]
    assert "usual for this host" in named
    first = dataset.report(dataset.rooms.sort_values("live_at")["room_id"].iloc[0])
    assert first.usual.empty
    assert "usual for this host" not in [trace.name for trace in first.figures()["stack"].data]
