"""Many streams together: a period with the one before it, groups of streams, and who comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.dataset import Dataset
from spnb.analytics.events import Events
from spnb.analytics.reckon import over_events, over_sessions, same_people
from spnb.analytics.sessions import Sessions
from spnb.analytics.store import Part
from spnb.analytics.windows import NEVER, Whole, Windows, milliseconds, moment
from spnb.errors import InvalidInput

__all__ = ["CARDS", "WEEKDAYS", "Overview", "cohorts", "compared", "grouped", "overview"]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CARDS = {
    "streams": "streams created",
    "views": "views (repeats counted)",
    "unique_viewers": "unique viewers",
    "minutes_watched": "minutes watched",
    "minutes_per_stream": "minutes watched ÷ streams created",
    "minutes_per_viewer": "minutes watched ÷ unique viewers",
    "messages": "messages",
    "reactions": "reactions (given − taken back)",
}


@dataclass(frozen=True, slots=True)
class Overview:
    """The Console's overview of a period, exact.

    Attributes:
        start, end: the period `[start, end)`.
        cards: by metric `now`, `before` (the equal period before), `change` ((now − before) ÷ before; NaN, to be shown
            as n/a, where there was nothing before) and `definition`.
        trend: the same sums by day of the time zone, from `start` on.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    cards: pd.DataFrame
    trend: pd.DataFrame


def compared(now: float, before: float) -> float:
    """(now − before) ÷ before; NaN where there was nothing before: growth from nothing is no percentage."""
    return (now - before) / before if before else float("nan")


def overview(dataset: Dataset, start: Any, end: Any, *, time_zone: str = "UTC") -> Overview:
    """A period and the equal one before it.

    What counts into a period: streams created, sessions begun, messages sent and reactions made in it.

    Args:
        dataset: the audience.
        start, end: the period; without a zone they are in `time_zone`.
        time_zone: the zone whose days make the trend.

    Raises:
        InvalidInput: the period ends before it starts.
    """
    first, last = (_zoned(time, time_zone) for time in (start, end))
    if not last > first:
        raise InvalidInput(f"the period ends ({last}) before it starts ({first})")
    begin, finish = moment(first), moment(last)
    starts = (moment(day) for day in _midnights(first, last, time_zone))
    edges = np.array([begin, *(day for day in starts if begin < day < finish), finish], dtype=np.int64)
    days = _periods(dataset, edges)
    now = _periods(dataset, np.array([begin, finish])).iloc[0]
    before = _periods(dataset, np.array([2 * begin - finish, begin])).iloc[0]
    cards = pd.DataFrame({"now": now[list(CARDS)], "before": before[list(CARDS)]})
    cards["change"] = [compared(*pair) for pair in zip(now[list(CARDS)], before[list(CARDS)], strict=True)]
    cards["definition"] = pd.Series(CARDS)
    days.insert(0, "day", [pd.Timestamp(edge, unit="ms", tz="UTC").tz_convert(time_zone) for edge in edges[:-1]])
    return Overview(first, last, cards, days)


def _zoned(time: Any, time_zone: str) -> pd.Timestamp:
    made = pd.Timestamp(time)
    if made.tzinfo is not None:
        return made.tz_convert(time_zone)
    # Where clocks change at midnight, a day begins an hour later, or at the first of two midnights.
    return made.tz_localize(time_zone, ambiguous=True, nonexistent="shift_forward")


def _midnights(first: pd.Timestamp, last: pd.Timestamp, time_zone: str) -> list[pd.Timestamp]:
    days = pd.date_range(first.tz_localize(None).normalize(), last.tz_localize(None), freq="D")
    return [_zoned(day, time_zone) for day in days]


