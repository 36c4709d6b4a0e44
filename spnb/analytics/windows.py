"""The live windows of streams: when each was on air, as plain numbers that sweeps can use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.frames import TIME, ensured

__all__ = ["NEVER", "Windows", "milliseconds", "moment", "moments_of"]

Whole = NDArray[np.int64]

NEVER = np.iinfo(np.int64).min
"""No time, as pandas writes it."""


def milliseconds(times: Any) -> Whole:
    """Times as whole milliseconds since 1970; an empty one is `NEVER`."""
    made: Whole = pd.Series(times).astype(TIME).to_numpy(dtype="datetime64[ms]").astype(np.int64)
    return made


def moment(time: Any) -> int:
    """One time, with a zone, as whole milliseconds since 1970."""
    return int(pd.Timestamp(time).value) // 1_000_000


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
            rooms: the rooms table.
            as_of: end of the window of rooms still on air; without it their last session's end.
        """
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

    def chosen(self, names: Any) -> Windows:
        """The windows of these rooms, in this order; unknown ones have none."""
        names = np.asarray(names, dtype=object)
        places = pd.Index(self.names).get_indexer(pd.Index(names, dtype=object))
        found = places >= 0
        made = Windows.unknown(names)
        made.begin[found], made.finish[found] = self.begin[places[found]], self.finish[places[found]]
        made.over[found] = self.over[places[found]]
        return made

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Live duration of each room in seconds; NaN where it is not known."""
        known = (self.begin != NEVER) & (self.finish != NEVER)
        return np.where(known, (self.finish - self.begin) / 1000.0, np.nan)
