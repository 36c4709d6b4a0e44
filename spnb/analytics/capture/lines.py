"""Rows as lines of a journal: `["messages", ["m1", …]]`, values in the schema's order, times in milliseconds.

Beside the tables of a dataset a journal holds two of its own: `gaps`, what is not known and why, and `pulse`, the
moments at which the capture was alive. Where people's words are kept, a message has them last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from spnb.analytics.folder import read_file
from spnb.analytics.frames import FALLBACKS
from spnb.analytics.tables import TABLES, Column, Table

__all__ = [
    "GAPS",
    "JOURNALLED",
    "PULSE",
    "Line",
    "frame_of",
    "journalled",
    "line_of",
    "lines_of_frame",
    "milliseconds",
    "read_lines",
    "read_part",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
NO_TIME = np.iinfo(np.int64).min

Line = tuple[str, tuple[Any, ...]]
"""A table's name and a row's values."""

GAPS = Table(
    "gaps",
    "what is not known; an end like the start means that there was none after all",
    (
        Column("room_id", "text", "the stream", required=True),
        Column("table", "text", "the table that lacks rows", required=True),
        Column("start", "time", "from then on", required=True),
        Column("end", "time", "until then; empty while it lasts"),
        Column("why", "text", "the reason", default=""),
    ),
    ("room_id", "table", "start"),
    "start",
)
PULSE = Table("pulse", "the capture was alive", (Column("at", "time", "then", required=True),), ("at",), "at")
JOURNALLED: Mapping[str, Table] = {**TABLES, "gaps": GAPS, "pulse": PULSE}
WORDS = Column("text", "text", "what was written", default="")
_SAID = replace(TABLES["messages"], columns=(*TABLES["messages"].columns, WORDS))
_WORDED: Mapping[str, Table] = {**JOURNALLED, "messages": _SAID}


def journalled(text: bool) -> Mapping[str, Table]:
    """The tables of a capture, one that keeps what people wrote or one that does not."""
    return _WORDED if text else JOURNALLED


def milliseconds(at: datetime) -> int:
    """Milliseconds since 1970; parts of one are cut, as the tables do."""
    return (at - EPOCH) // MILLISECOND


def line_of(name: str, row: Mapping[str, Any], *, text: bool = False) -> Line:
    """A row as a line; what it does not have is what the schema has for it."""
    return name, tuple(_value(column, row.get(column.name)) for column in journalled(text)[name].columns)


def _value(column: Column, value: Any) -> Any:
    if value is None:
        return column.default
    if column.kind == "time":
        return milliseconds(value) if isinstance(value, datetime) else int(value)
    if column.kind == "number":
        return float(value)
    if column.kind == "count":
        return int(value)
    if column.kind == "flag":
        return bool(value)
    return str(value).encode("utf-8", "replace").decode()  # half a character, which no file takes, becomes a mark


def read_lines(file: Path, *, text: bool = False) -> tuple[list[Line], int]:
    """The lines of a journal, and how many could not be read. A last one without its end was never acknowledged."""
    *whole, _unfinished = file.read_bytes().split(b"\n")
    made: list[Line] = []
    damaged = 0
    tables = journalled(text)
    for line in whole:
        try:
            name, values = orjson.loads(line)
            table = tables[name]
        except (ValueError, TypeError, KeyError):
            damaged += 1
            continue
        if len(values) == len(table.columns):
            made.append((name, tuple(values)))
        else:
            damaged += 1
    return made, damaged


def frame_of(name: str, rows: Sequence[Sequence[Any]], *, text: bool = False) -> pd.DataFrame:
    """Rows of a table as a frame in the schema's types; of rows with the same key the last one counts."""
    table = journalled(text)[name]
    newest = {tuple(row[place] for place in _key(table)): row for row in rows}
    columns = zip(*newest.values(), strict=True) if newest else ([] for _ in table.columns)
    made = {}
    for column, values in zip(table.columns, columns, strict=True):
        if column.kind == "time":
            numbers = np.array([NO_TIME if value is None else value for value in values], dtype=np.int64)
            made[column.name] = pd.Series(numbers.view("datetime64[ms]")).dt.tz_localize("UTC")
        else:
            made[column.name] = pd.Series(list(values), dtype=FALLBACKS[column.kind])
    return pd.DataFrame(made)


def lines_of_frame(name: str, frame: pd.DataFrame, *, text: bool = False) -> Iterable[Line]:
    """The rows of a frame as lines again."""
    columns = []
    for column in journalled(text)[name].columns:
        values = frame[column.name]
        if column.kind == "time":
            numbers = values.astype("datetime64[ms, UTC]").astype("int64").to_numpy()
            columns.append([None if gone else int(n) for n, gone in zip(numbers, values.isna(), strict=True)])
        else:
            columns.append([None if gone else v for v, gone in zip(values.tolist(), values.isna(), strict=True)])
    return ((name, row) for row in zip(*columns, strict=True))


def _key(table: Table) -> list[int]:
    return [table.names.index(name) for name in table.key]


def read_part(name: str, file: Path, *, text: bool = False) -> pd.DataFrame:
    """A part file as a frame in the schema's types."""
    columns = {column.name: FALLBACKS[column.kind] for column in journalled(text)[name].columns}
    made: pd.DataFrame = read_file(file, list(columns)).to_pandas().astype(columns)
    return made
