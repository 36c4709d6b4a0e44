"""Who watched, how often and how long; who came and went; who came back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.frames import ensured
from spnb.analytics.metrics.bins import Bins, bin_milliseconds
from spnb.analytics.sessions import RECONNECT_SECONDS, Flags, Sessions, sessions_of
from spnb.analytics.windows import NEVER, Whole, milliseconds

__all__ = [
    "joins_leaves",
    "marked",
    "returned",
    "returning",
    "unique_viewers",
    "view_duration",
    "views",
    "watch_time",
]


@checked
def views(
    sessions: Any,
    rooms: Any = None,
    *,
    gap_seconds: float = RECONNECT_SECONDS,
    replay: bool | None = None,
    as_of: Any = None,
) -> pd.Series[int]:
    """Views of each stream: sessions started, repeats counted, reconnects not.

    Args:
        sessions: the views table.
        rooms: the rooms table, for the live windows.
        gap_seconds: sessions of one user less than this apart are one view.
        replay: only replays, only live views, or both with None (what the Console counts).
        as_of: end of the window of rooms still on air.
    """
    made = sessions_of(sessions, rooms, as_of=as_of)
    return _by_room(made, _counted(made, made.is_view(gap_seconds) & _wanted(made, replay)), "views")


@checked
def unique_viewers(
    sessions: Any, rooms: Any = None, *, replay: bool | None = None, as_of: Any = None
) -> pd.Series[int]:
    """Distinct users with a session, of each stream; `replay` as for `views`."""
    made = sessions_of(sessions, rooms, as_of=as_of)
    once = made.is_viewer() if replay is None else made.first & _wanted(made, replay)
    return _by_room(made, _counted(made, once), "unique_viewers")


@checked
def watch_time(sessions: Any, rooms: Any = None, *, replay: bool | None = None, as_of: Any = None) -> pd.Series[float]:
    """Seconds watched of each stream, without pauses and buffering; ÷ 60 are the Console's minutes watched."""
    made = sessions_of(sessions, rooms, as_of=as_of)
    weights = np.where(_wanted(made, replay), made.watched, 0.0)
    return _by_room(made, np.bincount(made.room, weights, len(made.windows.names)), "watch_seconds")


@checked
def view_duration(
    sessions: Any,
    rooms: Any = None,
    *,
    gap_seconds: float = RECONNECT_SECONDS,
    replay: bool | None = False,
    as_of: Any = None,
) -> pd.Series[float]:
    """Average view duration of each stream in seconds: watch time ÷ views, of `replay` as for `views`, live without.

    Per user it is another number.
    """
    seconds = watch_time(sessions, rooms, replay=replay, as_of=as_of)
    count = views(sessions, rooms, gap_seconds=gap_seconds, replay=replay, as_of=as_of)
    return (seconds / count.where(count > 0)).rename("view_seconds")


@checked
def joins_leaves(sessions: Any, rooms: Any = None, *, bin_seconds: float = 60.0, as_of: Any = None) -> pd.DataFrame:
    """Starts and ends of live sessions per bin of each stream.

    Returns:
        `room_id, at, seconds, joins, leaves`: `at` is the bin's beginning, `seconds` the same since the stream's. Every
        bin of the live window has its row. A session cut off by the stream's end leaves in the last bin.
    """
    made = sessions_of(sessions, rooms, as_of=as_of)
    live = ~made.replay
    bins = Bins.of(made.windows, bin_milliseconds(bin_seconds))
    room = made.room[live]
    frame = bins.frame()
    frame["joins"] = bins.counted(room, made.start[live])
    frame["leaves"] = bins.counted(room, made.end[live])
    return frame


@checked
def returning(sessions: Any, rooms: Any, *, as_of: Any = None) -> pd.DataFrame:
    """Live viewers of each stream who saw an earlier stream of the same creator, live or as replay.

    Earlier is what went on air earlier; streams that never did, or without a creator, have no row before them.

    Returns:
        `returning_viewers, returning_share` by `room_id`; the share is of live viewers, NaN without any.
    """
    made = sessions_of(sessions, rooms, as_of=as_of)
    table = ensured("rooms", rooms).drop_duplicates("room_id").set_index("room_id")
    table = table.reindex(pd.Index(made.windows.names))
    creator, _ = pd.factorize(table["creator_id"])  # without a creator: -1
    once = made.is_viewer()
    live = ~made.replay[once]  # of a user's sessions of a room the live ones come first
    edges = np.cumsum(np.bincount(made.room[once], minlength=len(creator)))[:-1]
    viewers = np.split(marked(made.user[once], live), edges)
    users = int(made.user.max()) + 1 if len(made) else 0
    came_back = returned(viewers, creator.astype(np.int64), milliseconds(table["live_at"]), users)
    unique = _counted(made, made.first & ~made.replay)
    index = pd.Index(made.windows.names, name="room_id")
    share = came_back / np.where(unique > 0, unique, np.nan)
    return pd.DataFrame({"returning_viewers": came_back, "returning_share": share}, index=index)


def marked(user: NDArray[Any], live: Flags) -> NDArray[np.uint32]:
    """Viewers in four bytes each: twice the user's code, and 1 for who watched live."""
    made: NDArray[np.uint32] = user.astype(np.uint32) * np.uint32(2) + live.astype(np.uint32)
    return made


def returned(viewers: Sequence[NDArray[np.uint32] | None], creator: Whole, live_at: Whole, users: int) -> Whole:
    """How many live viewers of each room saw an earlier one of its creator.

    Args:
        viewers: of each room, each once, as `marked` has them; None where nobody watched. Who saw the recording alone
            counts for later streams only.
        creator, live_at: of each room; a creator below 0 or no time leaves the room out.
        users: how many codes of users there are.
    """
    made = np.zeros(len(creator), dtype=np.int64)
    seen = np.zeros(users, dtype=bool)
    eligible = np.flatnonzero((creator >= 0) & (live_at != NEVER))
    ordered = eligible[np.lexsort((live_at[eligible], creator[eligible]))]
    known: list[NDArray[np.uint32]] = []  # users marked in `seen` for the creator at hand
    waiting: list[NDArray[np.uint32]] = []  # of streams that began at the very same time: not earlier than each other
    previous = (-1, NEVER)
    for place in ordered:
        now = (int(creator[place]), int(live_at[place]))
        if now[0] != previous[0]:
            for mine in known:
                seen[mine >> 1] = False
            known, waiting = [], []
        elif now[1] != previous[1]:
            for mine in waiting:
                seen[mine >> 1] = True
            known += waiting
            waiting = []
        previous = now
        if (mine := viewers[place]) is not None:
            made[place] = np.count_nonzero(seen[mine >> 1] & ((mine & 1) != 0))
            waiting.append(mine)
    return made


def _wanted(sessions: Sessions, replay: bool | None) -> Flags:
    return np.ones(len(sessions), dtype=bool) if replay is None else sessions.replay == replay


def _counted(sessions: Sessions, flags: Flags) -> Whole:
    made: Whole = np.bincount(sessions.room[flags], minlength=len(sessions.windows.names))
    return made


def _by_room(sessions: Sessions, values: NDArray[Any], name: str) -> pd.Series[Any]:
    return pd.Series(values, index=pd.Index(sessions.windows.names, name="room_id"), name=name)
