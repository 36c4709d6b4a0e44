"""Live chat channels: made by hand after the room's post, and tied back to the room."""

from __future__ import annotations

import math
import time
from collections import deque
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import moment, new_id, stamp
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.payloads import channel_payload
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.rooms import announce
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Page

__all__ = ["channel_of", "check_may_write", "moderates", "routes", "take_turn"]

FOREVER = "9999-12-31T23:59:59.999Z"
LONG_AGO = "1970-01-01T00:00:00.000Z"
MODERATOR = "channel-moderator"
LONGEST_PERIOD = 100 * 365 * 86_400_000
"""A hundred years, in milliseconds."""


class ChannelCreate(BaseModel):
    channelId: str | None = Field(default=None, min_length=1, max_length=100)
    type: str = Field(default="live", max_length=30)
    displayName: str | None = Field(default=None, max_length=100)
    postId: str | None = None
    roomId: str | None = None
    userIds: list[str] = Field(default_factory=list, max_length=1000)
    tags: list[str] = Field(default_factory=list, max_length=10)
    metadata: dict[str, Any] | None = None
    avatarFileId: str | None = None


class ChannelUpdate(BaseModel):
    displayName: str = Field(default="", max_length=100)
    metadata: dict[str, Any] | None = None
    tags: list[str] = Field(default_factory=list, max_length=10)
    rateLimit: int = Field(default=0, ge=0, le=10_000)
    rateLimitWindow: int = Field(default=0, ge=0, le=LONGEST_PERIOD)


class UserIds(BaseModel):
    userIds: list[str] = Field(min_length=1, max_length=100)


class Mute(BaseModel):
    mutePeriod: int = Field(ge=-1, le=LONGEST_PERIOD)
    userIds: list[str] = Field(default_factory=list, max_length=100)


def routes(services: Services) -> list[BaseRoute]:
    """Channel routes."""
    base = "/api/v3/channels"
    one_channel = f"{base}/{{channelId}}"
    return [
        serve(services, "POST", base, create),
        serve(services, "GET", base, listed),
        serve(services, "GET", f"{base}/list", by_id),
        serve(services, "GET", one_channel, one),
        serve(services, "PUT", one_channel, update),
        serve(services, "DELETE", one_channel, delete),
        serve(services, "POST", f"{one_channel}/join", join),
        serve(services, "DELETE", f"{one_channel}/leave", leave),
        serve(services, "GET", f"{one_channel}/users", members),
        serve(services, "POST", f"{one_channel}/users", add_members),
        serve(services, "DELETE", f"{one_channel}/users", remove_members),
        serve(services, "PUT", f"{one_channel}/users/ban", ban),
        serve(services, "PUT", f"{one_channel}/users/unban", unban),
        serve(services, "PUT", "/api/v2/channel/{channelId}/mute", mute),
        serve(services, "PUT", "/api/v2/channel/{channelId}/users/mute", mute_users),
    ]


def channel_of(call: Call, channel_id: str) -> Json:
    """The channel (its one message feed has the same id)."""
    channel = call.store.channels.get(channel_id)
    if channel is None or channel["isDeleted"]:
        raise Refused.not_found(f"Channel {channel_id!r}")
    return channel


def _channel(call: Call) -> Json:
    return channel_of(call, call.path("channelId"))


def _moderated(call: Call, doing: str) -> Json:
    channel = _channel(call)
    if not moderates(call.store.members.get(f"{channel['channelId']}:{call.user_id}")):
        raise Refused.forbidden(f"Only a moderator of the channel may {doing}")
    return channel


def moderates(membership: Json | None) -> bool:
    """Whether who has this membership is a moderator."""
    return membership is not None and MODERATOR in membership["roles"] and membership["membership"] != "banned"


def _payload(call: Call, channels: list[Json]) -> Json:
    return channel_payload(call.store, channels, reader=call.user)


def _announce(call: Call, event_type: str, channel: Json, **extra: Any) -> None:
    data = {**_payload(call, [channel]), **extra}
    call.publish(topics.channel(channel), event_type, data, subject_id=channel["channelId"])


async def create(call: Call) -> Json:
    """A new channel. A live one names its post and room, and only the room's host makes it."""
    wish = call.read(ChannelCreate)
    room = None
    if wish.roomId is not None:
        room = call.store.rooms.get(wish.roomId)
        if room is None or room["isDeleted"]:
            raise Refused.not_found(f"Room {wish.roomId!r}")
        if room["createdBy"] != call.user_id:
            raise Refused.forbidden("Only the creator of a room may open its chat")
        if room.get("liveChannelId"):
            raise Refused(409, 400900, "The room has its live channel already: use liveChannelId")
    if wish.postId is not None and call.store.posts.get(wish.postId) is None:
        raise Refused.not_found(f"Post {wish.postId!r}")
    channel_id = wish.channelId or new_id()
    if call.store.channels.get(channel_id) is not None:
        raise Refused(409, 400900, f"Channel {channel_id!r} is there already")
    channel = call.store.channels.insert(_document(call, wish, channel_id))
    call.store.set_membership(channel_id, call.user_id, "member", roles=[MODERATOR])
    for user_id in wish.userIds:
        if call.store.user_by_public_id(user_id) is not None:
            call.store.set_membership(channel_id, user_id, "member")
    if room is not None:
        # That viewers of the room hear of its chat in this way is a choice: no event is documented for it.
        changed = call.store.update_room(room["roomId"], liveChannelId=channel_id)
        assert changed is not None  # noqa: S101 - it was read above, on the same thread
        announce(call, "room.didUpdate", changed)
    return _payload(call, [channel])


