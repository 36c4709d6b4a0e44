"""What analysts bring: each mistake is a clear error or a named repair, from whichever engine the frame comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from spnb import analytics
from spnb.analytics.tables import TABLES
from spnb.errors import TableError
from tests.analytics.season import season

ZERO = pd.Timestamp("2026-03-01T12:00:00Z")

ENGINES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}


@pytest.fixture(params=ENGINES)
def given(request: pytest.FixtureRequest) -> Callable[[pd.DataFrame], Any]:
    """A frame as one of the engines has it."""
    return ENGINES[request.param]


Given = Callable[[pd.DataFrame], Any]


@pytest.mark.parametrize("name", TABLES)
def test_missing_columns_are_named_with_what_is_needed(given: Given, name: str) -> None:
    table = TABLES[name]
    frame = pd.DataFrame({"something": [1]})
    with pytest.raises(TableError) as refused:
        analytics.load({name: given(frame)})
    assert f"the table {name} lacks {', '.join(table.required)}" in str(refused.value)


@pytest.mark.parametrize("name", [name for name in TABLES if name != "rooms"])
def test_naive_times_are_refused_with_how_to_fix(given: Given, name: str) -> None:
    table = TABLES[name]
    values = {"text": ["x"], "number": [1.0], "count": [1], "flag": [True]}
    columns = {c.name: [ZERO.tz_localize(None)] if c.kind == "time" else values[c.kind] for c in table.columns}
    with pytest.raises(TableError, match=rf"{name}\.\w+ holds time stamps without a zone"):
        analytics.load({name: given(pd.DataFrame(columns))})
    columns = {c.name: ["2026-03-01 12:00"] if c.kind == "time" else values[c.kind] for c in table.columns}
    with pytest.raises(TableError, match=r"without a zone.*end them with Z"):
        analytics.load({name: given(pd.DataFrame(columns))})


@pytest.mark.parametrize(
    ("name", "column", "wrong", "told"),
    [
        ("views", "user_id", [1.5], "must be text"),
        ("views", "watch_seconds", ["12"], "must be numbers, not str"),
        ("views", "start", [1772366400000], "holds numbers, not times"),
        ("presence", "viewers", ["many"], "must be numbers"),
        ("presence", "viewers", [np.nan], "must be whole numbers; row 0 has none"),
        ("messages", "deleted", ["perhaps"], "must be True or False"),
        ("reactions", "name", [2.5], "must be text"),
        ("health", "fps", ["30"], "must be numbers"),
        ("status", "at", ["tomorrow Z"], "no ISO 8601 time"),
    ],
)
def test_wrong_types_are_refused(given: Given, name: str, column: str, wrong: list[Any], told: str) -> None:
    values = {"text": ["x"], "time": [ZERO], "number": [1.0], "count": [1], "flag": [True]}
    frame = pd.DataFrame({c.name: values[c.kind] for c in TABLES[name].columns} | {column: wrong})
    with pytest.raises(TableError, match=told):
        analytics.load({name: given(frame)})


def test_unsorted_and_repeated_rows_change_no_number(given: Given) -> None:
    tables = season(streams=5, seed=41)
    expected = analytics.load(tables).kpis
    draw = np.random.default_rng(1)
    worse, repeated = {}, {}
    for name, frame in tables.items():
        again = frame.iloc[draw.integers(0, len(frame), len(frame) // 3)]
        repeated[name] = len(again)
        worse[name] = pd.concat([frame, again]).sample(frac=1, random_state=7)
    made = analytics.load({name: given(frame.reset_index(drop=True)) for name, frame in worse.items()})
    pd.testing.assert_frame_equal(made.kpis.loc[expected.index], expected)
    doubles = {step.table: step.rows for step in made.mended if step.name == "double"}
    assert doubles == repeated


def test_mixed_zones_are_one_time(given: Given) -> None:
    tables = season(streams=4, seed=42)
    expected = analytics.load(tables).kpis
    elsewhere = dict(tables)
    zones = {"views": "Asia/Kathmandu", "messages": "America/St_Johns", "rooms": "Europe/Berlin"}
    for name, zone in zones.items():
        frame = tables[name].copy()
        for column in frame.select_dtypes("datetimetz").columns:
            frame[column] = frame[column].dt.tz_convert(zone)
        elsewhere[name] = frame
    made = analytics.load({name: given(frame) for name, frame in elsewhere.items()})
    pd.testing.assert_frame_equal(made.kpis, expected)
    # and as text, a zone of its own in each row
    offsets = ["Z", "+02:00", "-0330", "+05:45"]
    text = [
        (at + pd.Timedelta(0 if offset == "Z" else _minutes(offset), "min")).strftime("%Y-%m-%dT%H:%M:%S.%f") + offset
        for at, offset in zip(tables["messages"]["created_at"], offsets * len(tables["messages"]), strict=False)
    ]
    mixed = {**tables, "messages": tables["messages"].assign(created_at=text)}
    pd.testing.assert_frame_equal(analytics.load({n: given(f) for n, f in mixed.items()}).kpis, expected)


def _minutes(offset: str) -> int:
    digits = offset[1:].replace(":", "")
    return (int(digits[:2]) * 60 + int(digits[2:])) * (1 if offset[0] == "+" else -1)


def test_the_future_the_backward_and_the_empty_are_named(given: Given) -> None:
    late = pd.Timestamp.now("UTC") + pd.Timedelta("2D")
    minute = pd.Timedelta("60s")
    views = pd.DataFrame(
        {
            "session_id": list("abcdef"),
            "room_id": ["r", "r", "r", None, "r", "r"],
            "user_id": ["u", "v", "w", "x", None, "y"],
            "start": [ZERO, late, ZERO, ZERO, ZERO, ZERO],
            "end": [ZERO + minute, late + minute, ZERO - minute, ZERO, ZERO, None],
            "watch_seconds": [60.0, 60.0, 5.0, 1.0, 1.0, np.nan],
        }
    )
    messages = pd.DataFrame({"room_id": ["r", "r"], "user_id": ["u", "v"], "created_at": [ZERO, late]})
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [ZERO - minute], "ended_at": [ZERO + minute]})
    made = analytics.load({"rooms": given(rooms), "views": given(views), "messages": given(messages)})
    told = {(step.table, step.name): step.rows for step in made.quality}
    assert told[("views", "from the future")] == told[("messages", "from the future")] == 1
    assert told[("views", "without room_id or user_id or start")] == 2
    assert told[("views", "end before start")] == 1
    assert told[("views", "no end")] == 1
    row = made.kpis.loc["r"]
    assert (row["views"], row["unique_viewers"], row["messages"]) == (3, 3, 1)
    assert row["watch_seconds"] == pytest.approx(60 + 5 + 60)  # the one without an end watched to the stream's end


@pytest.mark.parametrize("kept", [0, 3, 200, 0.5, -8, -1])
def test_a_truncated_parquet_file_is_named(tmp_path: Path, kept: float) -> None:
    whole = tmp_path / "views.parquet"
    season(streams=2, seed=43)["views"].to_parquet(whole)
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * kept) if isinstance(kept, float) else kept])
    for source in (whole, tmp_path):
        with pytest.raises(TableError, match=r"views\.parquet cannot be read: it is damaged or was not written"):
            analytics.load(source)


def test_markup_in_titles_stays_text(given: Given) -> None:
    tables = season(streams=2, seed=44)
    nasty = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    tables["rooms"] = tables["rooms"].assign(title=[nasty, "plain"], creator_id=[nasty, "ann"])
    dataset = analytics.load({name: given(frame) for name, frame in tables.items()})
    page = dataset.report("s0").to_html()
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert nasty in dataset.rooms["title"].tolist()
    assert "<script>alert" not in dataset.quality._repr_html_()


def test_ids_as_numbers_and_categories(given: Given) -> None:
    tables = season(streams=3, seed=45)
    expected = analytics.load(tables).kpis
    numbered = dict(tables)
    numbered["views"] = tables["views"].assign(room_id=tables["views"]["room_id"].astype("category"))
    pd.testing.assert_frame_equal(analytics.load({n: given(f) for n, f in numbered.items()}).kpis, expected)
    views = tables["views"].assign(user_id=tables["views"]["user_id"].str[1:].astype("int64"))
    made = analytics.load({"rooms": given(tables["rooms"]), "views": given(views)}).kpis
    assert made["unique_viewers"].tolist() == expected["unique_viewers"].tolist()


def test_every_kpi_from_every_engine(given: Given) -> None:
    tables = season(streams=7, seed=46)
    made = analytics.Dataset.of({name: given(frame) for name, frame in tables.items()}).kpis
    expected = analytics.Dataset.of(tables).kpis
    assert list(analytics.KPIS) == [name for name in made.columns if name in analytics.KPIS]
    pd.testing.assert_frame_equal(made, expected)
