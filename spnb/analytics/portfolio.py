"""Many streams together: a period with the one before it, groups of streams, and who comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.dataset import Dataset
from spnb.analytics.dimensions import SUMMED, TIMES, is_of_viewers, split
from spnb.analytics.events import Events, net
from spnb.analytics.people import viewers_known
from spnb.analytics.reckon import over_events, over_sessions, same_people
from spnb.analytics.sessions import Sessions
from spnb.analytics.store import Part
from spnb.analytics.windows import NEVER, Whole, milliseconds, moment, moments_of, zone_named
from spnb.errors import InvalidInput

__all__ = [
    "CARDS",
    "WEEKDAYS",
    "Overview",
    "cohorts",
    "compared",
    "edges_of",
    "grouped",
    "overview",
    "starts_of",
]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CARDS = {
    "streams": "streams created",
    "views": "views (repeats counted)",
    "unique_viewers": "unique viewers",
    "minutes_watched": "minutes watched",
    "minutes_per_stream": "minutes watched ÷ streams created",
    "minutes_per_viewer": "minutes watched live ÷ live viewers",
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


@checked
def overview(
    dataset: Dataset,
    start: Any,
    end: Any,
    *,
    time_zone: str = "UTC",
    watch_time: Literal["started", "watched"] = "started",
) -> Overview:
    """A period and the equal one before it: as many days of the zone, of 23 or 25 hours too where clocks change.

    What counts into a period: streams created (gone live, where nobody told when they were created), sessions begun,
    messages sent and reactions made in it.

    Args:
        dataset: the audience.
        start: where the period begins; without a zone it is in `time_zone`.
        end: where it ends, likewise.
        time_zone: the zone whose days make the trend.
        watch_time: whether watch time belongs to the period in which its session `started`, as the Console has it, or
            to those in which it was `watched`.

    Raises:
        InvalidInput: the period ends before it starts, or there is no such zone or way to book watch time.
    """
    zone_named(time_zone)
    if watch_time not in ("started", "watched"):
        raise InvalidInput(f"watch time is booked as started or watched, not {watch_time!r}")
    told, earlier = edges_of(start, end, time_zone)
    first, last = (_zoned(time, time_zone) for time in (start, end))
    begin, finish = told[0], told[-1]
    edges = np.array(told, dtype=np.int64)
    spread = watch_time == "watched"
    days = _periods(dataset, edges, spread)
    now = _periods(dataset, np.array([begin, finish]), spread).iloc[0]
    before = _periods(dataset, np.array([earlier, begin]), spread).iloc[0]
    cards = pd.DataFrame({"now": now[list(CARDS)], "before": before[list(CARDS)]})
    cards["change"] = [compared(*pair) for pair in zip(now[list(CARDS)], before[list(CARDS)], strict=True)]
    cards["definition"] = pd.Series(CARDS)
    live_at, created = (milliseconds(dataset.rooms[name]) for name in ("live_at", "created_at"))
    if guessed := int(((created == NEVER) & (live_at >= earlier) & (live_at < finish)).sum()):
        cards.loc["streams", "definition"] = (
            f"streams created; {guessed} of them by when they went live, nobody tells more"
        )
    days.insert(0, "day", [pd.Timestamp(edge, unit="ms", tz="UTC").tz_convert(time_zone) for edge in edges[:-1]])
    return Overview(first, last, cards, days)


def edges_of(start: Any, end: Any, time_zone: str) -> tuple[list[int], int]:
    """Where the days of a period begin, its own beginning and end among them, and where the equal one before it does,
    in milliseconds since 1970.

    Raises:
        InvalidInput: the period ends before it starts.
    """
    first, last = (_zoned(time, time_zone) for time in (start, end))
    if not last > first:
        raise InvalidInput(f"the period ends ({last}) before it starts ({first})")
    begin, finish = moment(first), moment(last)
    starts = (moment(day) for day in _midnights(first, last, time_zone))
    edges = [begin, *(day for day in starts if begin < day < finish), finish]
    return edges, moment(_before(first, last, time_zone))


def starts_of(low: int, high: int, period: str, time_zone: str) -> list[int]:
    """The beginnings of all periods from the one that a moment is in to another's, in milliseconds since 1970."""
    first, last = (
        pd.Timestamp(at, unit="ms", tz="UTC").tz_convert(time_zone).tz_localize(None).to_period(period)
        for at in (low, high)
    )
    return [moment(_zoned(each.start_time, time_zone)) for each in pd.period_range(first, last, freq=period)]


