"""A capture on disk: a journal for what is new, Parquet files for the rest, and one small file that says which counts.

    <folder>/capture.json                                   the card
    <folder>/journal/00000018.jsonl                         rows newer than the last Parquet files
    <folder>/messages/day=2026-03-01/part-00000017.parquet  rows of journal 17, under the day their stream began
    <folder>/rooms.parquet, gaps.parquet                    one file each, written anew
    <folder>/dataset.json                                   only when the capture was closed: it is a saved dataset then

A line is acknowledged when the journal is on disk (`fsync`). A full journal becomes Parquet files, each written aside,
synced and renamed; then the card is replaced, which makes them count, and the journal goes. So a process killed at any
moment leaves rows in the journal, in the files, or in both, never in neither; rows with the same key are one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd
import pyarrow as pa

from spnb.analytics.capture.lines import JOURNALLED, Line, frame_of, read_lines, read_part
from spnb.analytics.dataset import Dataset
from spnb.analytics.folder import CAPTURE_CARD, CARD, save_table, write_card, write_parquet
from spnb.analytics.frames import utc_now
from spnb.analytics.tables import TABLES
from spnb.errors import ConfigError, TableError

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["CAPTURE_CARD", "CaptureCard", "CaptureFolder", "leave_out_untold", "merged"]

FORMAT = 1
FULL_JOURNAL_ROWS = 50_000
ONLY_TOLD = ("views", "playback")
"""What the service tells of none: where it is empty, who watched, or how, is not known."""


@dataclass(frozen=True, slots=True)
class CaptureCard:
    """Which files of a capture count: those numbered `first` to `last`, and the journals after `last`."""

    format: int = FORMAT
    first: int = 1
    last: int = 0
    pulse: int | None = None
    """The last moment at which the capture was alive, milliseconds since 1970, as far as files tell."""
    text: bool = False
    """Whether it keeps what people write."""

    @classmethod
    def read(cls, folder: Path) -> CaptureCard:
        """The card of a folder.

        Raises:
            TableError: it is damaged, or of a newer kind.
        """
        try:
            told = json.loads((folder / CAPTURE_CARD).read_text())
            if told["format"] == FORMAT:
                return cls(**told)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TableError(f"{folder} is no capture: it has no readable {CAPTURE_CARD}") from error
        raise TableError(f"{folder} was captured by a newer spnb (format {told['format']}): update spnb to read it")

    def journals(self, folder: Path) -> list[Path]:
        """The journals that count, oldest first."""
        return sorted(file for file in folder.glob("journal/*.jsonl") if int(file.stem) > self.last)

    def parts(self, folder: Path, name: str) -> list[Path]:
        """The Parquet files of a table that count, oldest first."""
        files = folder.glob(f"{name}/day=*/part-*.parquet")
        return sorted((file for file in files if self.first <= number_of(file) <= self.last), key=number_of)


def number_of(file: Path) -> int:
    """The number in a file's name."""
    return int(file.stem.rpartition("-")[2])


def leave_out_untold(frames: dict[str, pd.DataFrame]) -> None:
    """Take out the empty tables of which emptiness says nothing."""
    for name in ONLY_TOLD:
        if frames[name].empty:
            del frames[name]


def merged(folder: Path, card: CaptureCard) -> tuple[dict[str, pd.DataFrame], int]:
    """All tables of a capture as they are now, gaps and pulse too, and how many lines of journals were damaged."""
    rows: dict[str, list[Sequence[Any]]] = {name: [] for name in JOURNALLED}
    damaged = 0
    for file in card.journals(folder):
        lines, broken = read_lines(file, text=card.text)
        damaged += broken
        for name, values in lines:
            rows[name].append(values)
    frames = {}
    for name, table in JOURNALLED.items():
        single = folder / f"{name}.parquet"
        files = [single] if name in ("rooms", "gaps") and single.exists() else card.parts(folder, name)
        found = [read_part(name, file, text=card.text) for file in files]
        found.append(frame_of(name, rows[name], text=card.text))
        whole = pd.concat([frame for frame in found if len(frame)] or found[-1:], ignore_index=True)
        frames[name] = whole.drop_duplicates(list(table.key), keep="last", ignore_index=True)
    return frames, damaged


