"""How it was for viewers: their quality of experience, from what their players met.

The words are those of CTA-2066 (Streaming Quality of Experience Events, Properties and Metrics): start-up time, exits
before video start, video start failures, rebuffering. One session is one wish to watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from spnb._arguments import checked
from spnb.analytics.frames import ensured
from spnb.analytics.metrics.bins import Bins, bin_milliseconds
from spnb.analytics.windows import Windows, milliseconds

__all__ = ["EXPERIENCE", "experience", "experience_rate", "experience_summary"]

EXPERIENCE: Mapping[str, str] = MappingProxyType(
    {
        "sessions": "sessions of players that told something: one for each wish to watch",
        "started_share": "sessions with a picture ÷ those whose start was decided, by a picture, an error or the exit",
        "startup_seconds": "median time from the wish to watch to the first picture",
        "startup_seconds_p95": "95th percentile of that time",
        "exits_before_start": "sessions left without a picture and without an error ÷ those whose start was decided",
        "start_failures": "sessions with an error and never a picture ÷ those whose start was decided",
        "failures": "started sessions that met an error ÷ started sessions",
        "waiting_share": "seconds waited after the start ÷ (waited + played), of sessions that told what they played",
        "waits_per_hour": "waits after the start ÷ hours played",
        "switches_per_hour": "changes of quality ÷ hours played",
        "delay_seconds": "median over sessions of how far each was behind the host (its own median)",
    }
)
"""Each number's definition, to be shown beside it."""


@checked
def experience(table: Any) -> pd.DataFrame:
    """What each session met.

    Args:
        table: the playback table, events in any order.

    Returns:
        One row per session: `room_id, session_id, user_id, at` (its first event), `startup_seconds` (as the player
        told it, else from `asked` to `started`), `outcome` (`started`, `failed`, `left`; empty where none is known
        yet), `played_seconds`, `waits, waited_seconds` (after the start), `switches, delay_seconds` (the median),
        `errors`. What a player never told is empty: without `played` nobody knows how long it played.
    """
    frame = ensured("playback", table).sort_values(["at"], kind="stable", ignore_index=True)
    by = ["room_id", "session_id"]
    groups = frame.groupby(by, sort=False)
    made = groups.agg(user_id=("user_id", "first"), at=("at", "first"))

    def of(kind: str) -> Any:
        return frame[frame["kind"] == kind].groupby(by, sort=False)

    started, asked = of("started"), of("asked")["at"].first()
    began = started["at"].first().reindex(made.index)
    measured = started["value"].first().reindex(made.index)
    made["startup_seconds"] = measured.fillna((began - asked.reindex(made.index)).dt.total_seconds())
    # What stood still before there was a picture is the start-up time.
    waited = frame[(frame["kind"] == "waited") & (frame["at"] >= _each(frame, began))].groupby(by, sort=False)["value"]
    errors = _number(of("failed").size(), made)
    known = ~began.isna()
    made["outcome"] = pd.Series(
        np.select([known, errors > 0, _number(of("left").size(), made) > 0], ["started", "failed", "left"], ""),
        index=made.index,
    ).replace("", None)
    made["played_seconds"] = of("played")["value"].max().reindex(made.index)
    made["waits"] = _number(waited.size(), made)
    made["waited_seconds"] = waited.sum().reindex(made.index, fill_value=0.0)
    made["switches"] = _number(of("switched").size(), made)
    made["delay_seconds"] = of("delay")["value"].median().reindex(made.index)
    made["errors"] = errors
    return made.reset_index()


