"""Repair of watch sessions: each rule a function, each told with the rows it met.

    no end                          `ended`: the start plus what was watched, else the end of the live window
    end before start                `ended`: the start plus what was watched
    stream without its times        `windows_guessed`: its window is that of its sessions
    after the live window           `replays_marked`: marked as replay; while the stream is still on air left out
    before the live window          `clipped`: left out; what reaches into the window begins with it
    watched longer than it lasted   `watched_within`: cut to the session's length

The functions take columns, whole ones: `start` and `end` in milliseconds since 1970, `room` as places in the windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spnb.analytics.quality import Step
from spnb.analytics.windows import NEVER, Whole, Windows

__all__ = ["clipped", "ended", "replays_marked", "watched_within", "windows_guessed"]

SKEW_MS = 1000
"""Clocks of player and server may differ this much before it is worth a word."""

Flags = NDArray[np.bool_]
Seconds = NDArray[np.float64]


def ended(
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


def windows_guessed(
    windows: Windows, room: Whole, start: Whole, end: Whole, replay: Flags, steps: list[Step]
) -> Windows:
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


def replays_marked(windows: Windows, room: Whole, start: Whole, replay: Flags, steps: list[Step]) -> Flags:
    """Sessions that began when the stream was over watched its recording."""
    after = (start >= windows.finish[room]) & ~replay
    if after.any():
        after &= windows.over[room]
        replay = replay | after
    steps.append(Step("after the live window", "views", int(after.sum()), "marked as replay"))
    return replay


def clipped(
    windows: Windows, room: Whole, start: Whole, end: Whole, replay: Flags, steps: list[Step]
) -> tuple[Whole, Whole, Flags]:
    """Live sessions within their windows, and which ones lie outside altogether."""
    begin, finish = windows.begin[room], windows.finish[room]
    over_edge = ((start < begin) | (end > finish)) & ~replay & (begin != NEVER)
    if not over_edge.any():
        return start, end, over_edge
    before = over_edge & (start < begin) & (end <= begin)
    ahead = over_edge & (start > finish)
    steps.append(Step("before the live window", "views", int(before.sum()), "left out"))
    steps.append(Step("after the moment reckoned to", "views", int(ahead.sum()), "left out"))
    start = np.where(over_edge, np.maximum(start, begin), start)
    end = np.where(over_edge, np.maximum(np.minimum(end, finish), start), end)
    return start, end, before | ahead


def watched_within(
    watched: Seconds, known: Flags, start: Whole, end: Whole, lasted: Whole, outside: Flags, steps: list[Step]
) -> Seconds:
    """Seconds watched, never more than the session has; where nobody told them, the session's length."""
    longer = (watched * 1000.0 > lasted + SKEW_MS) & ~outside
    steps.append(Step("watched longer than it lasted", "views", int(longer.sum()), "cut to its length"))
    length = (end - start) / 1000.0
    least = np.minimum(watched, length)
    return least if known.all() else np.where(known, least, length)
