"""Viewers who watch by WebRTC: hidden participants of the media server, who only subscribe."""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

from spnb.sandbox.media.tokens import Grants, mint
from spnb.sandbox.rooms.ports import Json

__all__ = ["Viewers", "viewer_of"]

TOKEN_SECONDS = 60.0
"""A token is for coming in now: who stays outlives it."""
MARK = "viewer"
MOST_OF_ONE = 20
"""Pages of one user that are remembered, the newest."""


class MediaServer(Protocol):
    """What is asked of the media server."""

    api_key: str
    api_secret: str
    url: str

    async def remove_participant(self, room_id: str, identity: str) -> bool:
        """Put one participant out."""
        ...


def viewer_of(identity: str) -> str | None:
    """The public id of the user who watches under this identity; None where it is no viewer's."""
    mark, _, rest = identity.partition(":")
    _, colon, user_id = rest.partition(":")
    return user_id if mark == MARK and colon else None


class Viewers:
    """Lets viewers in, each page under an identity of its own, and puts them out again.

    Args:
        media: the media server.
    """

    def __init__(self, media: MediaServer) -> None:
        self._media = media
        self._inside: dict[str, dict[str, list[str]]] = {}

    def let_in(self, room_id: str, user: Json) -> Json:
        """`{url, token}` for one page of a user. Secret."""
        identity = f"{MARK}:{secrets.token_hex(6)}:{user['userId']}"
        pages = self._inside.setdefault(room_id, {}).setdefault(user["userId"], [])
        pages.append(identity)
        del pages[:-MOST_OF_ONE]
        grants = Grants(room=room_id, room_join=True, can_publish=False, can_publish_data=False, hidden=True)
        media = self._media
        token = mint(media.api_key, media.api_secret, identity=identity, name="", grants=grants, ttl=TOKEN_SECONDS)
        return {"url": media.url, "token": token}

    async def put_out(self, room_id: str, user_id: str) -> None:
        """No page of a user watches a room any more."""
        pages = self._inside.get(room_id, {}).pop(user_id, [])
        await asyncio.gather(*(self._media.remove_participant(room_id, identity) for identity in pages))

    async def cut(self, room_id: str | None) -> int:
        """A fault on demand: put out all who watch a room, or any; how many that were."""
        rooms = list(self._inside) if room_id is None else [room_id]
        inside = [
            (room, identity) for room in rooms for pages in self._inside.pop(room, {}).values() for identity in pages
        ]
        removed = await asyncio.gather(*(self._media.remove_participant(*each) for each in inside))
        return sum(map(bool, removed))

    def forget(self, room_id: str) -> None:
        """A room is over, for everybody."""
        self._inside.pop(room_id, None)
