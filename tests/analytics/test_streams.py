"""The table of streams against plain Python, and numbers in words."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics.dataset import Dataset
from spnb.analytics.shown import LABELS, change, shown
from spnb.errors import InvalidInput
from tests.analytics.season import season


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    tables = season(streams=20, seed=3)
    tables["rooms"].loc[4, ["title", "type"]] = ["=1+1", "directStreaming"]
    tables["rooms"].loc[5, ["title", "creator_id"]] = [None, None]
    tables["rooms"].loc[6, ["live_at", "ended_at"]] = pd.NaT
    return analytics.load(tables)


def test_a_period_holds_the_streams_created_in_it(dataset: Dataset) -> None:
    created = dict(zip(dataset.rooms["room_id"], dataset.rooms["created_at"], strict=True))
    edges = sorted(created.values())
    start, end = edges[5], edges[11]
    table = analytics.streams_table(dataset, start, end)
    assert list(table.index) == sorted(
        (room for room, at in created.items() if start <= at < end), key=lambda room: created[room], reverse=True
    )
    assert len(analytics.streams_table(dataset)) == 20


@pytest.mark.parametrize("sort", ["views", "peak_viewers", "live_at", "title", "messages_per_minute"])
@pytest.mark.parametrize("descending", [True, False])
def test_any_column_sorts_and_what_has_no_value_comes_last(dataset: Dataset, sort: str, descending: bool) -> None:
    rows = [(room, None if pd.isna(value) else value) for room, value in dataset.kpis[sort].items()]
    known = sorted((row for row in rows if row[1] is not None), key=lambda row: row[0])
    known.sort(key=lambda row: str(row[1]).casefold() if isinstance(row[1], str) else row[1], reverse=descending)
    unknown = sorted(room for room, value in rows if value is None)
    assert list(analytics.streams_table(dataset, sort=sort, descending=descending).index) == [
        *(room for room, _ in known),
        *unknown,
    ]


def test_text_and_type_filter(dataset: Dataset) -> None:
    rooms = dataset.rooms.set_index("room_id")
    found = analytics.streams_table(dataset, text=" CREATOR1 ").index
    assert set(found) == set(rooms.index[rooms["creator_id"] == "creator1"])
    assert list(analytics.streams_table(dataset, text="s19").index) == ["s19"]
    assert list(analytics.streams_table(dataset, kind="directStreaming").index) == ["s4"]
    assert analytics.streams_table(dataset, text="nobody").empty
    with pytest.raises(InvalidInput, match="no column 'fame'"):
        analytics.streams_table(dataset, sort="fame")


def test_csv_has_all_digits_and_no_formula(dataset: Dataset) -> None:
    table = analytics.streams_table(dataset, sort="views")
    lines = list(csv.DictReader(io.StringIO(analytics.streams_csv(table))))
    assert [line["room_id"] for line in lines] == list(table.index)
    by_room = {line["room_id"]: line for line in lines}
    assert by_room["s4"]["title"] == "'=1+1"
    assert by_room["s5"]["title"] == ""
    assert by_room["s6"]["live_at"] == ""
    for room in ("s0", "s7"):
        assert float(by_room[room]["average_viewers"]) == table.loc[room, "average_viewers"]
        assert pd.Timestamp(by_room[room]["live_at"]) == table.loc[room, "live_at"]
    assert analytics.streams_csv(table.iloc[:0]).count("\n") == 1


def test_numbers_in_words() -> None:
    at = pd.Timestamp("2026-03-01T23:30:05Z")
    words = {
        ("views", 1234567): "1,234,567",
        ("average_viewers", 3.14159): "3.14",
        ("minutes_watched", 14141.43): "14,141.4",
        ("minutes_watched", float("nan")): "n/a",
        ("view_seconds", 44.4): "00:00:44",
        ("chat_penetration", 0.1234): "12.3%",
        ("peak_at", pd.NaT): "n/a",
        ("peak_at", at): "2026-03-01 23:30:05 UTC",
    }
    for (name, value), text in words.items():
        assert shown(name, value) == text
    assert shown("peak_at", at, time_zone="Europe/Berlin") == "2026-03-02 00:30:05 CET"
    changes = {float("nan"): "n/a", 0.0: "±0%", 0.5: "▲ +50%", -1.0: "▼ -100%", 0.0012: "▲ +0.12%"}
    for share, text in changes.items():
        assert change(share) == text
    assert set(analytics.KPIS) <= set(LABELS)
