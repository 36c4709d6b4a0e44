"""The numbers of every stream for those who outgrow one machine: written once, run by the engine that holds the rows.

    spark.conf.set("spark.sql.session.timeZone", "UTC")
    tables = {name: spark.read.parquet(f"season/{name}") for name in ("views", "messages", "reactions")}
    tables["rooms"] = spark.read.parquet("season/rooms.parquet")
    numbers = portable.kpis(tables)            # a Spark data frame; nothing has run yet

The same function takes DuckDB relations, Polars lazy frames and whatever else narwhals speaks lazily. Its rules of
repair and its definitions are those of `Dataset.kpis`, in the words every SQL engine has: windows, joins and sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import narwhals as nw

from spnb.analytics.kpis import AUDIENCE, KPIS
from spnb.analytics.polled import POLLED
from spnb.analytics.sessions import RECONNECT_SECONDS
from spnb.analytics.tables import Table, table_named
from spnb.analytics.windows import moment
from spnb.errors import TableError

__all__ = ["kpis"]

UTC_NAMES = ("UTC", "Etc/UTC")
ABSENT: Mapping[str, Any] = {
    "text": nw.String,
    "time": nw.Datetime("us", "UTC"),
    "number": nw.Float64,
    "count": nw.Int64,
    "flag": nw.Boolean,
}
"""What stands in for a column that a table has not."""
TIMED = ("peak_at", "average_viewers")
MOST_SECONDS = 1e12
"""More is no time that somebody watched, but infinity."""
Frame = nw.LazyFrame[Any]
col = nw.col


def kpis(tables: Mapping[str, Any], *, as_of: datetime | None = None) -> Any:
    """`spnb.analytics.KPIS` of each stream, as a frame of the engine that the tables came from; it runs when asked for.

    Args:
        tables: lazy frames of one engine by name, in the schema of `spnb.analytics.describe()`, as `Dataset.save`
            writes it: `rooms` with a row for every stream, `views`, and if there are any `presence`, `messages` and
            `reactions`: numbers of those that are not given are null. Of rows with the same id one counts.
        as_of: end of the window of rooms still on air, with a zone; without it their last session's end.

    Returns:
        `room_id` and the numbers, one row per stream, in no order; ratios are null where there is nothing to divide by.

    Raises:
        InvalidInput: `as_of` is no time with a zone.
        TableError: a table or a column is missing, or the engine shows times in another zone than UTC.
    """
    rooms = _table(tables, "rooms")
    views = _table(tables, "views")
    others = {name: _table(tables, name) for name in ("messages", "reactions", "presence", "health") if name in tables}
    windows = _filled(_windows(rooms, as_of), views, others)
    sessions = _sessions(views, windows)
    made = windows
    kept = sessions.filter(~col("outside"))
    parts = [_audience(kept), _swept(_stretches(kept)), _returning(kept, windows)]
    parts.append(views.group_by("room_id").agg(rows=nw.len()))
    if "presence" in tables:
        parts.append(_polled(others["presence"]))
    if "messages" in tables:
        parts.append(_chat(_events(others["messages"], "created_at", windows)))
    if "reactions" in tables:
        parts.append(_reacted(_events(others["reactions"], "at", windows)))
    for part in parts:
        made = made.join(part, on="room_id", how="left")
    made = made.with_columns(duration_seconds=(col("finish") - col("begin")) / 1000)
    found = set(made.collect_schema().names())
    counts = [name for name in AUDIENCE if name not in ("watch_seconds", "replay_watch_seconds", *TIMED)]
    events = ("messages", "deleted_messages", "chatters", "reactions")
    if "presence" not in tables:
        made = made.with_columns(nw.lit(None).cast(nw.Float64).alias(name) for name in POLLED)
    # Where viewers were only counted nobody knows of sessions: no row is no zero.
    told = ~((col("polled_peak_viewers") > 0).fill_null(False) & col("rows").is_null())
    made = made.with_columns(
        *(_zero(name, nw.Int64, name in found) for name in events),
        *(nw.when(told).then(_zero(name, nw.Int64, True)).alias(name) for name in counts),
        *(
            nw.when(told).then(_zero(name, nw.Float64, True)).alias(name)
            for name in ("watch_seconds", "replay_watch_seconds", "viewer_seconds")
        ),
    )
    answer: Any = _ratios(made).select("room_id", *KPIS).to_native()
    return answer


def _ratios(made: Frame) -> Frame:
    made = made.with_columns(
        minutes_watched=col("watch_seconds") / 60,
        live_seconds=col("watch_seconds") - col("replay_watch_seconds"),
        live_views=col("views") - col("replay_views"),
        replay_view_seconds=_share("replay_watch_seconds", "replay_views"),
        average_viewers=_share("viewer_seconds", "duration_seconds"),
        messages_per_chatter=_share("messages", "chatters"),
        messages_per_minute=_share("messages", "duration_seconds") * 60,
        chat_penetration=_share("chatters", "live_viewers"),
        returning_share=_share("returning_viewers", "live_viewers"),
        acts=col("messages") + col("reactions"),
    )
    return made.with_columns(
        minutes_per_viewer=_share("live_seconds", "live_viewers") / 60,
        replay_minutes_per_viewer=_share("replay_watch_seconds", "replay_viewers") / 60,
        view_seconds=_share("live_seconds", "live_views"),
        engagement_rate=_share("acts", "live_viewers"),
    )


def _table(tables: Mapping[str, Any], name: str) -> Frame:
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
            frame = frame.with_columns(_milliseconds(col(column.name)).alias(f"{column.name}_ms"))
    return _once(frame.drop_nulls(list(table.required)), table)


def _once(frame: Frame, table: Table) -> Frame:
    """Deliveries repeat: the same id is one row, the one that tells more, whichever came first (as `frames` has it).
    Rows without an id are doubles where they agree in everything, but two messages or reactions may well do so."""
    key = list(table.key)
    nameless = nw.any_horizontal(*(col(name).is_null() for name in key), ignore_nulls=False)
    named, others = frame.filter(~nameless), frame.filter(nameless)
    told: dict[str, Any] = {}
    if table.name == "views":
        seconds = col("watch_seconds").cast(nw.Float64)
        known = nw.when(~seconds.is_nan()).then(seconds).fill_null(-1.0)
        told = {"closed_": (~col("end").is_null()).cast(nw.Int8), "seconds_": known}
    elif table.name == "messages":
        told = {"gone_": col("deleted").cast(nw.Int8).fill_null(0)}
    elif table.name == "rooms":
        told = {"filled_": nw.sum_horizontal(*((~col(name).is_null()).cast(nw.Int32) for name in table.names))}
    named = named.with_columns(**told) if told else named
    named = named.unique(key, keep="last", order_by=[*told, *table.names])
    named = named.drop(*told) if told else named
    if table.name in ("rooms", "views"):
        others = others.unique(list(table.names), keep="any")
    return nw.concat([named, others])


def _zone(frame: Frame, kind: Any) -> Any:
    """The zone whose parts the engine tells of a time; None of a time without one."""
    zone = getattr(kind, "time_zone", None)
    session = getattr(frame.to_native(), "sparkSession", None)
    # narwhals asks a Spark session only once, but its zone may be set again
    return zone if session is None or zone is None else session.conf.get("spark.sql.session.timeZone")


def _milliseconds(at: nw.Expr) -> nw.Expr:
    """Since 1970: of dates every engine gives the parts, but only some the whole."""
    year = at.dt.year().cast(nw.Int64)
    leaps = (year - 1969) // 4 - (year - 1901) // 100 + (year - 1601) // 400
    days = (year - 1970) * 365 + leaps + at.dt.ordinal_day().cast(nw.Int64) - 1
    seconds = ((days * 24 + at.dt.hour()) * 60 + at.dt.minute()) * 60 + at.dt.second()
    return (seconds * 1000 + at.dt.millisecond()).cast(nw.Int64)


def _windows(rooms: Frame, as_of: datetime | None) -> Frame:
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


def _filled(windows: Frame, views: Frame, others: Mapping[str, Frame]) -> Frame:
    """Windows that nobody told: from the first to the last thing that happened in any table."""
    start, end = col("start_ms"), col("end_ms")
    closed = nw.when(end.is_null() | (end < start)).then(start + _played()).otherwise(end)
    parts = [views.filter(~col("replay")).select("room_id", first=start, last=closed)]
    for name, table in others.items():
        at = col(f"{table_named(name).time}_ms")
        parts.append(table.select("room_id", first=at, last=at))
    spans = nw.concat(parts).group_by("room_id").agg(first=col("first").min(), last=col("last").max())
    made = windows.join(spans, on="room_id", how="left").with_columns(begin=nw.coalesce("begin", "first"))
    return made.with_columns(finish=nw.coalesce("finish", nw.max_horizontal("last", "begin"))).drop("first", "last")


def _played() -> nw.Expr:
    """What was watched, in milliseconds; 0 where nobody told."""
    seconds = col("watch_seconds").cast(nw.Float64)
    told = nw.when(~seconds.is_nan() & (seconds >= 0) & (seconds < MOST_SECONDS)).then(seconds)
    return (told * 1000 + 0.5).floor().cast(nw.Int64).fill_null(0)


def _sessions(views: Frame, windows: Frame) -> Frame:
    """Watch sessions mended by the rules of `spnb.analytics.repair`, those to be left out marked `outside`.

    `at` is the start as the engine's own time.
    """
    start, end, begin, finish = (col(name) for name in ("start", "end", "begin", "finish"))
    seconds = col("watch_seconds").cast(nw.Float64)
    made = views.select(
        "room_id",
        "user_id",
        at=col("start"),
        start=col("start_ms"),
        end=col("end_ms"),
        watched=nw.when(~seconds.is_nan() & (seconds >= 0) & (seconds < MOST_SECONDS)).then(seconds),
        played=_played(),
        replay=col("replay"),
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


def _audience(sessions: Frame) -> Frame:
    reach, gap = _reach(sessions), col("start") - col("before")
    is_view = gap.is_null() | (gap < 0) | (gap >= round(RECONNECT_SECONDS * 1000))
    counted = reach.with_columns(view=is_view.cast(nw.Int64))
    return (
        counted.with_columns(
            replayed=nw.when(col("replay")).then(col("view")).otherwise(0),
            replayed_seconds=nw.when(col("replay")).then(col("watched")).otherwise(0.0),
            replay_user=nw.when(col("replay")).then(col("user_id")),
            live_user=nw.when(~col("replay")).then(col("user_id")),
            live=(~col("replay")).cast(nw.Int64),
        )
        .group_by("room_id")
        .agg(
            views=col("view").sum(),
            replay_views=col("replayed").sum(),
            unique_viewers=col("user_id").n_unique(),
            live_viewers=col("live_user").n_unique() - (col("live").min() == 0).cast(nw.Int64),
            replay_viewers=col("replay_user").n_unique() - (col("live").max() == 1).cast(nw.Int64),
            watch_seconds=col("watched").sum(),
            replay_watch_seconds=col("replayed_seconds").sum(),
        )
    )


def _reach(sessions: Frame) -> Frame:
    """With `before`: until when the same user had watched before this session; null for the first one."""
    who, order = ("room_id", "user_id", "replay"), ("start", "end")
    made = sessions.with_columns(reach=col("end").cum_max().over(*who, order_by=order))
    return made.with_columns(before=col("reach").shift(1).over(*who, order_by=order))


def _stretches(sessions: Frame) -> Frame:
    """Unbroken stretches of live watching of each user: two tabs are one viewer."""
    live = _reach(sessions.filter(~col("replay")))
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


def _swept(stretches: Frame) -> Frame:
    """Peak, when it was first reached, and viewer-seconds: one running sum over joins and leaves of each stream."""
    one = nw.lit(1).cast(nw.Int64)
    joins = stretches.select("room_id", "at", time=col("start"), change=one)
    leaves = stretches.select("room_id", "at", time=col("end"), change=-one)
    changes = nw.concat([joins, leaves]).with_columns(at=nw.when(col("change") > 0).then(col("at")))
    steps = changes.group_by("room_id", "time").agg(change=col("change").sum(), at=col("at").min())
    steps = steps.with_columns(viewers=col("change").cum_sum().over("room_id", order_by="time"))
    steps = steps.with_columns(peak=col("viewers").max().over("room_id"))
    tops = steps.filter(col("viewers") == col("peak"))
    peaks = tops.group_by("room_id").agg(peak_viewers=col("peak").max(), peak_at=col("at").min())
    seconds = stretches.with_columns(length=col("end") - col("start")).group_by("room_id")
    return peaks.join(seconds.agg(viewer_seconds=col("length").sum() / 1000), on="room_id", how="left")


def _returning(sessions: Frame, windows: Frame) -> Frame:
    """Live viewers for whom this is not the creator's first stream they saw, live or as replay; of streams begun at
    once none is earlier."""
    lives = sessions.with_columns(live=(~col("replay")).cast(nw.Int64))
    pairs = lives.group_by("room_id", "user_id").agg(live=col("live").max())
    placed = pairs.join(windows.select("room_id", "creator_id", "live_at_ms"), on="room_id").drop_nulls(
        ["creator_id", "live_at_ms"]
    )
    back = col("live_at_ms") > col("live_at_ms").min().over("creator_id", "user_id")
    made = placed.with_columns(back=back).with_columns(back=col("back").cast(nw.Int64) * col("live"))
    return made.group_by("room_id").agg(returning_viewers=col("back").sum())


def _events(table: Frame, time: str, windows: Frame) -> Frame:
    """Messages or reactions with their stream's window, and whether they lie in it."""
    at = col(f"{time}_ms")
    made = table.join(windows.select("room_id", "begin", "finish"), on="room_id")
    return made.with_columns(inside=(at >= col("begin")) & (at <= col("finish")))


