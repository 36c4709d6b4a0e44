"""Tables as CSV, JSON lines or Excel, one file or a folder of them: `Dataset.export`'s own, and those of other tools.

A file is the table that its name says, else the one whose columns it has. Columns that the schema does not know stay.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from spnb.analytics.export import FORMULA
from spnb.analytics.kpis import KPIS
from spnb.analytics.quality import Quality, Step
from spnb.analytics.sources.chat_logs.log import epoch_ms
from spnb.analytics.sources.chat_logs.opening import bytes_of, head_of
from spnb.analytics.tables import TABLES, Table
from spnb.errors import TableError

__all__ = ["ENDINGS", "flat_files", "read_flat"]

ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".xlsx")
UTC_HEADING = " (UTC)"
TRUE, FALSE = {"true", "1", "1.0", "yes", "t"}, {"false", "0", "0.0", "no", "f", ""}
PACKED = (".gz", ".zst")


def flat_files(folder: Path) -> list[Path]:
    """The files of a folder that may hold tables."""
    return sorted(file for file in folder.iterdir() if file.is_file() and _ending(file) in ENDINGS)


def _ending(file: Path) -> str:
    name = file.name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix


def _stem(file: Path) -> str:
    return file.name.split(".", 1)[0].lower()


def read_flat(files: list[Path]) -> tuple[dict[str, pd.DataFrame], Quality]:
    """The tables in some files.

    Returns:
        Frames by table, and what was judged on the way.

    Raises:
        TableError: a file is no table of the schema; the message says which columns each table needs.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    steps: list[Step] = []
    for file in files:
        for name, frame in _frames(file):
            table = _table_of(name, frame, file)
            found.setdefault(table.name, []).append(_typed(table, frame, file.name, steps))
    made = {
        name: pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0] for name, frames in found.items()
    }
    return made, Quality.of(steps)


