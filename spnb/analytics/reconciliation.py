"""Reconcile: the Console's numbers of each stream beside our own, and why they may differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spnb._arguments import checked
from spnb.analytics.dataset import Dataset
from spnb.analytics.sources.console import read_console
from spnb.analytics.windows import Whole
from spnb.errors import TableError

__all__ = ["reconcile"]

NUMBERS = ("duration_seconds", "views", "unique_viewers", "minutes_watched", "messages", "reactions")
WHOLE_MINUTES = "the Console cuts off parts of a minute"
ABOUT = {
    "duration_seconds": "ours reaches from on air to off air; the Console's may begin when the stream was created",
    "views": "ours takes coming back within 30 s for the same view",
    "unique_viewers": "ours counts distinct users, live or of the recording, up to the moment reckoned to",
    "minutes_watched": WHOLE_MINUTES,
    "messages": "ours are those while live, without deleted ones",
    "reactions": "ours are given − taken back while live",
}


@checked
def reconcile(dataset: Dataset, console: str | Path | pd.DataFrame, *, time_zone: str = "UTC") -> pd.DataFrame:
    """Every number of every stream of a Console's export beside our own.

    A stream is the same by its id where the export has one, else by its title and the minute it was created in.

    Args:
        dataset: our own, e.g. of a capture.
        console: the export's CSV file, or what `read_console` made of it.
        time_zone: the zone of the export's dates.

    Returns:
        `room_id, title, number, console, ours, difference` (ours − the Console's) and `why`: `equal`; `not known here`
        where no table of ours could know it; `in the Console only` or `here only` of streams that the other lacks; else
        by what the two definitions differ.

    Raises:
        TableError: it is no such export.
    """
    theirs = console if isinstance(console, pd.DataFrame) else read_console(console, time_zone=time_zone)
    numbers = [name for name in NUMBERS if name in theirs.columns]
    if not numbers or "title" not in theirs.columns:
        raise TableError(f"the export has no numbers of streams: it needs a title and some of {', '.join(NUMBERS)}")
    ours = dataset.kpis.reset_index()
    places = _matched(theirs, ours)
    rows: list[dict[str, Any]] = []
    for (_, line), place in zip(theirs.iterrows(), places, strict=True):
        mine = ours.iloc[place] if place >= 0 else None
        rows += [_row(line, mine, name, line[name]) for name in numbers]
    for place in np.setdiff1d(np.arange(len(ours)), places):
        rows += [_row(ours.iloc[place], ours.iloc[place], name, np.nan) for name in numbers]
    return pd.DataFrame(rows, columns=["room_id", "title", "number", "console", "ours", "difference", "why"])


def _matched(theirs: pd.DataFrame, ours: pd.DataFrame) -> Whole:
    """For each line of the export the place of the same stream of ours; −1 without one, or with several alike."""
    if "room_id" in theirs.columns:
        same: Whole = pd.Index(ours["room_id"]).get_indexer(pd.Index(theirs["room_id"])).astype(np.int64)
        return same

    def keys(frame: pd.DataFrame) -> pd.Index[Any]:
        minute = frame["created_at"].dt.floor("min").astype(str)
        made: pd.Index[Any] = pd.Index(frame["title"].fillna("").str.strip() + "\n" + minute, dtype=object)
        return made

    mine = keys(ours)
    once = ~mine.duplicated(keep=False)
    found = mine[once].get_indexer(keys(theirs))
    return np.where(found >= 0, np.flatnonzero(once)[found] if once.any() else -1, -1).astype(np.int64)


def _row(line: pd.Series[Any], mine: pd.Series[Any] | None, name: str, told: Any) -> dict[str, Any]:
    own = np.nan if mine is None else mine[name]
    console, known = float(told), float("nan") if pd.isna(own) else float(own)
    if mine is None:
        why = "in the Console only"
    elif np.isnan(console):
        why = "here only"
    elif np.isnan(known):
        why = "not known here"
    elif _alike(name, console, known):
        why = "equal" if console == known else WHOLE_MINUTES if name == "minutes_watched" else "equal, to the second"
    else:
        why = ABOUT[name]
    return {
        "room_id": line.get("room_id") if mine is None else mine["room_id"],
        "title": line["title"],
        "number": name,
        "console": console,
        "ours": known,
        "difference": known - console,
        "why": why,
    }


def _alike(name: str, console: float, ours: float) -> bool:
    """Equal, as far as the Console tells: it has whole seconds, and minutes cut off."""
    if name == "duration_seconds":
        return abs(ours - console) < 1
    if name == "minutes_watched" and console.is_integer():
        return console <= ours < console + 1
    return ours == console
