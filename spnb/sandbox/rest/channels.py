"""Channels: live chats, made by hand after the room's post and tied back to the room; communities; conversations."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import moment, new_id
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.chat_payloads import channel_payload
from spnb.sandbox.rest.fields import Tag
from spnb.sandbox.rest.query import page_by, paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.roles import CHANNEL_MODERATOR
from spnb.sandbox.rest.rooms import announce
from spnb.sandbox.rooms.ports import Json

__all__ = [
    "LONGEST_PERIOD",
    "announce_channel",
    "channel_of",
    "channel_topics",
    "check_may_write",
    "feed_and_channel",
    "moderated_channel",
    "moderates",
    "routes",
    "take_turn",
]

LONG_AGO = "1970-01-01T00:00:00.000Z"
MOST_TOLD = 500
"""*Choice*: members of a channel who are told of its news on their own topics."""
LONGEST_PERIOD = 100 * 365 * 86_400_000
"""A hundred years, in milliseconds."""


class ChannelCreate(BaseModel):
    channelId: str | None = Field(default=None, min_length=1, max_length=100)
    type: Literal["standard", "private", "conversation", "broadcast", "community", "live"] = "live"
    displayName: str | None = Field(default=None, max_length=100)
    postId: str | None = None
    roomId: str | None = None
    userIds: list[str] = Field(default_factory=list, max_length=1000)
    tags: list[Tag] = Field(default_factory=list, max_length=10)
    metadata: dict[str, Any] | None = None
    avatarFileId: str | None = None
    isPublic: bool | None = None


class ChannelUpdate(BaseModel):
    displayName: str = Field(default="", max_length=100)
    metadata: dict[str, Any] | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=10)
    avatarFileId: str | None = Field(default=None, max_length=100)
    rateLimit: int = Field(default=0, ge=0, le=10_000)
    rateLimitWindow: int = Field(default=0, ge=0, le=LONGEST_PERIOD)


def routes(services: Services) -> list[BaseRoute]:
    """Channel routes."""
    base = "/api/v3/channels"
    one_channel = f"{base}/{{channelId}}"
    return [
        serve(services, "POST", base, create),
        serve(services, "POST", f"{base}/conversation", converse),
        serve(services, "GET", base, listed),
        serve(services, "GET", f"{base}/list", by_id),
        serve(services, "GET", one_channel, one),
        serve(services, "PUT", one_channel, update),
        serve(services, "DELETE", one_channel, delete),
        serve(services, "POST", f"{one_channel}/join", join),
        serve(services, "DELETE", f"{one_channel}/leave", leave),
    ]


def channel_of(call: Call, channel_id: str, *, deleted: bool = False) -> Json:
    """The channel with this public or internal id.

    Args:
        deleted: whether one that was deleted is found too; SDKs read it again.
    """
    found = call.store.channels.get(channel_id) or call.store.channels.first({"channelInternalId": channel_id})
    if found is None or (found["isDeleted"] and not deleted):
        raise Refused.not_found(f"Channel {channel_id!r}")
    return found


def feed_and_channel(call: Call, feed_id: str, *, deleted: bool = False) -> tuple[str, Json]:
    """A message feed by its id, and its channel; either id of a channel names the channel's default feed.

    Args:
        deleted: whether one that was deleted is found too; SDKs go on asking who has read it.
    """
    feed = call.store.message_feeds.get(feed_id)
    if feed is not None and (deleted or not feed["isDeleted"]):
        return feed_id, channel_of(call, feed["channelPublicId"], deleted=deleted)
    channel = channel_of(call, feed_id, deleted=deleted)
    return str(channel["defaultSubChannelId"]), channel


def moderated_channel(call: Call, doing: str) -> Json:
    """The channel of the path, which the caller must moderate."""
    channel = channel_of(call, call.path("channelId"))
    if not moderates(call.store.members.get(f"{channel['channelId']}:{call.user_id}")):
        raise Refused.forbidden(f"Only a moderator of the channel may {doing}")
    return channel


def moderates(membership: Json | None) -> bool:
    """Whether who has this membership is a moderator."""
    return membership is not None and CHANNEL_MODERATOR in membership["roles"] and membership["membership"] != "banned"


def _payload(call: Call, channels: list[Json]) -> Json:
    return channel_payload(call.store, channels, reader=call.user)


def channel_topics(call: Call, channel: Json, part: str) -> list[str]:
    """The members' own topics: `{networkId}/smartfeed/{user}/{channels|messagefeeds|messages}`."""
    where = {"scopeId": channel["channelId"], "membership": "member"}
    members = call.store.members.find(where, limit=MOST_TOLD)
    people = [user for member in members if (user := call.store.user_by_public_id(member["userId"])) is not None]
    return [f"{call.store.network_id}/smartfeed/{user['_id']}/{part}" for user in people]


