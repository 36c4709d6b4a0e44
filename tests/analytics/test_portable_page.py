"""A stream's page and a season from one definition: DuckDB and Polars give what the embedded engine gives; Spark does
in `test_portable`, where its cluster is."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from spnb import analytics
from spnb.analytics import portable
from spnb.errors import InvalidInput
from tests.analytics.engines import page_agrees, season_agrees
from tests.analytics.oracle import World
from tests.analytics.season import season, troubled
from tests.analytics.worlds import worlds

TABLES = ("rooms", "views", "presence", "messages", "reactions")


@pytest.fixture(scope="module")
def dataset() -> analytics.Dataset:
    return analytics.load(troubled(season(streams=8, seed=31), seed=9), as_of=pd.Timestamp("2026-03-20T00:00Z"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_duckdb_agrees(dataset: analytics.Dataset) -> None:
    with dataset.connection() as connection:
        tables = {name: connection.table(name) for name in TABLES}
        page_agrees(tables, dataset, lambda answer: answer.df())
        season_agrees(tables, dataset, lambda answer: answer.df(), ("W",))


def test_polars_agrees(dataset: analytics.Dataset) -> None:
    tables = {name: pl.from_pandas(dataset.table(name)).lazy() for name in TABLES}
    ready = portable.audience(tables, as_of=dataset.as_of)
    page_agrees(ready, dataset, lambda answer: answer.collect().to_pandas())
    season_agrees(ready, dataset, lambda answer: answer.collect().to_pandas())
    with pytest.raises(InvalidInput, match="has its as_of already"):
        portable.kpis(ready, as_of=dataset.as_of)


@pytest.mark.timeout(300)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_pages_of_small_worlds_full_of_trouble(world: World) -> None:
    views, rooms = world.tables()
    dataset = analytics.load({"views": views, "rooms": rooms}, as_of=world.time(400_000))
    tables = {name: pl.from_pandas(dataset.table(name)).lazy() for name in TABLES}
    if len(dataset.views):
        page_agrees(tables, dataset, lambda answer: answer.collect().to_pandas())


def test_tables_that_were_not_given_tell_nothing(dataset: analytics.Dataset) -> None:
    tables: dict[str, Any] = {name: pl.from_pandas(dataset.table(name)).lazy() for name in ("rooms", "views")}
    made = portable.bins(tables, bin_seconds=60).collect()
    assert made["joins"].sum() > 0
    assert made["messages"].is_null().all()
    cards = portable.overview(tables, "2026-02-20", "2026-03-20").collect()
    assert cards["reactions"].is_null().all()
    with pytest.raises(InvalidInput, match="ends"):
        portable.overview(tables, "2026-03-20", "2026-02-20")
    with pytest.raises(InvalidInput, match="D, W or M"):
        portable.cohorts(tables, period="Y")
    with pytest.raises(InvalidInput, match=r"no column .mood.: choose from room_id.*, country"):
        portable.cohorts(tables, by="mood")
