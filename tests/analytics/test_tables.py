"""Tables in and out: what is refused and how, what is mended and told, and the same numbers from every engine."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from spnb import analytics
from spnb.analytics import metrics
from spnb.analytics.frames import TIME, validated
from spnb.analytics.tables import TABLES
from spnb.errors import InvalidInput, TableError
from tests.analytics.season import season

ZERO = pd.Timestamp("2026-03-01T12:00:00Z")
NOW = pd.Timestamp("2026-06-01T00:00:00Z")


def one(**columns: object) -> pd.DataFrame:
    base = {"room_id": ["r"], "user_id": ["u"], "start": [ZERO], "end": [ZERO + pd.Timedelta("60s")]}
    return pd.DataFrame({**base, **columns})


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (one().drop(columns=["user_id", "start"]), "lacks user_id, start: it needs room_id, user_id, start"),
        (one(start=[ZERO.tz_localize(None)]), r"without a zone.*tz_localize\(\"UTC\"\)"),
        (one(start=["2026-03-01 12:00:00"]), "without a zone.*end them with Z"),
        (one(start=[1772366400000]), "holds numbers, not times.*unit="),
        (one(start=["yesterday Z"]), "no ISO 8601 time"),
        (one(watch_seconds=["12"]), r"must be numbers, not str such as '12'.*to_numeric"),
        (one(user_id=[1.5]), "must be text, not float"),
        (one(replay=["perhaps"]), "must be True or False"),
        ([1, 2], "must be a data frame"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(frame: object, told: str) -> None:
    with pytest.raises(TableError, match=told):
        analytics.load({"views": frame})


def test_what_can_be_mended_is_mended_and_told() -> None:
    late = pd.Timestamp.now("UTC") + pd.Timedelta("2D")
    frame = pd.DataFrame(
        {
            "session_id": ["a", "a", "b", "c", "d"],
            "room_id": ["r", "r", "r", None, "r"],
            "user_id": ["u", "u", "v", "w", "x"],
            "start": [ZERO, ZERO, late, ZERO, ZERO],
            "end": [ZERO + pd.Timedelta("60s"), ZERO + pd.Timedelta("90s"), None, None, ZERO - pd.Timedelta("5s")],
            "watch_seconds": [60.0, 90.0, np.nan, np.inf, 12.0],
        }
    )
    made, quality = validated("views", frame)
    assert made["session_id"].tolist() == ["a", "d"]
    assert made["watch_seconds"].tolist() == [90.0, 12.0]  # of doubles the longer one
    assert [(step.name, step.rows) for step in quality] == [
        ("no finite number", 1),
        ("without room_id or user_id or start", 1),
        ("from the future", 1),
        ("double", 1),
    ]
    dataset = analytics.load({"views": frame})
    assert dataset.quality.rows("end before start") == 1
    assert dataset.kpis.loc["r", "watch_seconds"] == pytest.approx(102)
    with pytest.warns(UserWarning, match="views: 1 × double"):
        metrics.views(frame.iloc[:2])


def test_mixed_zones_and_unsorted_rows_are_one_order() -> None:
    frame = pd.DataFrame(
        {
            "room_id": ["r", "r"],
            "user_id": ["u", "v"],
            "start": ["2026-03-01T14:00:00+02:00", "2026-03-01T11:59:00Z"],
            "end": ["2026-03-01T12:01:00Z", "2026-03-01T07:00:30-05:00"],
        }
    )
    steps = metrics.concurrency(frame)
    assert steps["viewers"].tolist() == [1, 2, 1, 0]
    assert steps["at"].dtype == TIME


def test_every_engine_gives_the_same_numbers() -> None:
    tables = season(streams=6, seed=3)
    expected = analytics.load(tables).kpis
    arrow = {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in tables.items()}
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    held = dict(arrow)
    for source in (
        arrow,
        {name: pl.from_arrow(table) for name, table in arrow.items()},
        {name: pl.from_arrow(table).lazy() for name, table in arrow.items()},
        {name: connection.from_arrow(table) for name, table in held.items()},
    ):
        pd.testing.assert_frame_equal(analytics.load(source).kpis, expected)


def test_duckdb_reckons_the_same_by_its_own_sql(tmp_path) -> None:
    """Concurrency by hand in SQL, over the saved files, with distinct users found the slow way."""
    tables = season(streams=4, seed=4)
    dataset = analytics.load(tables)
    saved = analytics.load(dataset.save(tmp_path / "season"))
    made = saved.sql("""
        with live as (
            select v.room_id, user_id, greatest(start, live_at) as s, least("end", ended_at) as e
            from views v join rooms r using (room_id) where start < ended_at and "end" > live_at
        ), times as (select distinct room_id, s as at from live)
        select room_id, max(n) as peak from (
            select t.room_id, t.at, count(distinct user_id) as n
            from times t join live l on l.room_id = t.room_id and l.s <= t.at and t.at < l.e group by all
        ) group by room_id order by room_id""")
    peaks = saved.kpis["peak_viewers"].sort_index()
    assert made["peak"].tolist() == peaks[made["room_id"]].tolist()
    assert (
        saved.sql("select count(*) as n from views where room_id = $room", room="s0")["n"][0]
        == (tables["views"]["room_id"] == "s0").sum()
    )
    with pytest.raises(TableError, match="DuckDB cannot answer"):
        saved.sql("select nothing from nowhere")


def test_saved_and_read_again_it_is_the_same(tmp_path) -> None:
    dataset = analytics.load(season(streams=8, seed=5))
    saved = analytics.load(dataset.save(tmp_path / "season"))
    assert saved.as_of == dataset.as_of
    for name in TABLES:
        order = list(TABLES[name].names)
        left, right = (
            frame[order].sort_values(order, ignore_index=True) for frame in (dataset.table(name), saved.table(name))
        )
        pd.testing.assert_frame_equal(left, right)
        assert saved.rows(name) == len(left)
    pd.testing.assert_frame_equal(saved.kpis.sort_index(), dataset.kpis.sort_index())
    only = saved.of_rooms(["s1", "s2"])
    pd.testing.assert_frame_equal(
        only.kpis.drop(columns=["returning_viewers", "returning_share"]).sort_index(),
        saved.kpis.drop(columns=["returning_viewers", "returning_share"]).loc[["s1", "s2"]],
    )
    assert repr(saved).startswith("Dataset(8 rooms, ")
    with pytest.raises(TableError, match="is not empty"):
        dataset.save(tmp_path / "season")
    dataset.save(tmp_path / "season", replace=True)
    with pytest.raises(TableError, match="no stream nobody"):
        saved.of_rooms(["nobody"])


def test_files_of_others_whose_streams_cross_midnight(tmp_path) -> None:
    """The files name no user numbers and split a stream: the same numbers all the same."""
    tables = season(streams=5, seed=6)
    dataset = analytics.load(tables)
    place = dataset.save(tmp_path / "season")
    for file in place.glob("views/day=*/*.parquet"):
        whole = pd.read_parquet(file).drop(columns="user")
        file.unlink()
        for number, rows in enumerate((whole.iloc[::2], whole.iloc[1::2])):
            other = place / "views" / f"day=2026-01-0{number + 1}"
            other.mkdir(exist_ok=True)
            pa.parquet.write_table(
                pa.Table.from_pandas(rows, preserve_index=False), other / f"{file.parent.name}.parquet"
            )
    (place / "dataset.json").write_text('{"format": 1, "as_of": null}')
    for name in ("messages", "reactions"):
        for file in place.glob(f"{name}/day=*/*.parquet"):
            pd.read_parquet(file).drop(columns="user").to_parquet(file)
    pd.testing.assert_frame_equal(analytics.load(place).kpis.sort_index(), dataset.kpis.sort_index())


def test_a_folder_of_plain_parquet_is_checked_like_frames(tmp_path) -> None:
    tables = season(streams=2, seed=7)
    for name, frame in tables.items():
        frame.to_parquet(tmp_path / f"{name}.parquet")
    assert analytics.load(tmp_path).kpis["views"].sum() > 0
    assert analytics.load(tmp_path / "views.parquet").rows("views") == len(tables["views"])


def test_damaged_files_are_named(tmp_path) -> None:
    place = analytics.load(season(streams=2, seed=8)).save(tmp_path / "season")
    file = next(place.glob("views/day=*/*.parquet"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(TableError, match=r"part-0\.parquet cannot be read: it is damaged"):
        _ = analytics.load(place).kpis
    (place / "dataset.json").write_text('{"format": 99}')
    with pytest.raises(TableError, match="newer spnb"):
        analytics.load(place)


def test_a_clock_a_little_fast_is_no_future_and_what_is_no_number_is_unknown() -> None:
    now = pd.Timestamp("2026-03-01T19:00Z")
    at = [now + pd.Timedelta(minutes=minutes) for minutes in (-1, 4, 6)]
    health = pd.DataFrame({"room_id": "r", "at": at, "fps": [np.inf, 30.0, 30.0]})
    views = pd.DataFrame({"room_id": "r", "user_id": "u", "start": at[:2], "end": [at[1], at[2]]})
    made = analytics.Dataset.of({"health": health, "views": views}, now=now)
    assert made.health["at"].tolist() == at[:2]
    assert made.health["fps"].isna().tolist() == [True, False]
    assert made.views["end"].isna().tolist() == [False, True]
    assert made.mended.rows("from the future") == made.mended.rows("ends in the future") == 1


@pytest.mark.parametrize("source", [42, "/nowhere/at/all"])
def test_sources_that_are_none(source: object) -> None:
    with pytest.raises(TableError):
        analytics.load(source)


def test_the_schema_describes_itself() -> None:
    table = analytics.describe()
    assert set(table["table"]) == set(TABLES)
    assert table.loc[table["required"], "column"].isin(["room_id"]).any()
    with pytest.raises(InvalidInput, match="no table 'visits'"):
        analytics.load({"visits": pd.DataFrame()})


def test_importing_is_light() -> None:
    import subprocess
    import sys

    told = subprocess.run(
        [sys.executable, "-c", "import sys, spnb.analytics; print(*sys.modules)"], capture_output=True, text=True
    )
    assert not {"pandas", "numpy", "duckdb", "pyarrow", "plotly"} & set(told.stdout.split())
    for name in analytics.__all__:
        assert getattr(analytics, name) is not None
    with pytest.raises(AttributeError):
        _ = analytics.nothing
    assert set(analytics.__all__) <= set(dir(analytics))
