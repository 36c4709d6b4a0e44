"""Rooms: create, read, list, change, stop, delete; what is live; recordings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from spnb.models import normal_status, normal_type
from spnb.sandbox.clock import new_id
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.fields import with_changes
from spnb.sandbox.rest.payloads import room_payload
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.social_payloads import post_payload
from spnb.sandbox.rooms.ports import Json

__all__ = ["announce", "own_room", "routes", "visible_room"]

CHAT_NAMES = AliasChoices("liveChatEnabled", "channelEnabled", "liveChannelEnabled")


class RoomCreate(BaseModel):
    title: str = Field(min_length=1, max_length=1000, pattern=r"\S")
    description: str | None = Field(default=None, max_length=5000)
    thumbnailFileId: str | None = Field(default=None, max_length=50)
    metadata: dict[str, Any] | None = None
    liveChatEnabled: bool = Field(default=True, validation_alias=CHAT_NAMES)
    parentRoomId: str | None = Field(default=None, max_length=50)
    type: Annotated[Literal["directStreaming", "coHosts"], BeforeValidator(normal_type)] = "directStreaming"
    participants: list[str] = Field(default_factory=list, max_length=1)


class RoomUpdate(BaseModel):
    title: str = Field(default="", min_length=1, max_length=1000, pattern=r"\S")
    description: str | None = Field(default=None, max_length=5000)
    thumbnailFileId: str | None = Field(default=None, max_length=50)
    metadata: dict[str, Any] | None = None
    liveChatEnabled: bool = Field(default=True, validation_alias=CHAT_NAMES)
    parentRoomId: str | None = Field(default=None, max_length=50)


def routes(services: Services) -> list[BaseRoute]:
    """Room routes."""
    return [
        serve(services, "POST", "/api/v1/rooms", create),
        serve(services, "GET", "/api/v1/rooms", listed),
        serve(services, "GET", "/api/v1/rooms/lives", live_now),
        serve(services, "GET", "/api/v1/rooms/{roomId}", one),
        serve(services, "PUT", "/api/v1/rooms/{roomId}", update),
        serve(services, "DELETE", "/api/v1/rooms/{roomId}", delete),
        serve(services, "POST", "/api/v1/rooms/{roomId}/stop", stop),
        serve(services, "GET", "/api/v1/rooms/{roomId}/token", broadcaster_data),
        serve(services, "GET", "/api/v1/rooms/{roomId}/recorded", recorded),
        serve(services, "GET", "/api/v1/rooms/{roomId}/recorded/{playbackId}/watch", watch),
        serve(services, "GET", "/api/v1/rooms/{roomId}/recorded/{playbackId}/thumbnail", thumbnail),
    ]


def visible_room(call: Call) -> Json:
    """The room of the path; a deleted one is not found."""
    room_id = call.path("roomId")
    room = call.store.rooms.get(room_id)
    if room is None or room["isDeleted"]:
        raise Refused.not_found(f"Room {room_id!r}")
    return room


def own_room(call: Call, doing: str) -> Json:
    """The room of the path, which must be the caller's."""
    room = visible_room(call)
    if room["createdBy"] != call.user_id:
        raise Refused.forbidden(f"Only the creator of a room may {doing}")
    return room


def _shown(call: Call, rooms: Json | list[Json]) -> Json:
    return room_payload(call.store, call.services.stage, rooms, reader=call.user_id, base_url=call.base_url)


async def create(call: Call) -> Json:
    """A new room, idle until media arrives."""
    wish = call.read(RoomCreate)
    if wish.parentRoomId is not None:
        parent = _own_parent(call, wish.parentRoomId)
    room_id, at, user = new_id(), call.store.now(), call.user
    room: Json = {
        "_id": room_id,
        "roomId": room_id,
        "type": wish.type,
        "status": "idle",
        "title": wish.title,
        "description": wish.description or "",
        "metadata": wish.metadata or {},
        "liveChatEnabled": wish.liveChatEnabled,
        "participants": [
            {"type": "host", "userId": user["userId"], "userInternalId": user["_id"], "canManageProductTags": True}
        ],
        "childRoomIds": [],
        "createdBy": user["userId"],
        "creatorInternalId": user["_id"],
        "createdAt": at,
        "updatedAt": at,
        "isDeleted": False,
        "path": f"{call.store.network_id}/room/{room_id}",
    }
    if wish.thumbnailFileId:
        room["thumbnailFileId"] = wish.thumbnailFileId
    if wish.parentRoomId is not None:
        room["parentRoomId"] = wish.parentRoomId
    call.store.rooms.insert(room)
    if wish.parentRoomId is not None and parent is not None:
        changed = call.store.update_room(parent["roomId"], childRoomIds=[*parent["childRoomIds"], room_id])
        if changed is not None:
            announce(call, "room.didUpdate", changed)
    return _shown(call, room)


def _own_parent(call: Call, room_id: str) -> Json:
    """The room that another is to be hung under, which must be the caller's own: its readers are shown both."""
    parent = call.store.rooms.get(room_id)
    if parent is None or parent["isDeleted"]:
        raise Refused.not_found(f"Parent room {room_id!r}")
    if parent["createdBy"] != call.user_id:
        raise Refused.forbidden("Rooms can only be hung under rooms of one's own")
    return parent


