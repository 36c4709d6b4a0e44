"""A dataset as a folder of Parquet files, which any tool can read.

    <folder>/dataset.json               which schema this is, and the moment up to which it reaches
    <folder>/rooms.parquet
    <folder>/views/day=2026-03-01/part-0.parquet      and so on for each table

Beside `user_id` stands `user`, a number of that user in the whole dataset, so that nobody is looked up by name to be
counted once. A row lies in the day its stream began (UTC), so that every stream is in one place: a stream is read
without looking at others, and a season is reckoned day by day in little memory. Rows are ordered by stream, user and
time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain, groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from spnb.analytics.frames import FALLBACKS, TIME
from spnb.analytics.objects import GENERATION, ObjectFile, Objects, new_generation
from spnb.analytics.store import NUMBERED, Part, empty
from spnb.analytics.swap import recovered
from spnb.analytics.tables import TABLES, Table, table_named
from spnb.analytics.windows import NEVER, Whole
from spnb.errors import TableError

__all__ = [
    "CAPTURE_CARD",
    "CARD",
    "Folder",
    "ObjectFolder",
    "arrow_schema",
    "put_dataset",
    "save_table",
    "saved_before",
    "write_card",
    "write_parquet",
]

CARD = "dataset.json"
CAPTURE_CARD = "capture.json"
"""What makes a folder a capture; see `capture.disk`."""
FORMAT = 1
TYPES = {
    "text": pa.string(),
    "time": pa.timestamp("ms", tz="UTC"),
    "number": pa.float64(),
    "count": pa.int64(),
    "flag": pa.bool_(),
}
OPEN = ("views", "messages")
"""Tables with further columns: dimensions of viewers, and words where they were asked for."""
PIECE_ROWS = 1 << 20
"""What of a table is held at a time where all of it might be more than memory has."""
REPEATED = ("room_id", "user_id", "channel_id", "name", "status", "kind")
"""Text columns whose values repeat; ids of single rows do not."""


def arrow_schema(table: Table) -> pa.Schema:
    """The columns of a table in Arrow's types."""
    return pa.schema([(column.name, TYPES[column.kind]) for column in table.columns])


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write one file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    # times and numbers of people as what they differ by: smaller than packed, and read three times as fast
    whole = [
        field.name for field in table.schema if pa.types.is_timestamp(field.type) or pa.types.is_integer(field.type)
    ]
    pq.write_table(
        table,
        draft,
        compression={name: "none" if name in whole else "zstd" for name in table.column_names},
        compression_level={name: 1 for name in table.column_names if name not in whole},
        column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
        use_dictionary=[name for name in table.column_names if name in REPEATED],
        dictionary_pagesize_limit=1 << 26,  # a day's users stay a dictionary, so that reading them needs no hashing
        row_group_size=1 << 20,
    )
    draft.replace(path)


def write_card(
    folder: Path,
    as_of: pd.Timestamp | None,
    users: int | None = None,
    known: Collection[str] | None = None,
    *,
    text: bool = False,
) -> None:
    """Say what the folder is; `users` is how many there are where every file numbers them."""
    folder.mkdir(parents=True, exist_ok=True)
    card: dict[str, Any] = {"format": FORMAT, "as_of": as_of.isoformat() if as_of is not None else None, "users": users}
    if known is not None:
        card["known"] = sorted(known)
    if text:
        card["text"] = True  # what people wrote is in it
    draft = folder / f".{CARD}.{os.getpid()}"
    draft.write_text(json.dumps(card) + "\n")
    draft.replace(folder / CARD)


def save_table(
    folder: Path,
    name: str,
    frame: pd.DataFrame,
    days: pd.Series[Any],
    users: pd.Index[Any] | None,
    *,
    part: str = "part-0",
    own: pa.Schema | None = None,
) -> list[Path]:
    """Write a table's rows to their days.

    Args:
        folder: the dataset.
        name: the table; `rooms` is one file.
        frame: its rows.
        days: the day each stream began (a date by room id).
        users: all users of the dataset; a user's number is its place. Without it nobody is numbered, but in a frame of
            `Folder.pieces`, which brings the numbers.
        part: what its files are called.
        own: further columns, where the frame is a piece of the table, which does not tell their types.

    Returns:
        The files.
    """
    if name == "rooms":
        write_parquet(pa.Table.from_pandas(frame, preserve_index=False), folder / "rooms.parquet")
        return [folder / "rooms.parquet"]
    table = table_named(name)
    itself = frame[table.time].dt.tz_convert("UTC").dt.floor("D")
    known = days if len(days) else pd.Series({"": pd.NaT}, dtype=TIME)  # pandas takes an empty one for numbers
    day = frame["room_id"].map(known).astype(TIME).fillna(itself)
    order = [column for column in ("room_id", "user_id", table.time) if column in frame.columns]
    ordered = frame.assign(day=day).sort_values(["day", *order], kind="stable")
    # columns of your own too, of one type in all files
    schema = pa.schema([*arrow_schema(table), *(own if own is not None else own_schema(name, frame))])
    numbered = frame.attrs.get(NUMBERED, False)
    files = []
    for start, rows in ordered.groupby("day", sort=False):
        made = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
        if "user_id" in table.names and (numbered or users is not None):
            numbers = rows["user"] if users is None else users.get_indexer(pd.Index(rows["user_id"]))
            made = made.append_column("user", pa.array(numbers, pa.int32()))
        place = folder / name / f"day={pd.Timestamp(start):%Y-%m-%d}"  # type: ignore[arg-type]
        write_parquet(made.replace_schema_metadata(None), place / f"{part}.parquet")
        files.append(place / f"{part}.parquet")
    return files


