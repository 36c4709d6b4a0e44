"""The kernel's side of watching, for `Player`, `LiveNow` and `Studio`: addresses, presence, watch sessions."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import ipywidgets
import traitlets

from spnb.broadcast.signpost import signpost
from spnb.client.subscriber import subscriber_data
from spnb.errors import InvalidInput, ServiceError, Unreachable
from spnb.live import AsyncLiveRoom, AsyncViewing
from spnb.models import Room, WatchSession
from spnb.widgets.base import Hub
from spnb.widgets.engagement import Engagement
from spnb.widgets.experience import Experienced
from spnb.widgets.roads import fetch

__all__ = ["Playback"]

log = logging.getLogger(__name__)

TOKEN_SECONDS = 5.0
"""How long a viewer waits for a token before it is HLS."""


class Playback(Experienced, Engagement):
    """A widget that plays a room. Addresses are signed: they go to the page that plays, and into no trait or output."""

    hub = traitlets.Instance(Hub).tag(sync=True, **ipywidgets.widget_serialization)
    title = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("idle").tag(sync=True)
    playable = traitlets.Bool(False).tag(sync=True)
    """Whether the live stream can be played now."""
    autoplay = traitlets.Enum(["now", "visible"], "now").tag(sync=True)
    """When a page begins to play: at once, or when it is scrolled into view."""
    _room: AsyncLiveRoom | None
    _viewings: dict[str, AsyncViewing]
    _addresses: dict[str, str]
    """The address each view was given."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(hub=Hub.shared(), **keywords)
        self._viewings = {}
        self._addresses = {}
        self._unbegun = ""
        self._at_end(lambda: self._spawn(self._leave()))

    @property
    def watched(self) -> list[WatchSession]:
        """What was watched here: one session per start of a stream, seconds without pauses and buffering."""
        return [viewing.session for viewing in self._viewings.values() if viewing.session_id]

    @property
    def uncounted(self) -> str | None:
        """Why what is watched here counts nowhere, or not fully, e.g. since the user is the room's host; None where
        nothing is known to be wrong."""
        told = [viewing.uncounted for viewing in self._viewings.values()]
        return self._unbegun or next((words for words in reversed(told) if words), None)

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
        ask, kind = content.get("ask"), content.get("kind")
        by_webrtc = content.get("webrtc") is True and kind == "live"
        # Both at once: who waits for a stream waits for the slower one alone.
        url, subscriber = await asyncio.gather(self._address(room, kind), self._subscriber(room, wanted=by_webrtc))
        if url is None:
            self.send({"type": "wait", "client": client, "ask": ask})
        else:
            await self._let_play(client, url, kind=kind, ask=ask, subscriber=subscriber)

    async def _address(self, room: AsyncLiveRoom, kind: Any) -> str | None:
        """Where the stream or its recording is played; None where that is not known now, which `error` tells."""
        try:
            record = await room.refresh()
            if kind == "recording":
                recording = await room.recording(timeout=30, details=False, progress=False)
                url = recording.urls[0] if recording.urls else None
                self.error = "" if url else "Nothing was recorded of this stream."
                return url
        except (ServiceError, Unreachable) as error:
            self.error = str(error)
            return None
        url = record.live_playback_url
        if url is not None:
            self.error = ""
        return url

    async def _subscriber(self, room: AsyncLiveRoom, *, wanted: bool) -> dict[str, Any] | None:
        """What a page needs to watch by WebRTC, or why there is none of it; None where the service has no such thing.

        Secret: it goes into a message alone.
        """
        if not wanted:
            return None
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                found = await subscriber_data(room.client, room.room_id)
        except (ServiceError, Unreachable, TimeoutError) as error:
            log.debug("no token to watch by WebRTC: %s", error)
            return {"why": "the service gave no token for it"}
        if found is None:
            return None
        servers = [each.plain() for each in room.client.ice_servers]
        return {"url": found.url, "token": found.token, "signpost": await signpost(found.url), "iceServers": servers}

    async def _let_play(self, client: Any, url: str, **more: Any) -> None:
        """Give a view the address, and what proves a road to it."""
        self._addresses[str(client)] = url
        self.send({"type": "play", "client": client, "url": url, "signpost": await signpost(url), **more})

    async def do_fetch(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view that reaches the address by messages only wants a piece of what it plays."""
        client, wanted = content.get("client"), content.get("url")
        allowed = self._addresses.get(str(client))
        if allowed is None or not isinstance(wanted, str):
            return
        status, body, whole = await fetch(allowed, wanted, content.get("first"), content.get("last"))
        told = {"status": status, "whole": whole}
        self.send({"type": "fetched", "client": client, "ask": content.get("ask"), **told}, [body])

    async def do_watched(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view has watched for some seconds, in all since its session began."""
        room, name, seconds = self._room, content.get("session"), content.get("seconds")
        if room is None or not isinstance(name, str) or not isinstance(seconds, int | float) or seconds < 0:
            raise InvalidInput("a watch session has a name and seconds")
        viewing = self._viewings.get(name)
        if viewing is None:
            viewing = self._viewings[name] = room.watch_session()
            try:
                await viewing.start()
                self._unbegun = ""
            except (InvalidInput, ServiceError, Unreachable) as error:
                # Being counted is a courtesy to the host, who is no viewer either: watching goes on without.
                self._unbegun = str(error)
        await viewing.tell(float(seconds), playing=content.get("playing") is not False)
        if content.get("over"):
            await viewing.end()

    async def _leave(self) -> None:
        for viewing in self._viewings.values():
            await viewing.end()
