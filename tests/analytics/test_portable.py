"""One definition, many engines: DuckDB, Polars and Spark give the numbers of the embedded engine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from spnb import analytics
from spnb.analytics import portable
from spnb.analytics.dataset import Dataset
from spnb.analytics.frames import TIME
from spnb.analytics.portfolio import CARDS
from spnb.errors import InvalidInput, TableError
from tests.analytics.engines import ZONE, cohorts_agree, page_agrees, season_agrees
from tests.analytics.oracle import World
from tests.analytics.season import season, troubled
from tests.analytics.worlds import worlds

BRIEF = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For a Java that lives a minute."""
TABLES = ("rooms", "views", "presence", "messages", "reactions")


def agree(answer: pd.DataFrame, dataset: Dataset) -> None:
    """The same streams with the same numbers."""
    made = answer.set_index("room_id").sort_index()
    expected = dataset.kpis[list(analytics.KPIS)].sort_index()
    assert list(made.index) == list(expected.index)
    made["peak_at"] = pd.to_datetime(made["peak_at"], utc=True).astype(TIME)
    nullable = [name for name, kind in made.dtypes.items() if isinstance(kind, pd.Int64Dtype)]
    made = made.astype(dict.fromkeys(nullable, "float64"))
    pd.testing.assert_frame_equal(
        made.reset_index(drop=True), expected.reset_index(drop=True), check_dtype=False, rtol=1e-12
    )


def by_duckdb(dataset: Dataset) -> pd.DataFrame:
    with dataset.connection() as connection:
        tables = {name: connection.table(name) for name in TABLES if name in dataset.known}
        made = portable.kpis(tables, as_of=dataset.as_of)
        frame: pd.DataFrame = made.df()
        return frame


@pytest.mark.timeout(300)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_duckdb_agrees_on_small_worlds_full_of_trouble(world: World) -> None:
    views, rooms = world.tables()
    dataset = analytics.load({"views": views, "rooms": rooms}, as_of=world.time(400_000))
    agree(by_duckdb(dataset), dataset)


@pytest.mark.parametrize("as_of", [None, pd.Timestamp("2026-03-20T00:00Z")])
def test_polars_and_duckdb_agree_on_a_troubled_season(as_of: pd.Timestamp | None) -> None:
    dataset = analytics.load(troubled(season(streams=20, seed=11), seed=4), as_of=as_of)
    agree(by_duckdb(dataset), dataset)
    frames = {name: pl.from_pandas(dataset.table(name)).lazy() for name in TABLES}
    agree(portable.kpis(frames, as_of=dataset.as_of).collect().to_pandas(), dataset)


def test_rows_that_came_twice_count_once() -> None:
    tables = troubled(season(streams=8, seed=12), seed=5)
    tables["messages"] = pd.concat([tables["messages"]] * 2, ignore_index=True)
    nameless = tables["views"][tables["views"]["session_id"].isna()]
    unknown = tables["views"].iloc[:20].assign(watch_seconds=np.nan)  # the same session once more, less well known
    tables["views"] = pd.concat([tables["views"], nameless, unknown], ignore_index=True)
    tables["reactions"]["reaction_id"] = None
    tables["reactions"] = pd.concat([tables["reactions"], tables["reactions"].head()], ignore_index=True)
    dataset = analytics.load(tables)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        raw = {name: connection.from_df(tables[name]) for name in TABLES}
        agree(portable.kpis(raw, as_of=dataset.as_of).df(), dataset)


def test_rows_on_the_very_edges() -> None:
    """Back after no time at all and after half a minute, from the first to the last moment, at midnight, at the end."""
    day = pd.Timestamp("2026-03-01T23:00Z")  # a Monday in Berlin
    begun = {"a": day - pd.Timedelta("1D"), "b": day, "c": day + pd.Timedelta("7D"), "d": day + pd.Timedelta("14D")}
    rooms = pd.DataFrame({"room_id": list(begun), "creator_id": "h", "live_at": begun.values()})
    rooms["created_at"], rooms["ended_at"] = rooms["live_at"], rooms["live_at"] + pd.Timedelta("10min")
    rooms.loc[3, "ended_at"] = pd.NaT
    spans = [
        *((name, "u", 0, 60) for name in begun),
        *((("a", "u", 60, 90), ("a", "u", 120, 130), ("a", "u", 159.999, 170))),  # 0 s, 30 s and 29.999 s later
        *(("b", "early", -60, 0), ("b", "late", 600, 660), ("b", "last", 540, 600), ("b", "none", 300, 300)),
        *(("d", "now", 3600, 3700), ("d", "soon", 3601, 3700), ("c", "open", 30, None)),
    ]
    made = pd.DataFrame(spans, columns=["room_id", "user_id", "from", "to"])
    zero = made["room_id"].map(begun)
    views = made[["room_id", "user_id"]].assign(
        start=zero + pd.to_timedelta(made["from"], unit="s"),
        end=zero + pd.to_timedelta(made["to"], unit="s"),
        watch_seconds=(made["to"] - made["from"]).fillna(12.3457),
    )
    at = [(name, second) for name in "ab" for second in (-0.001, 0, 600, 600.001)]
    messages = pd.DataFrame({"room_id": [name for name, _ in at], "user_id": "u"})
    messages["created_at"] = [begun[name] + pd.Timedelta(seconds=second) for name, second in at]
    reactions = messages.rename(columns={"created_at": "at"}).assign(
        name=["like"] * 6 + ["sad"] * 2, added=[True, False, True, True, True, True, False, False]
    )
    tables = {"rooms": rooms, "views": views, "messages": messages, "reactions": reactions}
    for as_of in (begun["d"] + pd.Timedelta("1h"), day + pd.Timedelta("21D")):  # the second one as a week ends
        dataset = analytics.load(tables, as_of=as_of)
        frames = {name: pl.from_pandas(dataset.table(name)).lazy() for name in tables}
        ready = portable.audience(frames, as_of=dataset.as_of)
        agree(portable.kpis(ready).collect().to_pandas(), dataset)
        for by in (None, "creator_id"):
            cohorts_agree(ready, dataset, lambda answer: answer.collect().to_pandas(), "W", by)
        edges = analytics.overview(dataset, day, day + pd.Timedelta("7D"), time_zone=ZONE)
        cards = (
            portable.overview(ready, day, day + pd.Timedelta("7D"), time_zone=ZONE)
            .filter(pl.col("period") != "day")
            .collect()
        )
        for period, column in (("now", "now"), ("before", "before")):
            row = cards.filter(pl.col("period") == period).to_dicts()[0]
            assert {name: row[name] for name in CARDS} == pytest.approx(edges.cards[column].to_dict(), nan_ok=True)
    assert analytics.load(tables).kpis.loc["a", ["views", "messages"]].tolist() == [2, 2]
    undated = analytics.load({**tables, "rooms": rooms.drop(columns="created_at")})
    for days in (1, 7):  # the one before begins, the period ends, as a stream does
        made = analytics.overview(undated, day, day + pd.Timedelta(days=days), time_zone=ZONE)
        assert made.cards.loc["streams", "definition"].startswith("streams created; 2 of them by when they went live")


