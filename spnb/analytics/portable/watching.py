"""Watch sessions mended by the rules of `spnb.analytics.repair`, in the words that every engine has; and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import narwhals as nw

from spnb.analytics.frames import OWN
from spnb.analytics.portable.reading import Frame, col, filled, played_ms, read_table, seconds_told, settled, windows_of
from spnb.analytics.tables import table_named
from spnb.errors import InvalidInput

__all__ = [
    "Audience",
    "audience",
    "audience_of",
    "dimension",
    "dimensions_of",
    "events_of",
    "reach_of",
    "share",
    "steps_of",
    "stretches_of",
]

OTHERS = ("messages", "reactions", "presence", "health", "playback")


@dataclass(frozen=True, slots=True)
class Audience:
    """Tables of one engine.

    Attributes:
        rooms, views: as they were read.
        others: the tables that were given beside them.
        windows: `begin` and `finish` of each stream in milliseconds.
        sessions: mended, without those that lie outside.
        as_of: the moment up to which they reach, if it was given.
    """

    rooms: Frame
    views: Frame
    others: Mapping[str, Frame]
    windows: Frame
    sessions: Frame
    as_of: datetime | None = None

    def events(self, name: str) -> Frame:
        """Messages or reactions within their stream's window."""
        at = table_named(name).time
        return events_of(self.others[name], at, self.windows).filter(col("inside"))


def audience(tables: Mapping[str, Any], *, as_of: datetime | None = None) -> Audience:
    """What all numbers are made of, reckoned once for as many of them as are asked for.

        ready = portable.audience(tables)
        steps, bars = portable.concurrency(ready), portable.bins(ready)

    Spark plans a frame anew wherever it is used, and such plans grow far beyond the rows: here each part of the
    audience ends in a checkpoint, in the session's folder for them where it has one (which outlives a lost worker),
    else with the workers. It runs at once. Other engines find by themselves what is used twice, and run nothing yet.

    Args:
        tables: see `kpis`.
        as_of: see `kpis`.

    Returns:
        What every function here takes in place of `tables`.

    Raises:
        InvalidInput: `as_of` is no time with a zone.
        TableError: a table or a column is missing, or the engine shows times in another zone than UTC.
    """
    return _audience(tables, as_of, settled)


def audience_of(tables: Mapping[str, Any] | Audience, as_of: datetime | None) -> Audience:
    """What all numbers are made of; see `kpis` for the tables.

    Raises:
        InvalidInput: `as_of` is no time with a zone, or the audience has its own already.
        TableError: a table or a column is missing, or the engine shows times in another zone than UTC.
    """
    if not isinstance(tables, Audience):
        return _audience(tables, as_of, lambda frame: frame)
    if as_of is not None:
        raise InvalidInput("an audience has its as_of already: portable.audience(tables, as_of=…)")
    return tables


def _audience(tables: Mapping[str, Any], as_of: datetime | None, kept: Callable[[Frame], Frame]) -> Audience:
    rooms = kept(read_table(tables, "rooms"))
    views = kept(read_table(tables, "views"))
    others = {name: kept(read_table(tables, name)) for name in OTHERS if name in tables}
    windows = kept(filled(windows_of(rooms, as_of), views, others))
    sessions = kept(sessions_of(views, windows).filter(~col("outside")))
    return Audience(rooms, views, others, windows, sessions, as_of)