def _zoned(time: Any, time_zone: str) -> pd.Timestamp:
    try:
        made = pd.NaT if isinstance(time, int | float) else pd.Timestamp(time)
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{time!r} is no time: give one like '2026-03-01'") from error
    if pd.isna(made):
        raise InvalidInput(f"{time!r} is no time: give one like '2026-03-01'")
    if made.tzinfo is not None:
        return made.tz_convert(time_zone)
    # Where clocks change at midnight, a day begins an hour later, or at the first of two midnights.
    return made.tz_localize(time_zone, ambiguous=True, nonexistent="shift_forward")


def _before(first: pd.Timestamp, last: pd.Timestamp, time_zone: str) -> pd.Timestamp:
    """When the equal period before begins: whole days are days of the zone's calendar, whatever their hours."""
    length = last.tz_localize(None) - first.tz_localize(None)
    if length % pd.Timedelta("1D"):
        return first - (last - first)
    return _zoned(first.tz_localize(None) - length, time_zone)


def _midnights(first: pd.Timestamp, last: pd.Timestamp, time_zone: str) -> list[pd.Timestamp]:
    days = pd.date_range(first.tz_localize(None).normalize(), last.tz_localize(None), freq="D")
    return [_zoned(day, time_zone) for day in days]


def _periods(dataset: Dataset, edges: Whole, spread: bool) -> pd.DataFrame:
    """The sums of each period between two edges; `spread` books watch time by when it was watched."""
    count = len(edges) - 1
    windows = dataset.windows

    def place(at: Whole) -> Whole:
        made: Whole = np.searchsorted(edges, at, side="right") - 1
        return np.where((at >= edges[0]) & (at < edges[-1]), made, count)

    def watched(sessions: Sessions, part: Part) -> tuple[Any, ...]:
        period = place(sessions.start)
        live = ~sessions.replay

        def seconds(some: Any) -> NDArray[Any]:
            if not spread:
                return np.bincount(period[some], sessions.watched[some], count + 1)
            return np.append(_spread(sessions.start[some], sessions.end[some], sessions.watched[some], edges), 0.0)

        def people(some: Any) -> tuple[Whole, Whole]:
            span = int(sessions.user.max(initial=0)) + 1
            period_of, user = np.divmod(np.unique(period[some] * span + sessions.user[some]), span)
            return period_of, user

        views = np.bincount(period[sessions.is_view()], minlength=count + 1)
        every = np.ones(len(sessions), dtype=bool)
        return views, seconds(every), seconds(live), people(every), people(live), part.users

    def happened(events: Events, _: Part) -> NDArray[Any]:
        if len(events.kinds) and events.kinds[0] != "":
            return net(events, place(events.at), count + 1)
        return np.bincount(place(events.at), events.counts, count + 1)

    parts = over_sessions(dataset.store, windows, watched)
    people = same_people([users for *_, users in parts])
    every, live = (
        [
            (part[kind][0], people[number][part[kind][1]] if people is not None else part[kind][1])
            for number, part in enumerate(parts)
        ]
        for kind in (3, 4)
    )
    made = pd.DataFrame(index=range(count))
    created = milliseconds(dataset.rooms["created_at"].fillna(dataset.rooms["live_at"]))
    made["streams"] = np.bincount(place(created), minlength=count + 1)[:count]
    made["views"] = sum((views for views, *_ in parts), start=np.zeros(count + 1, dtype=np.int64))[:count]
    made["unique_viewers"] = _distinct(every, count + 1)[:count]
    made["minutes_watched"] = sum((part[1] for part in parts), start=np.zeros(count + 1))[:count] / 60
    made["minutes_per_stream"] = made["minutes_watched"] / made["streams"].where(made["streams"] > 0)
    viewers = pd.Series(_distinct(live, count + 1)[:count])
    minutes_live = sum((part[2] for part in parts), start=np.zeros(count + 1))[:count] / 60
    made["minutes_per_viewer"] = minutes_live / viewers.where(viewers > 0)
    for name in ("messages", "reactions"):
        total = sum(over_events(dataset.store, windows, name, happened), start=np.zeros(count + 1))
        made[name] = np.rint(total[:count]).astype(np.int64) if name in dataset.known else np.nan
    if "views" not in dataset.known:
        made[["views", "unique_viewers", "minutes_watched", "minutes_per_stream", "minutes_per_viewer"]] = np.nan
    return made


