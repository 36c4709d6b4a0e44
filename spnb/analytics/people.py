"""Whose viewers are they? Overlap, watch time by viewer, and one viewer's way through a season."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from spnb._arguments import checked
from spnb.analytics.dataset import Dataset
from spnb.analytics.sessions import repaired
from spnb.analytics.windows import zone_named
from spnb.errors import InvalidInput

__all__ = ["live_views", "new_and_returning", "overlap", "viewer_path", "viewers_known", "watch_percentiles"]


def viewers_known(dataset: Dataset) -> None:
    """Make sure that somebody told who watched.

    Raises:
        InvalidInput: nobody did, which is not the same as that nobody watched.
    """
    if "views" not in dataset.known:
        raise InvalidInput("who watched is not known: this dataset has no watch sessions (the table views)")


def live_views(dataset: Dataset) -> pd.DataFrame:
    """Watch sessions of the live streams, mended.

    Raises:
        InvalidInput: nobody told of any.
    """
    viewers_known(dataset)
    views, _ = repaired(dataset.views, dataset.windows)
    return views[~views["replay"]]


def _viewings(dataset: Dataset) -> pd.DataFrame:
    """One row for each viewer of each stream: seconds watched live, and when they came."""
    made = (
        live_views(dataset)
        .groupby(["room_id", "user_id"], observed=True)
        .agg(seconds=("watch_seconds", "sum"), came=("start", "min"))
    )
    return made.reset_index()


def _group_of(seen: pd.DataFrame, dataset: Dataset, by: str) -> pd.Series[Any]:
    """The group of each row: its stream, or a column of the rooms table."""
    if by == "room_id":
        return seen["room_id"]
    if by not in dataset.rooms.columns:
        raise InvalidInput(f"rooms have no column {by!r}: choose from {', '.join(map(str, dataset.rooms.columns))}")
    return seen["room_id"].map(dataset.rooms.set_index("room_id")[by])


@checked
def overlap(dataset: Dataset, *, by: str = "creator_id", shares: bool = False) -> pd.DataFrame:
    """How many live viewers streams or hosts have in common.

    Args:
        dataset: the audience.
        by: a column of rooms: `creator_id` for hosts, `room_id` for streams, or one of your own.
        shares: the share of the row's viewers instead of their number.

    Returns:
        A square table; on the diagonal all viewers of each.
    """
    seen = _viewings(dataset)
    pairs = pd.DataFrame({"group": _group_of(seen, dataset, by), "user": seen["user_id"]}).dropna().drop_duplicates()
    groups, users = pd.Index(sorted(pairs["group"].unique(), key=str)), pd.Index(pairs["user"].unique())
    row, column = groups.get_indexer(pairs["group"]), users.get_indexer(pairs["user"])
    common = np.zeros((len(groups), len(groups)), dtype=np.int64)
    order = np.argsort(column, kind="stable")
    for visited in np.split(row[order], np.flatnonzero(np.diff(column[order])) + 1) if len(order) else ():
        common[np.ix_(visited, visited)] += 1
    made = pd.DataFrame(common, index=groups.rename(by), columns=groups.rename(None))
    return made.div(pd.Series(np.diag(common), index=made.index).replace(0, np.nan), axis=0) if shares else made


@checked
def watch_percentiles(
    dataset: Dataset, percentiles: Sequence[float] = (10, 25, 50, 75, 90, 95, 99), *, by: str | None = None
) -> pd.DataFrame:
    """How long viewers watched live, in minutes: percentiles over viewers, each counted once in each group.

    Args:
        dataset: the audience.
        percentiles: from 0 to 100.
        by: a column of rooms to group by; all together without.

    Returns:
        A row for each group: `viewers`, then a column for each percentile, e.g. `p50`.
    """
    if not all(0 <= percentile <= 100 for percentile in percentiles):
        raise InvalidInput(f"percentiles lie between 0 and 100, not {list(percentiles)}")
    seen = _viewings(dataset)
    group = "all" if by is None else _group_of(seen, dataset, by)
    sums = (
        seen.assign(group=group).dropna(subset=["group"]).groupby(["group", "user_id"], observed=True)["seconds"].sum()
    )
    rows = {
        name: [float(len(minutes)), *np.percentile(minutes / 60, list(percentiles))]
        for name, minutes in sums.groupby(level="group")
    }
    columns = ["viewers", *(f"p{percentile:g}" for percentile in percentiles)]
    made = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    made["viewers"] = made["viewers"].astype("int64")
    return made.rename_axis(by or "group")


@checked
def new_and_returning(dataset: Dataset, *, period: str = "W", time_zone: str = "UTC") -> pd.DataFrame:
    """Live viewers of each period: those seen for the first time, and those seen before.

    Args:
        dataset: the audience; who watched before it begins is new in it.
        period: a pandas period: `D`, `W`, `M`, …
        time_zone: the zone whose days count.

    Returns:
        A row for each period: `viewers, new, returning`.

    Raises:
        InvalidInput: pandas knows no such period.
    """
    try:
        pd.PeriodIndex([], freq=period)
    except ValueError as error:
        raise InvalidInput(f"period is D, W, M or another of pandas, not {period!r}") from error
    seen = _viewings(dataset)
    local = seen["came"].dt.tz_convert(zone_named(time_zone)).dt.tz_localize(None).dt.to_period(period)
    visits = pd.DataFrame({"period": local, "user": seen["user_id"]}).drop_duplicates()
    first = visits.groupby("user")["period"].min()
    visits["new"] = visits["period"] == visits["user"].map(first)
    made = visits.groupby("period").agg(viewers=("user", "size"), new=("new", "sum"))
    made["returning"] = made["viewers"] - made["new"]
    return made


@checked
def viewer_path(dataset: Dataset, user_id: str) -> pd.DataFrame:
    """One viewer's way: every visit, message and reaction, in order.

    Args:
        dataset: the audience.
        user_id: whose.

    Returns:
        `at, room_id, title, what, detail`: `watched` with its seconds, `replayed`, `wrote` with the number of
        characters, `reacted` and `took back` with the reaction's name.

    Raises:
        InvalidInput: nobody of this id did anything.
    """
    views, messages, reactions = (
        table[table["user_id"] == user_id] for table in (dataset.views, dataset.messages, dataset.reactions)
    )
    if not (len(views) or len(messages) or len(reactions)):
        raise InvalidInput(f"nobody with the id {user_id!r} watched, wrote or reacted")
    mended, _ = repaired(views, dataset.windows)
    parts = [
        pd.DataFrame(
            {
                "at": mended["start"],
                "room_id": mended["room_id"],
                "what": np.where(mended["replay"], "replayed", "watched"),
                "detail": mended["watch_seconds"].round(1).astype(str) + " s",
            }
        ),
        pd.DataFrame(
            {
                "at": messages["created_at"],
                "room_id": messages["room_id"],
                "what": "wrote",
                "detail": messages["length"].astype(str) + " characters",
            }
        ),
        pd.DataFrame(
            {
                "at": reactions["at"],
                "room_id": reactions["room_id"],
                "what": np.where(reactions["added"], "reacted", "took back"),
                "detail": reactions["name"],
            }
        ),
    ]
    path = pd.concat([part for part in parts if len(part)]).sort_values("at", kind="stable", ignore_index=True)
    titles = dataset.rooms.set_index("room_id")["title"]
    path.insert(2, "title", path["room_id"].map(titles))
    return path