def sessions_of(views: Frame, windows: Frame) -> Frame:
    """Watch sessions mended by the rules of `spnb.analytics.repair`, those to be left out marked `outside`.

    `at` is the start as the engine's own time; dimensions of viewers keep their values, by the names of `dimension`.
    """
    start, end, begin, finish = (col(name) for name in ("start", "end", "begin", "finish"))
    made = views.select(
        "room_id",
        "user_id",
        at=col("start"),
        start=col("start_ms"),
        end=col("end_ms"),
        watched=seconds_told(),
        played=played_ms(),
        replay=col("replay"),
        **{dimension(name): col(name) for name in dimensions_of(views)},
    ).join(windows, on="room_id")
    played = col("played")
    # no end, end before start
    with_end = nw.when(played > 0).then(start + played).otherwise(nw.max_horizontal(start, finish))
    made = made.with_columns(
        end=nw.when(end.is_null()).then(with_end).when(end < start).then(start + played).otherwise(end)
    )
    # after the live window, before the live window
    made = made.with_columns(replay=col("replay") | ((start >= finish) & col("over")).fill_null(False))
    live = ~col("replay")
    made = made.with_columns(outside=live & (((start < begin) & (end <= begin)) | (start > finish)))
    made = made.with_columns(
        at=nw.when(live & (start < begin)).then(col("live_at")).otherwise(col("at")),
        start=nw.when(live).then(nw.max_horizontal(start, begin)).otherwise(start),
        end=nw.when(live).then(nw.min_horizontal(end, finish)).otherwise(end),
    )
    # watched longer than it lasted
    made = made.with_columns(end=nw.max_horizontal(start, end))
    made = made.with_columns(watched=nw.min_horizontal(col("watched"), (end - start) / 1000))
    return made.with_columns(outside=col("outside").fill_null(False))


def dimension(name: str) -> str:
    """What a dimension of viewers is called among sessions, where its own name may stand for something else."""
    return f"own_{name}"


def dimensions_of(views: Frame) -> list[str]:
    """The dimensions of viewers: columns of your own in the views that were read."""
    ours = {*table_named("views").names, *OWN, "start_ms", "end_ms"}
    return [name for name in views.collect_schema() if name not in ours]


def reach_of(sessions: Frame) -> Frame:
    """With `before`: until when the same user had watched before this session; null for the first one."""
    who, order = ("room_id", "user_id", "replay"), ("start", "end")
    made = sessions.with_columns(reach=col("end").cum_max().over(*who, order_by=order))
    return made.with_columns(before=col("reach").shift(1).over(*who, order_by=order))


def stretches_of(sessions: Frame) -> Frame:
    """Unbroken stretches of live watching of each user: two tabs are one viewer."""
    live = reach_of(sessions.filter(~col("replay")))
    opens = (col("before").is_null() | (col("start") > col("before"))).cast(nw.Int64)
    # Of sessions alike the one that opens comes first, as it did for `before`.
    order = ("start", "end", "before")
    numbered = live.with_columns(opens=opens).with_columns(
        stretch=col("opens").cum_sum().over("room_id", "user_id", order_by=order)
    )
    made = numbered.group_by("room_id", "user_id", "stretch").agg(
        start=col("start").min(), end=col("end").max(), at=col("at").min()
    )
    return made.filter(col("end") > col("start"))


def steps_of(stretches: Frame) -> Frame:
    """Every change of concurrency: `room_id, time, at, viewers`; `at` is the engine's own time where somebody came."""
    one = nw.lit(1).cast(nw.Int64)
    joins = stretches.select("room_id", "at", time=col("start"), change=one)
    leaves = stretches.select("room_id", "at", time=col("end"), change=-one)
    changes = nw.concat([joins, leaves]).with_columns(at=nw.when(col("change") > 0).then(col("at")))
    steps = changes.group_by("room_id", "time").agg(change=col("change").sum(), at=col("at").min())
    return steps.with_columns(viewers=col("change").cum_sum().over("room_id", order_by="time"))


def events_of(table: Frame, time: str, windows: Frame) -> Frame:
    """Messages or reactions with their stream's window, and whether they lie in it."""
    at = col(f"{time}_ms")
    made = table.join(windows.select("room_id", "begin", "finish"), on="room_id")
    return made.with_columns(inside=(at >= col("begin")) & (at <= col("finish")))


def share(part: str, whole: str) -> nw.Expr:
    return nw.when(col(whole) > 0).then(col(part).cast(nw.Float64) / col(whole))
