"""Deliveries on disk: SQLite in one thread of its own, where all that waits together shares one commit."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from spnb.errors import ConfigError
from spnb.webhooks.delivery import Delivery, Facts, Source, of_row

__all__ = ["DeliveryStore"]

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], Any]

MOST_AT_ONCE = 1000
WAITING, DONE, FAILED = 0, 1, 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL, name TEXT NOT NULL,
    source TEXT NOT NULL, room TEXT NOT NULL, subject TEXT NOT NULL, received REAL NOT NULL, happened REAL,
    body BLOB NOT NULL, copies INTEGER NOT NULL DEFAULT 1, handled INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (number) WHERE handled = 0;
CREATE INDEX IF NOT EXISTS deliveries_received ON deliveries (received);
"""


class DeliveryStore:
    """A database of deliveries, owned by one process.

    Its futures are done once the commit is on disk (WAL with full synchronisation), so what was acknowledged after
    that survives a killed process and a power cut.

    Args:
        path: the file; made where it is not.
        keep_seconds: deliveries older than this are forgotten at the start.
        now: seconds of the epoch.

    Raises:
        ConfigError: another process uses the file, or it is no such database.
    """

    def __init__(self, path: Path, *, keep_seconds: float, now: float) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
            self._db.row_factory = sqlite3.Row
            # Two receivers on one file would each miss what the other took.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(SCHEMA)
            self._db.execute("DELETE FROM deliveries WHERE received < ? AND handled != 0", (now - keep_seconds,))
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"{path} cannot be used ({error}): it may be another receiver's, so give this one a path of its own"
            ) from None
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="spnb-webhooks", daemon=True)
        self._thread.start()

    def _submit(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._guard:
            if self._closed:
                future.set_exception(ConfigError("this receiver is closed"))
            else:
                self._jobs.put((job, future))
        return future

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch = [first]
            ended = False
            with contextlib.suppress(queue.Empty):
                while len(batch) < MOST_AT_ONCE and not ended:
                    more = self._jobs.get_nowait()
                    if more is None:
                        ended = True
                    else:
                        batch.append(more)
            self._do(batch)
            if ended:
                break
        self._db.close()

    def _do(self, batch: list[tuple[Job, Future[Any]]]) -> None:
        outcomes: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for job, future in batch:
                if future.set_running_or_notify_cancel():
                    outcomes.append((future, *self._tried(job)))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            # A full disk, say: nobody is told that something was kept.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            outcomes = [(future, None, error) for _, future in batch if not future.cancelled()]
        for future, result, failure in outcomes:
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)

    def _tried(self, job: Job) -> tuple[Any, Exception | None]:
        try:
            return job(self._db), None
        except Exception as error:
            if not self._db.in_transaction:
                raise  # the database gave up the whole batch
            return None, error

    def add(self, facts: Facts, name: str, source: Source, body: bytes, now: float) -> Future[tuple[int, int]]:
        """Keep a delivery, or count a copy of one that is kept. Gives its number and how often it came."""
        values = (
            facts.id,
            facts.event,
            name,
            source,
            facts.room_id,
            facts.subject_id,
            now,
            facts.happened_at,
            body,
        )

        def job(db: sqlite3.Connection) -> tuple[int, int]:
            row = db.execute(
                "INSERT INTO deliveries (id, event, name, source, room, subject, received, happened, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET copies = copies + 1 RETURNING number, copies",
                values,
            ).fetchone()
            return int(row["number"]), int(row["copies"])

        return self._submit(job)

    def waiting(self, most: int) -> Future[list[Delivery]]:
        """Deliveries whose handlers have not run, oldest first."""
        query = "SELECT * FROM deliveries WHERE handled = 0 ORDER BY number LIMIT ?"
        return self._submit(lambda db: [of_row(row) for row in db.execute(query, (most,)).fetchall()])

    def mark(self, numbers: Sequence[int], *, failed: bool) -> None:
        """The handlers of these deliveries have run."""
        rows = [(FAILED if failed else DONE, number) for number in numbers]
        self._submit(lambda db: db.executemany("UPDATE deliveries SET handled = ? WHERE number = ?", rows))

    def find(
        self,
        *,
        after: int = 0,
        newest: int | None = None,
        most: int = 1000,
        room_id: str | None = None,
        since: float | None = None,
        failed: bool = False,
    ) -> Future[list[Delivery]]:
        """Deliveries in their order: the first `most` after a number, or the `newest` so many."""
        conditions, values = ["number > ?"], [after]
        for condition, value in (("room = ?", room_id), ("received >= ?", since)):
            if value is not None:
                conditions.append(condition)
                values.append(value)  # type: ignore[arg-type]
        if failed:
            conditions.append(f"handled = {FAILED}")
        order, limit = ("DESC", newest) if newest is not None else ("ASC", most)
        # Conditions are fixed words of this file; values are bound.
        query = f"SELECT * FROM deliveries WHERE {' AND '.join(conditions)} ORDER BY number {order} LIMIT ?"

        def job(db: sqlite3.Connection) -> list[Delivery]:
            found = [of_row(row) for row in db.execute(query, (*values, limit)).fetchall()]
            return found if newest is None else found[::-1]

        return self._submit(job)

    def columns(self, names: Sequence[str], *, newest: int = -1) -> Future[list[tuple[Any, ...]]]:
        """These columns of all deliveries, or of the `newest` so many, without their bodies, oldest first."""
        query = f"SELECT {', '.join(names)} FROM deliveries ORDER BY number DESC LIMIT ?"
        return self._submit(lambda db: [tuple(row) for row in db.execute(query, (newest,)).fetchall()][::-1])

    def close(self) -> None:
        """Finish what was submitted and close the file."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
