"""The publisher's health by the rules of OBS: frames missed over 1 % amber, over 5 % red; frame rate under 95 % of
what was wanted amber, under 80 % red. Counters of WebRTC statistics begin anew when the publisher reconnects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spnb._arguments import checked
from spnb.analytics.frames import ensured

__all__ = ["GRADES", "health", "health_summary"]

GRADES = ("good", "fair", "poor")
"""Green, amber and red, in words."""
COUNTERS = ("packets_lost", "packets_received", "frames_missed", "frames")


@checked
def health(table: Any) -> pd.DataFrame:
    """Health of each stream at each measurement.

    Args:
        table: the health table, its counters as they came.

    Returns:
        `room_id, at, seconds` (since the measurement before), `bitrate_kbps, fps, fps_share` (of what was wanted),
        `loss` (packets lost ÷ (lost + received) since then), `missed` (frames missed ÷ (missed + sent)), `jitter_ms,
        rtt_ms, reset` (the counters began anew), `grade` (`good`, `fair`, `poor`; empty where nothing to judge by was
        measured). Without frame counters packet loss stands in for missed frames.
    """
    frame = ensured("health", table).sort_values(["room_id", "at"], ignore_index=True)
    rooms = frame.groupby("room_id", sort=False)
    grown = {}
    reset = pd.Series(False, index=frame.index)
    for name in COUNTERS:
        step = rooms[name].diff()
        began = step.isna() | (step < 0)  # the first one, or a counter that began anew: it counts from zero
        reset |= step < 0
        grown[name] = step.where(~began, frame[name])
    if reset.any():
        # all counters belong to one connection: where one began anew, so did the others
        for name in COUNTERS:
            grown[name] = grown[name].where(~reset, frame[name])
    loss = _share(grown["packets_lost"], grown["packets_received"])
    missed = _share(grown["frames_missed"], grown["frames"])
    share = frame["fps"] / frame["target_fps"].where(frame["target_fps"] > 0)
    judged = missed.fillna(loss)
    poor = (judged > 0.05) | (share < 0.80)
    fair = (judged > 0.01) | (share < 0.95)
    known = judged.notna() | share.notna()
    grade = np.where(poor, "poor", np.where(fair, "fair", "good"))
    return pd.DataFrame(
        {
            "room_id": frame["room_id"],
            "at": frame["at"],
            "seconds": rooms["at"].diff().dt.total_seconds(),
            "bitrate_kbps": frame["bitrate_kbps"],
            "fps": frame["fps"],
            "fps_share": share,
            "loss": loss,
            "missed": missed,
            "jitter_ms": frame["jitter_ms"],
            "rtt_ms": frame["rtt_ms"],
            "reset": reset,
            "grade": pd.Series(grade, index=frame.index).where(known),
        }
    )


@checked
def health_summary(table: Any) -> pd.DataFrame:
    """Health of each stream in a line, by `room_id`.

    Returns:
        `good, fair, poor` (shares of the judged measurements), `bitrate_kbps` and `fps` (medians), `loss` (the
        highest), `resets` (how often the publisher connected anew).
    """
    made = health(table)
    judged = made[made["grade"].notna()]
    shares = pd.crosstab(judged["room_id"], judged["grade"], normalize="index").reindex(columns=GRADES, fill_value=0.0)
    rooms = made.groupby("room_id")
    shares = shares.reindex(rooms.size().index)
    return shares.assign(
        bitrate_kbps=rooms["bitrate_kbps"].median(),
        fps=rooms["fps"].median(),
        loss=rooms["loss"].max(),
        resets=rooms["reset"].sum(),
    ).rename_axis(columns=None)


def _share(part: pd.Series[float], rest: pd.Series[float]) -> pd.Series[float]:
    whole = part + rest
    return part / whole.where(whole > 0)
