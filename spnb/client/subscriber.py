"""Calls of the sandbox that social.plus has not: what lets a viewer watch by WebRTC, and the end of stream keys.

A service without such a call says "not found", as does one whose room was deleted: the room itself tells which it is.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spnb.client.answers import read_object
from spnb.client.resource import part
from spnb.errors import NotFound

if TYPE_CHECKING:
    from spnb.client.client import AsyncClient

__all__ = ["Subscriber", "revoke_stream_keys", "subscriber_data"]

_without: weakref.WeakSet[AsyncClient[Any]] = weakref.WeakSet()
"""Connections to a service that has no such call: asked once."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A LiveKit address, and a token that lets one viewer in. Secret."""

    url: str
    token: str = field(repr=False)


async def subscriber_data(client: AsyncClient[Any], room_id: str) -> Subscriber | None:
    """What a viewer needs to watch a room by WebRTC; None where the service gives out no such thing.

    Raises:
        NotFound: the room was deleted.
        Forbidden: the user is banned from the room.
        BadRequest: the room is not on air.
    """
    if client in _without:
        return None
    doing = "get what a viewer needs to watch by WebRTC"
    try:
        answer = await client._session.request("GET", f"/sandbox/rooms/{part(room_id)}/subscriber", doing=doing)
    except NotFound as error:
        await see_room(client, room_id, error)
        _without.add(client)
        return None
    told = read_object(answer, doing)
    return Subscriber(str(told["url"]), str(told["token"]))


async def revoke_stream_keys(client: AsyncClient[Any], room_id: str) -> bool:
    """Have no stream key of a room of yours let anybody in any more; False where the service has no such call.

    Raises:
        NotFound: the room was deleted.
        Forbidden: it is somebody else's room.
    """
    try:
        path = f"/sandbox/rooms/{part(room_id)}/stream-keys"
        await client._session.request("DELETE", path, doing="end the room's stream keys")
    except NotFound as error:
        await see_room(client, room_id, error)
        return False
    return True


async def see_room(client: AsyncClient[Any], room_id: str, error: NotFound) -> None:
    """After "not found": a room that can be read means that the service has no such call.

    Raises:
        NotFound: it is the room that is not there.
    """
    if (await client.rooms.record(room_id)).is_deleted:
        raise error
