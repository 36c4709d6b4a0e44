"""The table of streams: those of a period, filtered and in order, with every number of `spnb.analytics.KPIS`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from spnb._arguments import checked
from spnb.analytics.dataset import Dataset
from spnb.analytics.export import escaped
from spnb.analytics.kpis import KPIS
from spnb.errors import InvalidInput

__all__ = ["streams_csv", "streams_table"]

SEARCHED = ("title", "creator_id", "community_id")


@checked
def streams_table(
    dataset: Dataset,
    start: Any = None,
    end: Any = None,
    *,
    text: str = "",
    kind: str = "",
    sort: str = "created_at",
    descending: bool = True,
) -> pd.DataFrame:
    """Rows of `dataset.kpis`.

    Args:
        dataset: the audience.
        start: only streams created in `[start, end)`, times with a zone; all without.
        end: the first moment that is left out.
        text: only streams with this in their title, creator, community or id; case does not matter.
        kind: only streams of this type: `coHosts`, `directStreaming`, or another that the dataset has.
        sort: a column; streams without a value come last, and the same values stand in order of id.
        descending: highest, newest or last of the alphabet first.

    Raises:
        InvalidInput: there is no such column to sort by, or no such type.
    """
    table = dataset.kpis
    if sort not in table.columns:
        raise InvalidInput(f"there is no column {sort!r} to sort by: choose from {', '.join(table.columns)}")
    kinds = {"coHosts", "directStreaming", *table["type"].dropna().unique()}
    if kind and kind not in kinds:
        raise InvalidInput(f"no stream is ever {kind!r}: choose from {', '.join(sorted(kinds))}")
    created = table["created_at"].fillna(table["live_at"])
    wanted = pd.Series(True, index=table.index)
    if start is not None:
        wanted &= created >= pd.Timestamp(start)
    if end is not None:
        wanted &= created < pd.Timestamp(end)
    if kind:
        wanted &= (table["type"] == kind).fillna(False).astype(bool)
    if needle := text.strip().casefold():
        found = pd.Series(table.index, index=table.index).map(lambda name: needle in str(name).casefold())
        for column in SEARCHED:
            found |= table[column].fillna("").map(lambda value: needle in str(value).casefold())
        wanted &= found
    chosen = table[wanted].sort_index()
    key = chosen[sort]
    if not (pd.api.types.is_numeric_dtype(key) or pd.api.types.is_datetime64_any_dtype(key)):
        key = key.map(lambda value: str(value).casefold(), na_action="ignore")
    order = key.sort_values(ascending=not descending, kind="stable", na_position="last").index
    return chosen.loc[order]


@checked
def streams_csv(table: pd.DataFrame) -> str:
    """A table of streams as CSV: numbers in full, times in UTC. A text that a spreadsheet would run as a formula begins
    with an apostrophe."""
    columns = [name for name in table.columns if name not in KPIS]
    plain = table[[*columns, *KPIS]].reset_index()
    for name in plain.columns:
        if pd.api.types.is_datetime64_any_dtype(plain[name]):
            plain[name] = plain[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-3] + "Z"
        elif not pd.api.types.is_numeric_dtype(plain[name]):
            plain[name] = plain[name].map(lambda value: escaped(str(value)), na_action="ignore")
    return str(plain.to_csv(index=False, lineterminator="\n"))
