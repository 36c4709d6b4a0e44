"""Small random worlds with what real data have beside sessions: polls, doubled rows, and dimensions of viewers."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spnb import analytics
from tests.analytics import oracle
from tests.analytics.oracle import Session, World
from tests.analytics.worlds import TIMES, timed

SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW = 400_000
ROOMS = st.sampled_from(["r0", "r1", "r2"])
POLLS = st.lists(st.tuples(ROOMS, TIMES, st.integers(0, 9)), max_size=12)
COUNTRIES = st.sampled_from(["DE", "FR", None])


def numbers(kept: list[Session], windows: dict[str, tuple[int, int] | None], room: str) -> dict[str, float]:
    """What sessions tell of a stream."""
    span = windows[room]
    assert span is not None
    length = (span[1] - span[0]) / 1000
    most = max((oracle.concurrency(kept, room, at) for at in oracle.moments_that_matter(kept, room)), default=0)
    return {
        "views": oracle.views(kept, room),
        "unique_viewers": oracle.unique(kept, room),
        "watch_seconds": sum(one.watched or 0.0 for one in kept if one.room == room),
        "peak_viewers": most,
        "average_viewers": oracle.viewer_seconds(kept, room) / length if length else math.nan,
    }


@SOME
@given(timed(), POLLS, st.randoms(use_true_random=False))
def test_polls_are_told_as_polled_and_sessions_win(world: World, polls: list, mixed: object) -> None:
    views, rooms = world.tables()
    mixed.shuffle(polls)  # type: ignore[attr-defined]
    presence = pd.DataFrame(
        {
            "room_id": pd.Series([room for room, *_ in polls], dtype=object),
            "at": pd.to_datetime([world.time(at) for _, at, _ in polls], utc=True),
            "viewers": pd.Series([count for *_, count in polls], dtype="int64"),
        }
    )
    made = analytics.load({"views": views, "rooms": rooms, "presence": presence}, as_of=world.time(NOW)).kpis
    without = analytics.load({"rooms": rooms, "presence": presence}, as_of=world.time(NOW)).kpis
    kept, windows = oracle.cleaned(world, NOW)
    for room in ("r0", "r1", "r2"):
        once: dict[int, int] = {}  # of two answers at one moment the higher
        for name, at, count in polls:
            if name == room:
                once[at] = max(count, once.get(at, 0))
        times = sorted(once)
        held = [(once[now], after - now) for now, after in pairwise(times)]
        total = sum(pause for _, pause in held)
        average = sum(count * pause for count, pause in held) / total if total else (once[times[0]] if times else None)
        expected = {
            "polled_peak_viewers": max(once.values(), default=None),
            "polled_average_viewers": average,
            "polled_every_seconds": total / 1000 / (len(times) - 1) if len(times) > 1 else None,
        }
        for name, value in expected.items():
            for table in (made, without):
                assert table.loc[room, name] == pytest.approx(math.nan if value is None else value, nan_ok=True), name
        mine = numbers(kept, windows, room)
        unknown = not any(one.room == room for one in world.sessions) and max(once.values(), default=0) > 0
        for name, value in mine.items():
            # who was only counted by polls is known by nothing else, and 0 would be a lie
            assert made.loc[room, name] == pytest.approx(math.nan if unknown else value, nan_ok=True), name
            assert math.isnan(without.loc[room, name])


@SOME
@given(timed(), st.lists(st.tuples(st.integers(0, 13), st.booleans(), st.integers(1, 60)), max_size=10),
       st.randoms(use_true_random=False))  # fmt: skip
def test_doubles_that_tell_less_change_nothing(world: World, again: list, mixed: object) -> None:
    views, rooms = world.tables()
    more = []
    for place, opened, fewer in again:
        if place >= len(views):
            continue
        row = views.iloc[[place]]
        seconds = row["watch_seconds"].iloc[0]
        if opened or pd.isna(row["end"].iloc[0]):
            row = row.assign(end=pd.Series(pd.NaT, index=row.index, dtype=views["end"].dtype))
        if row["end"].isna().all() and not views["end"].isna().iloc[place]:
            row = row.assign(watch_seconds=float(fewer))  # open: however much it tells
        elif seconds > 0:
            row = row.assign(watch_seconds=max(seconds - fewer, 0.0))
        more.append(row)
    doubled = pd.concat([views, *more], ignore_index=True)
    order = list(range(len(doubled)))
    mixed.shuffle(order)  # type: ignore[attr-defined]
    made = analytics.load({"views": doubled.iloc[order], "rooms": rooms}, as_of=world.time(NOW))
    assert made.mended.rows("double") == len(more)
    kept, windows = oracle.cleaned(world, NOW)
    for room in ("r0", "r1", "r2"):
        for name, value in numbers(kept, windows, room).items():
            assert made.kpis.loc[room, name] == pytest.approx(value, nan_ok=True), name


@SOME
@given(timed(), st.lists(COUNTRIES, min_size=14, max_size=14), st.lists(st.tuples(ROOMS, st.sampled_from(
    ["u1", "u2", "writer"]), TIMES), max_size=8))  # fmt: skip
def test_a_dimension_of_viewers_splits_what_they_did(world: World, countries: list, wrote: list) -> None:
    views, rooms = world.tables()
    views["country"] = pd.Series(countries[: len(views)], dtype=object)
    messages = pd.DataFrame(
        {
            "room_id": pd.Series([room for room, *_ in wrote], dtype=object),
            "user_id": pd.Series([user for _, user, _ in wrote], dtype=object),
            "created_at": pd.to_datetime([world.time(at) for *_, at in wrote], utc=True),
        }
    )
    dataset = analytics.load({"views": views, "rooms": rooms, "messages": messages}, as_of=world.time(NOW))
    made = analytics.grouped(dataset, "country")
    # one user with two countries is two people here: within a country nothing else changes
    named = [
        dataclasses.replace(one, user=f"{one.user}|{country}")
        for one, country in zip(world.sessions, countries, strict=False)
    ]
    kept, windows = oracle.cleaned(dataclasses.replace(world, sessions=named), NOW)
    first: dict[tuple[str, str], str | None] = {}
    for one, country in zip(world.sessions, countries, strict=False):
        if country is not None:
            first.setdefault((one.room, one.user), country)
    assert set(made.index) == {country for country in countries[: len(views)] if country is not None}
    for country, row in made.iterrows():
        mine = [one for one in kept if one.user.endswith(f"|{country}")]
        told = [numbers(mine, windows, room) for room in ("r0", "r1", "r2")]
        assert row["views"] == sum(each["views"] for each in told)
        assert row["unique_viewers"] == len({one.user for one in mine})
        assert row["live_viewers"] == len({one.user for one in mine if not one.replay})
        assert row["minutes_watched"] == pytest.approx(sum(each["watch_seconds"] for each in told) / 60)
        assert row["peak_viewers"] == max(each["peak_viewers"] for each in told)
        spoke = [
            (room, user)
            for room, user, at in wrote
            if first.get((room, user)) == country and windows[room][0] <= at <= windows[room][1]  # type: ignore[index]
        ]
        assert row["messages"] == len(spoke)
