"""Every audience metric against the definitions written once more, on small random worlds."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spnb.analytics import metrics, repaired
from tests.analytics import oracle
from tests.analytics.oracle import Session, World
from tests.analytics.worlds import worlds

pytestmark = pytest.mark.filterwarnings("ignore:views")
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW = 400_000


def ms(world: World, time: pd.Timestamp) -> int:
    return round((time - world.zero) / oracle.MS)


def judged(world: World):
    views, rooms = world.tables()
    as_of = world.time(NOW)
    kept, windows = oracle.cleaned(world, NOW)
    return views, rooms, as_of, kept, windows


@MANY
@given(worlds())
def test_concurrency_is_the_number_of_distinct_users_at_every_moment(world: World) -> None:
    views, rooms, as_of, kept, windows = judged(world)
    steps = metrics.concurrency(views, rooms, as_of=as_of)
    highest = metrics.peak(views, rooms, as_of=as_of)
    mean = metrics.average(views, rooms, as_of=as_of)
    for room, span in windows.items():
        mine = steps[steps["room_id"] == room]
        assert mine["at"].is_monotonic_increasing
        assert mine["at"].is_unique
        times = np.array([ms(world, at) for at in mine["at"]])
        for at in oracle.moments_that_matter(kept, room):
            place = np.searchsorted(times, at, side="right") - 1
            assert mine["viewers"].iloc[place] == oracle.concurrency(kept, room, at)
        assert not (mine["viewers"].diff() == 0).any()  # a step is a change
        most = max((oracle.concurrency(kept, room, at) for at in oracle.moments_that_matter(kept, room)), default=0)
        assert highest.loc[room, "peak_viewers"] == most
        if most:
            first = next(
                at for at in oracle.moments_that_matter(kept, room) if oracle.concurrency(kept, room, at) == most
            )
            assert ms(world, highest.loc[room, "peak_at"]) == first
        else:
            assert pd.isna(highest.loc[room, "peak_at"])
        if span is None or span[0] == span[1]:
            assert pd.isna(mean[room])
        else:
            live = (span[1] - span[0]) / 1000
            assert mean[room] == pytest.approx(oracle.viewer_seconds(kept, room) / live)
            assert ms(world, mine["at"].iloc[0]) == span[0]


def test_rooms_swept_in_blocks_and_for_longer_than_32_bits_are_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(4)
    zero, day = pd.Timestamp("2026-03-01T12:00Z"), 86_400_000
    room = draw.integers(0, 12, 400)
    start = draw.integers(0, 1_000, 400) * np.where(room == 7, day, 1_000)  # one goes on for years
    end = start + draw.integers(0, 50, 400) * np.where(room == 7, day, 1_000)
    views = pd.DataFrame({"room_id": [f"r{n:02}" for n in room], "user_id": draw.integers(0, 30, 400).astype(str)})
    views["start"], views["end"] = (zero + pd.to_timedelta(times, unit="ms") for times in (start, end))
    alone = {name: metrics.concurrency(mine) for name, mine in views.groupby("room_id")}
    tops = pd.concat([metrics.peak(mine) for _, mine in views.groupby("room_id")])
    for size in (1, 7, 60, 1_000):
        monkeypatch.setattr(sys.modules["spnb.analytics.metrics.concurrency"], "BLOCK", size)
        pd.testing.assert_frame_equal(metrics.concurrency(views), pd.concat(alone.values(), ignore_index=True))
        pd.testing.assert_frame_equal(metrics.peak(views).sort_index(), tops)
    one = views[views["room_id"] == "r07"]
    at = alone["r07"]["at"].iloc[3]
    watching = one[(one["start"] <= at) & (one["end"] > at)]
    assert alone["r07"]["viewers"].iloc[3] == watching["user_id"].nunique()


@MANY
@given(worlds(), st.sampled_from([0, 10, 30]))
def test_views_viewers_and_watch_time(world: World, gap: int) -> None:
    views, rooms, as_of, kept, windows = judged(world)
    counted = metrics.views(views, rooms, gap_seconds=gap, as_of=as_of)
    replays = metrics.views(views, rooms, gap_seconds=gap, replay=True, as_of=as_of)
    people = metrics.unique_viewers(views, rooms, as_of=as_of)
    seconds = metrics.watch_time(views, rooms, as_of=as_of)
    lengths = {
        replay: metrics.view_duration(views, rooms, gap_seconds=gap, replay=replay, as_of=as_of)
        for replay in (None, False, True)
    }
    for room in windows:
        mine = [one for one in kept if one.room == room]
        assert counted[room] == oracle.views(kept, room, gap * 1000)
        assert replays[room] == oracle.views(kept, room, gap * 1000, replay=True)
        assert people[room] == oracle.unique(kept, room)
        assert seconds[room] == pytest.approx(sum(one.watched for one in mine))
        for replay, length in lengths.items():
            of_kind = [one.watched for one in mine if replay is None or one.replay == replay]
            count = oracle.views(kept, room, gap * 1000, replay=replay)
            assert length[room] == pytest.approx(sum(of_kind) / count if count else np.nan, nan_ok=True)


@MANY
@given(worlds())
def test_returning_viewers_saw_an_earlier_stream_of_the_same_creator(world: World) -> None:
    views, rooms, as_of, kept, windows = judged(world)
    made = metrics.returning(views, rooms, as_of=as_of)
    for room in windows:
        assert made.loc[room, "returning_viewers"] == oracle.returning(world, kept, room)


@MANY
@given(worlds())
def test_joins_and_leaves_fall_into_their_bins(world: World) -> None:
    views, rooms, as_of, kept, windows = judged(world)
    bins = metrics.joins_leaves(views, rooms, bin_seconds=25, as_of=as_of)
    for room, span in windows.items():
        mine = bins[bins["room_id"] == room]
        live = [one for one in kept if one.room == room and not one.replay]
        assert mine["joins"].sum() == mine["leaves"].sum() == len(live)
        for row in mine.itertuples():
            last = row.seconds == mine["seconds"].max()
            low = span[0] + row.seconds * 1000
            for column, times in (("joins", [one.start for one in live]), ("leaves", [one.end for one in live])):
                assert getattr(row, column) == sum(low <= at < low + 25_000 or (last and at >= low) for at in times)


@MANY
@given(worlds())
def test_retention_is_kaplan_and_meiers(world: World) -> None:
    _, _, as_of, kept, windows = judged(world)
    views, rooms = world.tables()
    for room in windows:
        curve = metrics.retention(views[views["room_id"] == room], rooms[rooms["room_id"] == room], as_of=as_of)
        people = oracle.stays(kept, windows, room)
        assert curve.viewers == len(people)
        assert curve.censored == sum(stayed for _, stayed in people)
        for at in (0, 5_000, 10_000, 30_000, 100_000, *(length for length, _ in people)):
            if people and at <= max(length for length, _ in people):
                assert curve.at(at / 1000) == pytest.approx(oracle.retained(people, at))
        assert curve.frame["retention"].is_monotonic_decreasing
        assert (curve.frame["low"] <= curve.frame["retention"] + 1e-12).all()
        assert (curve.frame["high"] >= curve.frame["retention"] - 1e-12).all()


@MANY
@given(worlds())
def test_watched_seconds_are_the_area_under_the_curve(world: World) -> None:
    """Σ seconds = ∫ c(t) dt = average × live duration, where nobody watches twice at once."""
    views, rooms, as_of, _, windows = judged(world)
    made, _ = repaired(views, rooms, as_of=as_of)
    steps = metrics.concurrency(views, rooms, as_of=as_of)
    mean = metrics.average(views, rooms, as_of=as_of)
    for room, span in windows.items():
        mine = made[(made["room_id"] == room) & ~made["replay"]].sort_values("start")
        alone = all(
            (group["start"].iloc[1:].to_numpy() >= group["end"].cummax().iloc[:-1].to_numpy()).all()
            for _, group in mine.groupby("user_id")
        )
        if span is None or not alone:
            continue
        seconds = (mine["end"] - mine["start"]).dt.total_seconds().sum()
        curve = steps[steps["room_id"] == room]
        until = curve["at"].shift(-1, fill_value=world.time(span[1]))
        area = (curve["viewers"] * (until - curve["at"]).dt.total_seconds()).sum()
        assert seconds == pytest.approx(area)
        if span[1] > span[0]:
            assert seconds == pytest.approx(mean[room] * (span[1] - span[0]) / 1000)


def world_of(*sessions: Session, ended: int | None = 600_000) -> World:
    return World({"r": ("ann", 0, ended)}, list(sessions))


def test_two_tabs_are_one_viewer_and_two_views() -> None:
    views, rooms = world_of(Session("r", "u", 0, 60_000), Session("r", "u", 30_000, 90_000)).tables()
    assert metrics.peak(views, rooms).loc["r", "peak_viewers"] == 1
    assert metrics.views(views, rooms)["r"] == 2
    assert metrics.average(views, rooms)["r"] == pytest.approx(90 / 600)


def test_leaves_come_before_joins_on_ties() -> None:
    views, rooms = world_of(Session("r", "a", 0, 60_000), Session("r", "b", 60_000, 90_000)).tables()
    assert metrics.peak(views, rooms).loc["r", "peak_viewers"] == 1
    assert len(metrics.concurrency(views, rooms)) == 2


@pytest.mark.parametrize(("away", "counted"), [(29_999, 1), (30_000, 2), (0, 1)])
def test_away_for_less_than_the_gap_is_one_view(away: int, counted: int) -> None:
    views, rooms = world_of(Session("r", "u", 0, 60_000), Session("r", "u", 60_000 + away, 200_000)).tables()
    assert metrics.views(views, rooms)["r"] == counted
    made, quality = repaired(views, rooms)
    assert made["reconnect"].sum() == quality.rows("reconnect") == 2 - counted


def test_who_is_still_there_at_the_end_is_not_lost() -> None:
    views, rooms = world_of(
        Session("r", "early", 0, 30_000), Session("r", "late", 500_000, 600_000), Session("r", "all", 0, 600_000)
    ).tables()
    curve = metrics.retention(views, rooms)
    assert curve.at(30) == 1.0  # thirty seconds were watched by all three
    assert curve.at(31) == pytest.approx(2 / 3)
    assert curve.at(600) == pytest.approx(2 / 3)  # `late` could not have watched longer
    assert list(curve.marks["seconds"]) == [30, 300, 150]
    assert np.isnan(curve.at(601))
    assert metrics.churn(curve).empty  # three people are no statistics


def test_drop_off_adds_up_to_what_was_lost() -> None:
    crowd = [Session("r", f"u{n}", 0, 10_000 * n + 5_000) for n in range(40)]
    views, rooms = world_of(*crowd).tables()
    curve = metrics.retention(views, rooms)
    fall = metrics.churn(curve, bin_seconds=60)
    assert fall["drop_off"].sum() == pytest.approx(1 - curve.frame["retention"].iloc[-1])
    assert fall["at_risk"].iloc[0] == 40
    assert fall["drop_off"].iloc[0] == pytest.approx(6 / 40)


def test_an_empty_stream_has_zeros_and_no_ratios() -> None:
    views, rooms = World({"r": ("ann", 0, 600_000), "never": ("ann", None, None)}, []).tables()
    assert metrics.views(views, rooms)["r"] == 0
    assert metrics.average(views, rooms)["r"] == 0
    assert pd.isna(metrics.average(views, rooms)["never"])
    assert metrics.concurrency(views, rooms)["viewers"].tolist() == [0]
    assert np.isnan(metrics.view_duration(views, rooms)["r"])
    assert np.isnan(metrics.retention(views, rooms).at(30))


def test_forty_four_seconds_are_not_floored_to_zero_minutes() -> None:
    views, rooms = world_of(Session("r", "u", 0, 44_000)).tables()
    assert metrics.watch_time(views, rooms)["r"] / 60 == pytest.approx(44 / 60)


def test_two_tabs_overlap_where_they_share_time_and_what_is_told_of_them_is_of_the_live_stream() -> None:
    live, over = pd.Timestamp("2026-03-01T12:00Z"), pd.Timestamp("2026-03-01T13:00Z")
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [live], "ended_at": [over]})
    spans = [("ann", 0, 10), ("ann", 10, 20), ("bob", 0, 10), ("bob", 9, 20), ("cy", 70, 80), ("cy", 75, 90)]
    views = pd.DataFrame({"room_id": "r", "user_id": [user for user, *_ in spans]})
    for name, place in (("start", 1), ("end", 2)):
        views[name] = [live + pd.Timedelta(minutes=span[place]) for span in spans]
    quality = repaired(views, rooms)[1]
    assert quality.rows("overlap") == 1  # bob's: ann came back at once, and cy watched the recording
    assert quality.rows("reconnect") == 1


def test_who_watched_to_the_very_end_is_still_there() -> None:
    live, over = pd.Timestamp("2026-03-01T12:00Z"), pd.Timestamp("2026-03-01T13:00Z")
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [live], "ended_at": [over]})
    ends = [over, over - pd.Timedelta("1ms"), over - pd.Timedelta("2s"), over]
    starts = [live, live, live, over]  # the last one came as it ended: nothing was watched
    views = pd.DataFrame({"room_id": "r", "user_id": list("abcd"), "start": starts, "end": ends})
    lost = metrics.retention(views, rooms).frame["lost"].sum()
    near = metrics.retention(views, rooms, tolerance_seconds=2.0).frame["lost"].sum()
    assert (lost, near) == (2, 0)
