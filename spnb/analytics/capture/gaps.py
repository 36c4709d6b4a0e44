"""What a capture could not see, and why: one open gap at a time for each room and table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from spnb.analytics.capture.ledger import Ledger
from spnb.analytics.capture.lines import milliseconds

__all__ = ["Gaps"]

TOLERATED = {"presence": timedelta(seconds=15)}
TOLERATED_ELSE = timedelta(seconds=1)
"""Shorter ones are none: viewers are counted every few seconds, and to subscribe takes a moment."""


class Gaps:
    """The gaps of a capture, written to its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: dict[tuple[str, str], tuple[int, str]] = {}

    def restore(self, gaps: Mapping[tuple[str, str], tuple[int, str]]) -> None:
        """Gaps of an earlier run that had no end: (room, table) → (start in milliseconds, why)."""
        self._open.update(gaps)

    def __len__(self) -> int:
        return len(self._open)

    def open(self, room_id: str, table: str, start: datetime, why: str) -> None:
        """From `start` on rows of a table may be missing. Where that is known already nothing changes."""
        if (room_id, table) not in self._open:
            self._open[room_id, table] = (milliseconds(start), why)
            self._put(room_id, table, None)

    def close(self, room_id: str, table: str, end: datetime | None = None) -> None:
        """From `end` (now) on rows come in again; a gap that was too short to matter is none."""
        if (room_id, table) in self._open:
            self._put(room_id, table, milliseconds(end or datetime.now(UTC)))
            del self._open[room_id, table]

    def close_all(self, room_id: str, end: datetime | None = None) -> None:
        """A room is over: nothing more can be missing."""
        for known, table in list(self._open):
            if known == room_id:
                self.close(room_id, table, end)

    def _put(self, room_id: str, table: str, end: int | None) -> None:
        start, why = self._open[room_id, table]
        tolerated = TOLERATED.get(table, TOLERATED_ELSE) // timedelta(milliseconds=1)
        if end is not None and end - start < tolerated:
            end = start
        self._ledger.put("gaps", {"room_id": room_id, "table": table, "start": start, "end": end, "why": why})
