"""Many streams together on any engine: a period beside the one before it, and who comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import narwhals as nw
import pandas as pd

from spnb.analytics.portable.reading import Frame, col
from spnb.analytics.portable.streams import begins_view
from spnb.analytics.portable.watching import Audience, audience_of, dimension, dimensions_of, reach_of, share
from spnb.analytics.portfolio import edges_of, starts_of
from spnb.analytics.tables import table_named
from spnb.analytics.windows import moment, zone_named
from spnb.errors import InvalidInput

__all__ = ["cohorts", "overview"]


def overview(
    tables: Mapping[str, Any] | Audience, start: Any, end: Any, *, time_zone: str = "UTC", as_of: datetime | None = None
) -> Any:
    """A period, the equal one before it, and its days, as `spnb.analytics.overview` has them.

    Args:
        tables: see `kpis`.
        start: where the period `[start, end)` begins; without a zone it is in `time_zone`.
        end: where it ends, likewise.
        time_zone: the zone whose days count.
        as_of: see `kpis`.

    Returns:
        A frame of the engine, in no order, a row for each period: `period` (`now`, `before`, and each `day` of the
        period), `from_ms` (its beginning in milliseconds since 1970), and the cards: `streams, views, unique_viewers,
        minutes_watched, minutes_per_stream, minutes_per_viewer, messages, reactions`. Periods in which nothing at all
        happened have no row; numbers of tables that were not given are null.

    Raises:
        InvalidInput: the period ends before it starts, or there is no such zone.
    """
    zone_named(time_zone)
    days, before = edges_of(start, end, time_zone)
    known = audience_of(tables, as_of)
    now = (days[0], days[-1])
    parts = [_periods(known, "day", days), _periods(known, "now", now)]
    parts.append(_periods(known, "before", (before, days[0])))
    answer: Any = nw.concat(parts).to_native()
    return answer


def _place(at: nw.Expr, edges: Sequence[int]) -> nw.Expr:
    """The beginning of the period that a moment is in; null outside all of them."""
    found = nw.lit(None).cast(nw.Int64)
    # from the last to the first, so that each condition is a bound
    for edge in edges[:-1]:
        found = nw.when(at >= edge).then(nw.lit(edge).cast(nw.Int64)).otherwise(found)
    return nw.when(at < edges[-1]).then(found)


def _periods(known: Audience, name: str, edges: Sequence[int]) -> Frame:
    begun = known.rooms.select(period=_place(nw.coalesce("created_at_ms", "live_at_ms"), edges))
    sessions = reach_of(known.sessions).with_columns(
        period=_place(col("start"), edges),
        view=begins_view().cast(nw.Int64),
        live_seconds=nw.when(~col("replay")).then(col("watched")).otherwise(0.0),
        live_user=nw.when(~col("replay")).then(col("user_id")),
        replayed=col("replay").cast(nw.Int64),
    )
    watched = sessions.filter(~col("period").is_null()).group_by("period").agg(
        views=col("view").sum(),
        unique_viewers=col("user_id").n_unique(),
        live_viewers=col("live_user").n_unique() - (col("replayed").max() == 1).cast(nw.Int64),
        watch_seconds=col("watched").sum(),
        live_seconds=col("live_seconds").sum(),
    )  # fmt: skip
    parts = [begun.filter(~col("period").is_null()).group_by("period").agg(streams=nw.len()), watched]
    if "messages" in known.others:
        stands = known.events("messages").filter(~col("deleted"))
        parts.append(_counted(stands.select(period=_place(col("created_at_ms"), edges)), "messages"))
    if "reactions" in known.others:
        weight = col("added").cast(nw.Int64) * 2 - 1
        given = known.events("reactions").select("name", period=_place(col("at_ms"), edges), weight=weight)
        named = given.filter(~col("period").is_null()).group_by("period", "name").agg(net=col("weight").sum())
        standing = named.with_columns(net=nw.when(col("net") > 0).then(col("net")).otherwise(0))
        parts.append(standing.group_by("period").agg(reactions=col("net").sum()))
    made = nw.concat([part.select("period") for part in parts]).unique(["period"], keep="any")
    for part in parts:
        made = made.join(part, on="period", how="left")
    counts = ("streams", "views", "unique_viewers", "live_viewers")
    made = made.with_columns(
        *(col(each).cast(nw.Int64).fill_null(0).alias(each) for each in counts),
        *(col(each).fill_null(0.0).alias(each) for each in ("watch_seconds", "live_seconds")),
        *(
            (col(each).cast(nw.Int64).fill_null(0) if each in known.others else nw.lit(None).cast(nw.Int64)).alias(each)
            for each in ("messages", "reactions")
        ),
    )
    return made.select(
        "streams",
        "views",
        "unique_viewers",
        "messages",
        "reactions",
        period=nw.lit(name),
        from_ms=col("period"),
        minutes_watched=col("watch_seconds") / 60,
        minutes_per_stream=share("watch_seconds", "streams") / 60,
        minutes_per_viewer=share("live_seconds", "live_viewers") / 60,
    )


def _counted(frame: Frame, name: str) -> Frame:
    return frame.filter(~col("period").is_null()).group_by("period").agg(nw.len().alias(name))


def cohorts(
    tables: Mapping[str, Any] | Audience,
    *,
    by: str | None = None,
    period: str = "W",
    time_zone: str = "UTC",
    as_of: datetime | None = None,
) -> Any:
    """Returning viewers, as `spnb.analytics.cohorts` has them, a row for each cell instead of a grid.

    The engine is asked once, before, from when to when there were streams.

    Args:
        tables: see `kpis`.
        by: a column of rooms, or a dimension of viewers, which is a column of your own in views: each of its values has
            cohorts of its own, of who first watched there, and whether they watched there again.
        period: `D`, `W` (from Monday) or `M`.
        time_zone: the zone of the periods.
        as_of: see `kpis`; periods that are not over then have no row but the first ones' own.

    Returns:
        A frame of the engine, in no order: `first_ms` (the beginning of the period in which they first watched live,
        milliseconds since 1970), `later` (so many periods after it), `viewers` of them who watched live then, and
        `share` of all of them. Cells without anybody have no row. With `by` the value stands in `value`; streams and
        viewers without one are left out.

    Raises:
        InvalidInput: the period is none of these, or there is no such zone or column.
    """
    if period not in ("D", "W", "M"):
        raise InvalidInput(f"period is D, W or M, not {period!r}")
    zone_named(time_zone)
    known = audience_of(tables, as_of)
    visits = _visits(known, by)
    told = visits.select(low=col("begin").min(), high=col("begin").max()).collect()
    low, high = told.item(0, "low"), told.item(0, "high")
    if low is None or pd.isna(low):
        low = high = 0
    starts = starts_of(int(low), int(high), period, time_zone)
    number = nw.lit(0).cast(nw.Int64)
    for place, start in enumerate(starts[1:], 1):
        number = nw.when(col("begin") >= start).then(nw.lit(place).cast(nw.Int64)).otherwise(number)
    of = [] if by is None else ["value"]
    visits = visits.select(*of, "user_id", number=number).unique([*of, "user_id", "number"], keep="any")
    first = visits.group_by(*of, "user_id").agg(first=col("number").min())
    cells = visits.join(first, on=[*of, "user_id"]).with_columns(later=col("number") - col("first"))
    counts = cells.group_by(*of, "first", "later").agg(viewers=nw.len())
    counts = counts.with_columns(viewers=col("viewers").cast(nw.Int64))
    if known.as_of is not None:
        reach = moment(known.as_of)
        over = sum(start <= reach for start in starts_of(int(low), max(int(high), reach), period, time_zone))
        counts = counts.filter((col("later") == 0) | (col("first") + col("later") < over - 1))
    sizes = counts.filter(col("later") == 0).select(*of, "first", size=col("viewers"))
    made = counts.join(sizes, on=[*of, "first"])
    begin = nw.lit(None).cast(nw.Int64)
    for place, start in enumerate(starts):
        begin = nw.when(col("first") == place).then(nw.lit(start).cast(nw.Int64)).otherwise(begin)
    answer: Any = made.select(*of, "later", "viewers", first_ms=begin, share=share("viewers", "size")).to_native()
    return answer


def _visits(known: Audience, by: str | None) -> Frame:
    """Who watched live in which stream: `user_id`, its `begin`, and the `value` of a column."""
    began = known.windows.select("room_id", "begin").filter(~col("begin").is_null())
    live = known.sessions.filter(~col("replay"))
    rooms = known.rooms.collect_schema()
    if by is None:
        return live.select("room_id", "user_id").unique(["room_id", "user_id"], keep="any").join(began, on="room_id")
    if by in rooms:
        began = began.join(known.rooms.select("room_id", value=col(by)), on="room_id")
        live = live.select("room_id", "user_id").unique(["room_id", "user_id"], keep="any")
    elif by in dimensions_of(known.views):
        live = live.select("room_id", "user_id", value=col(dimension(by)))
        live = live.unique(["room_id", "user_id", "value"], keep="any")
    else:
        there = [*table_named("rooms").names, *(name for name in rooms if name not in table_named("rooms").names)]
        there = [name for name in there if not name.endswith("_ms")]
        raise InvalidInput(
            f"cohorts have no column {by!r}: choose from {', '.join([*there, *dimensions_of(known.views)])}"
        )
    return live.join(began, on="room_id").filter(~col("value").is_null())
