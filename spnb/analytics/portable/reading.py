"""Tables of any engine as the schema has them, and the window of each stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import narwhals as nw

from spnb.analytics.tables import Table, table_named
from spnb.analytics.windows import moment
from spnb.errors import TableError

__all__ = ["Frame", "col", "filled", "milliseconds", "played_ms", "read_table", "seconds_told", "settled", "windows_of"]

UTC_NAMES = ("UTC", "Etc/UTC")
ABSENT: Mapping[str, Any] = {
    "text": nw.String,
    "time": nw.Datetime("us", "UTC"),
    "number": nw.Float64,
    "count": nw.Int64,
    "flag": nw.Boolean,
}
"""What stands in for a column that a table has not."""
MOST_SECONDS = 1e12
"""More is no time that somebody watched, but infinity."""
Frame = nw.LazyFrame[Any]
col = nw.col


def read_table(tables: Mapping[str, Any], name: str) -> Frame:
    """A table with what is optional filled in, doubles out, and times as whole milliseconds beside them."""
    table = table_named(name)
    if name not in tables:
        raise TableError(f"the table {name} is missing: give rooms and views at least")
    frame: Frame = nw.from_native(tables[name]).lazy()
    schema = frame.collect_schema()
    if missing := [column for column in table.required if column not in schema]:
        raise TableError(f"the table {name} lacks {', '.join(missing)}: it has {', '.join(schema) or 'no columns'}")
    for column in table.columns:
        if column.name not in schema:
            frame = frame.with_columns(nw.lit(column.default).cast(ABSENT[column.kind]).alias(column.name))
        elif column.kind == "time" and _zone(frame, schema[column.name]) not in UTC_NAMES:
            raise TableError(
                f"{name}.{column.name} is {schema[column.name]}, not a time in UTC: set the engine's session to UTC "
                f"(Spark: spark.sql.session.timeZone, DuckDB: set TimeZone = 'UTC') and read it as a time with a zone"
            )
        if column.kind == "time":
            frame = frame.with_columns(milliseconds(col(column.name)).alias(f"{column.name}_ms"))
    return _once(frame.drop_nulls(list(table.required)), table)


def _once(frame: Frame, table: Table) -> Frame:
    """Deliveries repeat: the same id is one row, the one that tells more, whichever came first (as `frames` has it).
    Rows without an id are doubles where they agree in everything, but two messages or reactions may well do so."""
    key = list(table.key)
    nameless = nw.any_horizontal(*(col(name).is_null() for name in key), ignore_nulls=False)
    told: dict[str, Any] = {}
    if table.name == "views":
        seconds = col("watch_seconds").cast(nw.Float64)
        known = nw.when(~seconds.is_nan()).then(seconds).fill_null(-1.0)
        told = {"closed_": (~col("end").is_null()).cast(nw.Int8), "seconds_": known}
    elif table.name == "messages":
        told = {"gone_": col("deleted").cast(nw.Int8).fill_null(0)}
    elif table.name == "rooms":
        told = {"filled_": nw.sum_horizontal(*((~col(name).is_null()).cast(nw.Int32) for name in table.names))}
    alike = {}
    if table.name in ("rooms", "views"):  # the others' rows without an id are all kept
        alike = {f"{name}_alike": nw.when(nameless).then(col(name)) for name in table.names if name not in key}
    frame = frame.with_columns(nameless_=nameless, later_=nw.lit(1).cast(nw.Int64), **told, **alike)
    # one pass, where taking them apart would have every engine read the table twice
    later = col("later_").cum_sum(reverse=True).over(*key, *alike, order_by=[*told, *table.names])
    frame = frame.with_columns(later_=later)
    kept = col("later_") == 1
    frame = frame.filter(kept if alike else kept | col("nameless_"))
    return frame.drop("nameless_", "later_", *told, *alike)


def settled(frame: Frame) -> Frame:
    """The same frame reckoned, on an engine that would reckon it anew wherever it is used."""
    native: Any = frame.to_native()
    session = getattr(native, "sparkSession", None)
    if session is None or not hasattr(native, "localCheckpoint"):
        return frame
    folder = getattr(getattr(session, "sparkContext", None), "getCheckpointDir", None)
    made = native.checkpoint() if folder is not None and folder() else native.localCheckpoint()
    kept: Frame = nw.from_native(made).lazy()
    return kept


def _zone(frame: Frame, kind: Any) -> Any:
    """The zone whose parts the engine tells of a time; None of a time without one."""
    zone = getattr(kind, "time_zone", None)
    session = getattr(frame.to_native(), "sparkSession", None)
    # narwhals asks a Spark session only once, but its zone may be set again
    return zone if session is None or zone is None else session.conf.get("spark.sql.session.timeZone")


def milliseconds(at: nw.Expr) -> nw.Expr:
    """Since 1970: of dates every engine gives the parts, but only some the whole."""
    year = at.dt.year().cast(nw.Int64)
    leaps = (year - 1969) // 4 - (year - 1901) // 100 + (year - 1601) // 400
    days = (year - 1970) * 365 + leaps + at.dt.ordinal_day().cast(nw.Int64) - 1
    seconds = ((days * 24 + at.dt.hour()) * 60 + at.dt.minute()) * 60 + at.dt.second()
    return (seconds * 1000 + at.dt.millisecond()).cast(nw.Int64)


def windows_of(rooms: Frame, as_of: datetime | None) -> Frame:
    """`begin` and `finish` of each stream in milliseconds, null where nobody knows, and whether it is `over`."""
    finish = col("ended_at_ms")
    if as_of is not None:
        finish = nw.coalesce(finish, nw.lit(moment(as_of)).cast(nw.Int64))
    known = ~col("live_at_ms").is_null() & ((finish >= col("live_at_ms")) | finish.is_null())
    return rooms.select(
        "room_id",
        "creator_id",
        "live_at",
        "live_at_ms",
        begin=nw.when(known).then(col("live_at_ms")),
        finish=nw.when(known).then(finish),
        over=known & ~col("ended_at_ms").is_null(),
    )


def filled(windows: Frame, views: Frame, others: Mapping[str, Frame]) -> Frame:
    """Windows that nobody told: from the first to the last thing that happened in any table."""
    start, end = col("start_ms"), col("end_ms")
    closed = nw.when(end.is_null() | (end < start)).then(start + played_ms()).otherwise(end)
    parts = [views.filter(~col("replay")).select("room_id", first=start, last=closed)]
    for name, table in others.items():
        at = col(f"{table_named(name).time}_ms")
        parts.append(table.select("room_id", first=at, last=at))
    spans = nw.concat(parts).group_by("room_id").agg(first=col("first").min(), last=col("last").max())
    made = windows.join(spans, on="room_id", how="left").with_columns(begin=nw.coalesce("begin", "first"))
    return made.with_columns(finish=nw.coalesce("finish", nw.max_horizontal("last", "begin"))).drop("first", "last")


def played_ms() -> nw.Expr:
    """What was watched, in milliseconds; 0 where nobody told."""
    return (seconds_told() * 1000 + 0.5).floor().cast(nw.Int64).fill_null(0)


def seconds_told() -> nw.Expr:
    """What was watched, in seconds; null where what was told is no time."""
    seconds = col("watch_seconds").cast(nw.Float64)
    return nw.when(~seconds.is_nan() & (seconds >= 0) & (seconds < MOST_SECONDS)).then(seconds)
