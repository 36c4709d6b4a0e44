"""Tables for spreadsheets: CSV and Excel, where no text runs as a formula and no time loses its zone.

Text that a spreadsheet would take for a formula begins with an apostrophe, in both formats, so that it stays text when
a workbook is saved as CSV later (OWASP, CSV injection: `= + - @`, tab, line ends, their full-width forms). Times are
UTC: in CSV as ISO 8601 with `Z`, in Excel, which knows no zones, with `(UTC)` in the heading. Durations are seconds.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spnb.analytics.objects import object_named
from spnb.analytics.store import Store, empty
from spnb.analytics.swap import replacing_file
from spnb.analytics.tables import TABLES
from spnb.errors import TableError

__all__ = ["FORMULA", "MOST_ROWS", "escaped", "exported", "write_csv", "write_excel"]

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
MOST_ROWS = 1_048_576
"""Rows of a sheet, the heading among them (Excel's specification)."""
MOST_CHARACTERS = 32_767
"""Of a cell."""
ROWS_AT_ONCE = 50_000
WIDTHS = {"time": 24, "text": 26, "number": 16}


def escaped(text: str) -> str:
    """A text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def write_csv(frame: pd.DataFrame | Iterable[pd.DataFrame], path: Path) -> Path:
    """Write a frame, or one in pieces, as CSV (RFC 4180): UTF-8 with its mark, by which Excel knows it."""
    with replacing_file(path) as draft, draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        names: list[Any] | None = None
        for rows in chain.from_iterable(map(_pieces, [frame] if isinstance(frame, pd.DataFrame) else frame)):
            if names is None:
                names = rows.columns.tolist()
                writer.writerow([escaped(str(name)) for name in names])
            columns = [_csv_column(rows[name]) for name in names]
            writer.writerows(zip(*columns, strict=True))
    return path


def write_excel(sheets: Mapping[str, pd.DataFrame], path: Path) -> Path:
    """Write frames as the sheets of a workbook.

    Raises:
        TableError: a frame has more rows than a sheet holds; nothing is written.
    """
    import xlsxwriter

    for name, frame in sheets.items():
        fits(name, len(frame))
    workbook = xlsxwriter.Workbook
    with replacing_file(path) as draft, workbook(draft, {"constant_memory": True, "in_memory": False}) as book:
        bold = book.add_format({"bold": True, "bottom": 1})
        stamp = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        for name, frame in sheets.items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            kinds = [_kind(frame[column]) for column in frame.columns]
            for place, (column, kind) in enumerate(zip(frame.columns, kinds, strict=True)):
                heading = f"{column} (UTC)" if kind == "time" else str(column)
                sheet.set_column(place, place, max(WIDTHS[kind], len(heading) + 2))
                sheet.write_string(0, place, escaped(heading), bold)
            _write_rows(sheet, frame, kinds, stamp)
            if len(frame.columns):
                sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)
    return path


def fits(name: str, rows: int) -> None:
    """Refuse what no sheet holds.

    Raises:
        TableError: it has more rows.
    """
    if rows >= MOST_ROWS:
        raise TableError(
            f"{name} has {rows} rows and a sheet holds {MOST_ROWS - 1}: export that table as CSV "
            f"(export('{name}.csv', '{name}')), fewer streams (dataset.of_rooms([…]).export(…)), or all as Parquet "
            f"(dataset.save('folder'))"
        )


def _write_rows(sheet: Any, frame: pd.DataFrame, kinds: list[str], stamp: Any) -> None:
    number = 1
    for rows in _pieces(frame):
        columns = [_excel_column(rows[name], kind) for name, kind in zip(rows.columns, kinds, strict=True)]
        for row in zip(*columns, strict=True):
            for place, (value, kind) in enumerate(zip(row, kinds, strict=True)):
                if value is None:
                    continue
                if kind == "time":
                    sheet.write_datetime(number, place, value, stamp)
                elif isinstance(value, bool):
                    sheet.write_boolean(number, place, value)
                elif kind == "number":
                    sheet.write_number(number, place, value)
                else:
                    sheet.write_string(number, place, value)
            number += 1


def _pieces(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, max(1, len(frame)), ROWS_AT_ONCE):
        yield frame.iloc[start : start + ROWS_AT_ONCE]


def _kind(values: pd.Series[Any]) -> str:
    if isinstance(values.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(values.dtype):
        return "time"
    return "number" if pd.api.types.is_numeric_dtype(values.dtype) else "text"


def _plain(values: pd.Series[Any]) -> list[Any]:
    """Python's own values; None where there is none, or a number that is none."""
    gone = values.isna().to_numpy()
    if pd.api.types.is_float_dtype(values.dtype):
        gone = gone | ~np.isfinite(values.to_numpy(dtype="float64", na_value=np.nan))
    return [None if none else value for value, none in zip(values.tolist(), gone, strict=True)]


def _csv_column(values: pd.Series[Any]) -> list[str]:
    if _kind(values) == "time":
        text = values.dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str.slice(stop=23) + "Z"
        return [str(one) for one in text.fillna("")]
    plain = _plain(values)
    if _kind(values) == "number":
        return ["" if value is None else str(value) for value in plain]
    return ["" if value is None else escaped(str(value)) for value in plain]


def _excel_column(values: pd.Series[Any], kind: str) -> list[Any]:
    if kind == "time":
        zoned = values.dt.tz_convert("UTC").dt.tz_localize(None) if values.dt.tz is not None else values
        return [None if one is pd.NaT else one.to_pydatetime() for one in zoned]
    plain = _plain(values)
    if kind == "number":
        return plain
    return [None if value is None else escaped(str(value))[:MOST_CHARACTERS] for value in plain]


def exported(
    frames: Mapping[str, Callable[[], pd.DataFrame]],
    path: str | Path,
    what: Sequence[str],
    *,
    usual: Sequence[str],
    single: str = "kpis",
    tables: Store | None = None,
) -> Any:
    """Write some of several frames, as the path's ending says.

    Args:
        frames: frames by name, each made when it is wanted.
        path: ends in `.xlsx` or `.csv`.
        what: names; `usual` ones for a workbook without them, `single` for a CSV file.
        tables: where those of the frames are that are tables: of what lies in files no more is held than a piece.

    Raises:
        TableError: a name is unknown, a CSV file would need more than one table, or the file is of another kind.
    """
    if unknown := [name for name in what if name not in frames]:
        raise TableError(f"there is no {', '.join(unknown)} to export: choose from {', '.join(frames)}")
    with object_named(path) as place:
        made = _export(frames, place, what, usual, single, tables)
    return made if made == Path(path) else str(path)


def _export(
    frames: Mapping[str, Callable[[], pd.DataFrame]],
    place: Path,
    what: Sequence[str],
    usual: Sequence[str],
    single: str,
    tables: Store | None,
) -> Path:
    if place.suffix == ".xlsx":
        for name in what or usual:
            if tables is not None and name in TABLES:
                fits(name, tables.rows(name))  # before it is read
        return write_excel({name: frames[name]() for name in (what or usual)}, place)
    if place.suffix == ".csv":
        if len(what) > 1:
            raise TableError(f"a CSV file holds one table, not {', '.join(what)}: export them one by one, or as .xlsx")
        name = what[0] if what else single
        return write_csv(_table(tables, name) if tables is not None and name in TABLES else frames[name](), place)
    raise TableError(f"{place.name} must end in .xlsx or .csv; Dataset.save() writes Parquet")


def _table(tables: Store, name: str) -> Iterator[pd.DataFrame]:
    """A table in pieces, all with the same columns."""
    own = tables.own_schema(name)
    columns = None if own is None or name == "rooms" else [*TABLES[name].names, *own.names]
    pieces = iter(tables.pieces(name))
    first = next(pieces, empty(name))
    for piece in chain([first], pieces):
        yield piece if columns is None else piece.reindex(columns=columns)
