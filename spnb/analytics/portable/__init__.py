"""Streams' numbers and pages for those who outgrow one machine: written once, run by the engine that holds the rows.

    spark.conf.set("spark.sql.session.timeZone", "UTC")
    tables = {name: spark.read.parquet(f"season/{name}") for name in ("views", "messages", "reactions")}
    tables["rooms"] = spark.read.parquet("season/rooms.parquet")
    numbers = portable.kpis(tables)            # a Spark data frame; nothing has run yet
    ready = portable.audience(tables)          # for several of them: what they share, reckoned once
    bars = portable.bins(ready)                # and concurrency, retention; overview and cohorts of many streams

The same functions take DuckDB relations, Polars lazy frames and whatever else narwhals speaks lazily. Rules of repair
and definitions are those of the embedded engine, in the words every SQL engine has: windows, joins and sums.
"""

from __future__ import annotations

from spnb.analytics.portable.page import bins, concurrency, retention
from spnb.analytics.portable.season import cohorts, overview
from spnb.analytics.portable.streams import kpis
from spnb.analytics.portable.watching import audience

__all__ = ["audience", "bins", "cohorts", "concurrency", "kpis", "overview", "retention"]
