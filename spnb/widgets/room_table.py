"""`RoomTable`: all rooms of the network, to look after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from spnb.widgets.base import STATIC
from spnb.widgets.rows import RoomRows

__all__ = ["RoomTable"]


class RoomTable(RoomRows):
    """The Console's management table: picture, title, type, creator, products, status, duration, moderation, created.

    Own rooms can be edited, stopped and deleted; deleting asks first.

    Args:
        client: a client of `spnb.connect()`.
    """

    _esm = STATIC / "roomTable.js"
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

    def _as_text(self) -> str:
        rows = self.rooms
        return "\n".join([f"Rooms: {len(rows)}", *(f"{row['title']} ({row['status']})" for row in rows[:20])])
