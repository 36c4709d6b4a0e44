"""What a capture could not see, and why: one open gap at a time for each room and table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from spnb.analytics.capture.lines import milliseconds
from spnb.analytics.capture.writer import CaptureWriter

__all__ = ["Gaps"]


class Gaps:
    """The gaps of a capture, written with its rows.

    Args:
        now: the present moment by the service's clock, which the rows are of.
    """

    def __init__(self, writer: CaptureWriter, now: Callable[[], datetime]) -> None:
        self._writer = writer
        self._now = now
        self._open: dict[tuple[str, str], tuple[int, str, float]] = {}

    def restore(self, gaps: Mapping[tuple[str, str], tuple[int, str]]) -> None:
        """Gaps of an earlier run that had no end: (room, table) → (start in milliseconds, why)."""
        self._open.update({key: (start, why, 0.0) for key, (start, why) in gaps.items()})

    def __len__(self) -> int:
        return len(self._open)

    def open(self, room_id: str, table: str, start: datetime, why: str, *, tolerated: float = 0.0) -> None:
        """From `start` on rows of a table may be missing. Where that is known already nothing changes.

        Args:
            tolerated: seconds; a shorter gap is none.
        """
        if (room_id, table) not in self._open:
            self._open[room_id, table] = (milliseconds(start), why, tolerated)
            self._put(room_id, table, milliseconds(start), None, why)

    def close(self, room_id: str, table: str, end: datetime | None = None) -> None:
        """From `end` (now) on rows come in again."""
        if (room_id, table) in self._open:
            start, why, tolerated = self._open.pop((room_id, table))
            over = milliseconds(end or self._now())
            # A row that was written stays: an end like the start says that it was none.
            self._put(room_id, table, start, start if over - start < tolerated * 1000 else max(start, over), why)

    def note(self, room_id: str, table: str, start: datetime, end: datetime, why: str) -> None:
        """A gap that is over; where one is open already, it is that one."""
        if (room_id, table) not in self._open:
            self._put(room_id, table, milliseconds(start), milliseconds(end), why)

    def close_all(self, room_id: str, end: datetime | None = None) -> None:
        """A room is over: nothing more can be missing."""
        for known, table in list(self._open):
            if known == room_id:
                self.close(room_id, table, end)

    def _put(self, room_id: str, table: str, start: int, end: int | None, why: str) -> None:
        self._writer.put("gaps", {"room_id": room_id, "table": table, "start": start, "end": end, "why": why})