def _spread(start: Whole, end: Whole, watched: NDArray[np.float64], edges: Whole) -> NDArray[np.float64]:
    """Seconds watched between each two edges, each session's spread evenly over its time."""
    length = np.maximum(end - start, 1).astype(np.float64)
    until = [float((watched * np.clip((edge - start) / length, 0.0, 1.0)).sum()) for edge in edges.tolist()]
    return np.diff(np.array(until))


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


def _viewers(dataset: Dataset) -> tuple[Whole, Whole, NDArray[np.bool_]]:
    """Stream (place among the rooms) and user of each viewer of each stream, and whether they watched live."""
    rooms = dataset.rooms
    index = pd.Index(rooms["room_id"], dtype=object)

    def reduce(sessions: Sessions, part: Part) -> tuple[Any, ...]:
        once = sessions.is_viewer()
        return (
            index.get_indexer(pd.Index(part.rooms, dtype=object))[sessions.room[once]],
            sessions.user[once],
            ~sessions.replay[once],  # of a viewer's sessions the live ones come first
            part.users,
        )

    parts = over_sessions(dataset.store, dataset.windows, reduce)
    people = same_people([users for *_, users in parts])
    if not parts:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    users = [people[number][user] if people is not None else user for number, (_, user, *_) in enumerate(parts)]
    room, live = (np.concatenate([part[place] for part in parts]) for place in (0, 2))
    return room, np.concatenate(users).astype(np.int64), live


@checked
def grouped(dataset: Dataset, by: str | Sequence[str], *, time_zone: str = "UTC") -> pd.DataFrame:
    """The streams in groups.

    Args:
        dataset: the audience.
        by: columns of the rooms table (`creator_id`, `community_id`, `type`, your own), `weekday` and `hour` of going
            on air, or a dimension of viewers, which is a column of your own in views; one or several, but one of views.
            By a dimension of viewers each stream is in the group of each value that its viewers have, with what those
            did.
        time_zone: the zone of `weekday` and `hour`.

    Returns:
        By group: `streams, views, unique_viewers, live_viewers` (distinct over the group), `minutes_watched,
        minutes_per_stream, minutes_per_viewer` (live), `peak_viewers` (of its best stream), `average_viewers`
        (viewer-seconds ÷ live seconds of all), `messages, reactions, engagement_rate` ((messages + reactions) ÷ live
        viewers). Streams without the column's value are left out.

    Raises:
        InvalidInput: there is no such column.
    """
    names = [by] if isinstance(by, str) else list(by)
    of_viewers = [name for name in names if name not in TIMES and is_of_viewers(dataset, name)]
    if len(of_viewers) > 1:
        raise InvalidInput(f"streams are split by one column of viewers at a time, not {', '.join(of_viewers)}")
    if of_viewers:
        dataset = split(dataset, of_viewers[0])
    table = dataset.kpis.reset_index()
    went = table["live_at"].dt.tz_convert(zone_named(time_zone))
    table["weekday"] = pd.Categorical(went.dt.day_name(), WEEKDAYS, ordered=True)
    table["hour"] = went.dt.hour.astype("Int64")
    if unknown := [name for name in names if name not in table.columns]:
        raise InvalidInput(f"streams cannot be grouped by {', '.join(unknown)}: choose from {', '.join(table.columns)}")
    table["minutes_live"] = table["minutes_watched"] - table["replay_watch_seconds"] / 60
    table["viewer_seconds"] = table["average_viewers"] * table["duration_seconds"]
    groups = table.groupby(names, observed=True)
    sums = groups[["views", "minutes_watched", "messages", "reactions", *SUMMED]].sum(min_count=1)
    made = pd.DataFrame({"streams": groups.size()}).join(sums)
    code: Whole = np.asarray(groups.ngroup().fillna(-1), dtype=np.int64)  # -1: in no group
    room, user, live = _viewers(dataset)
    every = np.ones(len(live), dtype=bool)
    for place, (name, some) in enumerate((("unique_viewers", every), ("live_viewers", live)), 2):
        inside = (code[room] >= 0) & some
        members: Whole = code[room[inside]]
        made.insert(place, name, _distinct([(members, user[inside])], len(made)))
        made[name] = made[name].where(made["views"].notna())
    made["peak_viewers"] = groups["peak_viewers"].max()
    made["average_viewers"] = made["viewer_seconds"] / made["duration_seconds"].where(made["duration_seconds"] > 0)
    made["minutes_per_stream"] = made["minutes_watched"] / made["streams"]
    viewers = made["live_viewers"].where(made["live_viewers"] > 0)
    made["minutes_per_viewer"] = made["minutes_live"] / viewers
    made["engagement_rate"] = (made["messages"] + made["reactions"]) / viewers
    return made.drop(columns=list(SUMMED))


