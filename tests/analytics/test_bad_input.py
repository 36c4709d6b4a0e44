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
from spnb.errors import InvalidInput, TableError
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


def test_what_programs_write_for_no_time_and_no_number_is_taken_for_none_and_counted() -> None:
    at = [ZERO, pd.Timestamp(0, tz="UTC"), ZERO]
    views = pd.DataFrame(
        {
            "room_id": "r",
            "user_id": list("abc"),
            "start": [ZERO, ZERO, pd.Timestamp(0, tz="UTC")],
            "end": pd.Series([f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in at]).replace(
                "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"
            ),
            "watch_seconds": [np.inf, -5.0, 3.0],
        }
    )
    views["end"] = ["2026-03-01T12:10:00Z", "0001-01-01T00:00:00Z", "2026-03-01T12:10:00Z"]
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": ["1970-01-01T00:00:00Z"], "ended_at": ["9999-12-31T00:00:00Z"]})
    made = analytics.load({"rooms": rooms, "views": views})
    assert made.kpis.loc["r", "duration_seconds"] < 3600
    found = made.quality
    assert found.rows("time before 1980") == 3
    assert found.rows("without room_id or user_id or start") == 1
    assert found.rows("no finite number") == 1
    assert found.rows("below zero") == 1
    assert found.rows("ends in the future") == 1


def test_columns_nobody_knows_are_told_and_cells_of_many_values_are_kept_as_json(tmp_path: Path) -> None:
    rooms = pd.DataFrame(
        {
            "room_id": ["a", "b", "b"],
            "metadata": [{"mood": "ä", "tags": [1, 2]}, None, None],
            "coHosts": [["ann"], [], []],
            "mixed": [1, "x", "x"],
        }
    )
    messages = pd.DataFrame({"room_id": "a", "user_id": "u", "created_at": [ZERO], "mood": [1], "badge": ["x"]})
    made = analytics.load({"rooms": rooms, "messages": messages})
    assert made.rooms["metadata"].tolist()[0] == '{"mood": "ä", "tags": [1, 2]}'
    assert made.rooms["coHosts"].tolist() == ['["ann"]', "[]"]
    assert made.quality.rows("cell of many values") == 4
    assert "badge" in str(made.quality)
    assert made.quality.rows("column that is not known") == 2
    again = analytics.load(made.save(tmp_path / "saved"))
    assert again.rooms["coHosts"].tolist() == ['["ann"]', "[]"]


def test_half_characters_and_ids_that_became_floats() -> None:
    views = pd.DataFrame(
        {"room_id": [12.0, 12.0], "user_id": [np.nan, 7.0], "start": [ZERO, ZERO], "end": [ZERO, ZERO]}
    )
    title = pd.Series(["half \ud83d of it"], dtype=object)
    made = analytics.load({"views": views, "rooms": pd.DataFrame({"room_id": ["12"], "title": title})})
    assert made.views["room_id"].tolist() == ["12"]
    assert made.views["user_id"].tolist() == ["7"]
    assert made.rooms["title"].tolist() == ["half \ufffd of it"]
    assert made.quality.rows("half a character") == 1
    assert made.quality.rows("id that became a float") == 3
    lost = views.assign(room_id=1.2345678901234567e19)
    with pytest.raises(TableError, match="lost digits"):
        analytics.load({"views": lost})


@pytest.mark.parametrize("as_of", ["2026-03-01", "soon", pd.Timestamp("2026-03-01"), 12.5, object()])
def test_a_moment_without_a_zone_or_sense_is_refused(as_of: object) -> None:
    views = pd.DataFrame({"room_id": ["r"], "user_id": ["u"], "start": [ZERO]})
    with pytest.raises(InvalidInput, match="as_of"):
        analytics.load({"views": views}, as_of=as_of)
    with pytest.raises(InvalidInput, match="as_of"):
        analytics.metrics.concurrency(views, pd.DataFrame({"room_id": ["r"], "live_at": [ZERO]}), as_of=as_of)


def test_text_with_a_zone_is_a_moment_and_zones_must_exist() -> None:
    rooms = pd.DataFrame({"room_id": ["r"], "live_at": [ZERO]})
    views = pd.DataFrame({"room_id": ["r"], "user_id": ["u"], "start": [ZERO], "end": [ZERO]})
    made = analytics.load({"rooms": rooms, "views": views}, as_of="2026-03-01T13:00:00+00:00")
    assert made.kpis.loc["r", "duration_seconds"] == (made.as_of - ZERO).total_seconds()
    for ask in (
        lambda: analytics.overview(made, "2026-03-01", "2026-03-02", time_zone="Mars/Olympus"),
        lambda: analytics.grouped(made, "hour", time_zone="Mars/Olympus"),
        lambda: analytics.cohorts(made, time_zone="Mars/Olympus"),
        lambda: analytics.new_and_returning(made, time_zone="Mars/Olympus"),
        lambda: made.report("r").figures(time_zone="Mars/Olympus"),
    ):
        with pytest.raises(InvalidInput, match="Mars/Olympus"):
            ask()


def test_a_reader_whose_clock_is_slow_loses_no_row_that_a_metric_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    now = pd.Timestamp.now("UTC").floor("ms")
    reactions = pd.DataFrame({"room_id": "r", "user_id": "u", "name": "like", "at": [now]})
    dataset = analytics.load({"reactions": reactions})
    for module in ("frames", "metrics.trust"):
        monkeypatch.setattr(f"spnb.analytics.{module}.utc_now", lambda: now - pd.Timedelta("10min"))
    assert analytics.metrics.reactions(dataset.reactions)["reactions"].sum() == 1
    found = analytics.metrics.quality(dataset.rooms, reactions=dataset.reactions, as_of=dataset.as_of)
    assert found.rows("from the future") == 0


def test_folders_with_brackets_are_read_by_every_way(tmp_path: Path) -> None:
    views = pd.DataFrame({"room_id": ["r"], "user_id": ["u"], "start": [ZERO], "end": [ZERO + pd.Timedelta("1min")]})
    made = analytics.load({"views": views})
    place = made.save(tmp_path / "season [2026] it's *new?*")
    again = analytics.load(place)
    assert again.kpis.loc["r", "watch_seconds"] == 60
    assert again.sql("select count(*) as n from views")["n"].tolist() == [1]
    with pytest.raises(TableError, match="make it first"):
        again.export(tmp_path / "nowhere" / "season.csv")
