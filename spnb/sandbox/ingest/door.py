"""Who is let in with what, and where its media go: the same room, lifecycle, recording and viewers as of any other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from starlette.routing import BaseRoute

from spnb.sandbox.ingest.keys import StreamKeys
from spnb.sandbox.ingest.pages import Pages
from spnb.sandbox.ingest.rtmp import Denied, RtmpServer
from spnb.sandbox.ingest.transcoder import Transcoder
from spnb.sandbox.ingest.whip import Whip
from spnb.sandbox.media.tokens import Grants, mint
from spnb.sandbox.rest import Refused
from spnb.sandbox.rooms.lifecycle import is_over
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.server.control_routes import ControlCall, control_route
from spnb.sandbox.store import Store

__all__ = ["Ingest"]

log = logging.getLogger(__name__)

TOKEN_SECONDS = 600.0
"""A connection that stays outlives its token."""
PORT = "rtmp port"


class Ingest:
    """The sandbox's ingest: encoders over RTMP and WHIP, pages over a WebSocket.

    Args:
        store: where rooms are.
        api_key: what the sandbox's own calls need.
        media: the media server.
        url: where the sandbox's HTTP is.
    """

    def __init__(self, store: Store, api_key: str, media: Any, url: str) -> None:
        self._store = store
        self._media = media
        self._url = url
        self._api_key = api_key
        self._keys = StreamKeys(store)
        self._inside: dict[str, _Let] = {}
        self._rtmp = RtmpServer(self._admit)
        self._whip = Whip(media, self._who)
        self._pages = Pages(media)

    def routes(self) -> list[BaseRoute]:
        """WHIP's, those of pages, and the sandbox's own calls: a fresh key, and no key any more."""
        path = "/sandbox/rooms/{roomId}/ingest"
        return [
            *self._whip.routes(),
            *self._pages.routes(),
            control_route(self._api_key, "POST", path, self._asked),
            control_route(self._api_key, "DELETE", path, self._revoked),
        ]

    async def start(self) -> None:
        """Listen for encoders, at the port of the last time where it is free."""
        await self._rtmp.start(int(self._store.fact(PORT) or 0))
        self._store.keep_fact(PORT, str(self._rtmp.port))

    async def aclose(self) -> None:
        """Put all encoders out."""
        await self._rtmp.aclose()

    def address(self, room_id: str) -> str:
        """Where an encoder publishes into a room, with a fresh key. Secret."""
        return f"{self.server}/{self._keys.make(room_id)}"

    @property
    def server(self) -> str:
        """RTMP's address without a key: what OBS calls the server."""
        return f"rtmp://127.0.0.1:{self._rtmp.port}/live"

    async def _asked(self, call: ControlCall) -> Json:
        room_id = call.path("roomId")
        try:
            self._room(room_id)
        except Denied as error:
            raise Refused.bad_request(str(error)) from None
        return {"rtmpUrl": self.server, "whipUrl": f"{self._url}/whip/v1", "streamKey": self._keys.make(room_id)}

    async def _revoked(self, call: ControlCall) -> Json:
        await self.revoke(call.path("roomId"))
        return {"success": True}

    async def revoke(self, room_id: str) -> None:
        """No key of a room lets anybody in any more; whoever publishes with one is put out."""
        self._keys.revoke(room_id)
        inside = self._inside.get(room_id)
        if inside is not None:
            inside.gone.set()
        await self._whip.put_out(room_id)

    def _room(self, room_id: str) -> Json:
        room = self._store.rooms.get(room_id)
        if room is None or is_over(self._store, room_id):
            raise Denied("the room is over or not there: create a new one")
        return room

    def _token(self, key: str) -> tuple[str, str]:
        """The room a key is for, and a LiveKit token to publish there as its host."""
        room_id = self._keys.room_of(key)
        if room_id is None:
            raise Denied("the stream key is not valid here, or was revoked: fetch a new one")
        host_id = str(self._room(room_id)["createdBy"])
        host = self._store.user_by_public_id(host_id) or {}
        token = mint(
            self._media.api_key,
            self._media.api_secret,
            identity=host_id,
            name=host.get("displayName") or host_id,
            grants=Grants(room=room_id, room_join=True, can_subscribe=False),
            ttl=TOKEN_SECONDS,
        )
        return room_id, token

    def _who(self, bearer: str) -> str:
        """A LiveKit token for what an encoder gives as its own: a stream key, or such a token itself."""
        return bearer if bearer.startswith("eyJ") else self._token(bearer)[1]

    async def _admit(self, key: str) -> _Let:
        room_id, token = self._token(key)
        if room_id in self._inside or self._whip.publishes(room_id):
            raise Denied("another encoder publishes into this room")
        self._media.follow(room_id)
        let = self._inside[room_id] = _Let(self._media.url, token, lambda: self._inside.pop(room_id, None))
        try:
            await let.start()
        except asyncio.CancelledError:  # the encoder has gone meanwhile, or LiveKit took too long
            self._inside.pop(room_id, None)
            raise
        except Exception as error:
            self._inside.pop(room_id, None)
            log.warning("an encoder could not be let in: %s", type(error).__name__)
            raise Denied("the media server could not be reached") from error
        return let


class _Let(Transcoder):
    """An encoder that was let in."""

    def __init__(self, url: str, token: str, left: Callable[[], Any]) -> None:
        super().__init__(url, token)
        self._leave = left

    async def aclose(self) -> None:
        """It has left."""
        self._leave()
        await super().aclose()