def _periods(dataset: Dataset, edges: Whole) -> pd.DataFrame:
    """The sums of each period between two edges."""
    count = len(edges) - 1
    windows = Windows.of(dataset.rooms, dataset.as_of)

    def place(at: Whole) -> Whole:
        made: Whole = np.searchsorted(edges, at, side="right") - 1
        return np.where((at >= edges[0]) & (at < edges[-1]), made, count)

    def watched(sessions: Sessions, part: Part) -> tuple[Any, ...]:
        period = place(sessions.start)
        keys = np.unique(period * (int(sessions.user.max(initial=0)) + 1) + sessions.user)
        who = np.divmod(keys, int(sessions.user.max(initial=0)) + 1)
        views = np.bincount(period[sessions.is_view()], minlength=count + 1)
        return views, np.bincount(period, sessions.watched, count + 1), who, part.users

    def happened(events: Events, _: Part) -> NDArray[Any]:
        weights = events.weight if len(events.kinds) and events.kinds[0] != "" else events.counts.astype(np.int64)
        return np.bincount(place(events.at), weights, count + 1)

    parts = over_sessions(dataset.store, windows, watched)
    people = same_people([users for *_, users in parts])
    pairs = [
        (period, people[number][user] if people is not None else user)
        for number, (_, _, (period, user), _) in enumerate(parts)
    ]
    made = pd.DataFrame(index=range(count))
    made["streams"] = np.bincount(place(milliseconds(dataset.rooms["created_at"])), minlength=count + 1)[:count]
    made["views"] = sum((views for views, *_ in parts), start=np.zeros(count + 1, dtype=np.int64))[:count]
    made["unique_viewers"] = _distinct(pairs, count + 1)[:count]
    made["minutes_watched"] = sum((seconds for _, seconds, *_ in parts), start=np.zeros(count + 1))[:count] / 60
    made["minutes_per_stream"] = made["minutes_watched"] / made["streams"].where(made["streams"] > 0)
    made["minutes_per_viewer"] = made["minutes_watched"] / made["unique_viewers"].where(made["unique_viewers"] > 0)
    for name in ("messages", "reactions"):
        total = sum(over_events(dataset.store, windows, name, happened), start=np.zeros(count + 1))
        made[name] = np.rint(total[:count]).astype(np.int64) if name in dataset.known else np.nan
    if "views" not in dataset.known:
        made[["views", "unique_viewers", "minutes_watched", "minutes_per_stream", "minutes_per_viewer"]] = np.nan
    return made