@checked
def cohorts(dataset: Dataset, *, by: str | None = None, period: str = "W", time_zone: str = "UTC") -> pd.DataFrame:
    """Returning viewers: of those who first watched live in a period, the share who did again so many periods later.

    Args:
        dataset: the audience.
        by: a column of rooms, or a dimension of viewers, which is a column of your own in views: each of its values has
            cohorts of its own, of who first watched there, and whether they watched there again.
        period: `D`, `W` (from Monday) or `M`.
        time_zone: the zone of the periods.

    Returns:
        One row per period of first watching (its beginning), `viewers` and a column for each number of periods since
        then, 0 being the first; NaN where that period is not over at `dataset.as_of`: half a week is no small week.
        With `by` the value comes before the period in the index; streams without one are left out.

    Raises:
        InvalidInput: the period is none of these, or there is no such column.
    """
    if period not in ("D", "W", "M"):
        raise InvalidInput(f"period is D, W or M, not {period!r}")
    zone_named(time_zone)
    viewers_known(dataset)
    if by is not None and is_of_viewers(dataset, by):
        dataset = split(dataset, by)
    rooms = dataset.rooms
    if by is not None and by not in rooms.columns:
        raise InvalidInput(f"cohorts have no column {by!r}: choose from {', '.join(map(str, rooms.columns))}")
    code, values = (np.zeros(len(rooms), dtype=np.int64), ["all"]) if by is None else pd.factorize(rooms[by], sort=True)
    began = dataset.windows.begin
    room, user, live = _viewers(dataset)
    known = live & (began[room] != NEVER) & (code[room] >= 0)
    room, user = room[known], user[known]
    if len(room) == 0:
        return pd.DataFrame({"viewers": pd.Series([], dtype="int64")})
    local = pd.Series(moments_of(began)).dt.tz_convert(time_zone).dt.tz_localize(None).dt.to_period(period)
    number = np.array([value.ordinal if value == value else -1 for value in local], dtype=np.int64)
    when, group = number[room], code[room]
    low, high = int(when.min()), int(when.max())
    over = high + 1
    if dataset.as_of is not None:
        over = dataset.as_of.tz_convert(time_zone).tz_localize(None).to_period(period).ordinal
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], np.arange(len(values) + 1))
    grids = [
        _cohorts(when[mine], user[mine], low, high, over)
        for mine in (order[first:after] for first, after in pairwise(edges.tolist()))
    ]
    widest = 1 + max(int(np.flatnonzero(~np.isnan(share).all(axis=0)).max(initial=0)) for _, share in grids)
    made = []
    for sizes, share in grids:
        kept = sizes > 0
        starts = [pd.Period(ordinal=low + int(place), freq=period).start_time for place in np.flatnonzero(kept)]
        made.append(pd.DataFrame(share[kept, :widest], index=pd.DatetimeIndex(starts, name="first watched")))
        made[-1].insert(0, "viewers", sizes[kept])
    return made[0] if by is None else pd.concat(made, keys=list(values), names=[by])


def _cohorts(when: Whole, user: Whole, low: int, high: int, over: int) -> tuple[Whole, NDArray[np.float64]]:
    """Viewers by period of first watching, and by periods since then the share who watched; NaN from `over` on."""
    first = np.full(int(user.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, user, when)
    span = high - low + 1
    cell = (first[user] - low) * span + (when - first[user])
    counts = _distinct([(cell, user)], span * span).reshape(span, span)
    sizes: Whole = counts[:, 0]
    share = counts / np.where(sizes > 0, sizes, np.nan)[:, None]
    then = np.add.outer(np.arange(span), np.arange(span)) + low
    share[then > high] = np.nan
    share[:, 1:][then[:, 1:] >= over] = np.nan
    return sizes, share
