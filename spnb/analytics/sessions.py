"""Watch sessions as columns of numbers: mended, clipped to the live window, in order. All audience metrics start here.

The rules of repair stand in `spnb.analytics.repair`; `Sessions.quality` tells how many rows each one met.
Two more findings change no row: `reconnect` (counts as no new view) and `overlap` (two tabs are one viewer, two views).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.frames import ensured
from spnb.analytics.quality import Quality, Step
from spnb.analytics.repair import clipped, ended, replays_marked, watched_within, windows_guessed
from spnb.analytics.windows import NEVER, Whole, Windows, milliseconds, moments_of

__all__ = ["RECONNECT_SECONDS", "Sessions", "coded", "in_order", "repaired", "sessions_of"]

RECONNECT_SECONDS = 30.0
"""Sessions of one user in one room less than this apart are one view."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Watch sessions ordered by room, user, replay, start and end.

    Attributes:
        windows: the rooms; `room` holds places in it.
        room, user: codes.
        start, end: milliseconds since 1970, `end >= start`; live sessions lie within their room's window.
        watched: seconds played.
        replay: whether the recording was watched.
        first: the first session of its user in its room, live and replays apart.
        reach: until when the user had watched without a break when this session ended.
        gap: milliseconds since `reach` before this session; negative where it overlaps, `NEVER` where it is the first.
        quality: what was mended.
    """

    windows: Windows
    room: Whole
    user: Whole
    start: Whole
    end: Whole
    watched: NDArray[np.float64]
    replay: Flags
    first: Flags
    reach: Whole
    gap: Whole
    quality: Quality = field(default_factory=Quality)

    def __len__(self) -> int:
        return len(self.room)

    def is_view(self, gap_seconds: float = RECONNECT_SECONDS) -> Flags:
        """Whether each session is a view of its own, and no reconnect."""
        return self.first | (self.gap < 0) | (self.gap >= round(gap_seconds * 1000))

    def is_viewer(self) -> Flags:
        """True once for each user of each room, live or replay."""
        made = np.ones(len(self), dtype=bool)
        made[1:] = (self.room[1:] != self.room[:-1]) | (self.user[1:] != self.user[:-1])
        return made

    def islands(self) -> tuple[Whole, Whole, Whole, Whole]:
        """Room, user, start and end of each unbroken stretch of live watching: a user's tabs are one viewer."""
        opens = self.first | (self.gap > 0)
        places = np.flatnonzero(opens)
        last = np.append(places[1:], len(self)) - 1 if len(places) else places
        room, user, start, end = self.room[places], self.user[places], self.start[places], self.reach[last]
        live = ~self.replay[places] & (end > start)
        if live.all():
            return room, user, start, end
        return room[live], user[live], start[live], end[live]

    def frame(self, users: Any) -> pd.DataFrame:
        """The mended sessions as a table, with `reconnect` beside it; `users` are the ids by code."""
        return pd.DataFrame(
            {
                "room_id": self.windows.names[self.room],
                "user_id": np.asarray(users, dtype=object)[self.user],
                "start": moments_of(self.start),
                "end": moments_of(self.end),
                "watch_seconds": self.watched,
                "replay": self.replay,
                "reconnect": ~self.is_view(),
            }
        )


def repaired(views: Any, rooms: Any = None, *, as_of: Any = None) -> tuple[pd.DataFrame, Quality]:
    """A views table as the metrics see it, and what was mended on the way.

    Args:
        views: the views table, any frame.
        rooms: the rooms table, for the live windows; without it a stream's sessions make its window.
        as_of: end of the window of rooms still on air.

    Returns:
        `room_id, user_id, start, end, watch_seconds, replay, reconnect`, ordered by stream, user and time.
    """
    table = ensured("views", views)
    made = sessions_of(table, rooms, as_of=as_of)
    return made.frame(table["user_id"].unique()), made.quality


def sessions_of(views: Any, rooms: Any = None, *, as_of: Any = None) -> Sessions:
    """Sessions of a views table, mended and in order.

    Args:
        views: the views table, any frame.
        rooms: the rooms table, for the live windows; without it a stream's sessions make its window.
        as_of: end of the window of rooms still on air.
    """
    table = ensured("views", views)
    room, names = pd.factorize(table["room_id"])
    user, _ = pd.factorize(table["user_id"])
    if rooms is not None:
        known = Windows.of(rooms, as_of)
        names = pd.Index(names).append(pd.Index(known.names).difference(pd.Index(names), sort=False))
        windows = known.chosen(names)
    else:
        windows = Windows.unknown(names)
    return coded(
        windows,
        room.astype(np.int64),
        user.astype(np.int64),
        milliseconds(table["start"]),
        milliseconds(table["end"]),
        table["watch_seconds"].to_numpy(),
        table["replay"].to_numpy(),
    )


