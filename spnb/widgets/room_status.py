"""`RoomStatus`: a stepper through the life of a room."""

from __future__ import annotations

import time
from typing import Any

import traitlets

from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.models import Room
from spnb.widgets.base import STATIC, Widget

__all__ = ["RoomStatus"]


class RoomStatus(Widget):
    """Not started → live → processing → recorded, with the time in each state as it was seen from here.

    Args:
        room: a live room.
    """

    _esm = STATIC / "roomStatus.js"
    title = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("idle").tag(sync=True)
    timeline: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """`{status, since}` in the order seen; `since` on the same monotonic clock as `now`."""
    now = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, room: LiveRoom, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._room: AsyncLiveRoom = room.asynchronous
        self._take(self._room.record)
        self._at_end(self._room.observe(self._take))

    def _take(self, record: Room) -> None:
        with self.hold_sync():
            self.title = record.title
            self.status = record.status
            self.timeline = [{"status": stay.status, "since": stay.since} for stay in self._room.timeline().changes]
            self.now = time.monotonic()

    def _as_text(self) -> str:
        return f"{self.title}: {' → '.join(stay['status'] for stay in self.timeline)}"
