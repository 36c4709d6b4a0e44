"""How far people came: announced → RSVP → joined → stayed → chatted → clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spnb._arguments import checked
from spnb.analytics.people import live_views
from spnb.errors import InvalidInput, TableError

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset

__all__ = ["funnel"]

GOING = "going"


@checked
def funnel(
    dataset: Dataset,
    room_ids: Sequence[str] | None = None,
    *,
    announced: Any = None,
    rsvps: Any = None,
    clicks: Any = None,
    stayed_seconds: float = 300.0,
) -> pd.DataFrame:
    """How many people came how far, each counted once in each stream.

    Args:
        dataset: the audience, e.g. a capture.
        room_ids: these streams; all of them without it.
        announced: who was told of each stream, a frame of `room_id, user_id`: `post_reach`, or receivers of a
            notification.
        rsvps: who answered its invitation, a frame of `room_id, user_id`; with a column `status`, as the service has
            it, those who are `going`.
        clicks: who clicked a product, a frame of `room_id, user_id`.
        stayed_seconds: how long somebody watched live, in all, to have stayed.

    Returns:
        A row for each step, in order: `step`; `people` who took it; `through`, those of them who took every step before
        it that is known; `share`, through ÷ those through the known step before it; `of_first`, through ÷ the people of
        the first known step. Steps that no table could know are NaN, and passed over by those behind them.

    Raises:
        TableError: a frame lacks a column.
        InvalidInput: a stream is asked for that is not there.
    """
    if not stayed_seconds >= 0:
        raise InvalidInput(f"people stay 0 s at least, not {stayed_seconds!r}")
    part = dataset if room_ids is None else dataset.of_rooms(room_ids)
    rooms = set(part.rooms["room_id"])
    steps: list[tuple[str, pd.MultiIndex | None]] = [
        ("announced", _given("announced", announced, rooms)),
        ("RSVP", _given("rsvps", rsvps, rooms)),
    ]
    if "views" in part.known:
        watched = live_views(part).groupby(["room_id", "user_id"], observed=True)["watch_seconds"].sum()
        here = pd.MultiIndex.from_frame(watched.index.to_frame(index=False).astype(object))
        long = watched.to_numpy() >= stayed_seconds
        steps += [("joined", here), (f"stayed {_length(stayed_seconds)}", here[long])]
    else:
        steps += [("joined", None), (f"stayed {_length(stayed_seconds)}", None)]
    wrote = part.messages[~part.messages["deleted"]]
    steps.append(("chatted", _people(wrote) if "messages" in part.known else None))
    steps.append(("clicked a product", _given("clicks", clicks, rooms)))
    rows: list[tuple[str, float, float, float, float]] = []
    through: pd.MultiIndex | None = None
    first = np.nan
    for name, people in steps:
        if people is None:
            rows.append((name, np.nan, np.nan, np.nan, np.nan))
            continue
        before = np.nan if through is None else float(len(through))
        through = people if through is None else through.intersection(people)
        first = float(len(people)) if np.isnan(first) else first
        count = float(len(through))
        rows.append((name, float(len(people)), count, _ratio(count, before), _ratio(count, first)))
    return pd.DataFrame(rows, columns=["step", "people", "through", "share", "of_first"])


def _given(name: str, frame: Any, rooms: set[str]) -> pd.MultiIndex | None:
    if frame is None:
        return None
    made = pd.DataFrame(frame)
    if missing := [column for column in ("room_id", "user_id") if column not in made.columns]:
        raise TableError(f"{name} lack {', '.join(missing)}: they need room_id and user_id")
    if name == "rsvps" and "status" in made.columns:
        made = made[made["status"] == GOING]
    return _people(made[made["room_id"].isin(rooms)])


def _people(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[["room_id", "user_id"]].astype(object).dropna()).unique()


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def _length(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
