"""The writer of a capture: takes rows on the loop, has them on disk a moment later, and says so."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from spnb.analytics.capture.disk import CaptureFolder
from spnb.analytics.capture.lines import JOURNALLED, Line, journalled, line_of, lines_of_frame, milliseconds
from spnb.models import FINAL_STATUSES
from spnb.observers import Observers

__all__ = ["CaptureWriter", "Written"]

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.1
"""Rows that come within it share one write and one sync."""
AGAIN_SECONDS, AGAIN_LONGEST = 1.0, 30.0
MOST_WAITING = 500_000
"""Rows that may wait for a disk that takes none, before more are lost (and that is told)."""
COUNTED = frozenset({"rooms", "views", "messages", "reactions", "status"})
"""Tables whose rows come more than once; the others are told by their time."""

Batch = Mapping[str, list[dict[str, Any]]]
Written = Callable[[Batch], Any]


class CaptureWriter:
    """What is known of the rooms being captured, and what of it is on disk.

    Args:
        folder: where.
        wanted: rooms that are captured although they may be over; their rows are remembered.
        text: keep what people write.
    """

    def __init__(self, folder: Path, wanted: Iterable[str] = (), *, text: bool = False) -> None:
        self.folder = folder
        self.text = text
        """Whether it keeps what people write."""
        self._wanted = set(wanted)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spnb-capture")
        self._place: CaptureFolder | None = None
        self._known: dict[str, dict[tuple[str, Any], int]] = {}
        self._waiting: list[Line] = []
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writing: asyncio.Task[None] | None = None
        self._observers = Observers[Batch]("a capture")
        self._taken: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        """Rows by table that are on disk, each counted once."""
        self.lost = 0
        """Rows that no disk would take."""
        self.write_error: str | None = None
        """Why rows cannot be written now."""
        self.last_pulse: datetime | None = None
        """When an earlier run of this capture was alive last."""
        self.open_gaps: dict[tuple[str, str], tuple[int, str]] = {}
        """Gaps of an earlier run that had no end: (room, table) → (start, why)."""
        self.resumed = False

    async def open(self) -> None:
        """Take the folder, and know again what is in it.

        Raises:
            ConfigError: another capture writes there, or it holds something else.
        """
        self._place = await self._do(partial(CaptureFolder, self.folder, text=self.text))
        self.resumed = self._place.resumed
        if self.resumed:
            self._recall(await self._do(self._place.tables), self._place.card.pulse)
        self._writing = asyncio.create_task(self._write(), name="spnb-capture-write")

    async def _do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *arguments))

    def _recall(self, frames: dict[str, pd.DataFrame], pulse: int | None) -> None:
        alive = [milliseconds(at.to_pydatetime()) for at in frames["pulse"]["at"]]
        last = max([*alive, *([pulse] if pulse else [])], default=None)
        self.last_pulse = datetime.fromtimestamp(last / 1000, UTC) if last is not None else None
        rooms = frames["rooms"]
        over = set(rooms.loc[rooms["status"].isin(list(FINAL_STATUSES)), "room_id"]) - self._wanted
        for name in frames.keys() - {"gaps", "pulse"}:
            frame = frames[name]
            self.rows[name] = self._taken[name] = len(frame)
            if name in COUNTED:
                for line in lines_of_frame(name, frame[~frame["room_id"].isin(over)], text=self.text):
                    self._remember(line)
        for _, (room_id, table, start, end, why) in lines_of_frame("gaps", frames["gaps"]):
            if end is None:
                self.open_gaps[room_id, table] = (start, why)

    def _remember(self, line: Line) -> bool | None:
        """Keep a row in mind. Whether its key is new; None where the very row is known."""
        name, values = line
        table = JOURNALLED[name]
        room_id = values[table.names.index("room_id")]
        key = (name, tuple(values[table.names.index(part)] for part in table.key))
        known = self._known.setdefault(room_id, {})
        mark = hash(values)
        before = known.get(key)
        known[key] = mark
        return None if before == mark else before is None

    def knows(self, room_id: str, name: str, *key: Any) -> bool:
        """Whether a row with this key was taken."""
        return (name, key) in self._known.get(room_id, ())

    def keys(self, room_id: str, name: str) -> list[tuple[Any, ...]]:
        """Keys of a room's rows in a table."""
        return [key for table, key in self._known.get(room_id, ()) if table == name]

    def forget(self, room_id: str) -> None:
        """A room is over: its rows need not be told apart any more."""
        self._known.pop(room_id, None)

    def put(self, name: str, row: Mapping[str, Any]) -> bool:
        """Take a row. Whether it was news; it is on disk when `observe` tells of it."""
        line = line_of(name, row, text=self.text)
        new: bool | None = True
        if name in COUNTED:
            new = self._remember(line)
            if new is None:
                return False
        if len(self._waiting) >= MOST_WAITING:
            self.lost += 1
            return False
        self._taken[name] += bool(new)
        self._waiting.append(line)
        self._idle.clear()
        self._news.set()
        return True

    def observe(self, observer: Written) -> Callable[[], None]:
        """Have `observer` called with the rows of each write, by table, once they are on disk."""
        return self._observers.add(observer)

    async def flush(self) -> None:
        """Wait until all that was taken is on disk."""
        self._hurry.set()
        await self._idle.wait()

    async def _write(self) -> None:
        assert self._place is not None  # noqa: S101 - opened before
        wait = AGAIN_SECONDS
        while True:
            await self._news.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._hurry.wait()
            self._news.clear()
            self._hurry.clear()
            lines, self._waiting = self._waiting, []
            taken = Counter(self._taken)
            try:
                await self._do(self._place.append, lines)
            except OSError as error:
                self._waiting = lines + self._waiting
                self.write_error = f"rows cannot be written: {error.strerror or type(error).__name__}"
                log.warning("capture: %s", self.write_error)
                await asyncio.sleep(wait)
                wait = min(AGAIN_LONGEST, wait * 2)
                self._news.set()
                continue
            except Exception:
                # Whatever these rows are, they must not stop those to come.
                log.exception("capture: %d rows cannot be written", len(lines))
                self.lost += len(lines)
                for counted in (taken, self._taken):
                    counted.subtract(name for name, _ in lines)
                lines = []
            wait, self.write_error = AGAIN_SECONDS, None
            self._acknowledge(lines, taken)
            if not self._waiting:
                self._idle.set()
            try:
                await self._do(self._place.seal_if_full)
            except Exception:
                # The journal holds everything; it grows until the disk takes files again.
                log.exception("capture: no Parquet yet")

    def _acknowledge(self, lines: list[Line], taken: Counter[str]) -> None:
        self.rows = Counter({name: count for name, count in taken.items() if name not in ("gaps", "pulse") and count})
        if not self._observers:
            return
        batch: dict[str, list[dict[str, Any]]] = {}
        tables = journalled(self.text)
        for name, values in lines:
            if name != "pulse":
                batch.setdefault(name, []).append(dict(zip(tables[name].names, values, strict=True)))
        self._observers.tell(batch)

    async def close(self, *, compact: datetime | None = None) -> None:
        """Write what waits, make the folder a saved dataset, and let go of it."""
        if self._place is None:
            self._thread.shutdown(wait=False)
            return
        if self._writing is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_LONGEST):
                    await self.flush()
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        try:
            if compact is not None and not self._waiting:
                await self._do(self._place.compact, pd.Timestamp(compact))
        except Exception as error:
            self.write_error = f"no Parquet could be written ({type(error).__name__}); the journal has all rows"
            log.exception("capture: %s", self.write_error)
        finally:
            await self._do(self._place.close)
            self._thread.shutdown(wait=False)
