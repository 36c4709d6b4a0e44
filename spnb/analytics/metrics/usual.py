"""What is usual for a host: how many watched at the same minute of their earlier streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spnb._arguments import checked
from spnb.analytics.metrics.concurrency import concurrency
from spnb.analytics.windows import NEVER, Windows, milliseconds

__all__ = ["FEWEST_STREAMS", "usual_viewers"]

FEWEST_STREAMS = 5
"""Of fewer nobody can say what is usual."""
LOW, HIGH = 10, 90
"""Percentiles of the band."""


@checked
def usual_viewers(sessions: Any, rooms: Any = None, *, bin_seconds: float = 60.0, as_of: Any = None) -> pd.DataFrame:
    """Concurrent viewers over several streams, at the same time after each one's beginning.

    Args:
        sessions: the views table of the streams that are compared with, such as a host's earlier ones.
        rooms: the rooms table, for the live windows.
        bin_seconds: how far the moments are apart at which they are compared.
        as_of: end of the window of rooms still on air.

    Returns:
        `seconds, streams, low, median, high`: so many seconds after their beginning `streams` were on air, and their
        viewers' median with its 10th and 90th percentile. As long as five streams last; of fewer nothing is usual.
    """
    windows = Windows.of(rooms, as_of)
    steps = concurrency(sessions, windows)
    by_room = dict(iter(steps.groupby("room_id", sort=False)))
    curves = []
    for name, begin, finish in zip(windows.names, windows.begin, windows.finish, strict=True):
        if begin == NEVER or finish <= begin:
            continue
        at = np.arange(int(begin), int(finish), round(bin_seconds * 1000))
        mine = by_room.get(name)
        if mine is None:
            curves.append(np.zeros(len(at)))
            continue
        place = np.searchsorted(milliseconds(mine["at"]), at, side="right") - 1
        curves.append(np.where(place >= 0, mine["viewers"].to_numpy()[np.maximum(place, 0)], 0).astype(float))
    lengths = sorted((len(curve) for curve in curves), reverse=True)
    length = lengths[FEWEST_STREAMS - 1] if len(lengths) >= FEWEST_STREAMS else 0
    grid = np.full((len(curves), length), np.nan)
    for row, curve in zip(grid, curves, strict=True):
        row[: len(curve)] = curve[:length]
    low, median, high = np.nanpercentile(grid, [LOW, 50, HIGH], axis=0) if length else np.zeros((3, 0))
    return pd.DataFrame(
        {
            "seconds": np.arange(length) * bin_seconds,
            "streams": (~np.isnan(grid)).sum(axis=0),
            "low": low,
            "median": median,
            "high": high,
        }
    )
