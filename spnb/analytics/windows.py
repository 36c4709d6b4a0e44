"""The live windows of streams: when each was on air, as plain numbers that sweeps can use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.frames import TIME, ensured
from spnb.errors import InvalidInput

__all__ = ["NEVER", "Windows", "instant", "milliseconds", "moment", "moments_of", "zone_named"]

Whole = NDArray[np.int64]

NEVER = np.iinfo(np.int64).min
"""No time, as pandas writes it."""


def milliseconds(times: Any) -> Whole:
    """Times as whole milliseconds since 1970; an empty one is `NEVER`."""
    made: Whole = pd.Series(times).astype(TIME).to_numpy(dtype="datetime64[ms]").astype(np.int64)
    return made


def instant(time: Any, what: str = "as_of") -> pd.Timestamp:
    """A time that a caller gave, in UTC; text is ISO 8601.

    Raises:
        InvalidInput: it is no time, or names no zone.
    """
    try:
        made = pd.Timestamp(time)
    except (ValueError, TypeError, OverflowError):
        made = pd.Timestamp("NaT")
    if pd.isna(made):
        raise InvalidInput(f"{what} is {time!r}, which is no time: give one like '2026-03-01T18:00:00Z'")
    if made.tzinfo is None:
        raise InvalidInput(
            f"{what} is {time}, without a zone: say which, e.g. '2026-03-01T18:00:00Z' or "
            f"pandas.Timestamp('2026-03-01 18:00', tz='Europe/Berlin')"
        )
    return made.tz_convert("UTC")


def zone_named(time_zone: str) -> str:
    """The name of a zone, if there is such a one.

    Raises:
        InvalidInput: there is none.
    """
    try:
        pd.Timestamp(0, tz="UTC").tz_convert(time_zone)
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise InvalidInput(f"there is no time zone {time_zone!r}: name one like Europe/Berlin") from error
    return time_zone


def moment(time: Any) -> int:
    """One time, with a zone, as whole milliseconds since 1970."""
    return int(instant(time).as_unit("ms").asm8.astype(np.int64))


def moments_of(values: Whole) -> pd.DatetimeIndex:
    """The way back: whole milliseconds as times in UTC."""
    return pd.DatetimeIndex(np.asarray(values, dtype=np.int64).view("datetime64[ms]")).tz_localize("UTC")


@dataclass(frozen=True, slots=True)
class Windows:
    """Rooms by code, and their live windows `[begin, finish)` in milliseconds.

    Attributes:
        names: room ids; a code is a place in it.
        begin: first on air, `NEVER` where nobody knows.
        finish: off air; of a room still on air the moment up to which is reckoned; `NEVER` where nobody knows.
        over: whether the stream is off air, so that what comes later is a replay.
    """

    names: NDArray[np.object_]
    begin: Whole
    finish: Whole
    over: NDArray[np.bool_]

    @classmethod
    def of(cls, rooms: Any, as_of: Any = None) -> Windows:
        """The windows of a rooms table.

        Args:
            rooms: the rooms table, or windows that are known already.
            as_of: end of the window of rooms still on air; without it their last session's end.
        """
        if isinstance(rooms, cls):
            return rooms
        table = ensured("rooms", rooms)
        begin, finish = milliseconds(table["live_at"]), milliseconds(table["ended_at"])
        over = finish != NEVER
        if as_of is not None:
            finish = np.where((finish == NEVER) & (begin != NEVER), moment(as_of), finish)
        # A room that never was on air, or ended before it began, has no window.
        known = (begin != NEVER) & ((finish == NEVER) | (finish >= begin))
        return cls(
            table["room_id"].to_numpy(dtype=object),
            np.where(known, begin, NEVER),
            np.where(known, finish, NEVER),
            known & over,
        )

    @classmethod
    def unknown(cls, names: Any) -> Windows:
        """Rooms of which nobody knows when they were on air."""
        count = len(names)
        return cls(
            np.asarray(names, dtype=object), np.full(count, NEVER), np.full(count, NEVER), np.zeros(count, dtype=bool)
        )

    def places(self) -> pd.Index[Any]:
        """The rooms' ids, ready to be looked up many times, by several threads at once too."""
        made = pd.Index(self.names, dtype=object)
        made.get_indexer(made[:1])  # makes its table now: two threads must not
        return made

    def chosen(self, names: Any, places: pd.Index[Any] | None = None) -> Windows:
        """The windows of these rooms, in this order; unknown ones have none. `places` spares looking them up anew."""
        names = np.asarray(names, dtype=object)
        known = pd.Index(self.names) if places is None else places
        place = known.get_indexer(pd.Index(names, dtype=object))
        found = place >= 0
        made = Windows.unknown(names)
        made.begin[found], made.finish[found] = self.begin[place[found]], self.finish[place[found]]
        made.over[found] = self.over[place[found]]
        return made

    def filled(self, spans: Iterable[tuple[Any, Whole, Whole]]) -> Windows:
        """With unknown times taken from what happened in each stream.

        Args:
            spans: room ids with the first and the last moment of what happened in each; `NEVER` tells nothing.
        """
        far = np.iinfo(np.int64).max
        first, last = np.full(len(self.names), far), np.full(len(self.names), NEVER)
        places = pd.Index(self.names)
        for names, begins, ends in spans:
            place = places.get_indexer(pd.Index(names, dtype=object))
            told = (place >= 0) & (begins != NEVER)
            np.minimum.at(first, place[told], begins[told])
            np.maximum.at(last, place[told], ends[told])
        begin = np.where((self.begin == NEVER) & (first != far), first, self.begin)
        open_ = (self.finish == NEVER) & (begin != NEVER)
        # A window that is known to have begun cannot finish before it did.
        return Windows(self.names, begin, np.where(open_, np.maximum(last, begin), self.finish), self.over)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Live duration of each room in seconds; NaN where it is not known."""
        known = (self.begin != NEVER) & (self.finish != NEVER)
        return np.where(known, (self.finish - self.begin) / 1000.0, np.nan)
