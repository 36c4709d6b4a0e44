"""`RoomTable`: all rooms of the network, to look after them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

from spnb.errors import ServiceError, Unreachable
from spnb.models import Room
from spnb.widgets.base import STATIC
from spnb.widgets.rows import RoomRows

__all__ = ["RoomTable"]

PRODUCTS_SECONDS = 20.0


class RoomTable(RoomRows):
    """The Console's management table: picture, title, type, creator, products, status, duration, moderation, created.

    Own rooms can be edited, stopped and deleted; deleting asks first.

    Args:
        client: a client of `spnb.connect()`.
        most: how many rooms are listed at most, newest first; the heading says so where there are older ones.
    """

    _esm = STATIC / "roomTable.js"
    plain = "Rooms"
    _looked_at: Sequence[str] = ()
    _look_again = 0.0
    statuses: ClassVar[Sequence[str]] = (
        "idle",
        "live",
        "waitingReconnect",
        "ended",
        "recorded",
        "terminated",
        "error",
    )

    async def do_edit(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Title or description were changed."""
        self.error = ""
        await self._client.rooms.update(
            str(content.get("room") or ""),
            title=str(content.get("title") or ""),
            description=str(content.get("description") or ""),
        )
        await self._collection.refresh()

    async def do_delete(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Delete was pressed, and the question answered."""
        self.error = ""
        await self._client.rooms.delete(str(content.get("room") or ""))
        await self._collection.refresh()

    async def _look_closer(self, in_sight: list[Room]) -> None:
        """How many products are tagged: one request for all rooms in sight, when they change and now and then."""
        posts = [room.reference_id for room in in_sight if room.reference_id]
        now = time.monotonic()
        if not posts or (posts == self._looked_at and now < self._look_again):
            return
        try:
            found = await self._client.products.tags_of(posts)
        except (ServiceError, Unreachable):
            return  # the next round asks again
        self._looked_at, self._look_again = posts, now + PRODUCTS_SECONDS
        self._tagged.update({tags.room_id: len(tags.tagged) for tags in found if tags.room_id})

    def _as_text(self) -> str:
        if not self._known():
            return "Rooms: not read yet."
        rows = self.rooms
        if not self._collection.was_read:
            return "Rooms: not read yet"
        older = "" if self.complete else " (the newest: older ones are left out, most=… lists more)"
        return "\n".join([f"Rooms: {len(rows)}{older}", *(f"{row['title']} ({row['status']})" for row in rows[:20])])
