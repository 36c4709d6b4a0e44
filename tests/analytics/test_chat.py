"""Chat, reactions, engagement and moments: against plain counting, and against streams with planted moments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spnb.analytics import metrics
from spnb.errors import InvalidInput

ZERO = pd.Timestamp("2026-03-01T12:00:00Z")
ENDED = 300_000
ROOMS = pd.DataFrame({"room_id": ["r"], "live_at": [ZERO], "ended_at": [ZERO + pd.Timedelta(milliseconds=ENDED)]})

EVENTS = st.lists(
    st.tuples(
        st.integers(-2, 31).map(lambda n: n * 10_000),
        st.sampled_from(["a", "b", "c"]),
        st.booleans(),
        st.sampled_from(["like", "fire"]),
    ),
    max_size=25,
)


def times(values: list[int]) -> pd.Series:
    return ZERO + pd.to_timedelta(pd.Series(values, dtype="int64"), unit="ms")


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_chat_is_counted_while_live_and_deleted_messages_apart(events: list[tuple[int, str, bool, str]]) -> None:
    table = pd.DataFrame(
        {
            "message_id": [f"m{n}" for n in range(len(events))],
            "room_id": "r",
            "user_id": [user for _, user, _, _ in events],
            "created_at": times([at for at, *_ in events]),
            "deleted": pd.Series([deleted for _, _, deleted, _ in events], dtype=bool),
        }
    )
    live = [event for event in events if 0 <= event[0] <= ENDED]
    standing = [event for event in live if not event[2]]
    made = metrics.chat(table, ROOMS).loc["r"]
    people = {user for _, user, _, _ in standing}
    assert made["messages"] == len(standing)
    assert made["deleted_messages"] == len(live) - len(standing)
    assert made["chatters"] == metrics.chatters(table, ROOMS)["r"] == len(people)
    assert made["messages_per_minute"] == pytest.approx(len(standing) / 5)
    if people:
        assert made["messages_per_chatter"] == pytest.approx(len(standing) / len(people))
    bins = metrics.chat_rate(table, ROOMS, bin_seconds=70)
    assert bins["messages"].sum() == len(standing)
    assert bins["deleted_messages"].sum() == len(live) - len(standing)
    for row in bins.itertuples():
        low, last = row.seconds * 1000, row.Index == len(bins) - 1
        inside = sum(low <= at < low + 70_000 or (last and at >= low) for at, *_ in standing)
        assert row.messages == inside
        assert row.per_minute == pytest.approx(inside / (min(70_000, ENDED - low) / 60_000))


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_reactions_are_given_minus_taken_back(events: list[tuple[int, str, bool, str]]) -> None:
    table = pd.DataFrame(
        {
            "room_id": "r",
            "user_id": [user for _, user, _, _ in events],
            "name": [name for *_, name in events],
            "at": times([at for at, *_ in events]),
            "added": pd.Series([added for _, _, added, _ in events], dtype=bool),
        }
    )
    live = [event for event in events if 0 <= event[0] <= ENDED]
    made = metrics.reactions(table, ROOMS).set_index("name")
    assert set(made.index) == {name for *_, name in live}
    for name in made.index:
        mine = [added for _, _, added, other in live if other == name]
        assert made.loc[name, "given"] == sum(mine)
        assert made.loc[name, "reactions"] == max(0, 2 * sum(mine) - len(mine))
    bins = metrics.reactions(table, ROOMS, bin_seconds=60)
    assert bins["reactions"].tolist() == (bins["given"] - bins["taken_back"]).clip(lower=0).tolist()
    for row in bins.itertuples():
        low = row.seconds * 1000
        mine = [
            added
            for at, _, added, name in live
            if name == row.name and (low <= at < low + 60_000 or (low == 240_000 and at >= low))
        ]
        assert (row.given, row.taken_back) == (sum(mine), len(mine) - sum(mine))


def test_a_reaction_delivered_twice_counts_once() -> None:
    table = pd.DataFrame(
        {
            "reaction_id": ["x", "x", "x", None, None],
            "room_id": "r",
            "user_id": "a",
            "name": "like",
            "at": times([1000] * 5),
            "added": [True, True, False, True, True],
        }
    )
    made = metrics.reactions(table, ROOMS).iloc[0]
    assert (made["given"], made["taken_back"]) == (3, 1)  # without an id nobody can tell doubles from two hearts


def test_both_formulas_of_engagement() -> None:
    views = pd.DataFrame(
        {"room_id": "r", "user_id": ["a", "b"], "start": [ZERO] * 2, "end": [ZERO + pd.Timedelta("90s")] * 2}
    )
    messages = pd.DataFrame({"room_id": "r", "user_id": ["a", "a", "b"], "created_at": times([1, 2, 3])})
    reactions = pd.DataFrame({"room_id": ["r"], "user_id": ["a"], "name": ["like"], "at": times([5])})
    made = metrics.engagement(views, messages, reactions, ROOMS).loc["r"]
    assert made["engagement_rate"] == pytest.approx((3 + 1) / 2)
    assert made["minutes_per_viewer"] == pytest.approx(1.5)
    assert metrics.chat_penetration(messages, views, ROOMS)["r"] == 1.0
    assert set(metrics.FORMULAS) == set(made.index)


def stream(draw: np.random.Generator, minutes: int, per_minute: float, planted: list[float]) -> np.ndarray:
    """Times of messages in seconds: a rate that drifts by 40 %, and bursts of twenty to forty seconds."""
    seconds = np.arange(minutes * 60)
    drift = 1 + 0.4 * np.sin(seconds / len(seconds) * draw.uniform(1, 6) + draw.uniform(0, 6))
    rate = per_minute / 60 * drift
    for at in planted:
        rate = rate + (np.abs(seconds - at) < draw.uniform(10, 20)) * max(3 * per_minute / 60, 0.6)
    counts = draw.poisson(rate)
    return np.repeat(seconds, counts) + draw.uniform(0, 1, counts.sum())


def streams(seed: int, count: int, moments: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, list[float]]]:
    draw = np.random.default_rng(seed)
    tables, rooms, truth = [], [], {}
    for number in range(count):
        minutes = int(draw.integers(25, 90))
        planted = list(np.linspace(0.15, 0.85, moments) * minutes * 60 + draw.uniform(-90, 90, moments))
        at = stream(draw, minutes, draw.uniform(6, 90), planted)
        name = f"s{number}"
        truth[name] = planted
        rooms.append((name, ZERO, ZERO + pd.Timedelta(minutes=minutes)))
        tables.append(
            pd.DataFrame({"room_id": name, "user_id": "u", "created_at": ZERO + pd.to_timedelta(at, unit="s")})
        )
    return pd.concat(tables), pd.DataFrame(rooms, columns=["room_id", "live_at", "ended_at"]), truth


def test_moments_are_found_where_they_were_planted() -> None:
    messages, rooms, truth = streams(7, 200, 3)
    found = metrics.moments(messages, rooms=rooms)
    hits = right = 0
    for name, planted in truth.items():
        mine = found[found["room_id"] == name]
        starts = (mine["start"] - ZERO).dt.total_seconds() - 15
        ends = (mine["end"] - ZERO).dt.total_seconds() + 15
        hits += sum(((starts <= at) & (at <= ends)).any() for at in planted)
        right += sum(any(low <= at <= high for at in planted) for low, high in zip(starts, ends, strict=True))
    recall, precision = hits / 600, right / len(found)
    # The shortest at the lowest rates are ten messages more than usual: not enough to tell them from chance.
    assert recall >= 0.8, (recall, precision)
    assert precision >= 0.95, (recall, precision)
    assert (found["messages"] > found["usual_messages"]).all()


def test_quiet_and_drifting_streams_have_next_to_no_moments() -> None:
    messages, rooms, _ = streams(8, 50, 0)
    hours = (rooms["ended_at"] - rooms["live_at"]).dt.total_seconds().sum() / 3600
    assert len(metrics.moments(messages, rooms=rooms)) <= 0.1 * hours


def test_the_dial_of_sensitivity() -> None:
    messages, rooms, _ = streams(9, 8, 2)
    counts = [len(metrics.moments(messages, rooms=rooms, sensitivity=dial)) for dial in (0, 0.5, 0.9)]
    assert counts[0] <= counts[1] <= counts[2]
    with pytest.raises(InvalidInput, match="from 0"):
        metrics.moments(messages, rooms=rooms, sensitivity=2)
    with pytest.raises(InvalidInput, match="need messages"):
        metrics.moments()


def test_reactions_alone_can_be_a_moment() -> None:
    draw = np.random.default_rng(3)
    at = stream(draw, 30, 20, [900.0])
    table = pd.DataFrame({"room_id": "r", "user_id": "u", "name": "fire", "at": ZERO + pd.to_timedelta(at, unit="s")})
    rooms = ROOMS.assign(ended_at=ZERO + pd.Timedelta(minutes=30))
    found = metrics.moments(reactions=table, rooms=rooms)
    assert len(found) == 1
    assert abs(found["seconds"].iloc[0] - 900) <= 30
    assert found["reactions"].iloc[0] > 0
    assert found["messages"].iloc[0] == 0


def test_health_by_the_rules_of_obs() -> None:
    at = [ZERO + pd.Timedelta(seconds=n) for n in range(5)]
    table = pd.DataFrame(
        {
            "room_id": "r",
            "at": at,
            "fps": [30, 29, 28, 23, 30],
            "target_fps": 30.0,
            "frames": [30, 60, 90, 120, 20],
            "frames_missed": [0, 0, 0, 0, 2],
            "packets_lost": [1, 1, 3, 3, 4],
            "packets_received": [99, 199, 297, 397, 96],
            "bitrate_kbps": [2000.0, 2100, 1900, 1500, 2000],
        }
    )
    made = metrics.health(table)
    assert made["grade"].tolist() == ["good", "good", "fair", "poor", "poor"]
    assert made["loss"].tolist() == pytest.approx([0.01, 0, 0.02, 0, 0.04])
    assert made["missed"].iloc[-1] == pytest.approx(2 / 22)
    assert made["reset"].tolist() == [False, False, False, False, True]
    line = metrics.health_summary(table).loc["r"]
    assert (line["good"], line["fair"], line["poor"], line["resets"]) == pytest.approx((0.4, 0.2, 0.4, 1))
    plain = metrics.health(pd.DataFrame({"room_id": "r", "at": at}))
    assert plain["grade"].isna().all()


def test_gaps_between_polls_are_told() -> None:
    polls = [ZERO + pd.Timedelta(seconds=n) for n in (0, 10, 20, 30, 200, 210)]
    table = pd.DataFrame({"room_id": "r", "at": polls, "viewers": 3})
    found = metrics.quality(ROOMS, presence=table)
    assert found.rows("gap in the capture") == 1
    assert found.rows("counted by polling only") == 1
    assert "170 s" in str(found)
    assert "gap in the capture" in found._repr_html_()
    assert list(found.frame["table"]) == ["presence", "presence"]
