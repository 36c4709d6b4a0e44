"""A stream's page on any engine: the steps of its viewers, how long they stayed, and what happened in each bin."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import narwhals as nw

from spnb.analytics.metrics.bins import bin_milliseconds
from spnb.analytics.metrics.bursts import BIN_SECONDS
from spnb.analytics.metrics.retention import Z_95
from spnb.analytics.portable.reading import Frame, col
from spnb.analytics.portable.watching import Audience, audience_of, steps_of, stretches_of

__all__ = ["bins", "concurrency", "retention"]


def concurrency(tables: Mapping[str, Any] | Audience, *, as_of: datetime | None = None) -> Any:
    """Concurrent viewers of each stream as an exact step function, as `metrics.concurrency` has it.

    Args:
        tables: lazy frames of one engine by name; see `kpis`. Of one stream, filter them by its `room_id`.
        as_of: see `kpis`.

    Returns:
        A frame of the engine, in no order: `room_id, at_ms` (milliseconds since 1970), `seconds` since the stream
        began, `viewers`: so many watch from then on. A stream's first row is its beginning.
    """
    known = audience_of(tables, as_of)
    steps = steps_of(stretches_of(known.sessions)).with_columns(viewers=col("viewers").cast(nw.Int64))
    before = col("viewers").shift(1).over("room_id", order_by="time").fill_null(0)
    steps = steps.with_columns(before=before).filter(col("viewers") != col("before"))
    steps = steps.select("room_id", "time", "viewers")
    first = steps.group_by("room_id").agg(first=col("time").min())
    quiet = known.windows.join(first, on="room_id", how="left")
    quiet = quiet.filter(~col("begin").is_null() & (col("first").is_null() | (col("first") > col("begin"))))
    zeros = quiet.select("room_id", time=col("begin"), viewers=nw.lit(0).cast(nw.Int64))
    steps = steps.with_columns(time=col("time").cast(nw.Int64))
    made = nw.concat([zeros.with_columns(time=col("time").cast(nw.Int64)), steps]).join(
        known.windows.select("room_id", "begin"), on="room_id"
    )
    answer: Any = made.select(
        "room_id", "viewers", at_ms=col("time"), seconds=(col("time") - col("begin")) / 1000
    ).to_native()
    return answer


def retention(
    tables: Mapping[str, Any] | Audience, *, as_of: datetime | None = None, tolerance_seconds: float = 0.0
) -> Any:
    """How long live viewers of each stream stayed: Kaplan and Meier's curve, as `metrics.retention` has it.

    Args:
        tables: see `kpis`.
        as_of: see `kpis`.
        tolerance_seconds: who left at most this long before the end counts as still watching.

    Returns:
        A frame of the engine, in no order: `room_id, seconds, retention, at_risk, lost, low, high`. Streams that nobody
        watched live have no row; the first row of others is 0 s.
    """
    known = audience_of(tables, as_of)
    live = known.sessions.filter(~col("replay"))
    people = live.group_by("room_id", "user_id").agg(some=nw.len())
    held = stretches_of(known.sessions).with_columns(length=col("end") - col("start"))
    seen = held.group_by("room_id", "user_id").agg(watched=col("length").sum(), last=col("end").max())
    each = people.join(seen, on=["room_id", "user_id"], how="left").join(
        known.windows.select("room_id", "finish"), on="room_id"
    )
    stayed = (col("watched") > 0) & (col("last") >= col("finish") - round(tolerance_seconds * 1000))
    each = each.with_columns(
        watched=col("watched").cast(nw.Int64).fill_null(0), lost=1 - stayed.fill_null(False).cast(nw.Int64)
    )
    times = each.group_by("room_id", "watched").agg(ended=nw.len(), lost=col("lost").sum())
    none = nw.lit(0).cast(nw.Int64)
    zero = known.windows.select("room_id", watched=none, ended=none, lost=none)
    viewers = people.group_by("room_id").agg(viewers=nw.len())
    counts = (col(name).cast(nw.Int64) for name in ("watched", "ended", "lost"))
    whole = nw.concat([times.select("room_id", *counts), zero])
    whole = whole.group_by("room_id", "watched").agg(ended=col("ended").sum(), lost=col("lost").sum())
    whole = whole.join(viewers, on="room_id").with_columns(viewers=col("viewers").cast(nw.Int64))
    gone = col("ended").cum_sum().over("room_id", order_by="watched")
    curve = whole.with_columns(at_risk=col("viewers") - gone + col("ended"))
    answer: Any = _banded(curve).to_native()
    return answer


def _banded(curve: Frame) -> Frame:
    """Products as sums of logarithms, which every engine can add up; where the last one left the curve is at 0."""
    left = col("at_risk") - col("lost")
    ratio = nw.when((left > 0) & (col("lost") > 0)).then(left.cast(nw.Float64) / col("at_risk").cast(nw.Float64))
    whole = (col("at_risk") * left).cast(nw.Float64)
    term = nw.when(left > 0).then(col("lost").cast(nw.Float64) / whole).otherwise(0.0)
    curve = curve.with_columns(
        log=ratio.otherwise(1.0).log(),
        none=((left <= 0) & (col("lost") > 0)).cast(nw.Int64),
        term=term,
    )
    order = {"order_by": "watched"}
    curve = curve.with_columns(
        log=col("log").cum_sum().over("room_id", **order),
        none=col("none").cum_sum().over("room_id", **order),
        spread=col("term").cum_sum().over("room_id", **order),
    )
    curve = curve.with_columns(retention=nw.when(col("none") > 0).then(0.0).otherwise(col("log").exp()))
    inside = (col("retention") > 0) & (col("log") < 0)
    log = nw.when(inside).then(col("log")).otherwise(-1.0)
    width = Z_95 * col("spread").sqrt() / -log
    curve = curve.with_columns(
        low=nw.when(inside).then((log * width.exp()).exp()).otherwise(col("retention")),
        high=nw.when(inside).then((log * (-width).exp()).exp()).otherwise(col("retention")),
    )
    return curve.select("room_id", "retention", "at_risk", "lost", "low", "high", seconds=col("watched") / 1000)


def bins(
    tables: Mapping[str, Any] | Audience, *, bin_seconds: float = BIN_SECONDS, as_of: datetime | None = None
) -> Any:
    """What happened in each bin of each stream: what its moments are found in, and its bars drawn from.

    Args:
        tables: see `kpis`.
        bin_seconds: length of a bin; without it that of the moments.
        as_of: see `kpis`.

    Returns:
        A frame of the engine, in no order: `room_id, number` (of the bin, from 0), `seconds` of its beginning, `joins,
        leaves` (live), `messages, deleted_messages, chatters, given, taken_back`: reactions. Bins in which nothing
        happened have no row; of tables that were not given the numbers are null.
    """
    width = bin_milliseconds(bin_seconds)
    known = audience_of(tables, as_of)
    size = (col("finish") - col("begin") + (width - 1)) // width
    span = known.windows.select(
        "room_id", "begin", "finish", last=nw.when(size > 0).then(size - 1).otherwise(0)
    ).filter(~col("begin").is_null() & ~col("finish").is_null())

    def placed(frame: Frame, at: str, **kept: nw.Expr) -> Frame:
        number = nw.min_horizontal((col(at) - col("begin")) // width, "last")
        inside = (col(at) >= col("begin")) & (col(at) <= col("finish"))
        joined = frame.select("room_id", at, **kept).join(span, on="room_id").filter(inside)
        return joined.with_columns(number=number)

    live = known.sessions.filter(~col("replay"))
    by = ("room_id", "number")
    parts = [
        placed(live, "start").group_by(*by).agg(joins=nw.len()),
        placed(live, "end").group_by(*by).agg(leaves=nw.len()),
    ]
    if "messages" in known.others:
        stands = (~col("deleted")).cast(nw.Int64)
        writer = nw.when(~col("deleted")).then(col("user_id"))
        messages = placed(known.others["messages"], "created_at_ms", stands=stands, user=writer)
        parts.append(
            messages.group_by(*by).agg(
                messages=col("stands").sum(),
                deleted_messages=nw.len() - col("stands").sum(),
                chatters=col("user").n_unique() - (col("stands").min() == 0).cast(nw.Int64),
            )
        )
    if "reactions" in known.others:
        added = col("added").cast(nw.Int64)
        reactions = placed(known.others["reactions"], "at_ms", given=added)
        parts.append(reactions.group_by(*by).agg(given=col("given").sum(), taken_back=nw.len() - col("given").sum()))
    made = nw.concat([part.select(*by) for part in parts]).unique(list(by), keep="any")
    for part in parts:
        made = made.join(part, on=list(by), how="left")
    of_table = {"messages": ("messages", "deleted_messages", "chatters"), "reactions": ("given", "taken_back")}
    counted = [("joins", True), ("leaves", True)]
    counted += [(name, table in known.others) for table, names in of_table.items() for name in names]
    answer: Any = made.select(
        *by,
        *(
            (col(name).cast(nw.Int64).fill_null(0) if told else nw.lit(None).cast(nw.Int64)).alias(name)
            for name, told in counted
        ),
        seconds=(col("number") * width) / 1000,
    ).to_native()
    return answer
