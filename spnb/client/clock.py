"""`ServiceClock`: what time it is for the service, whose clock and ours may be apart.

Moments that come from the service (when a room went live, a message was sent) are of its clock. Whatever is set against
them, or is sent to it as a moment, is taken from here; durations never are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

__all__ = ["ServiceClock"]

TOLERATED = timedelta(seconds=2)
"""An answer tells its second only, and was a while on its way: less than this is no difference."""
NONE = timedelta(0)


class ServiceClock:
    """Learns from each answer how far the service's clock is from ours, by the `Date` that HTTP answers carry
    (RFC 9110 § 6.6.1), and until one has come from the `sentTime` of events.

    Args:
        here: our own clock, in UTC.
    """

    def __init__(self, here: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._here = here
        self._read = False
        self.offset = NONE
        """How far the service's clock is before ours; none where they agree within two seconds."""

    def now(self) -> datetime:
        """The present moment by the service's clock, in UTC."""
        return self._here() + self.offset

    def answered(self, date: str | None, took: timedelta) -> None:
        """An answer has come.

        Args:
            date: its `Date`.
            took: how long it was waited for.
        """
        try:
            there = parsedate_to_datetime(date) if date else None
        except ValueError:
            return
        if there is None or there.tzinfo is None or took > TOLERATED:
            return
        # It was written in the middle of that time, and half a second is cut off on average.
        self._read = True
        self._take(there + timedelta(seconds=0.5) + took / 2)

    def heard(self, sent_at: datetime | None) -> None:
        """An event has come. It is a hint: it counts only until the service itself has answered."""
        if sent_at is not None and sent_at.tzinfo is not None and not self._read:
            self._take(sent_at)

    def _take(self, there: datetime) -> None:
        offset = there - self._here()
        if abs(offset) <= TOLERATED:
            self.offset = NONE
        elif abs(offset - self.offset) > TOLERATED:
            self.offset = offset
