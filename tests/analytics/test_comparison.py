"""Better or luck: against published results, definitions written out, and luck itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics.comparison import MANY_STREAMS, log_rank
from spnb.analytics.metrics.retention import retention
from spnb.errors import InvalidInput
from tests.analytics.season import season

BEGAN = pd.Timestamp("2026-03-02 18:00", tz="UTC")
# Freireich and others, 1963: weeks of remission under 6-MP and placebo; + was still in remission
TREATED = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"


def audience(text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Viewers who stayed so many seconds; each has a stream of its own, which ends under those with a +."""
    views, rooms = [], []
    for number, word in enumerate(text.split()):
        seconds = float(word.rstrip("+"))
        room, end = f"{text[:3]}{number}", BEGAN + pd.Timedelta(seconds=seconds)
        views.append((f"{room}s", room, f"u{number}", BEGAN, end))
        rooms.append((room, BEGAN, BEGAN, end if word.endswith("+") else BEGAN + pd.Timedelta(seconds=60)))
    return (
        pd.DataFrame(views, columns=["session_id", "room_id", "user_id", "start", "end"]),
        pd.DataFrame(rooms, columns=["room_id", "created_at", "live_at", "ended_at"]),
    )


def test_log_rank_is_the_published_one() -> None:
    made = log_rank(*(retention(*audience(text)) for text in (TREATED, PLACEBO)))
    assert made.statistic == pytest.approx(16.793, abs=5e-4)
    assert made.p == pytest.approx(4.17e-5, rel=2e-3)
    assert (made.lost, made.expected) == (9, pytest.approx(19.25, abs=5e-3))


def written_out(one: list[tuple[float, bool]], other: list[tuple[float, bool]]) -> float:
    """Mantel's definition, one departure after the other."""
    observed = expected = variance = 0.0
    for time in sorted({seconds for seconds, left in [*one, *other] if left}):
        n = [sum(seconds >= time for seconds, _ in group) for group in (one, other)]
        d = [sum(left and seconds == time for seconds, left in group) for group in (one, other)]
        both, gone = sum(n), sum(d)
        observed += d[0]
        expected += gone * n[0] / both
        if both > 1:
            variance += gone * (n[0] / both) * (n[1] / both) * (both - gone) / (both - 1)
    return (observed - expected) ** 2 / variance


@pytest.mark.parametrize("seed", range(8))
def test_log_rank_as_it_is_defined(seed: int) -> None:
    draw = np.random.default_rng(seed)
    groups = [
        [(float(draw.integers(1, 30)), bool(draw.random() < 0.7)) for _ in range(draw.integers(3, 40))]
        for _ in range(2)
    ]
    texts = [" ".join(f"{seconds:.0f}{'' if left else '+'}" for seconds, left in group) for group in groups]
    made = log_rank(*(retention(*audience(text)) for text in texts))
    assert made.statistic == pytest.approx(written_out(*groups))


def test_alike_groups_differ_by_luck_as_often_as_p_says() -> None:
    found = []
    for seed in range(60):
        dataset = analytics.Dataset.of(season(streams=2, seed=seed, viewers=60))
        found.append(
            analytics.compare(dataset, ["s0"], ["s1"], resamples=300, seed=seed).table.loc["chat_penetration", "p"]
        )
    assert 0.0 <= np.mean(np.array(found) < 0.05) <= 0.15
    assert np.mean(np.array(found) < 0.5) == pytest.approx(0.5, abs=0.25)


def test_a_true_difference_is_found_with_its_size() -> None:
    frames = season(streams=2, seed=3, viewers=400)
    more = frames["messages"][frames["messages"]["room_id"] == "s1"]
    doubled = pd.concat([frames["messages"], *(more.assign(message_id=more["message_id"] + f"-{n}") for n in range(3))])
    dataset = analytics.Dataset.of({**frames, "messages": doubled})
    row = analytics.compare(dataset, ["s0"], ["s1"]).table.loc["messages_per_viewer"]
    assert row["p"] < 0.01
    assert row["low"] < row["difference"] < row["high"]
    assert row["low"] > 0
    again = analytics.compare(dataset, ["s1"], ["s0"]).table.loc["messages_per_viewer"]
    assert again["difference"] == pytest.approx(-row["difference"])


