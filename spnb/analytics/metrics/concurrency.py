"""Concurrent viewers: an exact step function, by one sort over joins and leaves. Never sampled, never smoothed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.sessions import Sessions, sessions_of
from spnb.analytics.windows import NEVER, Whole, moments_of

__all__ = ["Sweep", "average", "concurrency", "peak", "sweep"]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Concurrency of many rooms.

    Attributes:
        room, at, viewers: every change of every room: `viewers` watch from `at` (milliseconds) on.
        peak, peak_at: per room code; `peak_at` is `NEVER` where nobody watched.
        seconds: viewer-seconds per room code.
    """

    room: Whole
    at: Whole
    viewers: Whole
    peak: Whole
    peak_at: Whole
    seconds: NDArray[np.float64]


def sweep(sessions: Sessions, *, steps: bool = True) -> Sweep:
    """The step functions of all rooms. Leaves sort before joins on ties.

    Args:
        sessions: mended ones.
        steps: False leaves `room`, `at` and `viewers` empty, for who needs only what follows from them.
    """
    room, _, start, end = sessions.islands()
    count = len(sessions.windows.names)
    seconds = np.bincount(room, weights=(end - start) / 1000.0, minlength=count).astype(np.float64)
    peak, peak_at = np.zeros(count, dtype=np.int64), np.full(count, NEVER)
    none = np.zeros(0, dtype=np.int64)
    if len(room) == 0:
        return Sweep(none, none, none, peak, peak_at, seconds)
    sizes = np.bincount(room, minlength=count)
    some = np.flatnonzero(sizes)
    first = (np.cumsum(sizes) - sizes)[some]
    base = np.zeros(count, dtype=np.int64)
    base[some] = np.minimum.reduceat(start, first)
    # rooms stand side by side: repeating is a straight run through memory, looking up is not
    of_session = np.repeat(base, sizes)
    events = _events(start - of_session, end - of_session, sizes)
    # Every room ends at zero, so one running sum serves them all.
    viewers = np.cumsum((events & 1).astype(np.int8) * np.int8(2) - np.int8(1), dtype=np.int32)
    peak[some] = np.maximum.reduceat(viewers, 2 * first)
    tops = np.flatnonzero(viewers == np.repeat(peak.astype(np.int32), 2 * sizes))
    edges = 2 * np.cumsum(sizes)
    of_top = np.searchsorted(edges, tops, side="right")
    # written backward, so that the first time stays
    peak_at[of_top[::-1]] = (events[tops[::-1]] >> 1) + base[of_top[::-1]]
    if not steps:
        return Sweep(none, none, none, peak, peak_at, seconds)
    kept = _steps(events >> 1, viewers, edges[some])
    of_room = np.repeat(some, np.add.reduceat(kept, 2 * first, dtype=np.int64))
    return Sweep(of_room, (events[kept] >> 1) + base[of_room], viewers[kept].astype(np.int64), peak, peak_at, seconds)


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


def _events(start: Whole, end: Whole, sizes: Whole) -> NDArray[Any]:
    """Joins and leaves, room after room, each in order: twice the time, and 1 for a join, so that leaves come first.

    `start` and `end` count from each room's beginning.
    """
    count = len(start)
    bits = int(end.max()).bit_length() + 1
    events = np.empty(2 * count, dtype=np.uint32 if bits <= 32 else np.int64)
    place = np.arange(count) + np.repeat(np.cumsum(sizes) - sizes, sizes)
    events[place] = start << 1 | 1
    events[place + np.repeat(sizes, sizes)] = end << 1
    edges = np.concatenate((np.zeros(1, dtype=np.int64), 2 * np.cumsum(sizes)))
    for first, after in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        events[first:after].sort()  # a room at a time stays in the processor's cache
    return events


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
