"""Polled viewer counts as an audience: a stepped curve, its peak and its average, where nobody reports sessions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["POLLED", "polled", "polled_steps"]

POLLED = ("polled_peak_viewers", "polled_average_viewers", "polled_every_seconds")


def polled(presence: pd.DataFrame) -> pd.DataFrame:
    """What polls tell of each stream.

    Args:
        presence: the presence table.

    Returns:
        By `room_id`: `polled_peak_viewers`, `polled_average_viewers` (each count held until the next poll), and
        `polled_every_seconds`, the mean pause between polls; NaN of a single one.
    """
    table = presence.sort_values(["room_id", "at"])
    table = table.assign(
        held=-table.groupby("room_id")["at"].diff(-1).dt.total_seconds(), viewers=table["viewers"].astype("float64")
    )
    table["weighed"] = table["viewers"] * table["held"]
    groups = table.groupby("room_id")
    held = groups["held"].sum()
    pauses = (groups.size() - 1).astype("float64")
    average = (groups["weighed"].sum() / held.where(held > 0)).fillna(groups["viewers"].mean())
    columns: dict[str, Any] = {
        "polled_peak_viewers": groups["viewers"].max(),
        "polled_average_viewers": average,
        "polled_every_seconds": held / pauses.where(pauses > 0, np.nan),
    }
    return pd.DataFrame(columns)


def polled_steps(presence: pd.DataFrame) -> pd.DataFrame:
    """One stream's polls as `at, viewers`, as its concurrency is told: a row where the count changes."""
    table = presence.sort_values("at")
    changes = table["viewers"].diff().fillna(1) != 0
    return table.loc[changes, ["at", "viewers"]].reset_index(drop=True)
