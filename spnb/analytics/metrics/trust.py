"""How far the numbers of a set of tables can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from spnb._arguments import checked
from spnb.analytics.events import events_of
from spnb.analytics.frames import utc_now, validated
from spnb.analytics.quality import Quality, Step
from spnb.analytics.sessions import sessions_of
from spnb.analytics.windows import instant

__all__ = ["quality"]

GAP_SECONDS = 60.0
"""A break between two polls at least this long, and three times the usual one, is a gap in the capture."""


@checked
def quality(rooms: Any = None, *, as_of: Any = None, **tables: Any) -> Quality:
    """What is wrong with tables, and what the metrics make of it.

    Args:
        rooms: the rooms table.
        as_of: end of the window of rooms still on air.
        tables: `views=…, presence=…, messages=…, reactions=…, status=…, health=…`, as many as there are.

    Returns:
        Rows left out (doubles, future, incomplete), sessions mended (no end, end before start, outside the live window,
        watched longer than they lasted), reconnects and overlaps, gaps between polls, and streams whose viewers are
        only known by polling.
    """
    found = Quality()
    frames = {}
    for name, table in {"rooms": rooms, **tables}.items():
        if table is not None:
            # rows that reach up to `as_of` are not from the future, whatever the reader's clock says
            now = max(utc_now(), instant(as_of)) if as_of is not None else None
            frames[name], mended = validated(name, table, now=now)
            found += mended
    known = frames.pop("rooms", None)
    if "views" in frames:
        found += sessions_of(frames["views"], known, as_of=as_of).quality
    counted = {name: frames[name] for name in ("messages", "reactions") if name in frames}
    for events in events_of(known, as_of=as_of, **counted).values():
        found += events.quality
    if "presence" in frames:
        found += Quality.of(_polls(frames["presence"], frames.get("views")))
    return found


def _polls(presence: pd.DataFrame, views: pd.DataFrame | None) -> Iterator[Step]:
    ordered = presence.sort_values(["room_id", "at"])
    pauses = ordered.groupby("room_id")["at"].diff().dt.total_seconds()
    usual = pauses.groupby(ordered["room_id"]).transform("median")
    gaps = pauses[(pauses >= GAP_SECONDS) & (pauses > 3 * usual)]
    yield Step("gap in the capture", "presence", len(gaps), f"nothing known of {gaps.sum():.0f} s")
    seen = set(presence["room_id"].unique())
    polled = seen - set(views["room_id"].unique() if views is not None else ())
    share = len(polled) / len(seen) if seen else 0.0
    yield Step("counted by polling only", "presence", len(polled), f"no sessions of {share:.0%} of the polled streams")
