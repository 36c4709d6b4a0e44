"""Frames come in from pandas, polars, Arrow or DuckDB, are checked against the schema, and leave as pandas.

Nothing is guessed: a missing column, a naive time stamp or a wrong type is an error that says what to do. What can be
mended without changing a number is mended, and told.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from spnb.analytics.quality import Quality, Step
from spnb.analytics.tables import Column, Table, table_named
from spnb.errors import TableError

__all__ = ["CLOCK_SKEW_SECONDS", "TEXT", "TIME", "ensured", "once", "utc_now", "validated"]

TIME = pd.DatetimeTZDtype("ms", "UTC")
TEXT = pd.StringDtype(storage="pyarrow", na_value=np.nan)
CLOCK_SKEW_SECONDS = 300.0
"""How far a clock may run ahead before its rows count as from the future."""
EARLIEST = pd.Timestamp("1980-01-01", tz="UTC")
"""What is earlier is no time but a sign of none: 1970, 1900 and the year 1 are what programs write for it."""
EXACT = 2**53
"""Whole numbers beyond it lose digits as floats."""
EXTENDED = ("rooms", "views")
"""Tables whose further columns are kept: dimensions of streams and of viewers."""
OWN = ("user", "day")
"""Columns that saved files have for themselves."""
PLAIN = (str, bool, int, float)

ZONED = r"(?:[zZ]|[+-]\d{2}:?\d{2}|UTC|GMT)\s*$"
FALLBACKS: dict[str, Any] = {"text": TEXT, "time": TIME, "number": "float64", "count": "int64", "flag": "bool"}


def utc_now() -> pd.Timestamp:
    """This moment."""
    return pd.Timestamp.now("UTC")


def validated(
    name: str, frame: Any, *, now: pd.Timestamp | None = None, text: bool = False
) -> tuple[pd.DataFrame, Quality]:
    """A frame as one of the schema's tables.

    Args:
        name: the table, e.g. `views`.
        frame: anything that narwhals understands: pandas, polars, Arrow, a DuckDB relation, …
        now: rows later than this (and five minutes) come from a wrong clock and are left out.
        text: keep the words of messages.

    Returns:
        The table in pandas, and what was mended.

    Raises:
        TableError: a column is missing or of a wrong type, or a time has no zone.
    """
    table = table_named(name)
    given = _pandas(table, frame)
    if missing := [column for column in table.required if column not in given.columns]:
        raise TableError(
            f"the table {name} lacks {', '.join(missing)}: it needs {', '.join(table.required)} "
            f"and may have {', '.join(column for column in table.names if column not in table.required)}; "
            f"it has {', '.join(map(str, given.columns)) or 'no columns'}"
        )
    steps: list[Step] = []
    columns = {column.name: _column(table, column, given, steps) for column in table.columns}
    extras = [extra for extra in given.columns if extra not in columns]
    kept = [extra for extra in extras if name in EXTENDED and (name == "rooms" or extra not in OWN)]
    if text and name == "messages" and "text" in given.columns:
        kept = ["text"]
        gone = np.asarray(columns["deleted"], dtype=bool)  # of what was deleted no words stay
        given = given.assign(text=given["text"].astype(object).where(~gone, ""))
    columns |= {str(extra): _extra(table, given[extra], steps) for extra in kept}
    lost = [str(extra) for extra in extras if extra not in kept and extra not in (*OWN, "text")]
    for own in (column for column in OWN if column in extras and column not in kept):
        if own == "user" and pd.api.types.is_integer_dtype(given[own]):
            continue  # saved files number users in a column of that name; what is no number is somebody's own
        steps.append(
            Step(f"column {own}", name, len(given), "left out, for saved files have one of their own: rename it")
        )
    if name == "messages" and "text" in extras and not text:
        steps.append(Step("text", name, len(given), "left out: text=True keeps it"))
    steps.append(Step("column that is not known", name, len(lost), f"left out: {', '.join(lost)}"))
    made = pd.DataFrame(columns, index=given.index)
    made, step = _without_empty(table, made)
    steps.append(step)
    made, more = _without_future(table, made, now or utc_now())
    steps += more
    made, step = _without_doubles(table, made)
    steps.append(step)
    return made.reset_index(drop=True), Quality.of(steps)


def ensured(name: str, frame: Any) -> pd.DataFrame:
    """The frame if it is such a table already, else what `validated` makes of it, with a warning where rows were
    mended."""
    table = table_named(name)
    if isinstance(frame, pd.DataFrame) and all(
        column.name in frame.columns and frame[column.name].dtype == FALLBACKS[column.kind] for column in table.columns
    ):
        return frame
    made, quality = validated(name, frame)
    for step in quality:
        warnings.warn(str(step), stacklevel=3)
    return made


def once(name: str, frame: Any) -> pd.DataFrame:
    """Such a table with each row once, wherever it comes from."""
    return _without_doubles(table_named(name), ensured(name, frame))[0]


def _pandas(table: Table, frame: Any) -> pd.DataFrame:
    if isinstance(frame, pd.DataFrame):
        return frame.reset_index(drop=True)
    try:
        known = nw.from_native(frame)
    except TypeError as error:
        raise TableError(
            f"the table {table.name} must be a data frame (pandas, polars, Arrow, DuckDB), not {type(frame).__name__}"
        ) from error
    if isinstance(known, nw.LazyFrame):
        known = known.collect("pyarrow")
    made: pd.DataFrame = known.to_arrow().to_pandas()
    return made


def _column(table: Table, column: Column, given: pd.DataFrame, steps: list[Step]) -> Any:
    if column.name not in given.columns:
        if column.kind == "flag":
            return np.full(len(given), bool(column.default))
        if column.kind == "count":
            return np.full(len(given), int(column.default or 0))
        if column.kind == "text":
            return pd.Series(column.default, index=given.index, dtype=TEXT)
        return pd.Series(None, index=given.index, dtype=FALLBACKS[column.kind])
    values = given[column.name]
    if isinstance(values, pd.DataFrame):
        raise TableError(f"the table {table.name} has the column {column.name} more than once: keep one")
    where = f"{table.name}.{column.name}"
    if column.kind == "text":
        return _known(table, column, _text(where, column, values, steps), steps)
    read = {"time": _time, "number": _number, "count": _count, "flag": _flag}[column.kind]
    made = read(where, column, values)
    if column.kind == "time":
        return _real_times(table, column, made, steps)
    if column.kind in ("number", "count"):
        infinite = int(np.isinf(pd.to_numeric(values, errors="coerce").astype("float64")).sum())
        steps.append(Step("no finite number", table.name, infinite, f"{column.name}: taken for unknown"))
    if column.least is not None:
        below = made < column.least
        steps.append(Step("below zero", table.name, int(below.sum()), f"{column.name}: taken for unknown"))
        made = made.mask(below) if below.any() else made
    return made


def _known(table: Table, column: Column, made: Any, steps: list[Step]) -> Any:
    """Texts, with a count of those that are none of what the column may say."""
    if column.among:
        odd = int((made.notna() & ~made.isin(column.among)).sum())
        told = f"counted nowhere: it is none of {', '.join(column.among)}"
        steps.append(Step(f"{column.name} that is not known", table.name, odd, told))
    return made


def _real_times(table: Table, column: Column, made: Any, steps: list[Step]) -> Any:
    """Times, without those that programs write where they have none."""
    sentinel = made < EARLIEST
    if not sentinel.any():
        return made
    steps.append(Step("time before 1980", table.name, int(sentinel.sum()), f"{column.name}: taken for none"))
    return made.mask(sentinel)


def _extra(table: Table, values: pd.Series[Any], steps: list[Step]) -> Any:
    """A further column, as what can be grouped by and saved: of cells with many values their JSON is kept."""
    if values.dtype != object:
        return values
    kinds = set(values.dropna().map(type))
    if len(kinds) == 1 and kinds.isdisjoint((str, dict, list, tuple, set, frozenset, np.ndarray)):
        return values
    if kinds <= {int, float}:
        return pd.to_numeric(values)
    nested = values.map(lambda value: isinstance(value, (dict, list, tuple, set, frozenset, np.ndarray)))
    steps.append(Step("cell of many values", table.name, int(nested.sum()), f"{values.name}: kept as JSON"))
    return _written(table, str(values.name), values, _json, steps)


def _json(value: Any) -> str:
    return (
        str(value)
        if isinstance(value, (*PLAIN, np.generic))
        else json.dumps(_plain(value), ensure_ascii=False, default=str)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return sorted(value, key=str) if isinstance(value, (set, frozenset)) else value


def _written(
    table: Table, name: str, values: pd.Series[Any], as_text: Callable[[Any], str], steps: list[Step]
) -> pd.Series[Any]:
    """Values as text; half characters, which no file can hold, are replaced."""
    gone = values.isna().to_numpy()
    texts = [None if none else as_text(value) for value, none in zip(values.tolist(), gone, strict=True)]
    try:
        return pd.Series(pd.array(texts, dtype=TEXT), index=values.index)
    except UnicodeEncodeError:
        whole = [text and text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
        broken = sum(text != before for text, before in zip(whole, texts, strict=True))
        steps.append(Step("half a character", table.name, broken, f"{name}: replaced"))
        return pd.Series(pd.array(whole, dtype=TEXT), index=values.index)


def _id(value: Any) -> str:
    return f"{value:.0f}" if isinstance(value, (float, np.floating)) else str(value)


def _text(where: str, column: Column, values: pd.Series[Any], steps: list[Step]) -> Any:
    table = table_named(where.split(".", 1)[0])
    if values.dtype == TEXT:
        made = values
    elif values.isna().all():
        made = pd.Series(None, index=values.index, dtype=TEXT)
    elif pd.api.types.is_integer_dtype(values.dtype):
        made = values.astype(str).astype(TEXT)  # ids are often numbers
    else:
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.astype(object)
        known = values.dropna()
        floats = known.map(lambda value: isinstance(value, (float, np.floating)))
        if floats.any():
            lost = known[floats].map(lambda value: not float(value).is_integer() or abs(value) >= EXACT)
            if lost.any():
                raise TableError(
                    f"{where} must be text, not floats such as {float(known[floats][lost].iloc[0])!r}: ids that were "
                    f"read as numbers have lost digits. Read them as text, e.g. pandas.read_csv(…, "
                    f"dtype={{'{column.name}': str}})"
                )
            step = Step("id that became a float", table.name, int(floats.sum()), f"{column.name}: whole number again")
            steps.append(step)
        odd = values.dropna().map(lambda value: not isinstance(value, (str, int, float, np.integer, np.floating)))
        if odd.any():
            raise TableError(f"{where} must be text, not {type(values.dropna()[odd].iloc[0]).__name__}")
        made = _written(table, column.name, values, _id, steps)
    return made if column.default is None else made.fillna(column.default)


def _time(where: str, column: Column, values: pd.Series[Any]) -> Any:
    zone = f'say which zone they are in, e.g. frame["{column.name}"] = frame["{column.name}"].dt.tz_localize("UTC")'
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC").astype(TIME)
    if values.isna().all():
        return pd.Series(None, index=values.index, dtype=TIME)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        raise TableError(f"{where} holds time stamps without a zone: {zone}")
    if pd.api.types.is_numeric_dtype(values.dtype):
        raise TableError(
            f'{where} holds numbers, not times: frame["{column.name}"] = '
            f'pandas.to_datetime(frame["{column.name}"], unit="ms", utc=True), with the unit they are in'
        )
    if values.dtype == object and not values.dropna().map(lambda value: isinstance(value, str)).all():
        naive = values.dropna().map(lambda value: getattr(value, "tzinfo", None) is None and not _zoned(value))
        if naive.any():
            raise TableError(f"{where} holds time stamps without a zone, e.g. {values.dropna()[naive].iloc[0]}: {zone}")
    else:
        text = values.dropna().astype(TEXT)
        naive = ~text.str.contains(ZONED, regex=True)
        if naive.any():
            raise TableError(
                f"{where} holds time stamps without a zone, e.g. {text[naive].iloc[0]!r}: end them with Z or an offset "
                f"such as +02:00"
            )
    try:
        return pd.to_datetime(values, utc=True, format="ISO8601").astype(TIME)
    except (ValueError, TypeError) as error:
        raise TableError(f"{where} holds something that is no ISO 8601 time: {error}") from error


def _zoned(value: object) -> bool:
    return isinstance(value, str) and re.search(ZONED, value) is not None


def _number(where: str, column: Column, values: pd.Series[Any]) -> Any:
    if values.isna().all():
        return pd.Series(np.nan, index=values.index, dtype="float64")
    numeric = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
    if not numeric:
        try:
            if values.dropna().map(lambda value: isinstance(value, (str, bool))).any():
                raise TypeError
            values = values.astype("float64")
        except (TypeError, ValueError):
            example = values.dropna().iloc[0]
            raise TableError(
                f"{where} must be numbers, not {type(example).__name__} such as {example!r}: "
                f'pandas.to_numeric(frame["{column.name}"])'
            ) from None
    made = values.astype("float64")
    return made.where(np.isfinite(made))


def _count(where: str, column: Column, values: pd.Series[Any]) -> Any:
    numbers = _number(where, column, values)
    if column.required and numbers.isna().any():
        raise TableError(f"{where} must be whole numbers; row {int(np.flatnonzero(numbers.isna())[0])} has none")
    return numbers.fillna(column.default or 0).round().astype("int64")


def _flag(where: str, column: Column, values: pd.Series[Any]) -> Any:
    if values.dtype == np.bool_:
        return values
    made = values.map(lambda value: bool(column.default) if pd.isna(value) else value)
    if not made.map(lambda value: isinstance(value, (bool, np.bool_)) or value in (0, 1)).all():
        raise TableError(f"{where} must be True or False, not such as {made.iloc[0]!r}")
    return made.astype("bool")


def _completeness(table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """By what one row of an id tells more than another, the most important first; at last by any difference."""
    told: dict[str, Any] = {}
    if table.name == "views":  # closed beats open, more seconds beat fewer
        told = {"closed": rows["end"].notna(), "seconds": rows["watch_seconds"].fillna(-1.0)}
    elif table.name == "messages":  # deleted beats standing
        told = {"gone": rows["deleted"]}
    elif table.name == "rooms":
        told = {"filled": rows[list(table.names)].notna().sum(axis=1)}
    return pd.DataFrame({**told, **{name: rows[name] for name in table.names}})


def _without_empty(table: Table, frame: pd.DataFrame) -> tuple[pd.DataFrame, Step]:
    """Rows that lack a required value cannot be counted anywhere."""
    empty = frame[list(table.required)].isna().any(axis=1)
    named = " or ".join(table.required)
    return frame[~empty], Step(f"without {named}", table.name, int(empty.sum()), "left out")


def _without_future(table: Table, frame: pd.DataFrame, now: pd.Timestamp) -> tuple[pd.DataFrame, list[Step]]:
    """A row from the future was stamped by a wrong clock."""
    latest = now + pd.Timedelta(seconds=CLOCK_SKEW_SECONDS)
    future = (frame[table.time] > latest).fillna(False)
    made = frame[~future]
    steps = [Step("from the future", table.name, int(future.sum()), "left out: the clock that stamped them is wrong")]
    close = {"views": "end", "rooms": "ended_at"}.get(table.name)
    if close is not None:
        # What began in the past and ends in the future is open still.
        open_ = made[close] > latest
        made = made.assign(**{close: made[close].where(~open_)}) if open_.any() else made
        steps.append(Step("ends in the future", table.name, int(open_.sum()), "taken for open"))
    return made, steps


def _without_doubles(table: Table, frame: pd.DataFrame) -> tuple[pd.DataFrame, Step]:
    """Deliveries repeat: the same id is one row, the one that tells more, whichever came first."""
    key = list(table.key)
    named = frame[key].notna().all(axis=1)
    double = frame.duplicated(key, keep=False) & named
    places = np.flatnonzero(double)
    if len(places):
        order = _completeness(table, frame.iloc[places]).reset_index(drop=True)
        best = order.sort_values(list(order.columns), na_position="first").drop_duplicates(key, keep="last")
        double.iloc[places[best.index]] = False
    if table.name not in ("messages", "reactions"):
        # Without an id only rows that agree in everything are doubles. Of messages and reactions not even those: a user
        # may well send two in the same millisecond, or in the same second of a coarse log.
        double |= ~named & frame.duplicated()
    return frame[~double], Step("double", table.name, int(double.sum()), f"left out: same {' and '.join(key)}")