def own_schema(name: str, frame: pd.DataFrame) -> pa.Schema:
    """The further columns of a table's frame, of those that may have some."""
    names = [column for column in frame.columns if column not in table_named(name).names] if name in OPEN else []
    return pa.Schema.from_pandas(frame[names], preserve_index=False) if names else pa.schema([])


class Folder:
    """A saved dataset, read only as far as it is asked for.

    Raises:
        TableError: the folder is none, or of a newer kind.
    """

    def __init__(self, path: Path) -> None:
        self.path: Any = path
        recovered(path)
        try:
            card = (path / CARD).read_bytes()
        except OSError:
            card = None
        self._open(card_of(card, path))

    def _open(self, card: Mapping[str, Any]) -> None:
        as_of = card.get("as_of")
        self.as_of = pd.Timestamp(as_of) if as_of else None
        self.users: int | None = card.get("users")
        known = card.get("known")  # older ones do not tell: what has rows was known
        self.known = frozenset(known if known is not None else (name for name in TABLES if self.files(name)))
        self.rooms = self._read_rooms()

    def _rooms_file(self) -> Any:
        file = self.path / "rooms.parquet"
        return file if file.exists() else None

    def _read_rooms(self) -> pd.DataFrame:
        file = self._rooms_file()
        if file is None:
            return empty("rooms")
        made: pd.DataFrame = read_file(file).to_pandas()
        kinds = {column.name: FALLBACKS[column.kind] for column in TABLES["rooms"].columns}
        return made.astype({name: kind for name, kind in kinds.items() if name in made.columns})

    def files(self, name: str, days: Sequence[str] | None = None) -> Sequence[Any]:
        """The files of a table, of some days or of all."""
        places = (
            sorted((self.path / name).glob("day=*")) if days is None else [self.path / name / f"day={d}" for d in days]
        )
        return [file for place in places for file in sorted(place.glob("[!.]*.parquet"))]

    def rows(self, name: str) -> int:
        """How many rows a table has; only the files' footers are read."""
        if name == "rooms":
            return len(self.rooms)
        return sum(opened(file).metadata.num_rows for file in self.files(name))

    def frame(self, name: str, room_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """A table, or the rows of some streams; of those only their days are opened."""
        if name == "rooms":
            rooms = self.rooms
            return rooms if room_ids is None else rooms[rooms["room_id"].isin(list(room_ids))].reset_index(drop=True)
        days, filters = None, None
        if room_ids is not None:
            began = self.rooms.set_index("room_id")[["live_at", "created_at"]].reindex(list(room_ids))
            day = began["live_at"].fillna(began["created_at"])
            # a stream without its times lies wherever its rows' own days are
            days = None if day.isna().any() else sorted({f"{moment:%Y-%m-%d}" for moment in day})
            filters = [("room_id", "in", list(room_ids))]
        tables = [read_file(file, filters=filters) for file in self.files(name, days)]
        tables = [table for table in tables if len(table)]
        return self._framed(name, tables, ()) if tables else empty(name)

    def _framed(self, name: str, tables: Sequence[pa.Table], more: Sequence[str]) -> pd.DataFrame:
        kinds = {column.name: FALLBACKS[column.kind] for column in TABLES[name].columns}
        whole = pa.concat_tables(tables)
        own = [column for column in whole.column_names if column not in kinds and column != "user"]
        made: pd.DataFrame = whole.select([*kinds, *(own if name in OPEN else ()), *more]).to_pandas()
        return made.astype(kinds)

    def has(self, name: str, column: str) -> bool:
        """Whether a table has a column; only the files' footers are read."""
        return column in table_named(name).names or column in self.own_schema(name).names

    def own_schema(self, name: str) -> pa.Schema:
        """The further columns of a table; only the files' footers are read."""
        if name not in OPEN:
            return pa.schema([])
        ours = {*table_named(name).names, "user"}
        fields = [[field for field in opened(file).schema_arrow if field.name not in ours] for file in self.files(name)]
        made: pa.Schema = pa.unify_schemas([pa.schema(each) for each in fields]) if fields else pa.schema([])
        return made.remove_metadata()

    def pieces(self, name: str) -> Iterator[pd.DataFrame]:
        """A table in pieces that memory holds, each of one day, with the users' numbers if there are any."""
        if name == "rooms":
            yield self.rooms
            return
        numbered = self.users is not None and "user_id" in table_named(name).names
        for _, files in groupby(self.files(name), day_of):
            held: list[pa.Table] = []
            for piece in chain.from_iterable(map(pieces_of_file, files)):
                held.append(piece)
                if sum(map(len, held)) >= PIECE_ROWS:
                    yield self._piece(name, held, numbered)
                    held = []
            if held:
                yield self._piece(name, held, numbered)

    def people(self) -> pd.Index[Any] | None:
        """All users; None where files number them."""
        if self.users is not None:
            return None
        known = pa.array([], pa.string())
        for name in TABLES:
            if name != "rooms" and "user_id" in table_named(name).names:
                for file in self.files(name):
                    mine = read_file(file, ["user_id"])["user_id"].cast(pa.string()).unique()
                    known = pa.concat_arrays([known, mine]).unique()
        made: pd.Index[Any] = pd.Index(known.to_pandas())
        return made

    def _piece(self, name: str, held: Sequence[pa.Table], numbered: bool) -> pd.DataFrame:
        made = self._framed(name, held, ("user",) if numbered else ())
        made.attrs[NUMBERED] = numbered
        return made

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[Any]:
        """Files that share streams together, each group as a function that reads it."""
        numbered = self.users is not None
        wanted = ["user" if column == "user_id" and numbered else column for column in columns]
        for group in self._groups(name):
            yield lambda group=group: _part([read_file(file, wanted, coded=True) for file in group], numbered)

    def _groups(self, name: str) -> list[list[Any]]:
        """Usually one file each; a stream that lies in several files ties them together."""
        files = self.files(name)
        group_of: dict[str, int] = {}
        groups: dict[int, list[Any]] = {}
        for place, file in enumerate(files):
            rooms = read_file(file, ["room_id"], coded=True)["room_id"]
            names = {value for chunk in rooms.chunks for value in chunk.dictionary.to_pylist()}
            tied = {group_of[room] for room in names if room in group_of}
            joined = [path for other in sorted(tied) for path in groups.pop(other)]
            groups[place] = [*joined, file]
            for room in [room for room, group in group_of.items() if group in tied] if tied else ():
                group_of[room] = place
            group_of |= dict.fromkeys(names, place)
        return list(groups.values())

    def sources(self) -> Mapping[str, Any]:
        """Paths with stars, for SQL."""
        made: dict[str, Any] = {"rooms": self.rooms}
        place = "".join(
            f"[{mark}]" if mark in "[?*" else mark for mark in str(self.path)
        )  # its own marks are no pattern
        for name in TABLES:
            if name != "rooms":
                files = self.files(name)
                made[name] = f"{place}/{name}/day=*/*.parquet" if files else empty(name)
        return made


def card_of(card: bytes | None, path: Any) -> Mapping[str, Any]:
    """What a dataset's card says.

    Raises:
        TableError: there is none, or it is of a newer kind.
    """
    try:
        made: Mapping[str, Any] = json.loads(card or b"")
    except ValueError as error:
        raise TableError(f"{path} is no saved dataset: it has no readable {CARD}") from error
    if made.get("format") != FORMAT:
        raise TableError(f"{path} was saved by a newer spnb (format {made.get('format')}): update spnb to read it")
    return made


class ObjectFolder(Folder):
    """A saved dataset on object storage; what lies there is listed once, for a generation never changes."""

    def __init__(self, place: Objects) -> None:
        self.path = place
        card = card_of(place.read(CARD), place)
        self.generation: str = card["generation"]
        self._names = sorted(place.infos())
        self._open(card)

    def _rooms_file(self) -> Any:
        return next(iter(self._below("rooms.parquet")), None)

    def _below(self, head: str) -> list[ObjectFile]:
        head = f"{self.generation}/{head}"
        return [ObjectFile(self.path, name) for name in self._names if name.startswith(head)]

    def files(self, name: str, days: Sequence[str] | None = None) -> Sequence[Any]:
        """The objects of a table, of some days or of all."""
        if days is None:
            return self._below(f"{name}/")
        return [file for day in days for file in self._below(f"{name}/day={day}/")]

    def sources(self) -> Mapping[str, Any]:
        """Arrow's datasets, of which SQL reads what it needs."""
        from pyarrow.dataset import dataset

        made: dict[str, Any] = {"rooms": self.rooms}
        for name in TABLES:
            if name != "rooms":
                paths = [f"{self.path.path}/{file.name}" for file in self.files(name)]
                with self.path.told():
                    made[name] = dataset(paths, filesystem=self.path.filesystem) if paths else empty(name)
        return made


def saved_before(place: Objects, *, replace: bool) -> str | None:
    """The generation of the dataset that lies at a place; None where nothing does.

    Raises:
        TableError: a dataset lies there and may not be replaced, or something else does.
    """
    names = [name for name in place.infos() if not name.startswith(GENERATION)]  # what a cut-off save left is nothing
    if CAPTURE_CARD in names:
        raise TableError(f"{place} is a capture, which keeps more than a dataset: take another address")
    if names and not replace:
        raise TableError(f"{place} is not empty: take another address, or replace=True to write over it")
    if names and CARD not in names:
        raise TableError(f"{place} holds something that is no dataset: nothing was written over")
    generation: str | None = card_of(place.read(CARD), place).get("generation") if names else None
    return generation


def put_dataset(draft: Path, place: Objects, before: str | None) -> None:
    """Put a dataset that was written to a folder on object storage, in place of the generation `before`."""
    generation = new_generation()
    card = {**json.loads((draft / CARD).read_text()), "generation": generation}
    place.save(draft, CARD, (json.dumps(card) + "\n").encode(), generation, before)


def opened(file: Any) -> pq.ParquetFile:
    """A Parquet file.

    Raises:
        TableError: it is none, or only part of one.
    """
    try:
        return pq.ParquetFile(_source(file))
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(
            f"{quote(str(file), safe='/ ')} cannot be read: it is damaged or was not written to its end. Restore "
            f"it, or move it away to go on without its rows"
        ) from error


def day_of(file: Any) -> str:
    """The folder of a file's day."""
    return str(file).rsplit("/", 2)[-2] if isinstance(file, ObjectFile) else str(file.parent.name)


def pieces_of_file(file: Any) -> Iterator[pa.Table]:
    """The rows of a file, so many at a time.

    Raises:
        TableError: the file is damaged.
    """
    with opened(file) as reader:
        try:
            for batch in reader.iter_batches(PIECE_ROWS, use_threads=False):
                if len(batch):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError) as error:
            with file.place.told() if isinstance(file, ObjectFile) else nullcontext():
                raise TableError(f"{quote(str(file), safe='/ ')} cannot be read: it is damaged") from error


