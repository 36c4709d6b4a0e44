"""Reckoning part by part, on all cores: whatever is defined per stream runs here at any scale, by the same
functions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spnb.analytics.events import Events, coded_events
from spnb.analytics.sessions import Sessions, coded
from spnb.analytics.store import Part, Store
from spnb.analytics.windows import Windows

__all__ = ["over_events", "over_sessions", "same_people"]

T = TypeVar("T")

VIEW_COLUMNS = ("room_id", "user_id", "start", "end", "watch_seconds", "replay")


def over_sessions(store: Store, windows: Windows, reduce: Callable[[Sessions, Part], T]) -> list[T]:
    """Reduce the watch sessions of each part to something small.

    Args:
        store: where the tables are.
        windows: the live windows of all rooms.
        reduce: takes a part's mended sessions, and the part for the ids of users.
    """

    places = windows.places()

    def reckon(read: Callable[[], Part]) -> T:
        part = read()
        columns = part.columns
        return reduce(
            coded(
                windows.chosen(part.rooms, places),
                part.room,
                part.user,
                columns["start"],
                columns["end"],
                columns["watch_seconds"],
                columns["replay"],
            ),
            part,
        )

    return _in_parallel(reckon, list(store.parts("views", VIEW_COLUMNS)))


def over_events(store: Store, windows: Windows, name: str, reduce: Callable[[Events, Part], T]) -> list[T]:
    """Reduce the messages or reactions of each part to something small; as `over_sessions`."""
    reactions = name == "reactions"
    columns = ["room_id", "user_id", *(("name", "at", "added") if reactions else ("created_at", "deleted"))]
    places = windows.places()

    def reckon(read: Callable[[], Part]) -> T:
        part = read()
        at, flag = part.columns["at" if reactions else "created_at"], part.columns["added" if reactions else "deleted"]
        kind = part.columns["name"] if reactions else np.zeros(len(at), dtype=np.int64)
        kinds = part.kinds if reactions else np.array([""], dtype=object)
        counts = flag if reactions else ~flag
        return reduce(
            coded_events(name, windows.chosen(part.rooms, places), part.room, part.user, at, counts, kind, kinds), part
        )

    return _in_parallel(reckon, list(store.parts(name, columns)))


def same_people(users: Sequence[Any]) -> list[NDArray[np.int32]] | None:
    """The users of many parts under one numbering.

    Args:
        users: each part's ids.

    Returns:
        For each part the common number of each of its users; None where they are numbered already.
    """
    if not users or users[0] is None:
        return None
    # one array first: over chunks Arrow would hash each chunk's growing dictionary again
    whole = pa.concat_arrays([part.cast(pa.large_string()) for part in users]).dictionary_encode()
    codes = whole.indices.to_numpy(zero_copy_only=False)
    edges = np.cumsum([len(part) for part in users])[:-1]
    return np.split(codes, edges)


def _in_parallel(work: Callable[[Any], T], parts: list[Any]) -> list[T]:
    if len(parts) < 2:
        return [work(part) for part in parts]
    # Sorting, counting and decompressing run outside the interpreter's lock.
    with ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1)) as workers:
        return list(workers.map(work, parts))
