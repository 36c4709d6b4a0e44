"""`LiveNow`: who is on air, kept fresh by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spnb.client import Client
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.widgets.base import STATIC
from spnb.widgets.chat_part import ChatPart
from spnb.widgets.playback import Playback
from spnb.widgets.rows import RoomRows

__all__ = ["LiveNow"]


class LiveNow(RoomRows, Playback, ChatPart):
    """Cards of the rooms on air: thumbnail, title, creator, viewers, time on air; a click plays.

    Filtered and sorted on the page. A room that is live without a publisher is marked as a ghost, and its owner can end
    it with one click.

    Args:
        client: a client of `spnb.connect()`.
        most: how many rooms are listed at most, newest first; the heading says so where there are older ones.
    """

    _esm = STATIC / "liveNow.js"
    plain = "Live now"
    _room: AsyncLiveRoom | None = None
    _unfollow: Callable[[], None] | None = None

    def __init__(self, client: Client[LiveRoom], *, most: int = 1000, **keywords: Any) -> None:
        super().__init__(client, most=most, **keywords)

    @property
    def room(self) -> LiveRoom | None:
        """The room that was clicked; None before."""
        from spnb._loop import run

        if not self.selected:
            return None
        if self._room is None or self._room.room_id != self.selected:
            return run(self._client.rooms.get(self.selected)).sync
        return self._room.sync

    def _played(self) -> AsyncLiveRoom | None:
        room = self._room
        return room if room is not None and room.room_id == self.selected else None

    async def do_select(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """A card was clicked: its stream is played below, or the player is put away again."""
        await super().do_select(content, buffers)
        unfollow, self._unfollow = self._unfollow, None
        if unfollow is not None:
            unfollow()
        if self.selected:
            room = self._room = await self._client.rooms.get(self.selected)
            self._take(room.record)
            self._unfollow = room.observe(self._take)
            self._engage(room)
            self._use_chat(room, self._client.user_id)
        else:
            self._disengage()
            self._leave_chat()

    def _send_rows(self, content: dict[str, Any]) -> None:
        """Of a room's chat only what is on screen is shown here."""

    def close(self) -> None:
        """Take the widget off the page and stop following."""
        if self._unfollow is not None:
            self._unfollow()
        super().close()

    def _as_text(self) -> str:
        if not self._known():
            return "Live now: not read yet."
        lines = [f"{row['title']} — {row['creator']} ({row['status']})" for row in self.rooms]
        nobody = "Live now: nobody is on air." if self._collection.was_read else "Live now: not read yet."
        return "Live now:\n" + "\n".join(lines) if lines else nobody