def coded(
    windows: Windows,
    room: Whole,
    user: Whole,
    start: Whole,
    end: Whole,
    watched: NDArray[np.float64],
    replay: Flags,
) -> Sessions:
    """Mend, clip and order sessions that are columns already; see the module for the rules."""
    # Most tables need little mending: each rule looks first, and touches columns only where it finds something.
    steps: list[Step] = []
    known = watched >= 0  # neither NaN nor negative
    start, end = ended(windows, room, start, end, np.where(known, watched, 0.0), steps)
    lasted = end - start
    windows = windows_guessed(windows, room, start, end, replay, steps)
    replay = replays_marked(windows, room, start, replay, steps)
    start, end, outside = clipped(windows, room, start, end, replay, steps)
    watched = watched_within(watched, known, start, end, lasted, outside, steps)
    if outside.any():
        kept = ~outside
        room, user, replay = room[kept], user[kept], replay[kept]
        start, end, watched = start[kept], end[kept], watched[kept]
    return in_order(windows, room, user, start, end, watched, replay, steps)


def in_order(
    windows: Windows,
    room: Whole,
    user: Whole,
    start: Whole,
    end: Whole,
    watched: NDArray[np.float64],
    replay: Flags,
    steps: list[Step],
) -> Sessions:
    """Order mended sessions and find what follows from their order: first ones, gaps, unbroken stretches."""
    count = len(room)
    if count == 0:
        none = np.zeros(0, dtype=bool)
        return Sessions(windows, room, user, start, end, watched, replay, none, start, start, Quality.of(steps))
    pair = (room * (int(user.max()) + 1) + user) * 2 + replay
    order = _order(windows, room, pair, start, end)
    if order is not None:
        room, user, replay, pair = room[order], user[order], replay[order], pair[order]
        start, end, watched = start[order], end[order], watched[order]
    first = np.ones(count, dtype=bool)
    np.not_equal(pair[1:], pair[:-1], out=first[1:])
    reach, gap = end, np.full(count, NEVER)
    again = np.flatnonzero(~first)  # most people come once: only of the others it matters when they left before
    if len(again):
        came = np.flatnonzero(~first | ~np.append(first[1:], True))
        reach = end.copy()
        reach[came] = _running_maximum(end[came], first[came])
        gap[again] = start[again] - reach[again - 1]
    between, live = gap[again], ~replay[again]
    overlap = (between < 0) & live
    steps.append(Step("overlap", "views", int(overlap.sum()), "kept: two tabs are one viewer and two views"))
    joined = (between >= 0) & (between < RECONNECT_SECONDS * 1000)
    steps.append(Step("reconnect", "views", int(joined.sum()), f"no new view: under {RECONNECT_SECONDS:g} s apart"))
    return Sessions(windows, room, user, start, end, watched, replay, first, reach, gap, Quality.of(steps))


def _running_maximum(values: Whole, first: Flags) -> Whole:
    """The largest value so far in each group, in one pass: each group is lifted above all groups before it."""
    group = np.cumsum(first) - 1
    from_first = values - values[first][group]
    least = int(from_first.min())
    lift = group * (int(from_first.max()) - least + 1) - (values - from_first)
    made: Whole = np.maximum.accumulate(values + lift) - lift
    return made


def _order(windows: Windows, room: Whole, pair: Whole, start: Whole, end: Whole) -> Whole | None:
    """The order by pair, start and end; None where the rows stand in it already, as they do in saved tables."""
    if ((pair[1:] > pair[:-1]) | ((pair[1:] == pair[:-1]) & (start[1:] > start[:-1]))).all():
        return None
    base = np.full(len(windows.names), np.iinfo(np.int64).max)
    np.minimum.at(base, room, start)
    from_base = start - base[room]
    span = int(from_base.max()) + 1
    if int(pair.max()) >= 2**62 // span:
        made: Whole = np.lexsort((end, from_base, pair))
        return made
    key = pair * span + from_base
    order = np.argsort(key, kind="stable" if (key[1:] > key[:-1]).mean() > 0.9 else None)
    ordered = key[order]
    equal = ordered[1:] == ordered[:-1]
    if equal.any():
        tied = np.flatnonzero(np.append(equal, False) | np.insert(equal, 0, False))
        rows = order[tied]
        order[tied] = rows[np.lexsort((end[rows], ordered[tied]))]
    return order