def _distinct(pairs: Sequence[tuple[Whole, Whole]], groups: int) -> Whole:
    """How many distinct users each group has."""
    if not pairs:
        return np.zeros(groups, dtype=np.int64)
    group = np.concatenate([group for group, _ in pairs]).astype(np.int64)
    user = np.concatenate([user for _, user in pairs]).astype(np.int64)
    if len(group) == 0:
        return np.zeros(groups, dtype=np.int64)
    span = int(user.max()) + 1
    keys = np.sort(group * span + user)
    once = np.ones(len(keys), dtype=bool)
    once[1:] = keys[1:] != keys[:-1]
    made: Whole = np.bincount(keys[once] // span, minlength=groups)
    return made


def _viewers(dataset: Dataset) -> tuple[Whole, Whole]:
    """Stream (place among the rooms) and user of each viewer of each stream."""
    rooms = dataset.rooms
    index = pd.Index(rooms["room_id"], dtype=object)

    def reduce(sessions: Sessions, part: Part) -> tuple[Any, ...]:
        once = sessions.is_viewer()
        return (
            index.get_indexer(pd.Index(part.rooms, dtype=object))[sessions.room[once]],
            sessions.user[once],
            part.users,
        )

    parts = over_sessions(dataset.store, Windows.of(rooms, dataset.as_of), reduce)
    people = same_people([users for *_, users in parts])
    if not parts:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    users = [people[number][user] if people is not None else user for number, (_, user, _) in enumerate(parts)]
    return np.concatenate([room for room, *_ in parts]), np.concatenate(users).astype(np.int64)


def grouped(dataset: Dataset, by: str | Sequence[str], *, time_zone: str = "UTC") -> pd.DataFrame:
    """The streams in groups.

    Args:
        dataset: the audience.
        by: columns of the rooms table (`creator_id`, `community_id`, `type`, your own), or `weekday` and `hour` of
            going on air; one or several.
        time_zone: the zone of `weekday` and `hour`.

    Returns:
        By group: `streams, views, unique_viewers` (distinct over the group), `minutes_watched, minutes_per_stream,
        minutes_per_viewer, peak_viewers` (of its best stream), `average_viewers` (viewer-seconds ÷ live seconds of
        all), `messages, reactions, engagement_rate`. Streams without the column's value are left out.

    Raises:
        InvalidInput: there is no such column.
    """
    names = [by] if isinstance(by, str) else list(by)
    table = dataset.kpis.reset_index()
    went = table["live_at"].dt.tz_convert(time_zone)
    table["weekday"] = pd.Categorical(went.dt.day_name(), WEEKDAYS, ordered=True)
    table["hour"] = went.dt.hour.astype("Int64")
    if unknown := [name for name in names if name not in table.columns]:
        raise InvalidInput(f"streams cannot be grouped by {', '.join(unknown)}: choose from {', '.join(table.columns)}")
    table["viewer_seconds"] = table["average_viewers"] * table["duration_seconds"]
    groups = table.groupby(names, observed=True)
    sums = groups[["views", "minutes_watched", "messages", "reactions", "viewer_seconds", "duration_seconds"]].sum(
        min_count=1
    )
    made = pd.DataFrame({"streams": groups.size()}).join(sums)
    code: Whole = np.asarray(groups.ngroup().fillna(-1), dtype=np.int64)  # -1: in no group
    room, user = _viewers(dataset)
    inside = code[room] >= 0
    members: Whole = code[room[inside]]
    distinct = _distinct([(members, user[inside])], len(made))
    made.insert(2, "unique_viewers", distinct)
    made["unique_viewers"] = made["unique_viewers"].where(made["views"].notna())
    made["peak_viewers"] = groups["peak_viewers"].max()
    made["average_viewers"] = made["viewer_seconds"] / made["duration_seconds"].where(made["duration_seconds"] > 0)
    made["minutes_per_stream"] = made["minutes_watched"] / made["streams"]
    viewers = made["unique_viewers"].where(made["unique_viewers"] > 0)
    made["minutes_per_viewer"] = made["minutes_watched"] / viewers
    made["engagement_rate"] = (made["messages"] + made["reactions"]) / viewers
    return made.drop(columns=["viewer_seconds", "duration_seconds"])


def cohorts(dataset: Dataset, *, period: str = "W", time_zone: str = "UTC") -> pd.DataFrame:
    """Returning viewers: of those who first watched in a period, the share who watched again so many periods later.

    Args:
        dataset: the audience.
        period: `D`, `W` (from Monday) or `M`.
        time_zone: the zone of the periods.

    Returns:
        One row per period of first watching (its beginning), `viewers` and a column for each number of periods since
        then, 0 being the first; NaN where that period is not over at `dataset.as_of`: half a week is no small week.

    Raises:
        InvalidInput: the period is none of these.
    """
    if period not in ("D", "W", "M"):
        raise InvalidInput(f"period is D, W or M, not {period!r}")
    live = milliseconds(dataset.rooms["live_at"])
    room, user = _viewers(dataset)
    known = live[room] != NEVER
    room, user = room[known], user[known]
    if len(room) == 0:
        return pd.DataFrame({"viewers": pd.Series([], dtype="int64")})
    local = dataset.rooms["live_at"].dt.tz_convert(time_zone).dt.tz_localize(None).dt.to_period(period)
    number = np.array([value.ordinal if value is not pd.NaT else -1 for value in local], dtype=np.int64)
    when = number[room]
    first = np.full(int(user.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, user, when)
    low, high = int(when.min()), int(when.max())
    span = high - low + 1
    cell = (first[user] - low) * span + (when - first[user])
    counts = _distinct([(cell, user)], span * span).reshape(span, span)
    sizes = counts[:, 0]
    share = counts / np.where(sizes > 0, sizes, np.nan)[:, None]
    then = np.add.outer(np.arange(span), np.arange(span)) + low
    share[then > high] = np.nan
    if dataset.as_of is not None:
        running = dataset.as_of.tz_convert(time_zone).tz_localize(None).to_period(period).ordinal
        share[:, 1:][then[:, 1:] >= running] = np.nan
    share = share[:, : 1 + int(np.flatnonzero(~np.isnan(share).all(axis=0)).max(initial=0))]
    kept = sizes > 0
    starts = [pd.Period(ordinal=low + int(place), freq=period).start_time for place in np.flatnonzero(kept)]
    made = pd.DataFrame(share[kept], index=pd.DatetimeIndex(starts, name="first watched"))
    made.insert(0, "viewers", sizes[kept])
    return made
