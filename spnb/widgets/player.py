"""`Player`: the live stream and, after the end, the replay."""

from __future__ import annotations

from typing import Any, Literal

from spnb.errors import InvalidInput
from spnb.live import LiveRoom
from spnb.widgets.base import STATIC
from spnb.widgets.chat_part import ChatPart
from spnb.widgets.playback import Playback

__all__ = ["Player"]


class Player(Playback, ChatPart):
    """What a viewer sees of a room: a waiting card, the live stream, and the replay once it is recorded; they chat,
    react, and see what is sold.

    The page asks for the signed address when it needs it and keeps it in memory: it is in no trait and no output.

    Args:
        room: a live room.
        autoplay: `now`, or `visible`: it plays while it is in sight, asks for the stream when it first is, and pauses
            when it is scrolled away; who paused it themselves keeps it paused.
    """

    _esm = STATIC / "player.js"

    def __init__(self, room: LiveRoom, *, autoplay: Literal["now", "visible"] = "now", **keywords: Any) -> None:
        if autoplay not in ("now", "visible"):
            raise InvalidInput(f"autoplay is 'now' or 'visible', not {autoplay!r}")
        super().__init__(autoplay=autoplay, **keywords)
        self._room = room.asynchronous
        self._take(self._room.record)
        self._at_end(self._room.observe(self._take))
        self._engage(self._room)
        self._use_chat(self._room, self._room.user_id)

    def _as_text(self) -> str:
        return f"Player: {self.title} ({self.status})"
