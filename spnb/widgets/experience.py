"""The kernel's side of what a viewer's player meets: told by the page, kept for a capture."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spnb._loop import in_loop
from spnb.analytics.tables import KINDS
from spnb.errors import InvalidInput
from spnb.live import AsyncLiveRoom
from spnb.live.played import played
from spnb.widgets.base import Widget

__all__ = ["Experienced"]

MOST_KEPT = 10_000
MOST_WORDS = 200
HERE = "here"
"""No row of the table: the page still waits for the first picture."""
SILENT_SECONDS = 150.0
"""A player that says nothing for so long is gone. Pages say something every ten seconds, hidden ones once a minute."""
UNHEARD = "its page was heard no more"


@dataclass
class _Heard:
    """A session that goes on: in which room, when it was heard last, and what ends it."""

    room: AsyncLiveRoom
    at: datetime
    silence: asyncio.TimerHandle | None = None


class Experienced(Widget):
    """A widget whose pages tell how playing went."""

    _room: AsyncLiveRoom | None

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._met: deque[dict[str, Any]] = deque(maxlen=MOST_KEPT)
        self._heard_of: dict[str, _Heard] = {}
        self._at_end(lambda: in_loop(self._all_left))

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
        if not isinstance(session, str) or not 0 < len(session) <= MOST_WORDS or kind not in (*KINDS, HERE):
            raise InvalidInput(f"a player's event has a session and a kind, one of {', '.join(KINDS)}")
        # A session stays with its room: the page may have gone on to another when it ends.
        before = self._heard_of.pop(session, None)
        room = before.room if before is not None else self._played()
        if room is None:
            return
        if before is not None and before.silence is not None:
            before.silence.cancel()
        now = room.client.clock.now()
        if kind != "left":
            silence = asyncio.get_running_loop().call_later(SILENT_SECONDS, self._silent, session)
            self._heard_of[session] = _Heard(room, now, silence)
        if kind != HERE:
            self._keep(room, session, now, kind, content)

    def _silent(self, session: str) -> None:
        """A page that was closed hard says nothing; should it be heard again, it is still in its room."""
        heard = self._heard_of[session]
        heard.silence = None
        self._keep(heard.room, session, heard.at, "left", {"detail": UNHEARD})

    def _all_left(self) -> None:
        """The widget goes, and its players with it."""
        heard, self._heard_of = self._heard_of, {}
        for session, last in heard.items():
            if last.silence is not None:  # else it was told already
                last.silence.cancel()
                self._keep(last.room, session, last.room.client.clock.now(), "left", {})

    def _keep(self, room: AsyncLiveRoom, session: str, at: datetime, kind: str, content: dict[str, Any]) -> None:
        value = content.get("value")
        known = isinstance(value, int | float) and math.isfinite(value) and value >= 0
        row = {
            "room_id": room.room_id,
            "session_id": session,
            "user_id": room.user_id,
            "at": at,
            "kind": kind,
            "value": float(value) if known and value is not None else None,
            "detail": str(content.get("detail") or "")[:MOST_WORDS],
        }
        self._met.append(row)
        played.tell(row)
