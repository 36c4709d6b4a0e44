"""A dataset: the tables of one audience, what was mended in them, and every way to look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from spnb._arguments import checked_class
from spnb.analytics.folder import (
    CAPTURE_CARD,
    CARD,
    Folder,
    ObjectFolder,
    put_dataset,
    save_table,
    saved_before,
    write_card,
)
from spnb.analytics.frames import TIME, utc_now, validated
from spnb.analytics.objects import objects_at
from spnb.analytics.quality import Quality, Step
from spnb.analytics.sessions import sessions_of
from spnb.analytics.store import Memory, Store
from spnb.analytics.swap import recovered, replacing
from spnb.analytics.tables import TABLES, table_named
from spnb.analytics.windows import NEVER, Windows, instant, milliseconds, moments_of
from spnb.errors import InvalidInput, TableError

if TYPE_CHECKING:
    import duckdb

    from spnb.analytics.period import PeriodReport
    from spnb.analytics.report import StreamReport

__all__ = ["Dataset"]


@checked_class
class Dataset:
    """The tables of one audience. Made by `spnb.analytics.load`.

    `rooms`, `views`, `presence`, `messages`, `reactions`, `status` and `health` are pandas frames in the schema of
    `spnb.analytics.describe()`; of a saved dataset each is read when it is asked for.

    Attributes:
        as_of: the moment up to which it reaches; streams still on air are reckoned until then.
        mended: what was mended when it was loaded.
    """

    def __init__(self, store: Store, *, as_of: pd.Timestamp | None, mended: Quality) -> None:
        self._store = store
        self.as_of = as_of
        self.mended = mended

    @classmethod
    def of(
        cls, tables: Mapping[str, Any], *, as_of: Any = None, now: pd.Timestamp | None = None, text: bool = False
    ) -> Dataset:
        """A dataset of frames.

        Args:
            tables: frames by name, e.g. `{"rooms": …, "views": …}`; missing tables are empty.
            as_of: the moment up to which they reach; the last time in them without it.
            now: rows later than this come from a wrong clock; the present without it.
            text: keep the words of messages, their column `text`.

        Raises:
            TableError: a table lacks columns, zones or sense.
        """
        for name in tables:
            table_named(name)
        now = pd.Timestamp(now) if now is not None else utc_now()
        frames: dict[str, pd.DataFrame] = {}
        mended = Quality()
        for name, frame in tables.items():
            frames[name], steps = validated(name, frame, now=now, text=text)
            mended += steps
        from spnb.analytics.dimensions import clashes

        rooms, step = _all_rooms(frames)
        frames["rooms"] = rooms
        mended += Quality.of(clashes(frames))
        reach = instant(as_of) if as_of is not None else _last(frames)
        return cls(Memory(frames, known=frames), as_of=reach, mended=mended + Quality.of([step]))

    @classmethod
    def saved(cls, folder: str | Path, *, filesystem: Any = None) -> Dataset:
        """A dataset that `save` wrote. Nothing but the rooms is read yet.

        Args:
            folder: a folder, or an address as `save` takes it.
            filesystem: as `save` takes it.

        Raises:
            TableError: the folder holds none.
        """
        place = objects_at(folder, filesystem)
        store = Folder(Path(folder)) if place is None else ObjectFolder(place)
        return cls(store, as_of=store.as_of, mended=Quality())

    @overload
    def save(self, folder: Path, *, replace: bool = False) -> Path: ...

    @overload
    def save(self, folder: str, *, replace: bool = False, filesystem: Any = None) -> Any: ...

    def save(self, folder: str | Path, *, replace: bool = False, filesystem: Any = None) -> Any:
        """Write all tables as Parquet, each row under the day its stream began.

        Args:
            folder: a new or empty folder, or an address on object storage, `s3://bucket/season`: keys and endpoint are
                those of AWS's own variables and files; `?region=…&endpoint_override=http://…` may follow.
            replace: write over a dataset that is there, this one's own folder too. It stays whole until the new one
                stands beside it.
            filesystem: pyarrow's or fsspec's, with keys of your own, or for stores that are no S3.

        Returns:
            The folder, a `pathlib.Path`, or the address, a text.

        Raises:
            InvalidInput: the address holds keys, or is none.
            TableError: the folder holds something already, a capture, or cannot be written to.
        """
        if (objects := objects_at(folder, filesystem)) is not None:
            before = saved_before(objects, replace=replace)
            with TemporaryDirectory() as draft:
                self._write(Path(draft))
                put_dataset(Path(draft), objects, before)
            if isinstance(self._store, ObjectFolder) and self._store.path.path == objects.path:
                self._store = ObjectFolder(objects)  # its own objects are those of before
            return objects.address
        place = Path(folder)
        recovered(place)
        if place.exists() and any(place.iterdir()):
            if (place / CAPTURE_CARD).exists():
                raise TableError(f"{place} is a capture, which keeps more than a dataset: take another folder")
            if not replace:
                raise TableError(f"{place} is not empty: take another folder, or replace=True to write over it")
            if not (place / CARD).exists():
                raise TableError(f"{place} holds something that is no dataset: nothing was written over")
        with replacing(place) as local:
            self._write(local)
        return place

    def _write(self, folder: Path) -> None:
        """Piece by piece: of what lies in files no more is held than that."""
        store = self._store
        users = store.people()
        text = False
        for name in TABLES:
            own = store.own_schema(name)
            for number, frame in enumerate(store.pieces(name)):
                text = text or (name == "messages" and "text" in frame.columns)
                if len(frame):
                    save_table(folder, name, frame, self.days, users, part=f"part-{number}", own=own)
        write_card(folder, self.as_of, store.users if users is None else len(users), self.known, text=text)

    def table(self, name: str, room_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """One table, or the rows of some streams."""
        table_named(name)
        return self._store.frame(name, room_ids)

    def rows(self, name: str) -> int:
        """How many rows a table has, without reading them."""
        table_named(name)
        return self._store.rows(name)

    @property
    def known(self) -> frozenset[str]:
        """Tables its source could fill. Numbers of others are NaN: nobody knows them, which is not 0."""
        return self._store.known

    @property
    def store(self) -> Store:
        """Where the tables are."""
        return self._store

    @cached_property
    def windows(self) -> Windows:
        """When each stream was on air, one window from all its tables: where the rooms do not tell, it reaches from the
        first to the last thing that happened."""
        known = Windows.of(self.rooms, self.as_of)
        lacking = known.names[(known.begin == NEVER) | (known.finish == NEVER)].tolist()
        return known.filled(self._spans(known, lacking)) if lacking else known

    def _spans(self, known: Windows, rooms: list[str]) -> Iterator[tuple[Any, Any, Any]]:
        watched = sessions_of(self.table("views", rooms), known).windows
        mine = np.isin(watched.names, np.array(rooms, dtype=object))
        yield watched.names[mine], watched.begin[mine], watched.finish[mine]
        for name in ("messages", "reactions", "presence", "health", "playback"):
            at = self.table(name, rooms).groupby("room_id", observed=True)[table_named(name).time]
            yield at.min().index, milliseconds(at.min()), milliseconds(at.max())

    @cached_property
    def days(self) -> pd.Series[Any]:
        """The day each stream began (midnight UTC), by room id."""
        rooms = self.rooms
        began = rooms["live_at"].fillna(rooms["created_at"]).dt.floor("D")
        made: pd.Series[Any] = began.set_axis(pd.Index(rooms["room_id"])).astype(TIME)
        return made

    @property
    def rooms(self) -> pd.DataFrame:
        """One row per stream."""
        return self.table("rooms")

    @property
    def views(self) -> pd.DataFrame:
        """Watch sessions."""
        return self.table("views")

    @property
    def presence(self) -> pd.DataFrame:
        """Polled viewer counts."""
        return self.table("presence")

    @property
    def messages(self) -> pd.DataFrame:
        """Chat messages."""
        return self.table("messages")

    @property
    def reactions(self) -> pd.DataFrame:
        """Reactions given and taken back."""
        return self.table("reactions")

    @property
    def status(self) -> pd.DataFrame:
        """Changes of status."""
        return self.table("status")

    @property
    def health(self) -> pd.DataFrame:
        """WebRTC statistics."""
        return self.table("health")

    @property
    def playback(self) -> pd.DataFrame:
        """What viewers' players met."""
        return self.table("playback")

    def of_rooms(self, room_ids: Sequence[str]) -> Dataset:
        """The dataset of some streams only.

        Raises:
            TableError: a stream is not in it.
        """
        wanted = list(dict.fromkeys(room_ids))
        if missing := set(wanted) - set(self.rooms["room_id"]):
            raise TableError(f"there is no stream {', '.join(sorted(missing))}: `dataset.rooms` lists them")
        tables = {name: self.table(name, wanted) for name in TABLES}
        return Dataset(Memory(tables, self.known), as_of=self.as_of, mended=self.mended)

    def where(self, **wanted: Any) -> Dataset:
        """The part of the audience with these values: `dataset.where(country=["DE", "AT"], type="coHosts")`.

        Args:
            wanted: a value, or several, by column of rooms or of views. By a column of views only those sessions stay,
                with the messages and reactions of who has one in that stream, and no polls, which count everybody.

        Raises:
            InvalidInput: there is no such column.
        """
        from spnb.analytics.dimensions import narrowed

        return narrowed(self, wanted)

    def joined(self, frame: Any, on: str = "user_id") -> Dataset:
        """The same dataset with the columns of another table: what an own database or the service's first-party export
        knows of viewers, hosts or communities becomes a dimension.

        Args:
            frame: one row for each `on`, e.g. of `pandas.read_csv("users.csv")`.
            on: `user_id` (the columns go to views), or `room_id`, `community_id` or `creator_id` (to rooms).

        Raises:
            InvalidInput: nothing is joined on that.
            TableError: it has no such column, several rows for one id, or a column that is there already.
        """
        from spnb.analytics.dimensions import joined

        return joined(self, frame, on)

    def between(self, since: Any = None, until: Any = None) -> Dataset:
        """The streams that went on air in `[since, until)`, times with a zone; of others nothing is read.

        One that never did counts by when it was created.

        Raises:
            InvalidInput: one is no time, names no zone, or `until` is no later than `since`.
        """
        if since is not None and until is not None and instant(until, "until") <= instant(since, "since"):
            raise InvalidInput(f"until ({until}) is no later than since ({since}): no stream lies between")
        rooms = self.rooms
        began = rooms["live_at"].fillna(pd.Series(moments_of(self.windows.begin), index=rooms.index))
        began = began.fillna(rooms["created_at"])
        inside = pd.Series(True, index=rooms.index)
        if since is not None:
            inside &= began >= instant(since, "since")
        if until is not None:
            inside &= began < instant(until, "until")
        return self.of_rooms(rooms["room_id"][inside].tolist())

    def redacted(self) -> Dataset:
        """The same dataset in which nobody can be recognised by an id: users and hosts have numbers drawn by chance, in
        their messages too, where other @names become @somebody. What people wrote of themselves stays."""
        from spnb.analytics.words import redacted

        tables = redacted({name: self.table(name) for name in TABLES})
        return Dataset(Memory(tables, self.known), as_of=self.as_of, mended=self.mended)

    @cached_property
    def kpis(self) -> pd.DataFrame:
        """All numbers of each stream in a row; `spnb.analytics.KPIS` has their definitions."""
        from spnb.analytics.kpis import kpis_of

        return kpis_of(self)

    @cached_property
    def quality(self) -> Quality:
        """What was mended when it was loaded and while its numbers were reckoned."""
        reckoned: Quality = self.kpis.attrs["quality"]
        return self.mended + reckoned

    @overload
    def export(self, path: Path, *what: str) -> Path: ...

    @overload
    def export(self, path: str, *what: str) -> Any: ...

    def export(self, path: str | Path, *what: str) -> Any:
        """Write for a spreadsheet: `dataset.export("season.xlsx")`, `dataset.export("views.csv", "views")`.

        Args:
            path: ends in `.xlsx` for a workbook with a sheet each, or in `.csv` for one table; may be on object storage
                (`s3://bucket/season.xlsx`).
            what: names of tables, `kpis`, `definitions`, `quality`; without any, a workbook has all that are not empty
                and a CSV file the KPIs.

        Returns:
            The file, or its address. Text that a spreadsheet would run begins with an apostrophe; times are UTC.

        Raises:
            TableError: more rows than a sheet holds, or another kind of file; the message says what to do.
        """
        from spnb.analytics.export import exported
        from spnb.analytics.kpis import KPIS

        frames: dict[str, Callable[[], pd.DataFrame]] = {
            "kpis": lambda: self.kpis.reset_index(),
            "definitions": lambda: pd.DataFrame(KPIS.items(), columns=["kpi", "definition"]),
            "quality": lambda: self.quality.frame,
            **{name: partial(self.table, name) for name in TABLES},
        }
        usual = ["kpis", "definitions", "quality", *(name for name in TABLES if self.rows(name))]
        return exported(frames, path, what, usual=usual, single="kpis", tables=self._store)

    def report(self, room_id: str, *, sensitivity: float = 0.5, tolerance_seconds: float = 0.0) -> StreamReport:
        """Everything about one stream; see `spnb.analytics.StreamReport`.

        Args:
            room_id: the stream.
            sensitivity: of its moments, 0 to 1.
            tolerance_seconds: who left at most this long before the end counts in its retention as still watching.
        """
        from spnb.analytics.report import stream_report

        return stream_report(self, room_id, sensitivity=sensitivity, tolerance_seconds=tolerance_seconds)

    def period(
        self,
        start: Any,
        end: Any,
        *,
        by: str = "creator_id",
        metric: str = "minutes_watched",
        best: int = 5,
        time_zone: str = "UTC",
    ) -> PeriodReport:
        """A period on one page: the numbers beside those before, the best streams, and groups.

        Args:
            start: where the period begins; without a zone it is in `time_zone`.
            end: where it ends, likewise.
            by: a column to group by, of rooms or of views.
            metric: the number by which the best are told, one of `spnb.analytics.KPIS`.
            best: how many streams are drawn.
            time_zone: the zone whose days count.
        """
        from spnb.analytics.period import period_report

        return period_report(self, start, end, by=by, metric=metric, best=best, time_zone=time_zone)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with the tables as views; saved ones are read from their files as far as needed."""
        from spnb.analytics.sql import connected

        return connected(self._store)

    def sql(self, query: str, **parameters: Any) -> pd.DataFrame:
        """Ask in SQL: `dataset.sql("select room_id, count(*) from views group by all")`.

        Args:
            query: DuckDB's SQL over rooms, views, presence, messages, reactions, status, health, playback.
            parameters: values for `$name` in it.

        Raises:
            TableError: DuckDB cannot make sense of it.
        """
        from spnb.analytics.sql import asked

        return asked(self._store, query, parameters)

    def __repr__(self) -> str:
        counts = ", ".join(f"{rows} {name}" for name in TABLES if (rows := self.rows(name)))
        reach = f", up to {self.as_of:%Y-%m-%d %H:%M:%S} UTC" if self.as_of is not None else ""
        return f"Dataset({counts or 'empty'}{reach})"


def _all_rooms(frames: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, Step]:
    """The rooms table with a bare row for each stream that only other tables know."""
    rooms = frames.get("rooms")
    known = (
        rooms if rooms is not None else validated("rooms", pd.DataFrame({"room_id": pd.Series([], dtype=object)}))[0]
    )
    seen = pd.Index([])
    for name, frame in frames.items():
        if name != "rooms":
            seen = seen.append(pd.Index(frame["room_id"].unique()))
    bare = pd.Index(seen.unique()).difference(pd.Index(known["room_id"]), sort=False)
    step = Step(
        "stream not among the rooms", "rooms", len(bare) if rooms is not None else 0, "added, without its times"
    )
    if len(bare):
        added = validated("rooms", pd.DataFrame({"room_id": bare}))[0]
        known = added if known.empty else pd.concat([known, added], ignore_index=True)
    return known, step


def _last(frames: Mapping[str, pd.DataFrame]) -> pd.Timestamp | None:
    """The last time in any table."""
    times = [
        frame[column.name].max()
        for name, frame in frames.items()
        for column in TABLES[name].columns
        if column.kind == "time"
    ]
    known = [time for time in times if not pd.isna(time)]
    return max(known) if known else None