def announce_channel(call: Call, event_type: str, channel: Json, *affected: str, **extra: Any) -> None:
    """Tell of a change of the channel, and of the memberships of those it affects.

    Members hear of it on their own topics too, save for live channels, which may have thousands.
    """
    data = {**channel_payload(call.store, [channel], affected=affected), **extra}
    where = topics.channel(channel)
    if channel["type"] != "live":
        gone = [user for user_id in affected if (user := call.store.user_by_public_id(user_id)) is not None]
        own = [f"{call.store.network_id}/smartfeed/{user['_id']}/channels" for user in gone]
        where = list(dict.fromkeys([*where, *channel_topics(call, channel, "channels"), *own]))
    call.publish(where, event_type, data, subject_id=channel["channelId"])


async def create(call: Call) -> Json:
    """A new channel (SDK: `ChannelRepository.createChannel`). A live one names its post and room: its host makes it."""
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
    if wish.channelId is not None and call.store.channels.get(wish.channelId) is not None:
        raise Refused(409, 400900, f"Channel {wish.channelId!r} is there already")
    channel = _made(call, wish)
    if room is not None:
        # That viewers of the room hear of its chat in this way is a choice: no event is documented for it.
        changed = call.store.update_room(room["roomId"], liveChannelId=channel["channelId"])
        assert changed is not None  # noqa: S101 - it was read above, on the same thread
        announce(call, "room.didUpdate", changed)
    return _payload(call, [channel])


async def converse(call: Call) -> Json:
    """The conversation of the caller with others; the same people have one only."""
    wish = call.read(ChannelCreate).model_copy(update={"type": "conversation"})
    people = sorted({call.user_id, *wish.userIds})
    if len(people) < 2:
        raise Refused.invalid(["userIds: a conversation has at least one other user"])
    known = call.store.channels.first({"distinctOf": "\n".join(people)})
    if known is not None and not known["isDeleted"]:
        return _payload(call, [known])
    if unknown := [user_id for user_id in people if call.store.user_by_public_id(user_id) is None]:
        raise Refused.not_found(f"User {unknown[0]!r}")
    return _payload(call, [_made(call, wish, isDistinct=True, isPublic=False, distinctOf="\n".join(people))])


def _made(call: Call, wish: ChannelCreate, **fields: Any) -> Json:
    channel = call.store.channels.insert({**_document(call, wish), **fields})
    channel_id = channel["channelId"]
    call.store.set_membership(channel_id, call.user_id, "member", roles=[CHANNEL_MODERATOR])
    for user_id in wish.userIds:
        if user_id != call.user_id and call.store.user_by_public_id(user_id) is not None:
            call.store.set_membership(channel_id, user_id, "member")
    announce_channel(call, "channel.created", channel, call.user_id, *wish.userIds)
    return channel


