"""The kernel's side of what a viewer's player meets: told by the page, kept for a capture."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from spnb.analytics.tables import KINDS
from spnb.errors import InvalidInput
from spnb.live import AsyncLiveRoom
from spnb.live.played import played
from spnb.widgets.base import Widget

__all__ = ["Experienced"]

MOST_KEPT = 10_000
MOST_WORDS = 200


class Experienced(Widget):
    """A widget whose pages tell how playing went."""

    _room: AsyncLiveRoom | None

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._met: deque[dict[str, Any]] = deque(maxlen=MOST_KEPT)
        self._met_in: dict[str, AsyncLiveRoom] = {}

    @property
    def met(self) -> list[dict[str, Any]]:
        """What the players of this widget met of live streams, as rows of the table `playback`; a capture in the same
        process takes them too."""
        return list(self._met)

    def _played(self) -> AsyncLiveRoom | None:
        """The room that a page which begins to play now plays."""
        return self._room

    async def do_met(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page's player met something: `kind` as the table `playback` has them, and its value."""
        session, kind = content.get("session"), content.get("kind")
        if not isinstance(session, str) or not session or len(session) > MOST_WORDS or kind not in KINDS:
            raise InvalidInput(f"a player's event has a session and a kind, one of {', '.join(KINDS)}")
        room = self._met_in.get(session) or self._played()
        if room is None:
            return
        # A session stays with its room: the page may have gone on to another when it ends.
        self._met_in[session] = room
        if kind == "left":
            del self._met_in[session]
        value = content.get("value")
        known = isinstance(value, int | float) and math.isfinite(value) and value >= 0
        row = {
            "room_id": room.room_id,
            "session_id": session,
            "user_id": room.user_id,
            "at": room.client.clock.now(),
            "kind": kind,
            "value": float(value) if known and value is not None else None,
            "detail": str(content.get("detail") or "")[:MOST_WORDS],
        }
        self._met.append(row)
        played.tell(row)