def _polled(presence: Frame) -> Frame:
    """Peak and average of polled counts, each held until the next poll, and how often it was asked."""
    at, viewers = col("at_ms"), col("viewers").cast(nw.Float64)
    held = (at.shift(-1).over("room_id", order_by="at_ms") - at) / 1000
    made = presence.with_columns(held=held, viewers=viewers).with_columns(weighed=col("viewers") * col("held"))
    sums = made.group_by("room_id").agg(
        polled_peak_viewers=col("viewers").max(),
        seconds=col("held").sum(),
        weighed=col("weighed").sum(),
        mean=col("viewers").mean(),
        polls=nw.len(),
    )
    some, pauses = col("seconds") > 0, col("polls") > 1
    return sums.select(
        "room_id",
        "polled_peak_viewers",
        polled_average_viewers=nw.when(some).then(col("weighed") / col("seconds")).otherwise(col("mean")),
        polled_every_seconds=nw.when(pauses).then(col("seconds") / (col("polls") - 1)),
    )


def _chat(messages: Frame) -> Frame:
    inside = messages.filter(col("inside")).with_columns(gone=col("deleted").cast(nw.Int64))
    standing = inside.filter(~col("deleted")).group_by("room_id").agg(chatters=col("user_id").n_unique())
    counted = inside.with_columns(stands=1 - col("gone")).group_by("room_id")
    counts = counted.agg(messages=col("stands").sum(), deleted_messages=col("gone").sum())
    return counts.join(standing, on="room_id", how="left")


def _reacted(reactions: Frame) -> Frame:
    weight = col("added").cast(nw.Int64) * 2 - 1
    inside = reactions.filter(col("inside")).with_columns(weight=weight)
    named = inside.group_by("room_id", "name").agg(net=col("weight").sum())
    standing = named.with_columns(net=nw.when(col("net") > 0).then(col("net")).otherwise(0))
    return standing.group_by("room_id").agg(reactions=col("net").sum())


def _zero(name: str, kind: Any, present: bool) -> nw.Expr:
    # Without the table that would know, nobody does.
    value = col(name).cast(kind).fill_null(0) if present else nw.lit(None).cast(kind)
    return value.alias(name)


def _share(part: str, whole: str) -> nw.Expr:
    return nw.when(col(whole) > 0).then(col(part).cast(nw.Float64) / col(whole))
