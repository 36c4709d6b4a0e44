"""A table of wire-shaped documents with the few columns that queries filter by."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from spnb.sandbox.store.repair import repaired
from spnb.sandbox.written import written

__all__ = ["Accept", "Collection", "Page"]

Json = dict[str, Any]
Accept = Callable[[Json], bool]
ROWS_AT_ONCE = 32
# Nearly every row has the same value, one of a few, or is found by another column first: an index on such a column
# would cost more at writing than it gives.
UNSELECTIVE = frozenset({"isDeleted", "membership", "reactionName", "referenceType", "segment", "targetType"})


@dataclass(frozen=True, slots=True)
class Page:
    """Some documents in order, and the row numbers from which neighbours go on (None at an end)."""

    documents: list[Json]
    next: int | None
    previous: int | None


class Collection:
    """Documents of one kind.

    Rows are numbered in the order of creation; that number is what paging goes by, since it is stable while documents
    are added at the end.

    Args:
        connection: the database, in autocommit mode.
        name: table name, a fixed word of the schema.
        key: the document's field that identifies it.
        columns: fields of the document that are kept as columns for filtering; dots reach into nested objects.
        expand: makes the whole document of one that was stored short, as an array (see `past`).
        together: pairs of columns that are asked for together, where either may be that of very many documents; the
            second is never asked for alone.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        key: str,
        columns: Sequence[str],
        *,
        expand: Callable[[list[Any]], Json] | None = None,
        together: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._db = connection
        self._expand = expand
        self._name = name
        self._key = key
        self._fields = tuple(columns)
        self._columns = tuple(field.replace(".", "_") for field in columns)
        # Names come from the schema in code, never from a request; values are always bound.
        definitions = "".join(f", {column}" for column in self._columns)
        self._db.execute(
            f"CREATE TABLE IF NOT EXISTS {name}"
            f" (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, doc BLOB{definitions})"
        )
        self._add_missing_columns()
        for column in self._columns:
            if column not in UNSELECTIVE and column not in [second for _, second in together]:
                self._db.execute(
                    f"CREATE INDEX IF NOT EXISTS {name}_{column} ON {name} ({column}, n) WHERE {column} IS NOT NULL"
                )
        for first, second in together:
            self._db.execute(
                f"CREATE INDEX IF NOT EXISTS {name}_{first}_{second} ON {name} ({first}, {second}, n)"
                f" WHERE {first} IS NOT NULL AND {second} IS NOT NULL"
            )
        marks = ", ".join("?" * (2 + len(self._columns)))
        names = ", ".join(("id", "doc", *self._columns))
        self._insert = f"INSERT INTO {name} ({names}) VALUES ({marks})"
        self._insert_row = f"INSERT INTO {name} (n, {names}) VALUES (?, {marks})"
        self._insert_rows = f"{self._insert_row}{f', (?, {marks})' * (ROWS_AT_ONCE - 1)}"
        assignments = ", ".join(f"{column} = ?" for column in ("doc", *self._columns))
        self._update = f"UPDATE {name} SET {assignments} WHERE id = ?"
        self._select = f"SELECT doc FROM {name} WHERE id = ?"

    def _add_missing_columns(self) -> None:
        """Give a database of an earlier version the columns it lacks, filled from its documents."""
        there = {row[1] for row in self._db.execute(f"PRAGMA table_info({self._name})")}
        for column, field in zip(self._columns, self._fields, strict=True):
            if column in there:
                continue
            self._db.execute(f"ALTER TABLE {self._name} ADD COLUMN {column}")
            for n, doc in self._db.execute(f"SELECT n, doc FROM {self._name}").fetchall():
                value = _reach(self._read(doc), field)
                self._db.execute(f"UPDATE {self._name} SET {column} = ? WHERE n = ?", (value, n))

    def insert(self, document: Json) -> Json:
        """Add a new document.

        Raises:
            sqlite3.IntegrityError: one with its key is there already.
        """
        self._db.execute(self._insert, (document[self._key], written(document), *self._values(document)))
        return document

    def free_row(self, first: int) -> int:
        """The first row number from `first` on that no document has."""
        while self._db.execute(f"SELECT 1 FROM {self._name} WHERE n = ?", (first,)).fetchone():
            first += 1
        return first

    def insert_rows(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add many documents at once, each as `(row number or None, key, document as JSON, *columns)`."""
        listed = iter(rows)
        while len(some := list(itertools.islice(listed, ROWS_AT_ONCE))) == ROWS_AT_ONCE:
            self._db.execute(self._insert_rows, tuple(itertools.chain.from_iterable(some)))
        self._db.executemany(self._insert_row, some)

    def save(self, document: Json) -> Json:
        """Write a document that is there already."""
        self._db.execute(self._update, (written(document), *self._values(document), document[self._key]))
        return document

    def put(self, document: Json) -> Json:
        """Add the document, or write over the one with its key."""
        if self.get(document[self._key]) is None:
            return self.insert(document)
        return self.save(document)

    def get(self, key: str) -> Json | None:
        """The document with this key."""
        if not isinstance(key, str):
            return None  # a document may name whatever its sender liked
        row = self._db.execute(self._select, (key,)).fetchone()
        return None if row is None else self._read(row[0])

    def get_many(self, keys: Sequence[str]) -> list[Json]:
        """The documents with these keys that exist, in the order of the keys."""
        return [
            found
            for key in dict.fromkeys(key for key in keys if isinstance(key, str))
            if (found := self.get(key)) is not None
        ]

    def delete(self, key: str) -> bool:
        """Remove a document; whether there was one."""
        return self._db.execute(f"DELETE FROM {self._name} WHERE id = ?", (key,)).rowcount > 0

    def find(
        self, where: Mapping[str, Any], *, newest_first: bool = False, limit: int = -1, accept: Accept | None = None
    ) -> list[Json]:
        """All documents that match, in the order of creation."""
        return self.page(where, limit=limit, newest_first=newest_first, accept=accept).documents

    def sorted_by(self, field: str, where: Mapping[str, Any], *, downward: bool) -> Generator[Json, None, None]:
        """Documents that match, in the order of a field of theirs, then of creation; each is read when it is asked for.

        Args:
            field: a fixed word of the wire; no column is needed.
        """
        condition, values = self._condition(where)
        order = f"json_extract(CAST(doc AS TEXT), ?) {'DESC' if downward else 'ASC'}, n"
        rows = self._db.execute(f"SELECT doc FROM {self._name}{condition} ORDER BY {order}", [*values, f"$.{field}"])
        try:
            for (doc,) in rows:
                yield self._read(doc)
        finally:
            rows.close()

    def first(self, where: Mapping[str, Any]) -> Json | None:
        """The oldest document that matches."""
        found = self.find(where, limit=1)
        return found[0] if found else None

    def count(self, where: Mapping[str, Any]) -> int:
        """How many documents match."""
        condition, values = self._condition(where)
        row = self._db.execute(f"SELECT COUNT(*) FROM {self._name}{condition}", values).fetchone()
        return int(row[0])

    def page(
        self,
        where: Mapping[str, Any],
        *,
        limit: int,
        newest_first: bool = False,
        start: int | None = None,
        accept: Accept | None = None,
    ) -> Page:
        """Up to `limit` matching documents (-1: all) from row number `start` on, in the order asked for.

        Args:
            where: column → value, list of values (any of them), or None (not filtered by it).
            start: the row number to begin with, as an earlier page gave it; None begins at the end asked for.
            accept: a further condition on whole documents, for what no column holds: the page is filled all the same.
        """
        condition, values = self._condition(where)
        if start is not None:
            condition += f"{' AND' if condition else ' WHERE'} n {'<=' if newest_first else '>='} ?"
            values = [*values, start]
        order = "DESC" if newest_first else "ASC"
        if accept is not None or limit < 0:
            query, bound = f"SELECT n, doc FROM {self._name}{condition} ORDER BY n {order}", values
        else:
            query = f"SELECT n, doc FROM {self._name}{condition} ORDER BY n {order} LIMIT ?"
            bound = [*values, limit + 1]
        kept: list[Json] = []
        following: int | None = None
        rows = self._db.execute(query, bound)
        for n, doc in rows:
            document = self._read(doc)
            if accept is not None and not accept(document):
                continue
            if len(kept) == limit:
                following = int(n)
                break
            kept.append(document)
        rows.close()
        return Page(kept, following, self._previous(where, limit, newest_first, start, accept))

    def _previous(
        self, where: Mapping[str, Any], limit: int, newest_first: bool, start: int | None, accept: Accept | None
    ) -> int | None:
        if start is None or limit <= 0:
            return None
        condition, values = self._condition(where)
        sense, order = (">", "ASC") if newest_first else ("<", "DESC")
        condition += f"{' AND' if condition else ' WHERE'} n {sense} ?"
        query = f"SELECT n, doc FROM {self._name}{condition} ORDER BY n {order}"
        rows = self._db.execute(query, [*values, start])
        first, seen = None, 0
        for n, doc in rows:
            if accept is None or accept(self._read(doc)):
                first, seen = int(n), seen + 1
                if seen == limit:
                    break
        rows.close()
        return first

    def _condition(self, where: Mapping[str, Any]) -> tuple[str, list[Any]]:
        parts: list[str] = []
        values: list[Any] = []
        for field, wanted in where.items():
            column = field.replace(".", "_")
            if wanted is None:
                continue
            if column not in self._columns:
                raise KeyError(f"{self._name} cannot be filtered by {field}")
            if column in UNSELECTIVE:
                # A database of before may still have an index on it; the plus keeps SQLite from walking that.
                column = f"+{column}"
            if isinstance(wanted, (list, tuple, set, frozenset)):
                parts.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values.extend(wanted)
            else:
                parts.append(f"{column} = ?")
                values.append(wanted)
        return (f" WHERE {' AND '.join(parts)}" if parts else ""), values

    def _read(self, stored: bytes) -> Json:
        document: Any = orjson.loads(stored)
        if isinstance(document, list) and self._expand is not None:
            return self._expand(document)
        return repaired(self._name, document)

    def _values(self, document: Json) -> list[Any]:
        return [_reach(document, field) for field in self._fields]


def _reach(document: Json, field: str) -> Any:
    value: Any = document
    for step in field.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, (str, int, float)) else None
