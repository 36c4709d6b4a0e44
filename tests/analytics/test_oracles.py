"""What streams and seasons add up to, once more by plain loops over small random worlds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spnb import analytics
from spnb.analytics import metrics
from spnb.analytics.metrics.retention import Z_95
from tests.analytics import oracle
from tests.analytics.oracle import World
from tests.analytics.worlds import timed, worlds

pytestmark = pytest.mark.filterwarnings("ignore:views")
SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW = 400_000
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["r0", "r1", "r2"]),
        st.sampled_from(["u1", "u2", "u3", "writer"]),
        st.one_of(st.integers(-3, 30).map(lambda n: n * 10_000), st.integers(0, 300_000)),
        st.booleans(),
    ),
    max_size=20,
)


def acts_tables(world: World, messages: list, reactions: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    def columns(acts: list) -> dict[str, object]:
        return {"room_id": [room for room, *_ in acts], "user_id": [user for _, user, *_ in acts]}

    def times(acts: list) -> object:
        return pd.to_datetime([world.time(at) for _, _, at, _ in acts], utc=True)

    def flags(acts: list) -> pd.Series:
        return pd.Series([flag for *_, flag in acts], dtype=bool)

    return (
        pd.DataFrame({**columns(messages), "created_at": times(messages), "deleted": flags(messages)}),
        pd.DataFrame({**columns(reactions), "name": "like", "at": times(reactions), "added": flags(reactions)}),
    )


def inside(world: World, acts: list, as_of: int) -> list:
    """Acts within the live windows of streams whose times are known."""
    kept = []
    for act in acts:
        _, live, ended = world.rooms[act[0]]
        finish = ended if ended is not None else as_of
        if live is not None and finish >= live and live <= act[2] <= finish:
            kept.append(act)
    return kept


@SOME
@given(timed(), ACTS, ACTS)
def test_engagement_and_penetration_are_plain_quotients(world: World, wrote: list, reacted: list) -> None:
    views, rooms = world.tables()
    messages, reactions = acts_tables(world, wrote, reacted)
    kept, _ = oracle.cleaned(world, NOW)
    both = metrics.engagement(views, messages, reactions, rooms)
    talking = metrics.chat_penetration(messages, views, rooms)
    for room in world.rooms:
        mine = [one for one in kept if one.room == room]
        standing = [user for name, user, _, deleted in inside(world, wrote, NOW) if name == room and not deleted]
        net = max(0, sum(1 if added else -1 for name, _, _, added in inside(world, reacted, NOW) if name == room))
        live = len({one.user for one in mine if not one.replay})
        minutes = sum(one.watched for one in mine if not one.replay) / 60
        acts, writers = len(standing) + net, len(set(standing))
        expected = (acts / live, writers / live) if live else (math.nan, math.nan)
        assert (both.loc[room, "engagement_rate"], talking[room]) == pytest.approx(expected, nan_ok=True)
        per_viewer = minutes / live if live else math.nan
        assert both.loc[room, "minutes_per_viewer"] == pytest.approx(per_viewer, nan_ok=True)


@SOME
@given(timed(), ACTS, ACTS, st.integers(-5, 25), st.integers(1, 20))
def test_a_period_and_the_one_before_count_what_fell_into_them(
    world: World, wrote: list, reacted: list, first: int, length: int
) -> None:
    views, rooms = world.tables()
    rooms["created_at"] = rooms["live_at"] - pd.Timedelta("7s")
    messages, reactions = acts_tables(world, wrote, reacted)
    dataset = analytics.load({"views": views, "rooms": rooms, "messages": messages, "reactions": reactions})
    kept, _ = oracle.cleaned(world, NOW)
    begin, finish = first * 10_000, (first + length) * 10_000
    cards = analytics.overview(dataset, world.time(begin), world.time(finish)).cards
    for when, low, high in (("now", begin, finish), ("before", 2 * begin - finish, begin)):
        mine = [one for one in kept if low <= one.start < high]
        card = cards[when]
        created = sum(low <= live - 7000 < high for _, live, _ in world.rooms.values())
        assert card["streams"] == created
        assert card["views"] == sum(
            oracle.begins_a_view(kept, one, number) and low <= one.start < high for number, one in enumerate(kept)
        )
        assert card["unique_viewers"] == len({one.user for one in mine})
        assert card["minutes_watched"] == pytest.approx(sum(one.watched for one in mine) / 60)
        written, added = inside(world, wrote, NOW), inside(world, reacted, NOW)
        assert card["messages"] == sum(low <= at < high and not deleted for _, _, at, deleted in written)
        assert card["reactions"] == max(0, sum((1 if given else -1) for _, _, at, given in added if low <= at < high))
    for now, before, change in zip(cards["now"], cards["before"], cards["change"], strict=True):
        if before and not np.isnan(before):
            assert change == pytest.approx((now - before) / before, nan_ok=True)
        else:
            assert np.isnan(change)  # growth from nothing is no percentage


@SOME
@given(worlds(), st.sampled_from([5.0, 20.0, 60.0]))
def test_drop_off_and_the_band_by_their_formulas(world: World, width: float) -> None:
    kept, windows = oracle.cleaned(world, NOW)
    views, rooms = world.tables()
    for room in windows:
        curve = metrics.retention(
            views[views["room_id"] == room], rooms[rooms["room_id"] == room], as_of=world.time(NOW)
        )
        people = oracle.stays(kept, windows, room)
        for row in curve.frame.itertuples():
            at = round(row.seconds * 1000)
            share = oracle.retained(people, at + 1)
            assert row.retention == pytest.approx(share)
            if 0 < share < 1:  # Greenwood's variance on the log-log scale
                terms = 0.0
                for time in sorted({length for length, stayed in people if not stayed and length <= at}):
                    risk = sum(length >= time for length, _ in people)
                    lost = sum(length == time and not stayed for length, stayed in people)
                    terms += lost / (risk * (risk - lost))
                half = Z_95 * math.sqrt(terms) / abs(math.log(share))
                assert (row.low, row.high) == pytest.approx((share ** math.exp(half), share ** math.exp(-half)))
        # one of the same kind times twenty: enough to be shown
        crowd = metrics.Retention(curve.frame, 20, curve.censored, curve.duration)
        for row in metrics.churn(crowd, bin_seconds=width).itertuples():
            edges = (round(row.seconds * 1000), round((row.seconds + width) * 1000))
            held, left = (oracle.retained(people, at) for at in edges)
            assert row.drop_off == pytest.approx(held - left)


@SOME
@given(worlds())
def test_what_is_told_as_mended_is_what_was_wrong(world: World) -> None:
    views, rooms = world.tables()
    found = metrics.quality(rooms, views=views, as_of=world.time(NOW))
    assert found.rows("no end") == sum(one.end is None for one in world.sessions)
    assert found.rows("end before start") == sum(one.end is not None and one.end < one.start for one in world.sessions)
    kept, _ = oracle.cleaned(world, NOW)
    left_out = found.rows("before the live window") + found.rows("after the moment reckoned to")
    assert left_out == len(world.sessions) - len(kept)
    marked = sum(one.replay for one in kept) - sum(one.replay for one in world.sessions)
    assert found.rows("after the live window") == marked


HEALTH = st.lists(
    st.tuples(
        st.integers(0, 40),  # frames sent since the measurement before
        st.integers(0, 4),  # frames missed
        st.integers(0, 60),  # packets arrived
        st.integers(0, 6),  # packets lost
        st.sampled_from([30.0, 29.0, 28.5, 27.0, 24.0, 23.0]),
        st.booleans(),  # the publisher connected anew
    ),
    min_size=1,
    max_size=12,
)


@SOME
@given(HEALTH)
def test_health_is_graded_by_what_came_since_the_measurement_before(steps: list) -> None:
    counters = [0, 0, 0, 0]
    rows, expected, resets = [], [], 0
    for number, (sent, missed, arrived, lost, fps, anew) in enumerate(steps):
        before = list(counters)
        if anew:
            counters = [0, 0, 0, 0]
        counters = [old + new for old, new in zip(counters, (sent, missed, arrived, lost), strict=True)]
        # a reset shows only where a counter fell
        seen = number > 0 and any(new < old for new, old in zip(counters, before, strict=True))
        fresh = number == 0 or seen
        grown = [new - (0 if fresh else old) for new, old in zip(counters, before, strict=True)]
        resets += seen
        rows.append((*counters, fps))
        share = grown[1] / (grown[0] + grown[1]) if grown[0] + grown[1] else None
        loss = grown[3] / (grown[2] + grown[3]) if grown[2] + grown[3] else None
        judged = share if share is not None else (loss or 0)
        poor, fair = judged > 0.05 or fps / 30 < 0.80, judged > 0.01 or fps / 30 < 0.95
        expected.append((loss, "poor" if poor else "fair" if fair else "good"))
    table = pd.DataFrame(rows, columns=["frames", "frames_missed", "packets_received", "packets_lost", "fps"])
    table["room_id"], table["target_fps"] = "r", 30.0
    table["at"] = pd.Timestamp("2026-03-01T12:00Z") + pd.to_timedelta(range(len(rows)), unit="s")
    made = metrics.health(table.sample(frac=1, random_state=1))
    assert made["grade"].tolist() == [grade for _, grade in expected]
    assert made["loss"].tolist() == pytest.approx([math.nan if x is None else x for x, _ in expected], nan_ok=True)
    assert made["reset"].sum() == metrics.health_summary(table).loc["r", "resets"] == resets


def test_an_hour_that_comes_twice_is_one_hour_of_the_day() -> None:
    """Berlin, 25 October 2026: 02:30 at +02:00, and an hour later 02:30 again; 01:30 UTC in spring is 03:30."""
    times = pd.to_datetime(["2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-03-29T00:30Z", "2026-03-29T01:30Z"])
    rooms = pd.DataFrame({"room_id": list("abcd"), "live_at": times, "ended_at": times + pd.Timedelta("20min")})
    made = analytics.grouped(analytics.load({"rooms": rooms}), ["weekday", "hour"], time_zone="Europe/Berlin")
    assert made["streams"].to_dict() == {("Sunday", 1): 1, ("Sunday", 2): 2, ("Sunday", 3): 1}
    new_year = rooms.assign(live_at=pd.Timestamp("2026-12-31T23:30Z"), ended_at=pd.Timestamp("2027-01-01T00:30Z"))
    late = analytics.load({"rooms": new_year.iloc[:1]})
    made = analytics.grouped(late, ["weekday", "hour"], time_zone="Europe/Berlin")
    assert made.index.tolist() == [("Friday", 0)]  # midnight of the zone, not of UTC
