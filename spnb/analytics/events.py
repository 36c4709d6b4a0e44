"""Messages and reactions as columns of numbers, over the live windows of their rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.frames import ensured
from spnb.analytics.quality import Quality, Step
from spnb.analytics.tables import table_named
from spnb.analytics.windows import NEVER, Whole, Windows, milliseconds

__all__ = ["Events", "coded_events", "events_of", "net"]

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Events:
    """Things that users did in rooms, within the live window, in no order.

    Attributes:
        windows: the rooms; `room` holds places in it.
        room, user: codes.
        at: milliseconds since 1970.
        counts: whether it counts: a message that was not deleted, a reaction given (not taken back).
        kind: code of the reaction's name; 0 for messages.
        kinds: the names.
        quality: what was left out.
    """

    windows: Windows
    room: Whole
    user: Whole
    at: Whole
    counts: Flags
    kind: Whole
    kinds: NDArray[np.object_]
    quality: Quality

    @property
    def weight(self) -> Whole:
        """+1 for what counts, −1 for what does not: reactions given and taken back."""
        return np.where(self.counts, 1, -1)


def net(events: Events, place: Whole, places: int) -> Whole:
    """Events at each of so many places: of each kind what was given − what was taken back, never below 0.

    What was given earlier, or elsewhere, and taken back here is nothing that happened here.
    """
    kinds = max(1, len(events.kinds))
    counts = np.bincount(place * kinds + events.kind, events.weight, places * kinds).reshape(places, kinds)
    made: Whole = np.maximum(np.rint(counts), 0).astype(np.int64).sum(axis=1)
    return made


def events_of(rooms: Any = None, *, as_of: Any = None, **tables: Any) -> dict[str, Events]:
    """Events of messages and reactions tables over the same rooms.

    Args:
        rooms: the rooms table, for the live windows; a room without its times has the window of its events.
        as_of: end of the window of rooms still on air.
        tables: `messages=…, reactions=…`, any frames.
    """
    frames = {name: ensured(name, frame) for name, frame in tables.items()}
    known = Windows.of(rooms, as_of) if rooms is not None else Windows.unknown([])
    seen = [
        pd.Index(known.names, dtype=object),
        *(pd.Index(frame["room_id"].unique(), dtype=object) for frame in frames.values()),
    ]
    names = seen[0]
    for more in seen[1:]:
        names = names.append(more.difference(names, sort=False))
    windows = known.chosen(names)
    columns = {}
    for name, frame in frames.items():
        user, _ = pd.factorize(frame["user_id"])
        kind, kinds = pd.factorize(frame["name"]) if name == "reactions" else (np.zeros(len(frame), np.int64), [""])
        columns[name] = (
            names.get_indexer(pd.Index(frame["room_id"], dtype=object)).astype(np.int64),
            user.astype(np.int64),
            milliseconds(frame[table_named(name).time]),
            frame["added"].to_numpy() if name == "reactions" else ~frame["deleted"].to_numpy(),
            kind.astype(np.int64),
            np.asarray(kinds, dtype=object),
        )
    windows = _guessed(windows, [(room, at) for room, _, at, *_ in columns.values()])
    return {name: coded_events(name, windows, *arrays) for name, arrays in columns.items()}


def coded_events(
    name: str,
    windows: Windows,
    room: Whole,
    user: Whole,
    at: Whole,
    counts: Flags,
    kind: Whole,
    kinds: NDArray[np.object_],
) -> Events:
    """Leave out what lies outside the live windows."""
    windows = _guessed(windows, [(room, at)])
    inside = (at >= windows.begin[room]) & (at <= windows.finish[room])
    quality = Quality.of([Step("outside the live window", name, int((~inside).sum()), "not counted")])
    if not inside.all():
        room, user, at, counts, kind = room[inside], user[inside], at[inside], counts[inside], kind[inside]
    return Events(windows, room, user, at, counts, kind, kinds, quality)


def _guessed(windows: Windows, events: list[tuple[Whole, Whole]]) -> Windows:
    """Windows with unknown ones filled from the first and last event."""
    no_begin, no_finish = windows.begin == NEVER, windows.finish == NEVER
    if not (no_begin.any() or no_finish.any()):
        return windows
    first = np.full(len(windows.names), np.iinfo(np.int64).max)
    last = np.full(len(windows.names), NEVER)
    for room, at in events:
        np.minimum.at(first, room, at)
        np.maximum.at(last, room, at)
    seen = last != NEVER
    begin = np.where(no_begin & seen, first, windows.begin)
    finish = np.where(no_finish & seen, np.maximum(last, begin), windows.finish)
    finish = np.where(no_finish & ~seen & (begin != NEVER), begin, finish)
    return Windows(windows.names, begin, finish, windows.over)