def test_streams_without_an_audience_and_tables_without_optional_columns() -> None:
    rooms = pd.DataFrame({"room_id": ["r", "never"], "live_at": [pd.Timestamp("2026-03-01T12:00Z"), pd.NaT]})
    start = rooms["live_at"].iloc[:1]
    views = pd.DataFrame({"room_id": ["r"], "user_id": ["u"], "start": start, "end": start + pd.Timedelta("44s")})
    dataset = analytics.load({"rooms": rooms, "views": views})
    given = {"rooms": pl.from_pandas(rooms).lazy(), "views": pl.from_pandas(views).lazy()}
    agree(portable.kpis(given, as_of=dataset.as_of).collect().to_pandas(), dataset)
    assert dataset.kpis.loc["r", "watch_seconds"] == 44


def test_what_cannot_be_reckoned_is_refused() -> None:
    dataset = analytics.load(season(streams=2, seed=1))
    with dataset.connection() as connection:
        tables = {name: connection.table(name) for name in TABLES}
        with pytest.raises(TableError, match="the table views is missing"):
            portable.kpis({"rooms": tables["rooms"]})
        with pytest.raises(TableError, match="views lacks user_id, start: it has room_id"):
            portable.kpis({**tables, "views": tables["views"].select("room_id")})
        with pytest.raises(InvalidInput, match="without a zone"):
            portable.kpis(tables, as_of=datetime(2026, 3, 1))
        connection.execute("set TimeZone = 'Europe/Berlin'")
        with pytest.raises(TableError, match=r"set TimeZone = 'UTC'"):
            portable.kpis({name: connection.table(name) for name in TABLES})


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster on this machine: a driver and two executors, each a process of its own."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or newer, and there is no java on the PATH")
    pytest.importorskip("pyspark.version", reason="no Spark: `python -m tests` fetches it, or `uv sync --extra spark`")
    import pyspark
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    here = {
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_WORKER_DIR": str(tmp_path_factory.mktemp("workers")),
    }
    before = {name: os.environ.get(name) for name in here}
    os.environ.update(here)
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.executor.memory", "1g")
        .config("spark.local.dir", str(tmp_path_factory.mktemp("spark")))
        .config("spark.sql.shuffle.partitions", "2")
        # a few rows: to compile, and to plan anew in between, would take longer than to reckon
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.driver.extraJavaOptions", BRIEF)
        .config("spark.executor.extraJavaOptions", BRIEF)
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    try:
        yield session
    finally:
        gateway = session.sparkContext._gateway
        session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()  # what the driver's process waits for
        gateway.proc.wait(60)
        SparkContext._gateway = SparkContext._jvm = None
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")  # Arrow comes out, no pandas
def test_a_spark_cluster_agrees(spark: Any, tmp_path: Path) -> None:
    dataset = analytics.load(troubled(season(streams=8, seed=13), seed=6))
    place = dataset.save(tmp_path / "season")
    tables = {name: spark.read.parquet(str(place / name)) for name in TABLES if name != "rooms"}
    tables["rooms"] = spark.read.parquet(str(place / "rooms.parquet"))
    ready = portable.audience(tables, as_of=dataset.as_of)
    answer = portable.kpis(ready)
    assert type(answer).__module__.startswith("pyspark.")
    agree(answer.toArrow().to_pandas(), dataset)
    page_agrees(ready, dataset, lambda answer: answer.toArrow().to_pandas())
    season_agrees(ready, dataset, lambda answer: answer.toArrow().to_pandas(), ("M",))
    lazily = portable.kpis(tables, as_of=dataset.as_of)  # without it too, at a price: nothing has run
    assert lazily.columns == answer.columns
    assert len(spark.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) == 3  # the driver and two workers
    spark.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
    with pytest.raises(TableError, match=r"spark\.sql\.session\.timeZone"):
        portable.kpis(tables)