def _document(call: Call, wish: ChannelCreate, channel_id: str) -> Json:
    at, internal = call.store.now(), new_id()
    attached = {name: value for name, value in (("postId", wish.postId), ("roomId", wish.roomId)) if value}
    return {
        "_id": internal,
        "channelId": channel_id,
        "channelPublicId": channel_id,
        "channelInternalId": internal,
        "defaultSubChannelId": channel_id,
        "path": f"{call.store.network_id}/chat/{channel_id}",
        "type": wish.type,
        "displayName": wish.displayName or "",
        "attachedTo": attached,
        "metadata": wish.metadata or {},
        "tags": wish.tags,
        "isPublic": True,
        "isMuted": False,
        "isRateLimited": False,
        "rateLimit": 0,
        "rateLimitWindow": 0,
        "moderatorMemberCount": 1,
        "lastActivity": at,
        "isDeleted": False,
        "createdAt": at,
        "updatedAt": at,
    }


async def listed(call: Call) -> Json:
    """Channels by type."""
    wish = call.query.page()
    newest = call.query.choice(
        "sortBy", ("lastActivity", "lastCreated", "firstCreated", "displayName"), "lastActivity"
    ) in ("lastActivity", "lastCreated")
    where = {"type": call.query.many("types") or None, "isDeleted": int(call.query.flag("isDeleted") or False)}
    page = call.store.channels.page(where, limit=wish.limit, newest_first=newest, start=wish.start)
    return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}


async def by_id(call: Call) -> Json:
    """Channels by id."""
    found = call.store.channels.get_many(call.query.many("channelIds"))
    return _payload(call, [channel for channel in found if not channel["isDeleted"]])


async def one(call: Call) -> Json:
    """One channel."""
    return _payload(call, [_channel(call)])


async def update(call: Call) -> Json:
    """Change name, metadata, tags or slow mode."""
    channel = _moderated(call, "change it")
    fields = call.read(ChannelUpdate).model_dump(exclude_unset=True)
    if "rateLimit" in fields:
        fields["isRateLimited"] = bool(fields["rateLimit"])
    changed = call.store.channels.save({**channel, **fields, "updatedAt": call.store.now()})
    _announce(call, "channel.updated", changed)
    return _payload(call, [changed])


async def delete(call: Call) -> Json:
    """Close the channel."""
    channel = _moderated(call, "delete it")
    changed = call.store.channels.save({**channel, "isDeleted": True, "updatedAt": call.store.now()})
    _announce(call, "channel.deleted", changed)
    return {"status": "success", "data": {"success": True}}


async def join(call: Call) -> Json:
    """Become a member."""
    channel = _channel(call)
    if call.store.membership(channel["channelId"], call.user_id) == "banned":
        raise Refused(403, 400304, "The user is banned from this channel")
    call.store.set_membership(channel["channelId"], call.user_id, "member")
    _announce(call, "channel.joined", channel)
    return _payload(call, [channel])


async def leave(call: Call) -> Json:
    """Stop being a member."""
    channel = _channel(call)
    call.store.set_membership(channel["channelId"], call.user_id, "none")
    _announce(call, "channel.left", channel)
    return _payload(call, [channel])


async def members(call: Call) -> Json:
    """Who is a member, who is banned or muted, or who has one of some roles."""
    channel, wish = _channel(call), call.query.page()
    kind = call.query.choice("filter", ("all", "muted", "banned", "member&banned"), "all")
    standing = {"banned": ["banned"], "member&banned": ["member", "banned"]}.get(kind, ["member"])
    where = {"scopeId": channel["channelId"], "membership": call.query.many("memberships") or standing}
    roles = set(call.query.many("roles", most=20))
    if roles or kind == "muted":
        # Few are: they come in one page.
        now = call.store.clock()
        found = call.store.members.find(where)
        if roles:
            found = [member for member in found if roles & set(member["roles"])]
        if kind == "muted":
            found = [member for member in found if moment(member.get("muteTimeout", LONG_AGO)) > now]
        page = Page(found[: wish.limit], None, None)
    else:
        page = call.store.members.page(where, limit=wish.limit, start=wish.start)
    people = [call.store.user_by_public_id(found["userId"]) for found in page.documents]
    shown = [
        {
            "channelId": channel["channelId"],
            "userId": found["userId"],
            "membership": found["membership"],
            "roles": found["roles"],
            "permissions": [],
            "muteTimeout": found.get("muteTimeout"),
        }
        for found in page.documents
    ]
    return {
        "channels": [channel],
        "channelUsers": shown,
        "users": [user for user in people if user is not None],
        "files": [],
        "paging": paging(page, wish.limit),
    }


