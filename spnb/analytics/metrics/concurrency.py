"""Concurrent viewers: an exact step function, by one sort over joins and leaves. Never sampled, never smoothed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.sessions import Sessions, sessions_of
from spnb.analytics.windows import NEVER, Whole, moments_of

__all__ = ["Sweep", "average", "concurrency", "peak", "sweep"]


BLOCK = 1 << 15
"""Sessions swept at once: so many stay in the processor's cache, and take no fresh memory from the system."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Concurrency of many rooms.

    Attributes:
        base: when each room's first viewer came (milliseconds), per room code; `NEVER` where nobody did.
        steps: how many changes each room has, per room code.
        since, viewers: every change, room after room: `viewers` watch from `since` milliseconds after `base` on.
        peak, peak_at: per room code; `peak_at` is `NEVER` where nobody watched.
        seconds: viewer-seconds per room code.
    """

    base: Whole
    steps: Whole
    since: NDArray[Any]
    viewers: NDArray[np.int32]
    peak: Whole
    peak_at: Whole
    seconds: NDArray[np.float64]

    @property
    def room(self) -> Whole:
        """The room of every change."""
        return np.repeat(np.arange(len(self.steps)), self.steps)

    @property
    def at(self) -> Whole:
        """The time of every change."""
        made: Whole = np.repeat(self.base, self.steps) + self.since
        return made


def sweep(sessions: Sessions, *, steps: bool = True) -> Sweep:
    """The step functions of all rooms. Leaves sort before joins on ties.

    Args:
        sessions: mended ones.
        steps: False leaves `steps`, `since` and `viewers` empty, for who needs only what follows from them.
    """
    room, _, start, end = sessions.islands()
    count, changes = len(sessions.windows.names), 2 * len(room) if steps else 0
    sizes = np.bincount(room, minlength=count)
    some, after = np.flatnonzero(sizes), np.cumsum(sizes)
    base, narrow = np.full(count, NEVER), False
    if len(some):
        first = (after - sizes)[some]
        base[some] = np.minimum.reduceat(start, first)
        narrow = bool((np.maximum.reduceat(end, first) - base[some]).max() < 2**31)
    nothing = np.zeros(count, dtype=np.int64)
    since, viewers = np.empty(changes, dtype=np.uint32 if narrow else np.int64), np.empty(changes, dtype=np.int32)
    made = Sweep(base, nothing, since, viewers, nothing.copy(), np.full(count, NEVER), np.zeros(count))
    used = 0
    for rooms in _blocks(some, after):
        begin = int(after[rooms[0]] - sizes[rooms[0]])
        block = slice(begin, int(after[rooms[-1]]))
        used = _swept(made, rooms, start[block], end[block], after[rooms] - begin, used if steps else None)
    return replace(made, since=since[:used], viewers=viewers[:used])


def _blocks(some: Whole, after: Whole) -> Iterator[Whole]:
    """Rooms in blocks of about `BLOCK` sessions each; `after` is where each room's end."""
    if len(some):
        yield from np.split(some, np.flatnonzero(np.diff(after[some] // BLOCK)) + 1)


def _swept(made: Sweep, rooms: Whole, start: Whole, end: Whole, after: Whole, used: int | None) -> int:
    """Sweep some rooms that stand side by side, whose sessions end at `after`; steps are written from `used` on.

    Returns:
        How many steps are written then.
    """
    sizes = np.diff(after, prepend=0)
    first = after - sizes
    made.seconds[rooms] = np.add.reduceat(end - start, first) / 1000.0
    # rooms stand side by side: repeating is a straight run through memory, looking up is not
    base = np.repeat(made.base[rooms], sizes)
    # joins and leaves: twice the time, and 1 for a join, so that leaves come first
    events = np.empty(2 * len(start), dtype=made.since.dtype)
    events[::2], events[1::2] = start - base, end - base
    events += events
    events[::2] += 1
    spans = list(zip((2 * first).tolist(), (2 * after).tolist(), strict=True))
    for begin, close in spans:
        events[begin:close].sort()
    # every room ends at zero, so one running sum serves them all
    viewers = (events & 1).astype(np.int32)
    viewers += viewers
    viewers -= 1
    np.cumsum(viewers, out=viewers)
    events >>= 1
    tops = np.array([begin + viewers[begin:close].argmax() for begin, close in spans])
    made.peak[rooms], made.peak_at[rooms] = viewers[tops], made.base[rooms] + events[tops]
    if used is None:
        return 0
    kept = _steps(events, viewers, 2 * after)
    made.steps[rooms] = counts = np.add.reduceat(kept, 2 * first, dtype=np.int64)
    until = used + int(counts.sum())
    made.since[used:until] = events[kept]
    made.viewers[used:until] = viewers[kept]
    return until


def _steps(when: NDArray[Any], viewers: NDArray[np.int32], edges: Whole) -> NDArray[np.bool_]:
    """One step per time, and only where the number really changes; `edges` are where the next room begins."""
    kept = np.ones(len(when), dtype=bool)
    np.not_equal(when[1:], when[:-1], out=kept[:-1])
    kept[edges - 1] = True
    # where nothing else happened at the time, one came or went: only of several the number may be as before
    several = np.flatnonzero(kept[1:] & ~kept[:-1]) + 1
    if len(several):
        last = np.flatnonzero(kept)
        place = np.searchsorted(last, several)
        before = np.where(place > 0, viewers[last[place - 1]], 0)
        kept[several[viewers[several] == before]] = False
    return kept


@checked
def concurrency(sessions: Any, rooms: Any = None, *, as_of: Any = None) -> pd.DataFrame:
    """Concurrent viewers: distinct users with an open session, as an exact step function.

    Args:
        sessions: the views table.
        rooms: the rooms table, for the live windows.
        as_of: end of the window of rooms still on air.

    Returns:
        `room_id, at, viewers`: so many watch from `at` on, until the room's next row; the first row of a stream is its
        beginning, after the last one nobody watches. Ordered by room and time.
    """
    made = sessions_of(sessions, rooms, as_of=as_of)
    swept = sweep(made)
    windows = made.windows
    first = np.full(len(windows.names), np.iinfo(np.int64).max)
    np.minimum.at(first, swept.room, swept.at)
    quiet = np.flatnonzero((windows.begin != NEVER) & (first > windows.begin))
    frame = pd.DataFrame(
        {
            "room_id": windows.names[np.concatenate((quiet, swept.room))],
            "at": moments_of(np.concatenate((windows.begin[quiet], swept.at))),
            "viewers": np.concatenate((np.zeros(len(quiet), dtype=np.int64), swept.viewers)),
        }
    )
    return frame.sort_values(["room_id", "at"], ignore_index=True)


@checked
def peak(sessions: Any, rooms: Any = None, *, as_of: Any = None) -> pd.DataFrame:
    """The most concurrent viewers of each stream and when there were first that many.

    Returns:
        `peak_viewers, peak_at` by `room_id`.
    """
    made = sessions_of(sessions, rooms, as_of=as_of)
    swept = sweep(made)
    return pd.DataFrame(
        {"peak_viewers": swept.peak, "peak_at": moments_of(swept.peak_at)},
        index=pd.Index(made.windows.names, name="room_id"),
    )


@checked
def average(sessions: Any, rooms: Any = None, *, as_of: Any = None) -> pd.Series[float]:
    """Average concurrent viewers of each stream: viewer-seconds ÷ live duration; NaN where it has none."""
    made = sessions_of(sessions, rooms, as_of=as_of)
    return pd.Series(
        averaged(sweep(made).seconds, made.windows.seconds),
        index=pd.Index(made.windows.names, name="room_id"),
        name="average_viewers",
    )


def averaged(viewer_seconds: NDArray[np.float64], live_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Viewer-seconds ÷ live seconds; NaN without live seconds."""
    length = np.where(live_seconds > 0, live_seconds, np.nan)
    made: NDArray[np.float64] = viewer_seconds / length
    return made