def _frames(file: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    ending = _ending(file)
    if ending == ".xlsx":
        yield from _sheets(file)
        return
    if not (head := head_of(file).lstrip()):
        with bytes_of(file) as opened:
            opened.read(1)  # says so where it is packed, and torn before the first line
        raise TableError(f"{file.name} is empty: there is nothing in it to load")
    if ending in (".jsonl", ".ndjson", ".json") or head.startswith(("{", "[")):
        yield _stem(file), _json_rows(file)
        return
    separator = max((",", ";", "\t"), key=head.split("\n", 1)[0].count)
    try:
        with bytes_of(file) as opened:
            frame = pd.read_csv(
                opened, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", quoting=csv.QUOTE_MINIMAL
            )
    except UnicodeDecodeError as error:
        raise TableError(f"{file.name} is no text in UTF-8: save it as UTF-8 and load it again") from error
    except TableError:
        raise
    except ValueError as error:
        raise TableError(f"{file.name} cannot be read as CSV: {error}") from error
    yield _stem(file), frame


def _sheets(file: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    try:
        sheets = pd.read_excel(file, sheet_name=None, dtype=object)
    except ImportError:
        raise TableError(f"reading {file.name} needs openpyxl: pip install openpyxl, or save it as CSV") from None
    except (ValueError, OSError, KeyError) as error:
        raise TableError(f"{file.name} cannot be read as a workbook: {error}") from error
    for name, frame in sheets.items():
        if len(frame.columns):
            yield str(name).lower(), frame


def _json_rows(file: Path) -> pd.DataFrame:
    with bytes_of(file) as opened:
        text = opened.read()
    try:
        rows = (
            orjson.loads(text)
            if text.lstrip().startswith(b"[")
            else [orjson.loads(line) for line in text.split(b"\n") if line.strip()]
        )
    except ValueError as error:
        raise TableError(f"{file.name} cannot be read as JSON lines: {error}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise TableError(f"{file.name} holds no rows: each line must be an object with the columns of a table")
    return pd.DataFrame([{key: _cell(value) for key, value in row.items()} for row in rows], dtype=object)


def _cell(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value


def _table_of(name: str, frame: pd.DataFrame, file: Path) -> Table:
    columns = {str(column).removesuffix(UTC_HEADING) for column in frame.columns}
    if name in TABLES and columns >= set(TABLES[name].required):
        return TABLES[name]
    fitting = [table for table in TABLES.values() if columns >= set(table.required) and table.name != "rooms"]
    if fitting:
        return max(fitting, key=lambda table: (len(table.required), len(columns & set(table.names))))
    if "room_id" in columns and columns & {"title", "created_at", "live_at"}:
        return TABLES["rooms"]
    needs = "; ".join(f"{table.name}: {', '.join(table.required)}" for table in TABLES.values())
    raise TableError(
        f"{file.name} has the columns {', '.join(sorted(columns)[:12])}, which make no table. Rename them to one of "
        f"({needs}), times with a zone, durations in seconds; or give frames: load({{'views': frame}}). "
        f"spnb.analytics.describe() tells all columns"
    )


def _typed(table: Table, frame: pd.DataFrame, where: str, steps: list[Step]) -> pd.DataFrame:
    """The columns as what they hold; text in files is text of numbers, times and flags too."""
    made: dict[str, Any] = {}
    kinds = {column.name: column.kind for column in table.columns}
    # an export of the numbers of streams, not of their table: they are told beside what is reckoned anew
    numbers = set(KPIS) if table.name == "rooms" and len(KPIS.keys() & set(map(str, frame.columns))) > 2 else set()
    for heading in frame.columns:
        values: pd.Series[Any] = frame[heading]
        name = str(heading).removesuffix(UTC_HEADING)
        if str(heading).endswith(UTC_HEADING) and pd.api.types.is_datetime64_dtype(inferred := values.infer_objects()):
            made[name] = inferred.dt.tz_localize("UTC")
            continue
        values = values.map(_unescaped).replace("", None)
        kind = kinds.get(name)
        if kind == "time":
            made[name] = _times(values, f"{where}: {name}", table, steps)
        elif kind in ("number", "count"):
            made[name] = _numbers(values, f"{where}: {name}")
        elif kind == "flag":
            made[name] = _flags(values, f"{where}: {name}")
        elif kind == "text":
            made[name] = values.map(_id, na_action="ignore")
        else:
            known = f"exported_{name}" if name in numbers else name
            try:
                made[known] = pd.to_numeric(values)
            except (ValueError, TypeError):
                made[known] = values
    return pd.DataFrame(made)


def _unescaped(value: Any) -> Any:
    """Text that was kept from running as a formula, as it was."""
    if isinstance(value, str) and value.startswith("'") and value[1:].startswith(FORMULA):
        return value[1:]
    return value


def _id(value: Any) -> str:
    """Spreadsheets make numbers of ids."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _times(values: pd.Series[Any], where: str, table: Table, steps: list[Step]) -> Any:
    known = values.dropna()
    stamps = known.map(epoch_ms)
    if len(known) and stamps.notna().all() and not known.map(lambda value: hasattr(value, "tzinfo")).any():
        units = {unit for _, unit in stamps}
        steps.extend(
            Step(f"time read as {unit}", table.name, len(known), f"{where}, judged by its size") for unit in units
        )
        return pd.to_datetime(stamps.map(lambda made: round(made[0])), unit="ms", utc=True).reindex(values.index)
    return values


def _numbers(values: pd.Series[Any], where: str) -> Any:
    try:
        return pd.to_numeric(values)
    except (ValueError, TypeError) as error:
        raise TableError(f"{where} must be numbers, with a point for decimals: {error}") from None


def _flags(values: pd.Series[Any], where: str) -> Any:
    def read(value: Any) -> bool:
        text = str(value).strip().lower()
        if text in TRUE:
            return True
        if text in FALSE or value is None:
            return False
        raise TableError(f"{where} must be True or False, not such as {value!r}")

    return values.map(read)