async def add_members(call: Call) -> Json:
    """A moderator adds members."""
    return _set_members(call, "add members", "member", "channel.membersAdded")


async def remove_members(call: Call) -> Json:
    """A moderator removes members."""
    return _set_members(call, "remove members", "none", "channel.membersRemoved")


async def ban(call: Call) -> Json:
    """A moderator bans users from the channel."""
    return _set_members(call, "ban", "banned", "channel.banned")


async def unban(call: Call) -> Json:
    """A moderator lets banned users back in."""
    return _set_members(call, "unban", "none", "channel.unbanned")


def _set_members(call: Call, doing: str, membership: str, event_type: str) -> Json:
    channel = _moderated(call, doing)
    for user_id in call.read(UserIds).userIds:
        if call.store.user_by_public_id(user_id) is None:
            raise Refused.not_found(f"User {user_id!r}")
        call.store.set_membership(channel["channelId"], user_id, membership)
    _announce(call, event_type, channel, userIds=call.read(UserIds).userIds)
    return _payload(call, [channel])


def _until(call: Call, period_ms: int) -> str:
    if period_ms == -1:
        return FOREVER
    return stamp(call.store.clock() + timedelta(milliseconds=period_ms))


async def mute(call: Call) -> Json:
    """Mute the channel for a period in milliseconds (-1 for ever, 0 ends it)."""
    channel, wish = _moderated(call, "mute it"), call.read(Mute)
    until = _until(call, wish.mutePeriod)
    call.store.channels.save({**channel, "isMuted": wish.mutePeriod != 0, "muteTimeout": until})
    data = {"channelId": channel["channelId"], "muteTimeout": until, "networkId": call.store.network_id}
    call.publish(topics.channel(channel), "channel.setMuted", data, subject_id=channel["channelId"])
    return {"success": True}


async def mute_users(call: Call) -> Json:
    """Mute members for a period in milliseconds."""
    channel, wish = _moderated(call, "mute users"), call.read(Mute)
    until = _until(call, wish.mutePeriod)
    if unknown := [user_id for user_id in wish.userIds if call.store.user_by_public_id(user_id) is None]:
        raise Refused.not_found(f"User {unknown[0]!r}")
    for user_id in wish.userIds:
        # Who is banned stays banned.
        before = call.store.membership(channel["channelId"], user_id)
        standing = "banned" if before == "banned" else "member"
        member = call.store.set_membership(channel["channelId"], user_id, standing)
        call.store.members.save({**member, "muteTimeout": until})
    data = {"channelId": channel["channelId"], "userIds": wish.userIds, "muteTimeout": until}
    call.publish(topics.channel(channel), "channel.setMutedUsers", data, subject_id=channel["channelId"])
    return {"success": True}


def check_may_write(call: Call, channel: Json) -> None:
    """Refuse a message from a banned or muted user or into a muted channel; join the others on the way.

    Raises:
        Refused: 400304 banned, 400302 muted, 400303 channel muted.
    """
    membership = call.store.members.get(f"{channel['channelId']}:{call.user_id}")
    now = call.store.clock()
    if membership is not None and membership["membership"] == "banned":
        raise Refused(403, 400304, "The user is banned from this channel")
    if membership is not None and moment(membership.get("muteTimeout", LONG_AGO)) > now:
        raise Refused(403, 400302, "The user is muted in this channel")
    if channel["isMuted"] and moment(channel["muteTimeout"]) > now and not moderates(membership):
        raise Refused(403, 400303, "The channel is muted")
    if membership is None or membership["membership"] != "member":
        if channel["type"] != "live":
            raise Refused.forbidden("Only members may write here: join the channel first")
        # Live channels are open: who writes has joined.
        call.store.set_membership(channel["channelId"], call.user_id, "member")


def take_turn(call: Call, channel: Json) -> None:
    """Count a message against the channel's slow mode, which moderators are free of.

    Raises:
        Refused: 429/400311 with the seconds to wait.
    """
    most, window = int(channel["rateLimit"] or 0), float(channel["rateLimitWindow"] or 0) / 1000
    if not most or not window:
        return
    if moderates(call.store.members.get(f"{channel['channelId']}:{call.user_id}")):
        return
    now = time.monotonic()
    times = call.services.sent.setdefault((channel["channelId"], call.user_id), deque())
    while times and now - times[0] >= window:
        times.popleft()
    if len(times) >= most:
        wait = window - (now - times[0])
        told = f"Slow mode: {most} message{'s' if most > 1 else ''} in {window:g} s"
        raise Refused(429, 400311, told, headers={"Retry-After": str(max(1, math.ceil(wait)))})
    times.append(now)