def test_many_streams_are_drawn_as_streams() -> None:
    dataset = analytics.Dataset.of(season(streams=2 * MANY_STREAMS, seed=1))
    names = sorted(dataset.rooms["room_id"])
    made = analytics.compare(dataset, names[:MANY_STREAMS], names[MANY_STREAMS:])
    assert made.unit == "streams"
    assert made.retention is not None
    assert "log-rank" in made._repr_html_()


@pytest.mark.parametrize("streams", [2, 2 * MANY_STREAMS])
def test_intervals_are_those_of_a_loop_that_draws_anew(streams: int) -> None:
    dataset = analytics.Dataset.of(season(streams=streams, seed=5, viewers=60))
    names = sorted(dataset.rooms["room_id"])
    groups = names[: streams // 2], names[streams // 2 :]
    made = analytics.compare(dataset, *groups, resamples=4_000).table.loc["messages_per_viewer"]
    units = []
    for group in groups:
        part = dataset.of_rooms(group)
        live = part.views[~part.views["replay"]].merge(part.rooms[["room_id", "live_at", "ended_at"]], on="room_id")
        live = live[(live["start"] < live["ended_at"]) & (live["end"] > live["live_at"])]
        key = live.groupby(["room_id", "user_id"], observed=True).size().index
        wrote = part.messages[~part.messages["deleted"]].groupby(["room_id", "user_id"], observed=True).size()
        each = pd.DataFrame({"messages": wrote.reindex(key, fill_value=0), "viewers": 1}, index=key)
        if streams > 2:  # whole streams are drawn, with all that their viewers did
            each = each.groupby(level="room_id", observed=True).sum()
        units.append(each)

    draw = np.random.default_rng(2)

    def ratio(each: pd.DataFrame) -> float:
        return float(each["messages"].sum() / each["viewers"].sum())

    def drawn(each: pd.DataFrame) -> float:
        return ratio(each.iloc[draw.integers(0, len(each), len(each))])

    low, high = np.percentile([drawn(units[1]) - drawn(units[0]) for _ in range(2_000)], [2.5, 97.5])
    assert made["difference"] == pytest.approx(ratio(units[1]) - ratio(units[0]))
    assert made["low"] == pytest.approx(low, abs=0.1 * (high - low))
    assert made["high"] == pytest.approx(high, abs=0.1 * (high - low))


def test_bad_groups() -> None:
    dataset = analytics.Dataset.of(season(streams=2, seed=1))
    for a, b, words in ([], ["s0"], "no streams"), (["s0"], ["nope"], "not there"), (["s0"], ["s0", "s1"], "both"):
        with pytest.raises(InvalidInput, match=words):
            analytics.compare(dataset, a, b)


def test_overlap_percentiles_and_returning_by_brute_force() -> None:
    dataset = analytics.Dataset.of(season(streams=6, seed=4, viewers=30))
    views, _ = analytics.repaired(dataset.views, dataset.rooms, as_of=dataset.as_of)
    live = views[~views["replay"]]
    host = dataset.rooms.set_index("room_id")["creator_id"]
    fans = {name: set(live[live["room_id"].map(host) == name]["user_id"]) for name in sorted(set(host))}
    table = analytics.overlap(dataset)
    assert {(a, b): table.loc[a, b] for a in fans for b in fans} == {
        (a, b): len(fans[a] & fans[b]) for a in fans for b in fans
    }
    shares = analytics.overlap(dataset, shares=True)
    one, other = list(fans)[:2]
    assert shares.loc[one, other] == pytest.approx(len(fans[one] & fans[other]) / len(fans[one]))

    minutes = live[live["room_id"].map(host) == one].groupby("user_id")["watch_seconds"].sum() / 60
    told = analytics.watch_percentiles(dataset, [50, 90], by="creator_id").loc[one]
    assert told["viewers"] == len(minutes)
    assert told["p50"] == pytest.approx(minutes.median())

    days = analytics.new_and_returning(dataset, period="D")
    assert days["new"].sum() == live["user_id"].nunique()
    assert (days["new"] + days["returning"] == days["viewers"]).all()
    assert days["returning"].iloc[0] == 0


def test_one_viewers_path() -> None:
    dataset = analytics.Dataset.of(season(streams=4, seed=4, viewers=30))
    user = dataset.messages["user_id"].mode()[0]
    path = analytics.viewer_path(dataset, user)
    assert path["at"].is_monotonic_increasing
    assert (path["what"] == "wrote").sum() == (dataset.messages["user_id"] == user).sum()
    with pytest.raises(InvalidInput, match="nobody"):
        analytics.viewer_path(dataset, "nobody at all")