class CaptureFolder:
    """The one writer of a capture. Its methods block: call them from one thread.

    Args:
        folder: a new or empty folder, or that of an earlier capture, which goes on.
        text: keep what people write; an earlier capture goes on as it was begun.

    Raises:
        ConfigError: another capture writes there, it holds something else, or it was begun otherwise.
    """

    def __init__(self, folder: Path, *, text: bool = False) -> None:
        self.folder = folder
        resumed = (folder / CAPTURE_CARD).exists()
        # What a killed first start left behind is nothing.
        others = [p for p in folder.iterdir() if p.name != "capture.lock"] if folder.exists() else []
        if not resumed and others:
            raise ConfigError(f"{folder} holds something that is no capture: take a new folder, or that of a capture")
        (folder / "journal").mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder / "capture.lock")
        self.resumed = resumed
        try:
            self.card = _agreed(CaptureCard.read(folder), text, folder) if resumed else CaptureCard(text=text)
        except BaseException:
            self._lock.release()
            raise
        self._number = max([self.card.last, *(int(file.stem) for file in (folder / "journal").glob("*.jsonl"))])
        self._journal: FileIO | None = None
        self._lines = 0
        if not resumed:
            self._write_card(self.card)
        self._sweep()

    def tables(self) -> dict[str, pd.DataFrame]:
        """All that is on disk."""
        return merged(self.folder, self.card)[0]

    def append(self, lines: Iterable[Line]) -> None:
        """Write lines so that they survive: on return they are on disk.

        Raises:
            OSError: they could not be written; a next try begins a new journal.
        """
        text = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        try:
            if self._journal is None:
                self._number += 1
                # What reads saved datasets must not take a part for the whole.
                (self.folder / CARD).unlink(missing_ok=True)
                self._journal = (self.folder / "journal" / f"{self._number:08}.jsonl").open("xb", buffering=0)
                _sync(self.folder / "journal")
            rest = memoryview(text)
            while rest:
                rest = rest[self._journal.write(rest) :]
            os.fsync(self._journal.fileno())
        except OSError:
            self._leave_journal()
            raise
        self._lines += text.count(b"\n")

    def _leave_journal(self) -> None:
        if self._journal is not None:
            try:
                self._journal.close()
            finally:
                self._journal, self._lines = None, 0

    def seal_if_full(self) -> None:
        """Turn journals into Parquet files once they are long."""
        if self._lines >= FULL_JOURNAL_ROWS:
            self.seal()

    def seal(self) -> None:
        """Turn all journals into Parquet files."""
        self._leave_journal()
        card = self.card
        rows: dict[str, list[Sequence[Any]]] = {name: [] for name in JOURNALLED}
        for file in card.journals(self.folder):
            for name, values in read_lines(file, text=card.text)[0]:
                rows[name].append(values)
        if not any(rows.values()):
            return
        rooms = self._renewed("rooms", frame_of("rooms", rows["rooms"]))
        gaps = self._renewed("gaps", frame_of("gaps", rows["gaps"]))
        days = _days(rooms)
        part = f"part-{self._number:08}"
        files = [self.folder / "rooms.parquet", self.folder / "gaps.parquet"]
        for name in TABLES:
            if name != "rooms" and rows[name]:
                files += save_table(
                    self.folder, name, frame_of(name, rows[name], text=card.text), days, None, part=part
                )
        save_table(self.folder, "rooms", rooms, days, None)
        write_parquet(pa.Table.from_pandas(gaps, preserve_index=False), self.folder / "gaps.parquet")
        alive = [values[0] for values in rows["pulse"]]
        self._commit(files, replace(card, last=self._number, pulse=max(alive, default=card.pulse)))

    def _renewed(self, name: str, fresh: pd.DataFrame) -> pd.DataFrame:
        """The whole of a table of one file."""
        file = self.folder / f"{name}.parquet"
        known = [read_part(name, file)] if file.exists() else []
        whole = pd.concat([frame for frame in [*known, fresh] if len(frame)] or [fresh], ignore_index=True)
        return whole.drop_duplicates(list(JOURNALLED[name].key), keep="last", ignore_index=True)

    def compact(self, as_of: pd.Timestamp | None) -> None:
        """Make it a saved dataset: each row once, ordered, users numbered."""
        self.seal()
        frames = self.tables()
        gaps, _pulse = frames.pop("gaps"), frames.pop("pulse")
        leave_out_untold(frames)
        now = max([utc_now(), *([as_of] if as_of is not None else [])])
        dataset = Dataset.of(frames, as_of=as_of, now=now, text=self.card.text)
        tables = {name: dataset.table(name) for name in TABLES}
        named = [frame["user_id"] for frame in tables.values() if "user_id" in frame.columns]
        users = pd.Index(pd.concat(named, ignore_index=True).unique())
        self._number += 1
        part = f"part-{self._number:08}"
        files = []
        for name, frame in tables.items():
            if len(frame):
                files += save_table(self.folder, name, frame, dataset.days, users, part=part)
        write_parquet(pa.Table.from_pandas(gaps, preserve_index=False), self.folder / "gaps.parquet")
        self._commit(files, replace(self.card, first=self._number, last=self._number))
        write_card(self.folder, as_of, len(users), dataset.known, text=self.card.text)

    def _commit(self, files: Iterable[Path], card: CaptureCard) -> None:
        """Make files count in place of journals, in one stroke."""
        for file in files:
            _sync(file)
        for place in {file.parent for file in files}:
            _sync(place)
        self._write_card(card)
        self._sweep()

    def _write_card(self, card: CaptureCard) -> None:
        draft = self.folder / f".{CAPTURE_CARD}"
        draft.write_text(json.dumps(asdict(card)) + "\n")
        _sync(draft)
        draft.replace(self.folder / CAPTURE_CARD)
        _sync(self.folder)
        self.card = card

    def _sweep(self) -> None:
        """Remove what counts no longer, and what a killed process left half done."""
        card = self.card
        for file in self.folder.glob("journal/*.jsonl"):
            if int(file.stem) <= card.last:
                file.unlink()
        for name in TABLES:
            for file in self.folder.glob(f"{name}/day=*/*.parquet*"):
                counts = not file.name.startswith(".") and card.first <= number_of(file) <= card.last
                if not counts:
                    file.unlink()

    def close(self) -> None:
        """Let go of the folder."""
        self._leave_journal()
        self._lock.release()


def _agreed(card: CaptureCard, text: bool, folder: Path) -> CaptureCard:
    if card.text != text:
        raise ConfigError(
            f"{folder} keeps what people write: go on with text=True, or take another folder"
            if card.text
            else f"{folder} was begun without what people write: go on without text=True, or take another folder"
        )
    return card


def _days(rooms: pd.DataFrame) -> pd.Series[Any]:
    began = rooms["live_at"].fillna(rooms["created_at"]).dt.floor("D")
    made: pd.Series[Any] = began.set_axis(pd.Index(rooms["room_id"]))
    return made


def _sync(path: Path) -> None:
    """Have a file or folder on disk, and not only in the system's memory."""
    if sys.platform == "win32" and path.is_dir():
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDONLY if sys.platform != "win32" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _locked(path: Path) -> BaseFileLock:
    """Hold a folder for one writer; the system lets go of it when the process ends, however it does."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(f"another capture writes to {path.parent}: take another folder, or end that one") from None
    return lock
