"""What a host is told of the recording while on air."""

from __future__ import annotations

from collections.abc import Callable

from spnb.broadcast.credentials import BroadcastRoom
from spnb.broadcast.events import BroadcastEvent, RecordingInterrupted, RecordingResumed
from spnb.gaps import RecordingGap
from spnb.models import Room

__all__ = ["observed"]


def observed(
    room: BroadcastRoom, changed: Callable[[Room], None], tell: Callable[[BroadcastEvent], None]
) -> Callable[[], None]:
    """Observe a room on air; gaps that come and go in its recording become events besides.

    Args:
        room: the room.
        changed: called with the record at every change.
        tell: takes the events.

    Returns:
        A function that ends it.
    """
    known: list[RecordingGap] | None = None

    def heard(record: Room) -> None:
        nonlocal known
        gaps = list(record.recording_gaps)
        last = gaps[-1] if gaps else None
        if last is not None and known is not None and gaps != known:
            if not known or known[-1].started_at != last.started_at:
                tell(RecordingInterrupted(reason=last.reason))
            if last.ended_at is not None:
                tell(RecordingResumed())
        known = gaps
        changed(record)

    return room.observe(heard)
