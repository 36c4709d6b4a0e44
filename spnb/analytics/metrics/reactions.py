"""Reactions: given minus taken back, doubles removed by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spnb._arguments import checked
from spnb.analytics.events import events_of
from spnb.analytics.frames import once
from spnb.analytics.metrics.bins import Bins, bin_milliseconds
from spnb.analytics.windows import moments_of

__all__ = ["reactions"]


@checked
def reactions(table: Any, rooms: Any = None, *, bin_seconds: float | None = None, as_of: Any = None) -> pd.DataFrame:
    """Reactions of each stream by name while it was live.

    Args:
        table: the reactions table.
        rooms: the rooms table, for the live windows.
        bin_seconds: per bin of this length; None for the whole stream.
        as_of: end of the window of rooms still on air.

    Returns:
        `room_id, name, given, taken_back, reactions`, where `reactions` is given − taken back, never below 0; with bins
        also `at` and `seconds` of the bin's beginning, only for bins in which something happened.
    """
    # a double must not count, wherever the table comes from
    events = events_of(rooms, as_of=as_of, reactions=once("reactions", table))["reactions"]
    names, kinds = events.windows.names, max(1, len(events.kinds))
    if bin_seconds is None:
        place = events.room
    else:
        bins = Bins.of(events.windows, bin_milliseconds(bin_seconds))
        place = bins.places(events.room, events.at)
    key, inverse = np.unique(place * kinds + events.kind, return_inverse=True)
    given = np.bincount(inverse[events.counts], minlength=len(key))
    back = np.bincount(inverse[~events.counts], minlength=len(key))
    cell, kind = np.divmod(key, kinds)
    columns: dict[str, Any] = {}
    if bin_seconds is None:
        columns["room_id"] = names[cell]
    else:
        room, number = bins.room[cell], bins.number[cell]
        columns["room_id"] = names[room]
        columns["at"] = moments_of(events.windows.begin[room] + number * bins.width)
        columns["seconds"] = number * (bins.width / 1000.0)
    columns |= {
        "name": events.kinds[kind] if len(key) else np.zeros(0, dtype=object),
        "given": given,
        "taken_back": back,
        "reactions": np.maximum(given - back, 0),
    }
    return pd.DataFrame(columns)