async def listed(call: Call) -> Json:
    """Rooms by status and type, in the order of creation."""
    wish = call.query.page(default=20)
    newest = call.query.choice("sortBy", ("firstCreated", "lastCreated"), "firstCreated") == "lastCreated"
    deleted = call.query.flag("isDeleted")
    where = {
        "status": [normal_status(status) for status in call.query.many("statuses", most=10)] or None,
        "type": [normal_type(kind) for kind in call.query.many("type", "types")] or None,
        # A deleted room stays readable for its owner's bookkeeping only where it is asked for.
        "isDeleted": None if deleted is None else int(deleted),
    }
    page = call.store.rooms.page(where, limit=wish.limit, newest_first=newest, start=wish.start)
    return {**_shown(call, page.documents), "paging": paging(page, wish.limit)}


async def live_now(call: Call) -> Json:
    """Rooms on air that a post carries, with their posts."""
    kinds = call.query.many("targetTypes") or ["all"]
    targets = call.query.many("targetIds")
    wish = call.query.page(default=100)
    on_air = reversed(call.store.rooms.find({"status": ["live", "waitingReconnect"], "isDeleted": 0}))
    rooms = [
        room
        for room in on_air
        if room.get("referenceId")
        and ("all" in kinds or room.get("targetType") in kinds)
        and (not targets or room.get("targetId") in targets)
    ][: wish.limit]
    posts = call.store.posts.get_many([room["referenceId"] for room in rooms])
    parents = call.store.posts.get_many([post["parentPostId"] for post in posts if post["parentPostId"]])
    envelope = post_payload(
        call.store, call.services.stage, [*posts, *parents], reader=call.user, base_url=call.base_url
    )
    return {**envelope, **_shown(call, rooms)}


async def one(call: Call) -> Json:
    """One room."""
    return _shown(call, visible_room(call))


async def update(call: Call) -> Json:
    """Change title, description, thumbnail, metadata or chat of the caller's room."""
    room = own_room(call, "change it")
    fields = call.read(RoomUpdate).model_dump(exclude_unset=True)
    if fields.get("parentRoomId") is not None and _own_parent(call, fields["parentRoomId"])["roomId"] == room["roomId"]:
        raise Refused.bad_request("A room is not its own parent")
    changed = call.store.rooms.save({**with_changes(room, fields), "updatedAt": call.store.now()})
    if "metadata" in fields:
        call.services.stage.lay_out(changed)
    announce(call, "room.didUpdate", changed)
    return _shown(call, changed)


async def delete(call: Call) -> Json:
    """Take a room out of all lists; one that is live is stopped first (a choice)."""
    room = own_room(call, "delete it")
    if room["status"] in ("live", "waitingReconnect"):
        await call.services.stage.stop(room["roomId"], by=call.user["_id"])
    call.store.update_room(room["roomId"], isDeleted=True, deletedAt=call.store.now(), deletedBy=call.user["_id"])
    return {"success": True}


async def stop(call: Call) -> Json:
    """End the broadcast for good."""
    room = own_room(call, "stop it")
    return _shown(call, await call.services.stage.stop(room["roomId"], by=call.user["_id"]))


async def broadcaster_data(call: Call) -> Json:
    """LiveKit address and token (coHosts), or the ingest address (directStreaming)."""
    room = visible_room(call)
    if not any(participant["userId"] == call.user_id for participant in room["participants"]):
        raise Refused.forbidden("Only the host and co-hosts who accepted may broadcast in this room")
    if room["status"] not in ("idle", "live", "waitingReconnect"):
        raise Refused.bad_request(f"The room is {room['status']}: it cannot go live again, create a new one")
    if room["status"] == "idle" and room["createdBy"] != call.user_id:
        raise Refused.bad_request("The room is not live yet: co-hosts come onto the stage once the host is on air")
    return call.services.stage.broadcaster_data(room, call.user)


def _recordings(call: Call) -> list[Json]:
    room = visible_room(call)
    if call.store.is_banned_viewer(room["roomId"], call.user_id):
        raise Refused(403, 400304, "The user is banned from this room")
    if room["status"] != "recorded":
        raise Refused.bad_request(f"The room is {room['status']}: recordings are there once it is recorded")
    return call.services.stage.recordings(room["roomId"])


async def recorded(call: Call) -> Json:
    """Addresses of the recorded files, in every documented form."""
    urls = [f"{call.base_url}{file['url']}" for file in _recordings(call)]
    expires = [file["expiresAt"] for file in _recordings(call) if "expiresAt" in file]
    found: Json = {"recordedUrls": urls}
    if urls:
        found["url"] = urls[0]
    if expires:
        found["expiresAt"] = min(expires)
    return found


def _playback(call: Call) -> Json:
    wanted = call.path("playbackId")
    for file in _recordings(call):
        if file["playbackId"] == wanted:
            return file
    raise Refused.not_found(f"Recording {wanted!r}")


async def watch(call: Call) -> Response:
    """Redirect to the signed address of a recorded file."""
    return RedirectResponse(f"{call.base_url}{_playback(call)['url']}", status_code=302)


async def thumbnail(call: Call) -> Response:
    """Redirect to the signed address of a recording's thumbnail."""
    return RedirectResponse(f"{call.base_url}{_playback(call)['thumbnailUrl']}", status_code=302)


def announce(call: Call, event_type: str, room: Json, *, subject_id: str = "", **extra: Any) -> None:
    """Send a room event to watchers and streamers; its subject is the room where no other is named."""
    data = {**room_payload(call.store, call.services.stage, room, base_url=call.base_url), **extra}
    subject = subject_id or room["roomId"]
    call.publish(topics.room(call.store.network_id, room), event_type, data, subject_id=subject)
