"""`ViewerCount`: how many watch a room now, and who."""

from __future__ import annotations

from typing import Any

import traitlets

from spnb.errors import ServiceError, Unreachable
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.models import Room
from spnb.widgets.base import STATIC
from spnb.widgets.counting import Counting

__all__ = ["ViewerCount"]

MOST_NAMED = 50


class ViewerCount(Counting):
    """Viewers now and at most, live; a click names them.

    All widgets that look at one room on one connection share its reads: every 3 s while the count changes, down to
    every 12 s while it stands, none while the room is off the air.

    Args:
        room: a live room.
    """

    _esm = STATIC / "viewerCount.js"
    title = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("idle").tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)

    def __init__(self, room: LiveRoom, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._room: AsyncLiveRoom = room.asynchronous
        self._take(self._room.record)
        self._at_end(self._room.observe(self._take))

    def _take(self, record: Room) -> None:
        with self.hold_sync():
            self.title, self.status, self.live = record.title, record.status, record.is_live
        self._count(self._room)

    async def do_who(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page wants to know who watches; it alone is told."""
        self.error = ""
        try:
            people = await self._room.audience.people(most=MOST_NAMED)
        except (ServiceError, Unreachable) as error:
            self.error = str(error)
            return
        names = [person.display_name or person.user_id for person in people]
        self.send({"type": "who", "client": content.get("client"), "names": names})

    def _as_text(self) -> str:
        if not self.live:
            return f"{self.title}: off the air"
        counted = self.count is not None
        return f"{self.title}: {f'{self.count} watching, at most {self.peak}' if counted else 'not counted yet'}"