def _source(file: Any) -> Any:
    return file.open() if isinstance(file, ObjectFile) else file


def read_file(file: Any, columns: Sequence[str] | None = None, *, coded: bool = False, filters: Any = None) -> pa.Table:
    """The rows of a file; `coded` leaves ids as dictionaries.

    Raises:
        TableError: the file is damaged.
    """
    try:
        if filters is not None:
            return pq.read_table(_source(file), columns=columns, filters=filters, partitioning=None, use_threads=False)
        dictionaries = [name for name in REPEATED if coded and name in (columns or ())]
        with pq.ParquetFile(_source(file), read_dictionary=dictionaries) as reader:
            return reader.read(columns=list(columns) if columns is not None else None, use_threads=False)
    except (pa.ArrowInvalid, OSError):
        opened(file).close()
        with file.place.told() if isinstance(file, ObjectFile) else nullcontext():
            raise


def _part(tables: list[pa.Table], numbered: bool) -> Part:
    table = pa.concat_tables(tables) if len(tables) > 1 else tables[0]
    codes: dict[str, Whole] = {}
    values: dict[str, Any] = {"user_id": pa.array([], pa.string()), "name": pa.array([], pa.string())}
    made: dict[str, NDArray[Any]] = {}
    for column in table.column_names:
        data = table[column]
        if pa.types.is_dictionary(data.type):
            whole = data.unify_dictionaries().combine_chunks()
            if isinstance(whole, pa.ChunkedArray):
                whole = whole.chunk(0) if whole.num_chunks else pa.array([], data.type)
            codes[column] = whole.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            values[column] = whole.dictionary
        elif pa.types.is_timestamp(data.type):
            numbers = data.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
            made[column] = numbers.fill_null(NEVER).to_numpy() if numbers.null_count else numbers.to_numpy()
        elif pa.types.is_floating(data.type):
            made[column] = data.to_numpy()
        else:
            made[column] = data.to_numpy(zero_copy_only=False)
    if "name" in codes:
        made["name"] = codes["name"]
    user = made.pop("user").astype(np.int64) if numbered else codes["user_id"]
    return Part(
        np.asarray(values["room_id"].to_pylist(), dtype=object),
        None if numbered else values["user_id"],
        codes["room_id"],
        user,
        made,
        np.asarray(values["name"].to_pylist(), dtype=object),
    )
