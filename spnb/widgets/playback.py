"""The kernel's side of watching, for `Player`, `LiveNow` and `Studio`: addresses, presence, watch sessions."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

import ipywidgets
import traitlets

from spnb.errors import InvalidInput, ServiceError, Unreachable
from spnb.live import AsyncLiveRoom
from spnb.models import Room, WatchSession
from spnb.widgets.base import Hub, Widget

__all__ = ["Playback"]

log = logging.getLogger(__name__)

FIRST_BEAT_SECONDS = 30.0


class Playback(Widget):
    """A widget that plays a room. Addresses are signed: they go to the page that plays, and into no trait or output."""

    hub = traitlets.Instance(Hub).tag(sync=True, **ipywidgets.widget_serialization)
    title = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("idle").tag(sync=True)
    playable = traitlets.Bool(False).tag(sync=True)
    """Whether the live stream can be played now."""
    _room: AsyncLiveRoom | None
    _sessions: dict[str, WatchSession]

    def __init__(self, **keywords: Any) -> None:
        super().__init__(hub=Hub.shared(), **keywords)
        self._sessions = {}
        self._beat_every = 0.0
        self._next_beat = 0.0

    @property
    def watched(self) -> list[WatchSession]:
        """What was watched here: one session per start of a stream, seconds without pauses and buffering."""
        return list(self._sessions.values())

    def _take(self, record: Room) -> None:
        with self.hold_sync():
            self.title = record.title
            self.status = record.status
            self.playable = record.is_live and record.live_playback_url is not None

    async def do_play(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view wants to play: it gets the address, and nobody else does."""
        client, room = content.get("client"), self._room
        if room is None:
            return
        try:
            record = await room.refresh()
            if content.get("kind") == "recording":
                recording = await room.recording(timeout=30, details=False, progress=False)
                url = recording.urls[0] if recording.urls else None
                if url is None:
                    self.error = "Nothing was recorded of this stream."
            else:
                url = record.live_playback_url
        except (ServiceError, Unreachable) as error:
            self.error = str(error)
            url = None
        if url is None:
            self.send({"type": "wait", "client": client})
        else:
            self.error = ""
            self.send({"type": "play", "client": client, "kind": content.get("kind"), "url": url})

    async def do_watched(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view has watched for some seconds, in all since its session began."""
        room, name, seconds = self._room, content.get("session"), content.get("seconds")
        if room is None or not isinstance(name, str) or not isinstance(seconds, int | float) or seconds < 0:
            raise InvalidInput("a watch session has a name and seconds")
        now = datetime.now(UTC)
        known = self._sessions.get(name)
        session = WatchSession(
            session_id=name[:50],
            room_id=room.room_id,
            watch_seconds=max(float(seconds), known.watch_seconds if known else 0.0),
            start_time=known.start_time if known else now,
            end_time=now,
        )
        self._sessions[name] = session
        # Being counted is a courtesy to the host: where it fails, watching goes on.
        try:
            await self._beat(room)
            await room.presence.report([session])
        except (ServiceError, Unreachable) as error:
            log.info("the watch session was not reported: %s", type(error).__name__)

    async def _beat(self, room: AsyncLiveRoom) -> None:
        """Say that somebody watches, as often as the network's presence settings ask."""
        if room.record.status != "live" or time.monotonic() < self._next_beat:
            return
        if not self._beat_every:
            settings = await room.presence.settings()
            interval = (settings.get("network") or {}).get("heartbeatInterval")
            if not isinstance(interval, int | float) or interval <= 0:
                interval = FIRST_BEAT_SECONDS
            self._beat_every = float(interval)
        self._next_beat = time.monotonic() + self._beat_every
        await room.presence.heartbeat(room.room_id)
