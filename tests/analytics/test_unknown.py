"""Unknown is no zero: what no table could know is n/a; polled counts make the curve where nobody tells more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics.kpis import AUDIENCE
from spnb.analytics.polled import polled
from spnb.widgets.stream_page import POLLED_CARDS, page_of
from tests.analytics.season import season
from tests.analytics.test_portable import agree, by_duckdb

ZERO = pd.Timestamp("2026-03-01T18:00:00Z")


def test_numbers_of_tables_nobody_gave_are_unknown_and_empty_ones_are_zero(tmp_path: Path) -> None:
    tables = season(streams=3, seed=3)
    dataset = analytics.load({name: tables[name] for name in ("rooms", "messages", "presence")})
    for made in (dataset, analytics.load(dataset.save(tmp_path / "saved")), dataset.of_rooms(["s0", "s1", "s2"])):
        kpis = made.kpis
        unknown = [*AUDIENCE, "view_seconds", "chat_penetration", "engagement_rate", "returning_share", "reactions"]
        assert kpis[unknown].isna().all(axis=None)
        assert kpis["messages"].gt(0).all()
        assert made.quality.rows("counted by polling only") == 3
    assert analytics.overview(dataset, "2026-02-20", "2026-03-01").cards.loc["views", ["now", "before"]].isna().all()
    assert analytics.grouped(dataset, "type")[["views", "unique_viewers", "reactions"]].isna().all(axis=None)
    nobody = analytics.load({"rooms": tables["rooms"], "views": tables["views"].iloc[:0]}).kpis
    assert (nobody[["views", "unique_viewers", "peak_viewers", "returning_viewers"]] == 0).all(axis=None)
    assert nobody["messages"].isna().all()


def test_polled_counts_are_the_audience_of_streams_that_were_only_counted() -> None:
    tables = season(streams=5, seed=3)
    tables["views"] = tables["views"][tables["views"]["room_id"] != "s1"]
    dataset = analytics.load(tables)
    assert dataset.kpis.loc["s1", list(AUDIENCE)].isna().all()
    assert dataset.kpis.drop("s1")["views"].gt(0).all()
    agree(by_duckdb(dataset), dataset)
    report = dataset.report("s1")
    assert report.as_polled
    mine = tables["presence"][tables["presence"]["room_id"] == "s1"]
    for at, viewers in zip(mine["at"], mine["viewers"], strict=True):
        steps = report.concurrency
        assert steps["viewers"].to_numpy()[int((steps["at"] <= at).sum()) - 1] == viewers
    figures = report.figures()
    assert figures["stack"].data[0].name == "viewers, as polled"
    assert set(figures) == {"stack", "health"}
    page, _ = page_of(report)
    assert page["cards"] == POLLED_CARDS
    told = {number["name"]: number["value"] for number in page["numbers"]}
    assert told["views"] == told["peak_viewers"] == "n/a"
    assert told["polled_peak_viewers"] == str(mine["viewers"].max())
    assert not dataset.report("s0").as_polled


@pytest.mark.parametrize("seed", range(5))
def test_polled_peak_and_average_by_hand(seed: int) -> None:
    draw = np.random.default_rng(seed)
    at = np.sort(draw.choice(900, int(draw.integers(1, 20)), replace=False))
    viewers = draw.integers(0, 40, len(at))
    table = pd.DataFrame({"room_id": "r", "at": ZERO + pd.to_timedelta(at, unit="s"), "viewers": viewers})
    made = polled(table.sample(frac=1, random_state=seed)).loc["r"]
    seconds = [viewers[int((at <= second).sum()) - 1] for second in range(at[0], at[-1])]
    assert made["polled_peak_viewers"] == viewers.max()
    assert made["polled_average_viewers"] == pytest.approx(np.mean(seconds) if seconds else viewers[0])
    every = (at[-1] - at[0]) / (len(at) - 1) if len(at) > 1 else np.nan
    assert made["polled_every_seconds"] == pytest.approx(every, nan_ok=True)


def test_replays_do_not_thin_out_what_was_live() -> None:
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [ZERO], "ended_at": [ZERO + pd.Timedelta("1h")]})
    live = pd.DataFrame({"room_id": "r", "user_id": [f"u{n}" for n in range(100)], "start": ZERO, "replay": False})
    later = pd.DataFrame({"room_id": "r", "user_id": [f"v{n}" for n in range(900)], "replay": True})
    views = pd.concat([live, later.assign(start=ZERO + pd.Timedelta("5h"))], ignore_index=True)
    views["end"] = views["start"] + pd.Timedelta("10min")
    messages = live[["room_id", "user_id"]].assign(created_at=ZERO + pd.Timedelta("1min"))
    reactions = pd.DataFrame({"room_id": [], "user_id": [], "name": [], "at": []}, dtype=object)
    for seen in (live.assign(end=ZERO + pd.Timedelta("10min")), views):
        tables = {"rooms": rooms, "views": seen, "messages": messages, "reactions": reactions}
        made = analytics.load(tables).kpis.loc["r"]
        assert made["live_viewers"] == 100
        assert made["chat_penetration"] == made["engagement_rate"] == 1.0
        assert analytics.metrics.chat_penetration(messages, seen, rooms)["r"] == 1.0


def test_who_watched_live_and_the_recording_is_a_viewer_of_each(tmp_path: Path) -> None:
    """u0 to u9 do both, u10 to u14 are live only, v0 to v4 replay only; some come back to each."""
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [ZERO], "ended_at": [ZERO + pd.Timedelta("1h")]})
    users = {False: [f"u{n}" for n in range(15)], True: [f"u{n}" for n in range(10)] + [f"v{n}" for n in range(5)]}
    rows = [
        {"room_id": "r", "user_id": user, "start": ZERO + pd.Timedelta(hours=5 * replay, minutes=20 * turn)}
        | {"replay": replay, "session_id": f"{user} {replay} {turn}"}
        for replay, several in users.items()
        for place, user in enumerate(several)
        for turn in range(1 + place % 2)
    ]
    views = pd.DataFrame(rows).sample(frac=1, random_state=4)
    views["end"] = views["start"] + pd.Timedelta("10min")
    whole = analytics.load({"rooms": rooms, "views": views})
    for dataset in (whole, analytics.load(whole.save(tmp_path / "saved"))):
        made = dataset.kpis.loc["r"]
        assert (made["unique_viewers"], made["live_viewers"], made["replay_viewers"]) == (20, 15, 15)
        assert made["returning_viewers"] == 0
        agree(by_duckdb(dataset), dataset)


def test_where_both_exist_sessions_win_and_the_difference_is_told() -> None:
    at = pd.Timestamp("2026-03-01T12:00Z")
    rooms = pd.DataFrame({"room_id": ["a", "b"], "live_at": at, "ended_at": at + pd.Timedelta("10min")})
    views = pd.DataFrame({"room_id": ["a", "b"], "user_id": "u", "start": at, "end": at + pd.Timedelta("5min")})
    polls = pd.DataFrame({"room_id": ["a", "b"], "at": at + pd.Timedelta("1min"), "viewers": [7, 1]})
    made = analytics.load({"rooms": rooms, "views": views, "presence": polls})
    assert made.kpis["peak_viewers"].tolist() == [1, 1]
    assert made.kpis["polled_peak_viewers"].tolist() == [7, 1]
    assert made.quality.rows("more polled than in sessions") == 1
