"""The room form's side in the kernel, for `CreateRoom` and `Studio`."""

from __future__ import annotations

import json
from typing import Any

import traitlets

from spnb.client import AsyncClient
from spnb.errors import ChatNotOpened, InvalidInput, ServiceError, Unreachable
from spnb.live import AsyncLiveRoom
from spnb.widgets.base import Widget

__all__ = ["RoomForm"]

CONSOLE_TITLE, CONSOLE_DESCRIPTION = 150, 500
IMAGE_BYTES = 2_000_000


class RoomForm(Widget):
    """A widget with a form that creates a room, publishes its post and opens its chat."""

    limits = traitlets.Dict({"title": CONSOLE_TITLE, "description": CONSOLE_DESCRIPTION, "thumbnail": IMAGE_BYTES}).tag(
        sync=True
    )
    communities: traitlets.List[Any] = traitlets.List().tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    created: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """The room that was made last; empty before."""
    _client: AsyncClient[AsyncLiveRoom]
    _unfinished: str | None = None

    async def _read_communities(self) -> None:
        found = []
        try:
            async for community in self._client.communities.query(membership="member", page_size=50):
                found.append({"id": community.community_id, "name": community.display_name})
                if len(found) >= 50:
                    break
        except (ServiceError, Unreachable):
            return  # the own feed is always there
        self.communities = found

    async def do_create(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """The form was sent."""
        if self.busy:
            return
        self.busy = True
        self.error = ""
        try:
            thumbnail = bytes(buffers[0]) if content.get("thumbnail") and buffers else None
            chat = bool(content.get("chat", True))
            community = str(content.get("community") or "") or None
            room = await self._client.rooms.create(
                str(content.get("title") or ""),
                description=str(content.get("description") or "") or None,
                thumbnail=thumbnail,
                metadata=_metadata(content.get("metadata")),
                chat=chat,
                community_id=community if chat else None,
                key=self._unfinished,
            )
            if not chat:
                await room.post(community_id=community, text=room.title)
            self._unfinished = None
        except ChatNotOpened as error:
            # The form is sent again: it goes on with the room that is there.
            self._unfinished = error.key
            raise
        finally:
            self.busy = False
        record = room.record
        self.created = {
            "id": record.room_id,
            "title": record.title,
            "status": record.status,
            "creator": record.created_by or "",
        }
        self._made(room)

    def _made(self, room: AsyncLiveRoom) -> None:
        """A room was created."""


def _metadata(text: Any) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        value = json.loads(str(text))
    except ValueError as error:
        raise InvalidInput(f"the metadata is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput('the metadata is a JSON object, as {"season": 2}')
    return value
