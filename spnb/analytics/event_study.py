"""What did it do? Annotations on the streams' clock, with what followed against what was to be expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spnb._arguments import checked
from spnb.analytics.annotations import checked_annotations
from spnb.analytics.frames import TIME
from spnb.analytics.people import viewers_known
from spnb.analytics.sessions import repaired
from spnb.analytics.windows import NEVER, Whole, milliseconds
from spnb.errors import InvalidInput

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset

__all__ = ["effects"]


@checked
def effects(
    dataset: Dataset, annotations: Any, *, window_seconds: float = 60.0, before_seconds: float = 600.0
) -> pd.DataFrame:
    """Joins, messages and reactions after each annotation, against what the time before it let expect.

    What is expected is the mean pace of the time before. How unusual a difference is, the stream tells by itself: the
    same is reckoned at moments all over it, half a window apart, at which nothing was annotated (placebos in time).

    Args:
        dataset: the audience.
        annotations: a frame of `room_id`, `at` (a time with a zone) and `what`: a notification, a raid, a product
            pinned, a co-host, a change of title, …
        window_seconds: how long an annotation is looked at.
        before_seconds: how long before it makes what is expected; less where the stream had just begun, but at least
            a window.

    Returns:
        A row for each annotation and number: `room_id, at, what, number` (`joins`, `messages`, `reactions`, as far as
        they are known), `observed, expected, lift` (their difference), `p` (the share of placebos with such a lift, or
        a higher one) and `placebos`. NaN where there was no time before.

    Raises:
        TableError: the annotations lack a column, or a zone.
        InvalidInput: a window is not longer than nothing, or they name an unknown stream.
    """
    if not (window_seconds > 0 and before_seconds >= window_seconds):
        raise InvalidInput(f"windows are longer than 0 s, and no longer than the time before, not {window_seconds!r}")
    marks = checked_annotations(annotations)
    part = dataset.of_rooms(marks["room_id"].drop_duplicates().tolist())
    windows = part.windows
    acts = _acts(part)
    window, before = round(window_seconds * 1000), round(before_seconds * 1000)
    rows: list[tuple[Any, ...]] = []
    for room_id, mine in marks.groupby("room_id", sort=False):
        place = int(np.flatnonzero(windows.names == room_id)[0])
        begin, finish = int(windows.begin[place]), int(windows.finish[place])
        at = milliseconds(mine["at"].astype(TIME))
        quiet = _placebos(begin, finish, at, window) if begin != NEVER else np.zeros(0, dtype=np.int64)
        for number, table in acts.items():
            times = table.get(room_id, np.zeros(0, dtype=np.int64))
            observed, expected = _counted(times, at, begin, window, before)
            usual, let_expect = _counted(times, quiet, begin, window, before)
            chance = (usual - let_expect)[~np.isnan(let_expect)]
            for mark, seen, due in zip(mine.itertuples(), observed.tolist(), expected.tolist(), strict=True):
                lift = seen - due
                p = np.nan if np.isnan(lift) or not len(chance) else (1 + (chance >= lift).sum()) / (1 + len(chance))
                rows.append((room_id, mark.at, mark.what, number, int(seen), due, lift, p, len(chance)))
    columns = ["room_id", "at", "what", "number", "observed", "expected", "lift", "p", "placebos"]
    return pd.DataFrame(rows, columns=columns).sort_values(["room_id", "at"], kind="stable", ignore_index=True)


def _acts(part: Dataset) -> dict[str, dict[Any, Whole]]:
    """The moments of each kind of act by stream, in order."""
    found: dict[str, pd.DataFrame] = {}
    if "views" in part.known:
        viewers_known(part)
        views, _ = repaired(part.views, part.windows)
        live = views[~views["replay"] & ~views["reconnect"]]
        found["joins"] = live[["room_id", "start"]].set_axis(["room_id", "at"], axis=1)
    if "messages" in part.known:
        standing = part.messages[~part.messages["deleted"]]
        found["messages"] = standing[["room_id", "created_at"]].set_axis(["room_id", "at"], axis=1)
    if "reactions" in part.known:
        found["reactions"] = part.reactions[part.reactions["added"]][["room_id", "at"]]
    return {
        name: {room: np.sort(milliseconds(rows["at"])) for room, rows in frame.groupby("room_id", observed=True)}
        for name, frame in found.items()
    }


def _placebos(begin: int, finish: int, at: Whole, window: int) -> Whole:
    """Moments half a window apart, whose windows lie in the stream and touch no annotation's."""
    moments = np.arange(begin + window, finish - window + 1, max(1, window // 2), dtype=np.int64)
    near = np.abs(moments[:, None] - at[None, :]) < window if len(at) else np.zeros((len(moments), 1), dtype=bool)
    made: Whole = moments[~near.any(axis=1)]
    return made


def _counted(times: Whole, at: Whole, begin: int, window: int, before: int) -> tuple[Any, Any]:
    """How many acts fell into the window after each moment, and how many were to be expected."""
    first = np.maximum(at - before, begin)
    seen, head, tail = (np.searchsorted(times, edge, side="left") for edge in (at + window, at, first))
    length = (at - first).astype(np.float64)
    due = np.divide((head - tail) * float(window), length, out=np.full(len(at), np.nan), where=length >= window)
    return (seen - head).astype(np.float64), due
