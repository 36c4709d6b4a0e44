"""`Player`: the live stream and, after the end, the replay."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import traitlets

from spnb.errors import InvalidInput, ServiceError, Unreachable
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.models import Room
from spnb.widgets.base import STATIC
from spnb.widgets.chat_part import ChatPart
from spnb.widgets.counting import Counting
from spnb.widgets.playback import Playback

__all__ = ["Player"]


class Player(Playback, ChatPart, Counting):
    """What a viewer sees of a room: a waiting card, the live stream, and the replay once it is recorded; they chat,
    react, and see what is sold. Over the picture's title stands whose it is, how many watch and for how long.

    The page asks for the signed address when it needs it and keeps it in memory: it is in no trait and no output.

    Args:
        room: a live room.
        autoplay: `now`, or `visible`: it plays while it is in sight, asks for the stream when it first is, and pauses
            when it is scrolled away; who paused it themselves keeps it paused.
        webrtc: play what is live over LiveKit where the service lets viewers do so, a fraction of a second behind;
            where it does not, or the line breaks, or takes long, and whenever somebody goes back in time, it is
            low-latency HLS, and HLS where that fails; it is tried again now and then. "Delay" under the picture tells
            which, and why. Without it is HLS alone: every picture of the best quality, a second behind.
    """

    _esm = STATIC / "player.js"
    host = traitlets.Unicode("").tag(sync=True)
    """The name of whose room it is."""
    since = traitlets.Float(0.0).tag(sync=True)
    """When the stream went on air, in Unix seconds; 0 off the air."""
    webrtc = traitlets.Bool(True).tag(sync=True)
    """Whether a page may play by WebRTC."""
    _room: AsyncLiveRoom

    def __init__(
        self, room: LiveRoom, *, autoplay: Literal["now", "visible"] = "now", webrtc: bool = True, **keywords: Any
    ) -> None:
        if autoplay not in ("now", "visible"):
            raise InvalidInput(f"autoplay is 'now' or 'visible', not {autoplay!r}")
        super().__init__(autoplay=autoplay, **keywords)
        self.webrtc = webrtc
        self._room = room.asynchronous
        self._take(self._room.record)
        self._at_end(self._room.observe(self._take))
        self._engage(self._room)
        self._use_chat(self._room, self._room.user_id)
        self._spawn(self._name_host())

    def _take(self, record: Room) -> None:
        super()._take(record)
        self.host = self.host or record.created_by or ""
        self.since = record.live_at.timestamp() if record.live_at and record.is_live else 0.0
        self._count(self._room)

    async def _name_host(self) -> None:
        host = self._room.record.created_by
        if host:
            # The id, which is there already, names them too.
            with contextlib.suppress(ServiceError, Unreachable):
                self.host = (await self._room.client.users.get(host)).display_name or host

    def _as_text(self) -> str:
        return f"Player: {self.title} ({self.status})"