def _document(call: Call, wish: ChannelCreate) -> Json:
    at, internal = call.store.now(), new_id()
    # The service's own ids of a channel are the same; only who names a channel gives it another public one.
    channel_id = wish.channelId or internal
    attached = {name: value for name, value in (("postId", wish.postId), ("roomId", wish.roomId)) if value}
    public = wish.type in ("live", "community", "standard", "broadcast") if wish.isPublic is None else wish.isPublic
    document = {
        "_id": internal,
        "channelId": channel_id,
        "channelPublicId": channel_id,
        "channelInternalId": internal,
        "defaultSubChannelId": internal,
        "path": f"{call.store.network_id}/chat/{channel_id}",
        "type": wish.type,
        "displayName": wish.displayName or "",
        "attachedTo": attached,
        "metadata": wish.metadata or {},
        "tags": wish.tags,
        "isDistinct": False,
        "isPublic": public,
        "isMuted": False,
        "isRateLimited": False,
        "rateLimit": 0,
        "rateLimitWindow": 0,
        "moderatorMemberCount": 1,
        "creatorId": call.user["_id"],
        "creatorPublicId": call.user_id,
        "lastActivity": at,
        "isDeleted": False,
        "createdAt": at,
        "updatedAt": at,
    }
    return {**document, "avatarFileId": wish.avatarFileId} if wish.avatarFileId else document


async def listed(call: Call) -> Json:
    """Channels by type, part of the name, tags and the caller's membership (SDK: `ChannelRepository.getChannels`)."""
    wish = call.query.page()
    order = call.query.choice("sortBy", ("lastActivity", "lastCreated", "firstCreated", "displayName"), "lastActivity")
    deleted = call.query.flag("isDeleted")
    where = {"type": call.query.many("types") or None, "isDeleted": None if deleted is None else int(deleted)}
    kind = call.query.choice("filter", ("all", "member", "notMember", "flagged"), "all")
    keyword = (call.query.one("keyword") or "").casefold()
    having, lacking = set(call.query.many("tags")), set(call.query.many("excludeTags"))

    def accept(channel: Json) -> bool:
        member = call.store.membership(channel["channelId"], call.user_id) == "member"
        tags = set(channel["tags"])
        return (
            keyword in (channel["displayName"] or "").casefold()
            and (kind == "all" or (kind == "member") == member)
            and (member or channel["type"] not in ("conversation", "private"))
            and (not having or bool(tags & having))
            and not tags & lacking
        )

    page = page_by(call.store.channels, where, wish, order, accept=accept)
    return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}


async def by_id(call: Call) -> Json:
    """Channels by id."""
    return _payload(call, call.store.channels.get_many(call.query.many("channelIds")))


async def one(call: Call) -> Json:
    """One channel; one that was deleted can still be read, as SDKs do."""
    return _payload(call, [channel_of(call, call.path("channelId"), deleted=True)])


async def update(call: Call) -> Json:
    """Change name, metadata, tags or slow mode."""
    channel = moderated_channel(call, "change it")
    fields = call.read(ChannelUpdate).model_dump(exclude_unset=True, exclude_none=True)
    if "rateLimit" in fields:
        fields["isRateLimited"] = bool(fields["rateLimit"])
    changed = call.store.channels.save({**channel, **fields, "updatedAt": call.store.now()})
    announce_channel(call, "channel.updated", changed)
    return _payload(call, [changed])


async def delete(call: Call) -> Json:
    """Close the channel."""
    channel = moderated_channel(call, "delete it")
    changed = call.store.channels.save({**channel, "isDeleted": True, "updatedAt": call.store.now()})
    announce_channel(call, "channel.deleted", changed)
    return {"status": "success", "data": {"success": True}}


async def join(call: Call) -> Json:
    """Become a member."""
    channel = channel_of(call, call.path("channelId"))
    if call.store.membership(channel["channelId"], call.user_id) == "banned":
        raise Refused(403, 400304, "The user is banned from this channel")
    if call.store.membership(channel["channelId"], call.user_id) != "member":
        call.store.set_membership(channel["channelId"], call.user_id, "member")
        announce_channel(call, "channel.joined", channel, call.user_id)
    return _payload(call, [channel])


async def leave(call: Call) -> Json:
    """Stop being a member."""
    channel = channel_of(call, call.path("channelId"))
    if call.store.membership(channel["channelId"], call.user_id) == "member":
        call.store.set_membership(channel["channelId"], call.user_id, "none", roles=[])
        announce_channel(call, "channel.left", channel, call.user_id)
    return _payload(call, [channel])


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
