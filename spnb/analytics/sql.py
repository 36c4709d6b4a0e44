"""DuckDB over the tables, wherever they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pandas as pd

from spnb.analytics.frames import TIME
from spnb.analytics.store import Store
from spnb.errors import TableError

__all__ = ["asked", "connected"]


def connected(store: Store) -> duckdb.DuckDBPyConnection:
    """A connection in memory with each table as a view; times are in UTC."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    for name, source in store.sources().items():
        if isinstance(source, str):
            path = source.replace("'", "''")
            connection.execute(
                f"create view {name} as select * exclude (day) from "
                f"read_parquet('{path}', hive_partitioning = true, hive_types_autocast = false)"
            )
        else:
            connection.register(name, source)
    return connection


def asked(store: Store, query: str, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """The answer to a query, its times in the schema's type.

    Raises:
        TableError: DuckDB cannot make sense of it.
    """
    with connected(store) as connection:
        try:
            made = connection.execute(query, dict(parameters) or None).df()
        except duckdb.Error as error:
            raise TableError(f"DuckDB cannot answer: {error}") from error
    zoned = {name: TIME for name, kind in made.dtypes.items() if isinstance(kind, pd.DatetimeTZDtype)}
    return made.astype(zoned)
