"""`RoomCard`: one room as it stands in a feed."""

from __future__ import annotations

from typing import Any

import traitlets

from spnb.errors import ServiceError, Unreachable
from spnb.live import LiveRoom
from spnb.models import Room
from spnb.widgets.base import STATIC
from spnb.widgets.encoder_part import EncoderPart
from spnb.widgets.moderation import finding
from spnb.widgets.replay_placards import ReplayPlacards

__all__ = ["RoomCard"]


class RoomCard(EncoderPart, ReplayPlacards):
    """A room's card: picture, LIVE badge, title, creator, the text of its post; once it is recorded the recording's own
    picture, and "Watch replay" plays it in the card. A host's own room for direct streaming has "Use OBS…": address and
    key to copy, shown once.

    Args:
        room: a live room.
    """

    _esm = STATIC / "roomCard.js"
    creator = traitlets.Unicode("").tag(sync=True)
    post = traitlets.Unicode("").tag(sync=True)
    """The text of the post that carries the room; empty without one."""
    moderation = traitlets.Unicode("").tag(sync=True)
    """What the automatic moderation found; empty where nothing."""
    since = traitlets.Float(0.0).tag(sync=True)
    seconds = traitlets.Float(0.0).tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)

    def __init__(self, room: LiveRoom, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._room = room.asynchronous
        self._take(self._room.record)
        self._at_end(self._room.observe(self._changed))
        self._spawn(self._read_more())

    def _take(self, record: Room) -> None:
        super()._take(record)
        with self.hold_sync():
            self.moderation = finding(record)
            self.creator = record.created_by or ""
            self.since = record.live_at.timestamp() if record.live_at else 0.0
            self.seconds = record.duration_seconds or 0.0

    async def do_play(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """A view wants to play: it gets the address, and what stood over the picture stands there again."""
        await super().do_play(content, buffers)
        if self._room is not None and content.get("kind") == "recording":
            await self._read_placards(self._room)

    async def _changed(self, record: Room) -> None:
        self._take(record)
        await self._read_more()

    async def _read_more(self) -> None:
        room = self._room
        if room is None:
            return
        try:
            text, picture = await room.post_text(), await room.thumbnail()
        except (ServiceError, Unreachable):
            return  # the card stands without them
        self.post = text or ""
        if picture:
            self.picture = picture

    def _as_text(self) -> str:
        return f"{self.title} ({self.status}) — {self.creator}"
