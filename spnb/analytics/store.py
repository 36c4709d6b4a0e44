"""Where a dataset's tables are: in memory, or in a folder. Both hand out whole tables, one stream's rows, and parts.

A part holds whole streams only, so that whatever is reckoned per stream can be reckoned part by part, in any order,
on all cores, without ever holding more than a few parts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.frames import validated
from spnb.analytics.tables import TABLES, table_named
from spnb.analytics.windows import Whole, milliseconds

__all__ = ["NUMBERED", "Codes", "Memory", "Part", "Store", "empty"]


NUMBERED = "spnb_numbered"
"""Mark of a frame whose `user` is each user's number in the whole dataset."""


@dataclass(frozen=True, slots=True)
class Part:
    """Columns of some streams.

    Attributes:
        rooms: ids of its streams; `room` holds places in it.
        users: ids of its users as an Arrow array; `user` holds places in it. None where `user` numbers the users of the
            whole dataset already.
        room, user: codes per row.
        columns: the other columns by name: times as milliseconds, names of reactions as codes.
        kinds: names of the reactions.
    """

    rooms: NDArray[np.object_]
    users: Any
    room: Whole
    user: Whole
    columns: Mapping[str, NDArray[Any]]
    kinds: NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Codes:
    """The streams and users of a table's rows as places among their ids; -1 where there is none.

    Attributes:
        rooms, users: ids.
        room, user: places in them, per row.
    """

    rooms: NDArray[np.object_]
    users: pd.Index[Any]
    room: NDArray[np.int32]
    user: NDArray[np.int32]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Codes:
        """Of a table."""
        room, rooms = pd.factorize(frame["room_id"])
        user, users = pd.factorize(frame["user_id"])
        return cls(np.asarray(rooms, dtype=object), pd.Index(users), room.astype(np.int32), user.astype(np.int32))


class Store(Protocol):
    """What both places can do."""

    @property
    def known(self) -> frozenset[str]:
        """Tables that would hold what happened: one that is among them and empty says that nothing did."""

    def rows(self, name: str) -> int:
        """How many rows a table has."""

    def frame(self, name: str, room_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """A table, or the rows of some streams."""

    def has(self, name: str, column: str) -> bool:
        """Whether a table has a column."""

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[Any]:
        """Parts of a table, each as a function that reads it; together they are the table."""

    @property
    def users(self) -> int | None:
        """How many users there are, where each has a number."""

    def people(self) -> pd.Index[Any] | None:
        """All users; None where they are numbered."""

    def pieces(self, name: str) -> Iterator[pd.DataFrame]:
        """A table, in pieces that memory holds."""

    def own_schema(self, name: str) -> Any:
        """The further columns of a table, as Arrow's schema; None where a piece tells them, being all of it."""

    def sources(self) -> Mapping[str, Any]:
        """For SQL: each table as a data frame or as a path with stars."""


def empty(name: str) -> pd.DataFrame:
    """A table without rows."""
    columns = list(table_named(name).required)
    return validated(name, pd.DataFrame({column: pd.Series([], dtype=object) for column in columns}))[0]


class Memory:
    """Tables that are pandas frames already.

    Args:
        tables: by name; they do not change any more.
        known: see `Store.known`; the tables given without.
        codes: of some tables, where they are there already.
    """

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        known: Collection[str] | None = None,
        codes: Mapping[str, Codes] | None = None,
    ) -> None:
        self._tables = {name: tables[name] if name in tables else empty(name) for name in TABLES}
        self._known = frozenset(tables if known is None else known)
        self._codes = dict(codes or {})

    @property
    def known(self) -> frozenset[str]:
        """The tables that were given."""
        return self._known

    def rows(self, name: str) -> int:
        """How many rows a table has."""
        return len(self._tables[name])

    def frame(self, name: str, room_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """A table, or the rows of some streams."""
        frame = self._tables[name]
        return frame if room_ids is None else frame[frame["room_id"].isin(list(room_ids))].reset_index(drop=True)

    def has(self, name: str, column: str) -> bool:
        """Whether a table has a column."""
        return column in self._tables[name].columns

    def codes(self, name: str) -> Codes:
        """The streams and users of a table's rows: looked up once, which takes longer than most that is reckoned."""
        if name not in self._codes:
            self._codes[name] = Codes.of(self._tables[name])
        return self._codes[name]

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[Any]:
        """One part: the table."""
        frame = self._tables[name]

        def read() -> Part:
            people = self.codes(name)
            kinds: Any = []
            made: dict[str, NDArray[Any]] = {}
            for column in columns:
                kind = table_named(name).column(column).kind
                if column in ("room_id", "user_id"):
                    continue
                if kind == "time":
                    made[column] = milliseconds(frame[column])
                elif kind == "text":
                    codes, kinds = pd.factorize(frame[column])
                    made[column] = codes.astype(np.int64)
                else:
                    made[column] = frame[column].to_numpy()
            return Part(
                people.rooms,
                None,  # one part: its users are all there are
                people.room.astype(np.int64),
                people.user.astype(np.int64),
                made,
                np.asarray(kinds, dtype=object),
            )

        if len(frame):
            yield read

    @property
    def users(self) -> int | None:
        """None: users have their ids."""
        return None

    def people(self) -> pd.Index[Any]:
        """All users."""
        named = [frame["user_id"] for frame in self._tables.values() if "user_id" in frame.columns]
        made: pd.Index[Any] = pd.Index(pd.concat(named, ignore_index=True).unique())
        return made

    def pieces(self, name: str) -> Iterator[pd.DataFrame]:
        """One piece: the table."""
        yield self._tables[name]

    def own_schema(self, _: str) -> Any:
        """None: the table tells them itself."""
        return

    def sources(self) -> Mapping[str, Any]:
        """The frames."""
        return self._tables
