"""What is missing in a room's recording."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["RecordingGap", "missing"]


class RecordingGap(BaseModel):
    """A time in which a room was on air and could not be recorded."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    started_at: datetime
    ended_at: datetime | None = None
    """None while it lasts."""
    reason: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it lasted; None while it lasts."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()


def missing(gaps: Sequence[RecordingGap]) -> str | None:
    """What of a room is not recorded, in words; None where nothing is missing."""
    if not gaps:
        return None
    last = gaps[-1]
    if last.ended_at is None:
        return f"since {last.started_at:%H:%M:%S} UTC: {last.reason}"
    return f"{sum(gap.seconds or 0 for gap in gaps):.0f} s in {len(gaps)} gap(s): {last.reason}"
