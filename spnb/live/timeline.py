"""What happened to a room, in the order it was learnt, with where it was learnt from and both clocks."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Literal

from spnb.models import Room

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Origin", "Timeline", "TimelineEntry", "TimelineLog"]

Origin = Literal["event", "read", "call", "webhook"]
"""Where news came from: a real-time event, a reading of the room, a call of one's own, a webhook."""

MOST_ENTRIES = 2000
MOST_OVERTAKEN = 50


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened to a room, as it was learnt here."""

    what: str
    """The event's name, the call, or what a reading found changed."""
    source: Origin
    status: str
    """The room's state after it."""
    changed: bool
    """Whether that state was news."""
    since: float
    """When it was learnt: `time.monotonic()` seconds, so that no change of a clock makes a stay negative."""
    seen_at: datetime
    """The same on this machine's clock, UTC."""
    told_at: datetime | None = None
    """When it happened on the service's clock, UTC, where that was told."""


class Timeline(list[TimelineEntry]):
    """The entries, oldest first, with a table as their notebook face."""

    @property
    def changes(self) -> list[TimelineEntry]:
        """The entries by which the room's state changed, the first sight of the room included."""
        return [entry for entry in self if entry.changed]

    @property
    def df(self) -> pd.DataFrame:
        """One row per entry; times are UTC."""
        import pandas as pd

        columns = list(TimelineEntry.__dataclass_fields__)
        frame = pd.DataFrame([asdict(entry) for entry in self], columns=columns)
        for name in ("seen_at", "told_at"):
            frame[name] = pd.to_datetime(frame[name], utc=True)
        return frame

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th style='text-align:left'>{name}</th>" for name in ("seen", "service", "what", "source", "status", "")
        )
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{escape(cell)}</td>"
                for cell in (
                    _clock(entry.seen_at),
                    _clock(entry.told_at) if entry.told_at else "",
                    entry.what,
                    entry.source,
                    entry.status,
                    "new state" if entry.changed else "",
                )
            )
            + "</tr>"
            for entry in self
        )
        return f"<table><caption>Timeline, UTC</caption><tr>{head}</tr>{rows}</table>"


class TimelineLog:
    """Keeps a room's timeline: the last 2000 entries, and every change of state.

    Args:
        record: the room at first sight.
    """

    def __init__(self, record: Room) -> None:
        self._recent: deque[TimelineEntry] = deque(maxlen=MOST_ENTRIES)
        self._changes: list[TimelineEntry] = []
        self.write("first seen", "read", record.status, changed=True, told_at=record.updated_at)

    def write(self, what: str, source: Origin, status: str, *, changed: bool, told_at: datetime | None = None) -> None:
        """Add an entry, learnt now. What was delivered twice, as brokers may and overlapping subscriptions do, is there
        once."""
        if not changed and told_at is not None and source in ("event", "webhook"):
            lately = itertools.islice(reversed(self._recent), MOST_OVERTAKEN)
            if any((known.what, known.source, known.told_at) == (what, source, told_at) for known in lately):
                return
        entry = TimelineEntry(what, source, status, changed, time.monotonic(), datetime.now(UTC), told_at)
        self._recent.append(entry)
        if changed:
            self._changes.append(entry)

    def timeline(self) -> Timeline:
        """What is known, oldest first."""
        oldest = self._recent[0].since
        before: Iterable[TimelineEntry] = (entry for entry in self._changes if entry.since < oldest)
        return Timeline([*before, *self._recent])


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
