"""How it was for viewers: their players' events in, and numbers that a plain loop over them gives too."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spnb import analytics
from spnb.analytics import figures, metrics
from spnb.analytics.shown import EXPERIENCED
from spnb.analytics.tables import KINDS
from tests.analytics.season import season

ZERO = pd.Timestamp("2026-03-01T12:00:00Z")
END = ZERO + pd.Timedelta("10min")
COLUMNS = ["room_id", "session_id", "at", "kind", "value"]
ROOMS = pd.DataFrame({"room_id": ["r"], "title": ["Soup"], "live_at": [ZERO], "ended_at": [END]})


def events(*rows: tuple[str, float, str, float | None]) -> pd.DataFrame:
    """Events of room r: session, second, kind, value."""
    made = [("r", session, ZERO + pd.Timedelta(seconds=second), kind, value) for session, second, kind, value in rows]
    return pd.DataFrame(made, columns=COLUMNS)


STORY = events(
    ("good", 0, "asked", None),
    ("good", 2, "started", 2.0),
    ("good", 60, "delay", 3.0),
    ("good", 61, "waited", 4.0),
    ("good", 65, "switched", 800.0),
    ("good", 120, "delay", 5.0),
    ("good", 130, "played", 116.0),
    ("good", 131, "left", None),
    ("slow", 10, "asked", None),
    ("slow", 12, "waited", 2.0),  # before its picture: its start-up time has it
    ("slow", 16, "started", None),
    ("slow", 40, "failed", None),
    ("slow", 41, "played", 64.0),
    ("gone", 20, "asked", None),
    ("gone", 23, "left", None),
    ("broken", 30, "asked", None),
    ("broken", 31, "failed", None),
    ("broken", 32, "left", None),
    ("open", 590, "asked", None),
)


def test_a_story_by_hand() -> None:
    made = metrics.experience(STORY.sample(frac=1, random_state=3)).set_index("session_id")
    assert made["outcome"].dropna().to_dict() == {
        "good": "started",
        "slow": "started",
        "gone": "left",
        "broken": "failed",
    }
    assert made.loc["slow", "startup_seconds"] == 6.0  # not told: from the click to the picture
    assert made.loc["slow", "waits"] == 0
    line = metrics.experience_summary(STORY).loc["r"]
    assert line.to_dict() == pytest.approx(
        {
            "sessions": 5,
            "started_share": 2 / 4,  # of the open one nobody knows yet
            "startup_seconds": 4.0,
            "startup_seconds_p95": 5.8,
            "exits_before_start": 1 / 4,
            "start_failures": 1 / 4,
            "failures": 1 / 2,
            "waiting_share": 4 / 184,
            "waits_per_hour": 20.0,
            "switches_per_hour": 20.0,
            "delay_seconds": 4.0,
        }
    )
    assert set(metrics.EXPERIENCE) == set(line.index) == set(EXPERIENCED)


WORLD = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(0, 700_000),
        st.sampled_from(KINDS),
        st.one_of(st.none(), st.floats(0, 500, allow_nan=False).map(lambda value: round(value, 3))),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:3],
)


def by_hand(rows: list[tuple[str, int, str, float | None]]) -> dict[str, float]:
    """The summary once more, by a loop that knows nothing of frames."""
    outcomes, startups, failures, delays = [], [], [], []
    played = waited = waits = switches = 0.0
    for session in {row[0] for row in rows}:
        mine = sorted((row for row in rows if row[0] == session), key=lambda row: row[1])
        first: dict[str, tuple[int, float | None]] = {}
        for _, at, kind, value in mine:
            first.setdefault(kind, (at, value))
        start = first.get("started")
        if start is not None:
            outcomes.append("started")
            told = next((value for _, _, kind, value in mine if kind == "started" and value is not None), None)
            if told is None and "asked" in first:
                told = (start[0] - first["asked"][0]) / 1000
            if told is not None:
                startups.append(told)
            failures.append("failed" in first)
            shown = [value for _, _, kind, value in mine if kind == "played" and value is not None]
            if shown:
                stood = [value or 0.0 for _, at, kind, value in mine if kind == "waited" and at >= start[0]]
                played, waited, waits = played + max(shown), waited + sum(stood), waits + len(stood)
                switches += sum(kind == "switched" for _, _, kind, _ in mine)
        elif "failed" in first or "left" in first:
            outcomes.append("failed" if "failed" in first else "left")
        behind = [value for _, _, kind, value in mine if kind == "delay" and value is not None]
        if behind:
            delays.append(median(behind))
    share = {
        name: outcomes.count(name) / len(outcomes) if outcomes else math.nan for name in ("started", "left", "failed")
    }
    return {
        "sessions": len({row[0] for row in rows}),
        "started_share": share["started"],
        "startup_seconds": median(startups) if startups else math.nan,
        "startup_seconds_p95": float(np.percentile(startups, 95)) if startups else math.nan,
        "exits_before_start": share["left"],
        "start_failures": share["failed"],
        "failures": sum(failures) / len(failures) if failures else math.nan,
        "waiting_share": waited / (waited + played) if waited + played else math.nan,
        "waits_per_hour": waits / played * 3600 if played else math.nan,
        "switches_per_hour": switches / played * 3600 if played else math.nan,
        "delay_seconds": median(delays) if delays else math.nan,
    }


@settings(max_examples=20, deadline=None)
@given(WORLD)
def test_a_loop_gives_the_same_numbers(rows: list[tuple[str, int, str, float | None]]) -> None:
    table = events(*((session, at / 1000, kind, value) for session, at, kind, value in rows))
    line = metrics.experience_summary(table).loc["r"].to_dict()
    assert line == pytest.approx(by_hand(rows), nan_ok=True)
    bins = metrics.experience_rate(table, ROOMS, bin_seconds=60)
    inside = [row for row in rows if row[1] <= 600_000]
    assert len(bins) == 10
    assert bins["starts"].sum() == sum(kind == "started" for *_, kind, _ in inside)
    assert bins["errors"].sum() == sum(kind == "failed" for *_, kind, _ in inside)
    begun = {session: at for session, at, kind, _ in sorted(rows, key=lambda row: -row[1]) if kind == "started"}
    stood = [row for row in inside if row[2] == "waited" and row[1] >= begun.get(row[0], 10**9)]
    assert bins["waits"].sum() == len(stood)
    assert bins["waited_seconds"].sum() == pytest.approx(sum(value or 0.0 for *_, value in stood))
    broken = {session for session, _, kind, _ in rows if kind == "failed"}
    for_good = {session: at for session, at, kind, _ in sorted(rows, key=lambda row: row[1]) if kind == "left"}
    exits = [row for row in inside if row[2] == "left" and row[1] == for_good[row[0]]]
    lost = [row for row in exits if row[0] not in begun and row[0] not in broken]
    assert bins["exits"].sum() == len(lost)


def test_it_comes_as_a_file_is_saved_and_stands_on_the_page(tmp_path: Path) -> None:
    STORY.assign(at=STORY["at"].astype(str), app="ios").to_csv(tmp_path / "playback.csv", index=False)
    ROOMS.to_parquet(tmp_path / "rooms.parquet")
    told = analytics.load(tmp_path / "playback.csv")
    assert told.mended.rows("column that is not known") == 1
    dataset = analytics.load({"rooms": ROOMS, "playback": told.playback})
    saved = analytics.load(dataset.save(tmp_path / "saved"))
    page = saved.report("r")
    assert page.experience.to_dict() == pytest.approx(metrics.experience_summary(STORY).loc["r"].to_dict())
    assert page.playback["starts"].sum() == 2
    made = page.figures()["experience"]
    heights = {trace.name: np.nansum(np.asarray(trace.y, dtype=float)) for trace in made.data}
    assert heights == {"starts": 2, "waits": 1, "exits before start": 1, "errors": 2, "delay": 8.0}
    html = page.to_html()
    assert "How it was for viewers" in html
    assert metrics.EXPERIENCE["waiting_share"] in html
    assert page.export(tmp_path / "met.csv", "experience").read_text().count("\n") == 12
    assert saved.sql("select count(*) as n from playback")["n"].iloc[0] == len(STORY)


def test_it_stands_beside_the_publishers_health(tmp_path: Path) -> None:
    tables = season(streams=2, seed=4)
    room = tables["rooms"].iloc[0]
    met = STORY.assign(room_id=room["room_id"], at=STORY["at"] - ZERO + room["live_at"])
    page = analytics.load({**tables, "playback": met}).report(room["room_id"])
    made = figures.experience_strip(page, dark=True, time_zone="Asia/Tokyo")
    graded = {trace.name: len(trace.x) for trace in made.data if trace.name.startswith("publisher")}
    assert sum(graded.values()) == len(page.health) > 0
    assert made.layout.xaxis.title.text == "time, Asia/Tokyo"


def test_nothing_told_is_not_known_and_odd_words_are_told() -> None:
    silent = analytics.load(season(streams=2, seed=4)).report("s0")
    assert silent.experience.isna().all()
    assert "experience" not in silent.figures()
    assert "How it was for viewers" not in silent.to_html()
    odd: Any = pd.concat([STORY, events(("good", 5, "buffered", 1.0), ("good", 6, "waited", -3.0))])
    dataset = analytics.load({"rooms": ROOMS, "playback": odd})
    assert dataset.quality.rows("kind that is not known") == 1
    assert dataset.quality.rows("below zero") == 1
    assert dataset.report("r").experience["waits_per_hour"] == pytest.approx(40)  # it waited, nobody knows how long


def test_a_part_of_the_viewers_has_its_own_experience() -> None:
    views = pd.DataFrame(
        {"room_id": "r", "user_id": ["u", "v"], "start": ZERO, "end": END, "country": ["DE", "FR"]},
    )
    who = STORY["session_id"].map({"good": "u", "slow": "v"})
    dataset = analytics.load({"rooms": ROOMS, "views": views, "playback": STORY.assign(user_id=who)})
    assert dataset.where(country="DE").report("r").experience["startup_seconds"] == 2.0
    assert dataset.where(country="FR").report("r").experience["startup_seconds"] == 6.0
    assert not set(dataset.redacted().playback["user_id"].dropna()) & {"u", "v"}


def test_who_came_back_before_a_picture_has_left_once() -> None:
    """A page that slept is taken for closed; what counts is when it left for good."""
    told = events(
        ("sleeper", 0, "asked", None),
        ("sleeper", 10, "left", None),
        ("sleeper", 300, "asked", None),
        ("sleeper", 310, "left", None),
    )
    rate = metrics.experience_rate(told, ROOMS)
    assert rate["exits"].sum() == 1
    assert rate["exits"].to_numpy().nonzero()[0].tolist() == [5]  # the minute in which it left for good