@checked
def experience_summary(table: Any) -> pd.DataFrame:
    """How it was for the viewers of each stream, by `room_id`: a column for each of `EXPERIENCE`.

    A number nobody told anything for is NaN.
    """
    made = experience(table)
    rooms = made.groupby("room_id")
    decided = made[made["outcome"].notna()]

    def share(outcome: str) -> Any:
        return (decided["outcome"] == outcome).groupby(decided["room_id"]).mean()

    started = made[made["outcome"] == "started"]
    startup = started.groupby("room_id")["startup_seconds"]
    played = started[started["played_seconds"].notna()]
    sums = played.groupby("room_id")[["played_seconds", "waited_seconds", "waits", "switches"]].sum()
    both = sums["played_seconds"] + sums["waited_seconds"]
    hours = (sums["played_seconds"] / 3600).where(sums["played_seconds"] > 0)
    index = rooms.size().index
    numbers = {
        "sessions": rooms.size(),
        "started_share": share("started"),
        "startup_seconds": startup.median(),
        "startup_seconds_p95": startup.quantile(0.95),
        "exits_before_start": share("left"),
        "start_failures": share("failed"),
        "failures": (started["errors"] > 0).groupby(started["room_id"]).mean(),
        "waiting_share": sums["waited_seconds"] / both.where(both > 0),
        "waits_per_hour": sums["waits"] / hours,
        "switches_per_hour": sums["switches"] / hours,
        "delay_seconds": rooms["delay_seconds"].median(),
    }
    return pd.DataFrame({name: pd.Series(numbers[name], dtype="float64").reindex(index) for name in EXPERIENCE})


@checked
def experience_rate(table: Any, rooms: Any = None, *, bin_seconds: float = 60.0, as_of: Any = None) -> pd.DataFrame:
    """What players met in each bin of the live window.

    Returns:
        `room_id, at, seconds, starts, waits, waited_seconds` (booked where the wait was over), `errors, exits` (before
        any picture), `delay_seconds` (the median of what was told in the bin; NaN where nothing was).
    """
    frame = ensured("playback", table)
    names = pd.unique(frame["room_id"])
    windows = Windows.of(rooms, as_of) if rooms is not None else Windows.unknown(names)
    if rooms is None:
        told = frame.groupby("room_id", sort=False)["at"]
        windows = windows.filled([(names, milliseconds(told.min()), milliseconds(told.max()))])
    bins = Bins.of(windows, bin_milliseconds(bin_seconds))
    made = bins.frame()
    code = windows.places().get_indexer(pd.Index(frame["room_id"], dtype=object))
    began, failed = (
        _each(frame, frame[frame["kind"] == kind].groupby(["room_id", "session_id"])["at"].min())
        for kind in ("started", "failed")
    )
    kind, at, value = frame["kind"].to_numpy(dtype=object), milliseconds(frame["at"]), frame["value"].to_numpy()
    stood = (kind == "waited") & (frame["at"] >= began).to_numpy()
    # who was thought to have left, and came back, leaves once: at the end
    last = ~frame[["room_id", "session_id", "kind"]].iloc[np.argsort(at, kind="stable")].duplicated(keep="last")
    exits = (kind == "left") & last.sort_index().to_numpy() & began.isna().to_numpy() & failed.isna().to_numpy()
    chosen = {"starts": kind == "started", "waits": stood, "errors": kind == "failed", "exits": exits}
    for name, mine in chosen.items():
        mine = mine & (code >= 0)
        made[name] = bins.counted(code[mine], at[mine])
    inside = code >= 0
    place = np.where(inside, bins.places(np.maximum(code, 0), at), -1) if len(windows.names) else code
    lost = pd.Series(np.where(stood & (place >= 0), value, np.nan)).groupby(place).sum()
    late = pd.Series(np.where(kind == "delay", value, np.nan)).groupby(place).median()
    made.insert(5, "waited_seconds", lost.reindex(made.index, fill_value=0.0))
    made["delay_seconds"] = late.reindex(made.index)
    return made


def _each(frame: pd.DataFrame, by_session: pd.Series[Any]) -> pd.Series[Any]:
    """A session's value beside each of its events."""
    keys = pd.MultiIndex.from_frame(frame[["room_id", "session_id"]])
    made: pd.Series[Any] = by_session.reindex(keys).set_axis(frame.index)
    return made


def _number(counted: Any, made: pd.DataFrame) -> pd.Series[Any]:
    whole: pd.Series[Any] = counted.reindex(made.index, fill_value=0)
    return whole
