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
from spnb.errors import InvalidInput, TableError
from tests.analytics.engines import page_agrees, season_agrees
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
