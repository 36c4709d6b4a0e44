"""Dimensions: any column of rooms or of views, to filter an audience by or to split it into groups.

A dimension of viewers (country, device, app version, …) is a column of views. What somebody wrote or reacted in a
stream goes with the first row of theirs among its watch sessions; polls count everybody, so that they tell nothing of
a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spnb.analytics.frames import OWN
from spnb.analytics.quality import Quality, Step
from spnb.analytics.store import NUMBERED, Codes, Memory, Store, empty
from spnb.analytics.tables import TABLES
from spnb.analytics.windows import Windows
from spnb.errors import InvalidInput, TableError

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset

__all__ = ["MOST_GROUPS", "SUMMED", "TIMES", "clashes", "is_of_viewers", "joined", "narrowed", "split"]

MOST_GROUPS = 1_000
"""More values make no groups to look at, but a column of ids."""
ACTS = ("messages", "reactions")
TIMES = ("weekday", "hour")
"""Columns that groups may be of beside those of rooms and views."""
SUMMED = ("minutes_live", "viewer_seconds", "duration_seconds")
"""Sums of a group that its averages are made of."""
JOINED = {"user_id": "views", "room_id": "rooms", "community_id": "rooms", "creator_id": "rooms"}
"""Which table gets the columns of what is joined on it."""


def clashes(frames: Mapping[str, pd.DataFrame]) -> Iterator[Step]:
    """Columns of your own with names that stand for something else where streams are grouped, filtered or listed."""
    ours = _ours()
    beside = {*(column.name for column in TABLES["rooms"].columns), *frames["rooms"].columns}
    for name in [each for each in ("rooms", "views") if each in frames]:
        frame = frames[name]
        for column in [each for each in frame.columns if each not in TABLES[name].names]:
            if name == "rooms" and column == "duration_seconds":
                continue  # as sandboxes and services tell it: the same by the same name
            if column in ours:
                told = "kept in its table; beside the numbers that name is one of spnb's: rename it to group by it"
            elif name == "views" and column in beside:
                told = "kept in its table; groups and filters take that of rooms: rename it"
            else:
                continue
            yield Step(f"column {column}", name, len(frame), told)


def _ours() -> set[str]:
    from spnb.analytics.kpis import KPIS

    return {*KPIS, *TIMES, *SUMMED}


def is_of_viewers(dataset: Dataset, column: str) -> bool:
    """Whether a column is a dimension of viewers; a column that rooms have too is one of rooms."""
    return column not in dataset.rooms.columns and dataset.store.has("views", column)


def narrowed(dataset: Dataset, wanted: Mapping[str, Any]) -> Dataset:
    """The part of an audience with these values; see `Dataset.where`."""
    rooms, store = dataset.rooms, dataset.store
    stays = pd.Series(True, index=rooms.index)
    of_viewers: dict[str, Any] = {}
    for column, value in wanted.items():
        if column in rooms.columns:
            stays &= _among(rooms[column], value)
        elif store.has("views", column):
            of_viewers[column] = value
        else:
            views = dataset.views.columns
            known = [*map(str, rooms.columns), *(str(name) for name in views if name not in rooms.columns)]
            raise InvalidInput(f"there is no column {column!r} to choose by: rooms and views have {', '.join(known)}")
    kept = rooms[stays].reset_index(drop=True)
    ids = kept["room_id"].tolist()
    if of_viewers:

        def watched(piece: pd.DataFrame) -> pd.Series[bool]:
            mine = piece["room_id"].isin(ids)
            for column, value in of_viewers.items():
                mine &= _among(piece[column], value) if column in piece.columns else False
            return mine

        tables = {"rooms": kept, "views": _chosen(store, "views", watched), "presence": empty("presence")}
        here = pd.MultiIndex.from_frame(tables["views"][["room_id", "user_id"]]).unique()
        for name in (*ACTS, "playback"):
            tables[name] = _chosen(store, name, lambda piece: _of_people(piece, here))
        tables |= {name: dataset.table(name, ids) for name in TABLES if name not in tables}
    else:
        tables = {name: dataset.table(name, ids) for name in TABLES} | {"rooms": kept}
    made = type(dataset)(Memory(tables, dataset.known), as_of=dataset.as_of, mended=dataset.mended)
    made.windows = dataset.windows.chosen(kept["room_id"])  # the streams were as long, whoever is looked at
    return made


def _chosen(store: Store, name: str, mine: Callable[[pd.DataFrame], Any]) -> pd.DataFrame:
    """The rows of a table that are wanted; of what lies in files no more is held than they and a piece."""
    found = []
    for piece in store.pieces(name):
        frame = piece[mine(piece)]
        found.append(frame.drop(columns="user") if piece.attrs.get(NUMBERED) else frame)
    several = [frame for frame in found if len(frame)] or found[:1]
    made = pd.concat(several, ignore_index=True) if several else empty(name)
    made.attrs = {}
    return made


def _of_people(piece: pd.DataFrame, here: pd.MultiIndex) -> Any:
    return pd.MultiIndex.from_frame(piece[["room_id", "user_id"]]).isin(here)


def joined(dataset: Dataset, frame: Any, on: str) -> Dataset:
    """Columns of another table beside those of viewers or streams; see `Dataset.joined`."""
    if on not in JOINED:
        raise InvalidInput(f"a table is joined on {', '.join(JOINED)}, not {on!r}")
    other = pd.DataFrame(frame)
    if on not in other.columns:
        raise TableError(f"the table to join has no column {on!r}: rename the one that names it")
    other = other.dropna(subset=[on])
    if other[on].duplicated().any():
        twice = other[on][other[on].duplicated()].iloc[0]
        raise TableError(f"the table to join has several rows for {on} {twice!r}: keep one of each")
    name = JOINED[on]
    table = dataset.table(name)
    added = [column for column in other.columns if column != on]
    if own := [column for column in added if column in OWN and name == "views"]:
        raise TableError(f"saved files have {', '.join(own)} for themselves: rename what is joined")
    if taken := [column for column in added if column in _ours()]:
        raise TableError(f"spnb has numbers called {', '.join(map(str, taken))}: rename what is joined")
    if taken := [str(column) for column in added if column in dataset.rooms.columns or column in dataset.views.columns]:
        raise TableError(f"{', '.join(taken)} would stand for two things: rename what is joined")
    keys = table[on].astype(object)
    indexed = other.set_index(other[on].astype(str))
    beside = {str(column): indexed[column].reindex(keys).set_axis(table.index) for column in added}
    tables = {each: dataset.table(each) for each in TABLES} | {name: table.assign(**beside)}
    lost = int((~keys.isin(indexed.index)).sum())
    step = Step(f"not in what was joined on {on}", name, lost, "its columns are empty")
    mended = dataset.mended + Quality.of([step])
    made = type(dataset)(Memory(tables, dataset.known), as_of=dataset.as_of, mended=mended)
    made.windows = dataset.windows
    return made


def _among(values: pd.Series[Any], wanted: Any) -> pd.Series[bool]:
    many = isinstance(wanted, (list, tuple, set, frozenset, np.ndarray, pd.Series, pd.Index))
    made: pd.Series[bool] = values.isin(list(wanted) if many else [wanted]).fillna(False).astype(bool)
    return made


def split(dataset: Dataset, column: str) -> Dataset:
    """Each stream once for each value that its viewers have, with that value in a column of its rooms.

    Raises:
        InvalidInput: the column has more values than make groups.
    """
    views, store = dataset.views, dataset.store
    code, values = pd.factorize(views[column])
    if len(values) > MOST_GROUPS:
        raise InvalidInput(f"{column} has {len(values)} values, which make no groups: at most {MOST_GROUPS} do")
    rooms = dataset.rooms
    names = pd.Index(rooms["room_id"], dtype=object)
    coded = store.codes("views") if isinstance(store, Memory) else Codes.of(views)
    room, user = names.get_indexer(pd.Index(coded.rooms, dtype=object))[coded.room], coded.user
    if not (told := code >= 0).all():
        views, code, room, user = views[told], code[told], room[told], user[told]
    present = np.bincount(cell := room * max(len(values), 1) + code, minlength=len(names) * len(values)) > 0
    cells = np.flatnonzero(present)
    place = (np.cumsum(present) - 1)[cell]
    of_room, of_value = np.divmod(cells, max(len(values), 1))
    parts = pd.Index([f"{number}" for number in range(len(cells))], dtype=object)
    tables = {name: empty(name) for name in TABLES}
    tables["rooms"] = rooms.iloc[of_room].assign(**{"room_id": parts, column: values[of_value]}).reset_index(drop=True)
    tables["views"] = views.assign(room_id=pd.Categorical.from_codes(place, parts)).reset_index(drop=True)
    acts = {name: frame for name in (*ACTS, "playback") if len(frame := dataset.table(name))}
    if acts:
        pairs, row = np.unique(room * len(coded.users) + user, return_index=True)
        first = place[row]
    for name, frame in acts.items():
        where = names.get_indexer(pd.Index(frame["room_id"], dtype=object))
        who = coded.users.get_indexer(pd.Index(frame["user_id"]))
        pair = np.where((where >= 0) & (who >= 0), where * len(coded.users) + who, -1)
        at = np.minimum(np.searchsorted(pairs, pair), max(len(pairs) - 1, 0))
        known = pairs[at] == pair if len(pairs) else np.zeros(len(frame), dtype=bool)
        room_id = pd.Categorical.from_codes(first[at[known]], parts)
        tables[name] = frame[known].assign(room_id=room_id).reset_index(drop=True)
    again = {"views": Codes(parts.to_numpy(), coded.users, place.astype(np.int32), user)}
    made = type(dataset)(Memory(tables, dataset.known, again), as_of=dataset.as_of, mended=dataset.mended)
    window = dataset.windows.chosen(names[of_room])
    made.windows = Windows(parts.to_numpy(), window.begin, window.finish, window.over)
    return made
