"""The numbers of every stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import narwhals as nw

from spnb.analytics.kpis import AUDIENCE, KPIS
from spnb.analytics.polled import POLLED
from spnb.analytics.portable.reading import Frame, col
from spnb.analytics.portable.watching import Audience, audience_of, reach_of, share, steps_of, stretches_of
from spnb.analytics.sessions import RECONNECT_SECONDS

__all__ = ["begins_view", "kpis"]

TIMED = ("peak_at", "average_viewers")


def kpis(tables: Mapping[str, Any] | Audience, *, as_of: datetime | None = None) -> Any:
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
    known = audience_of(tables, as_of)
    made, kept = known.windows, known.sessions
    parts = [_audience(kept), _swept(stretches_of(kept)), _returning(kept, made)]
    parts.append(known.views.group_by("room_id").agg(rows=nw.len()))
    if "presence" in known.others:
        parts.append(_polled(known.others["presence"]))
    if "messages" in known.others:
        parts.append(_chat(known.events("messages")))
    if "reactions" in known.others:
        parts.append(_reacted(known.events("reactions")))
    for part in parts:
        made = made.join(part, on="room_id", how="left")
    made = made.with_columns(duration_seconds=(col("finish") - col("begin")) / 1000)
    found = set(made.collect_schema().names())
    counts = [name for name in AUDIENCE if name not in ("watch_seconds", "replay_watch_seconds", *TIMED)]
    events = ("messages", "deleted_messages", "chatters", "reactions")
    if "presence" not in known.others:
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
        replay_view_seconds=share("replay_watch_seconds", "replay_views"),
        average_viewers=share("viewer_seconds", "duration_seconds"),
        messages_per_chatter=share("messages", "chatters"),
        messages_per_minute=share("messages", "duration_seconds") * 60,
        chat_penetration=share("chatters", "live_viewers"),
        returning_share=share("returning_viewers", "live_viewers"),
        acts=col("messages") + col("reactions"),
    )
    return made.with_columns(
        minutes_per_viewer=share("live_seconds", "live_viewers") / 60,
        replay_minutes_per_viewer=share("replay_watch_seconds", "replay_viewers") / 60,
        view_seconds=share("live_seconds", "live_views"),
        engagement_rate=share("acts", "live_viewers"),
    )


def _audience(sessions: Frame) -> Frame:
    counted = reach_of(sessions).with_columns(view=begins_view().cast(nw.Int64))
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


def begins_view() -> nw.Expr:
    """Whether a session with its `before` begins a view: coming back soon is the same one."""
    gap = col("start") - col("before")
    return gap.is_null() | (gap < 0) | (gap >= round(RECONNECT_SECONDS * 1000))


def _swept(stretches: Frame) -> Frame:
    """Peak, when it was first reached, and viewer-seconds of each room."""
    steps = steps_of(stretches).with_columns(peak=col("viewers").max().over("room_id"))
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
    inside = messages.with_columns(gone=col("deleted").cast(nw.Int64))
    standing = inside.filter(~col("deleted")).group_by("room_id").agg(chatters=col("user_id").n_unique())
    counted = inside.with_columns(stands=1 - col("gone")).group_by("room_id")
    counts = counted.agg(messages=col("stands").sum(), deleted_messages=col("gone").sum())
    return counts.join(standing, on="room_id", how="left")


def _reacted(reactions: Frame) -> Frame:
    weight = col("added").cast(nw.Int64) * 2 - 1
    inside = reactions.with_columns(weight=weight)
    named = inside.group_by("room_id", "name").agg(net=col("weight").sum())
    standing = named.with_columns(net=nw.when(col("net") > 0).then(col("net")).otherwise(0))
    return standing.group_by("room_id").agg(reactions=col("net").sum())


def _zero(name: str, kind: Any, present: bool) -> nw.Expr:
    # Without the table that would know, nobody does.
    value = col(name).cast(kind).fill_null(0) if present else nw.lit(None).cast(kind)
    return value.alias(name)
