"""The definitions once more, as slow and plain as they can be written: per row, per user, per millisecond that matters.

Nothing here is shared with what it judges. A world is small: streams with their live windows, and sessions of users.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd

MS = pd.Timedelta(milliseconds=1)


@dataclass
class Session:
    """One session as reported; times in milliseconds."""

    room: str
    user: str
    start: int
    end: int | None
    watched: float | None = None
    replay: bool = False


@dataclass
class World:
    """Streams (`creator, live_at, ended_at`, either time may be None) and sessions."""

    rooms: dict[str, tuple[str, int | None, int | None]]
    sessions: list[Session]
    zero: pd.Timestamp = field(default_factory=lambda: pd.Timestamp("2026-03-01T12:00:00Z"))

    def time(self, ms: int | None) -> pd.Timestamp | None:
        return None if ms is None else self.zero + ms * MS

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        views = pd.DataFrame(
            {
                "session_id": [f"s{number}" for number in range(len(self.sessions))],
                "room_id": [one.room for one in self.sessions],
                "user_id": [one.user for one in self.sessions],
                "start": pd.to_datetime([self.time(one.start) for one in self.sessions], utc=True),
                "end": pd.to_datetime([self.time(one.end) for one in self.sessions], utc=True),
                "watch_seconds": pd.Series([one.watched for one in self.sessions], dtype="float64"),
                "replay": pd.Series([one.replay for one in self.sessions], dtype=bool),
            }
        )
        rooms = pd.DataFrame(
            {
                "room_id": list(self.rooms),
                "creator_id": [creator for creator, _, _ in self.rooms.values()],
                "live_at": pd.to_datetime([self.time(live) for _, live, _ in self.rooms.values()], utc=True),
                "ended_at": pd.to_datetime([self.time(ended) for _, _, ended in self.rooms.values()], utc=True),
            }
        )
        return views, rooms


def cleaned(world: World, as_of: int | None) -> tuple[list[Session], dict[str, tuple[int, int] | None]]:
    """Sessions with ends, clipped or marked, and the windows of the streams."""
    sessions = []
    for one in world.sessions:
        _, live, ended = world.rooms.get(one.room, ("", None, None))
        known = live is not None and (ended is None or ended >= live)
        finish = (ended if ended is not None else as_of) if known else None
        played = round((one.watched or 0) * 1000) if (one.watched or 0) > 0 else 0
        end = one.end
        if end is None:
            end = one.start + played if played else max(one.start, finish if finish is not None else one.start)
        if end < one.start:
            end = one.start + played
        sessions.append(Session(one.room, one.user, one.start, end, one.watched, one.replay))
    windows: dict[str, tuple[int, int] | None] = {}
    for room in {*world.rooms, *(one.room for one in sessions)}:
        _, live, ended = world.rooms.get(room, ("", None, None))
        known = live is not None and (ended is None or ended >= live)
        mine = [one for one in sessions if one.room == room and not one.replay]
        begin = live if known else min((one.start for one in mine), default=None)
        if begin is None:
            windows[room] = None
            continue
        finish = (ended if ended is not None else as_of) if known else None
        if finish is None:
            finish = max([begin, *(one.end for one in mine)])
        windows[room] = (begin, finish)
    kept = []
    for one in sessions:
        _, live, ended = world.rooms.get(one.room, ("", None, None))
        over = live is not None and ended is not None and ended >= live
        lasted = one.end - one.start
        span = windows[one.room]
        replay = one.replay
        start, end = one.start, one.end
        if not replay and span is not None:
            begin, finish = span
            if over and start >= finish:
                replay = True
            elif (start < begin and end <= begin) or start > finish:
                continue
            else:
                start = max(start, begin)
                end = max(start, min(end, finish))
        length = (end - start) / 1000
        watched = min(one.watched, length) if one.watched is not None and one.watched >= 0 else length
        assert lasted >= 0
        kept.append(Session(one.room, one.user, start, end, watched, replay))
    return kept, windows


def concurrency(kept: list[Session], room: str, at: int) -> int:
    """Distinct users with an open session at a moment."""
    return len({one.user for one in kept if one.room == room and not one.replay and one.start <= at < one.end})


def moments_that_matter(kept: list[Session], room: str) -> list[int]:
    return sorted({time for one in kept if one.room == room and not one.replay for time in (one.start, one.end)})


def viewer_seconds(kept: list[Session], room: str) -> float:
    times = moments_that_matter(kept, room)
    return sum(concurrency(kept, room, now) * (after - now) / 1000 for now, after in pairwise(times))


def views(kept: list[Session], room: str, gap_ms: int = 30_000, replay: bool | None = None) -> int:
    """Sessions started, where a user who was away less than the gap only came back."""
    count = 0
    for user in {one.user for one in kept if one.room == room}:
        for kind in (False, True):
            if replay is not None and kind != replay:
                continue
            until = None
            mine = [one for one in kept if one.room == room and one.user == user and one.replay == kind]
            for one in sorted(mine, key=lambda one: (one.start, one.end)):
                if until is None or one.start < until or one.start - until >= gap_ms:
                    count += 1
                until = one.end if until is None else max(until, one.end)
    return count


def unique(kept: list[Session], room: str) -> int:
    return len({one.user for one in kept if one.room == room})


def returning(world: World, kept: list[Session], room: str) -> int:
    creator, live, _ = world.rooms.get(room, ("", None, None))
    if live is None:
        return 0
    earlier = {
        name
        for name, (other, began, _) in world.rooms.items()
        if other == creator and began is not None and began < live
    }
    here = {one.user for one in kept if one.room == room and not one.replay}
    return len(here & {one.user for one in kept if one.room in earlier})


def stays(kept: list[Session], windows: dict[str, tuple[int, int] | None], room: str) -> list[tuple[int, bool]]:
    """How long each live viewer watched (milliseconds) and whether they were still there at the end."""
    made = []
    for user in sorted({one.user for one in kept if one.room == room and not one.replay}):
        mine = [one for one in kept if one.room == room and one.user == user and not one.replay]
        times = sorted({time for one in mine for time in (one.start, one.end)})
        length = sum(after - now for now, after in pairwise(times) if any(one.start <= now < one.end for one in mine))
        span = windows[room]
        assert span is not None
        last = max((one.end for one in mine if one.end > one.start), default=None)
        made.append((length, length > 0 and last is not None and last >= span[1]))
    return made


def retained(people: list[tuple[int, bool]], at_ms: int) -> float:
    """Kaplan and Meier: the product over all departures before a moment of (1 − lost ÷ at risk)."""
    share = 1.0
    for time in sorted({length for length, stayed in people if not stayed and length < at_ms}):
        risk = sum(length >= time for length, _ in people)
        lost = sum(length == time and not stayed for length, stayed in people)
        share *= 1 - lost / risk
    return share


def begins_a_view(kept: list[Session], one: Session, number: int, gap_ms: int = 30_000) -> bool:
    """Whether the session at this place is a view of its own, and no return within the gap."""
    mine = [
        (other.start, other.end, place)
        for place, other in enumerate(kept)
        if (other.room, other.user, other.replay) == (one.room, one.user, one.replay)
    ]
    earlier = [(start, end) for start, end, place in mine if (start, end, place) < (one.start, one.end, number)]
    if not earlier:
        return True
    until = max(end for _, end in earlier)
    return one.start < until or one.start - until >= gap_ms
