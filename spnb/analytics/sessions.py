"""Watch sessions as columns of numbers: mended, clipped to the live window, in order. All audience metrics start here.

The rules of repair are named; `Sessions.quality` tells how many rows each one met:

    no end                  the session's end is its start plus what was watched, else the end of the live window
    end before start        the end is the start plus what was watched
    after the live window   marked as replay, or left out while the stream is still on air
    before the live window  left out
    watched longer than it lasted   cut to the session's length

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
from spnb.analytics.windows import NEVER, Whole, Windows, milliseconds, moments_of

__all__ = ["RECONNECT_SECONDS", "Sessions", "coded", "in_order", "sessions_of"]

RECONNECT_SECONDS = 30.0
"""Sessions of one user in one room less than this apart are one view."""
SKEW_MS = 1000
"""Clocks of player and server may differ this much before it is worth a word."""

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
        return room[live], user[live], start[live], end[live]

    def frame(self) -> pd.DataFrame:
        """The mended sessions as a views table, with `reconnect` beside it."""
        return pd.DataFrame(
            {
                "room_id": self.windows.names[self.room],
                "user": self.user,
                "start": moments_of(self.start),
                "end": moments_of(self.end),
                "watch_seconds": self.watched,
                "replay": self.replay,
                "reconnect": ~self.is_view(),
            }
        )


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
    start, end = _ended(windows, room, start, end, np.where(known, watched, 0.0), steps)
    lasted = end - start
    windows = _guessed(windows, room, start, end, replay, steps)
    begin, finish = windows.begin[room], windows.finish[room]

    after = (start >= finish) & ~replay
    if after.any():
        after &= windows.over[room]
        replay = replay | after
    steps.append(Step("after the live window", "views", int(after.sum()), "marked as replay"))
    unclipped = ((start < begin) | (end > finish)) & ~replay
    outside = np.zeros(0, dtype=bool)
    if unclipped.any():
        unclipped &= begin != NEVER
        before = unclipped & (start < begin) & (end <= begin)
        ahead = unclipped & (start > finish)
        steps.append(Step("before the live window", "views", int(before.sum()), "left out"))
        steps.append(Step("after the moment reckoned to", "views", int(ahead.sum()), "left out"))
        outside = before | ahead
        start = np.where(unclipped, np.maximum(start, begin), start)
        end = np.where(unclipped, np.maximum(np.minimum(end, finish), start), end)

    longer = watched * 1000.0 > lasted + SKEW_MS
    if outside.size:
        longer &= ~outside
    steps.append(Step("watched longer than it lasted", "views", int(longer.sum()), "cut to its length"))
    length = (end - start) / 1000.0
    watched = np.minimum(watched, length) if known.all() else np.where(known, np.minimum(watched, length), length)

    if outside.any():
        kept = ~outside
        room, user, replay = room[kept], user[kept], replay[kept]
        start, end, watched = start[kept], end[kept], watched[kept]
    return in_order(windows, room, user, start, end, watched, replay, steps)


def _ended(
    windows: Windows, room: Whole, start: Whole, end: Whole, watched: NDArray[np.float64], steps: list[Step]
) -> tuple[Whole, Whole]:
    """Give an end to sessions that have none, and a later one to those that ended before they began."""
    backward = end < start  # no end is the smallest number there is
    if not backward.any():
        return start, end
    played = np.rint(watched * 1000.0).astype(np.int64)
    open_ = end == NEVER
    finish = windows.finish[room]
    # An open session that began after the stream's end watched the recording; nobody knows how long.
    otherwise = np.maximum(start, np.where(finish == NEVER, start, finish))
    end = np.where(open_, np.where(played > 0, start + played, otherwise), np.where(backward, start + played, end))
    steps.append(Step("no end", "views", int(open_.sum()), "ended after what was watched, else with the stream"))
    steps.append(Step("end before start", "views", int((backward & ~open_).sum()), "ended after what was watched"))
    return start, end


def _guessed(windows: Windows, room: Whole, start: Whole, end: Whole, replay: Flags, steps: list[Step]) -> Windows:
    """Windows with the unknown ones filled from the live sessions themselves."""
    count = len(windows.names)
    no_begin, no_finish = windows.begin == NEVER, windows.finish == NEVER
    if not (no_begin.any() or no_finish.any()):
        return windows
    far = np.iinfo(np.int64).max
    first, last = np.full(count, far), np.full(count, NEVER)
    np.minimum.at(first, room[~replay], start[~replay])
    np.maximum.at(last, room[~replay], end[~replay])
    seen = first != far
    begin = np.where(no_begin & seen, first, windows.begin)
    # A window that is known to have begun cannot finish before it did.
    finish = np.where(no_finish & seen, np.maximum(last, begin), windows.finish)
    finish = np.where(no_finish & ~seen & (begin != NEVER), begin, finish)
    guessed = int((no_begin & seen).sum())
    steps.append(Step("stream without its times", "rooms", guessed, "its window is that of its sessions"))
    return Windows(windows.names, begin, finish, windows.over)


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
    base = np.full(len(windows.names), np.iinfo(np.int64).max)
    np.minimum.at(base, room, start)
    from_base = start - base[room]
    span = int((end - base[room]).max()) + 1
    pair = (room * (int(user.max()) + 1) + user) * 2 + replay
    order = _order(pair, from_base, end, span)
    if order is not None:
        room, user, replay, pair = room[order], user[order], replay[order], pair[order]
        start, end, watched = start[order], end[order], watched[order]
    first = np.ones(count, dtype=bool)
    first[1:] = pair[1:] != pair[:-1]
    # A running maximum per user and room in one pass: each pair lifts its ends above all pairs before.
    lift = np.cumsum(first) * span - base[room]
    reach = np.maximum.accumulate(end + lift) - lift
    gap = np.full(count, NEVER)
    gap[1:] = np.where(first[1:], NEVER, start[1:] - reach[:-1])
    live = ~replay
    overlap = ~first & (gap < 0) & live
    steps.append(Step("overlap", "views", int(overlap.sum()), "kept: two tabs are one viewer and two views"))
    joined = ~first & (gap >= 0) & (gap < RECONNECT_SECONDS * 1000)
    steps.append(Step("reconnect", "views", int(joined.sum()), f"no new view: under {RECONNECT_SECONDS:g} s apart"))
    return Sessions(windows, room, user, start, end, watched, replay, first, reach, gap, Quality.of(steps))


def _order(pair: Whole, from_base: Whole, end: Whole, span: int) -> Whole | None:
    """The order by pair, start and end; None where the rows stand in it already, as they do in saved tables."""
    if int(pair.max()) >= 2**62 // max(span, 1):
        made: Whole = np.lexsort((end, from_base, pair))
        return made
    key = pair * span + from_base
    rising = key[1:] > key[:-1]
    if rising.all():
        return None
    order = np.argsort(key, kind="stable" if rising.mean() > 0.9 else None)
    ordered = key[order]
    equal = ordered[1:] == ordered[:-1]
    if equal.any():
        tied = np.flatnonzero(np.append(equal, False) | np.insert(equal, 0, False))
        rows = order[tied]
        order[tied] = rows[np.lexsort((end[rows], ordered[tied]))]
    return order
