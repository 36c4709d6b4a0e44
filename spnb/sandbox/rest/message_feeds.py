"""Message feeds of a channel (SDK: `SubChannelRepository`) and how far each member has read them.

Unread counts exist for channels of the types `community`, `conversation` and `broadcast` only; live chats have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.channels import channel_of, feed_and_channel, moderates
from spnb.sandbox.rest.chat_payloads import feed_of, feed_payload
from spnb.sandbox.rest.query import paging, sliced
from spnb.sandbox.rest.read_marks import COUNTED, delivered_to, delivered_up_to, last_mention, read_mark, read_up_to
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


class FeedCreate(BaseModel):
    channelId: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=100)


class FeedUpdate(BaseModel):
    name: str = Field(min_length=1, max_length=100)


class Reading(BaseModel):
    messageFeedIds: list[str] = Field(default_factory=list, max_length=100)


class Delivered(BaseModel):
    messageId: str = Field(min_length=1, max_length=100)


class ReadTo(BaseModel):
    readToSegment: int = Field(ge=0)


class Seen(BaseModel):
    channelId: str
    readToSegment: int = Field(ge=0)


class SeenChannels(BaseModel):
    channels: list[Seen] = Field(default_factory=list, max_length=100)


def routes(services: Services) -> list[BaseRoute]:
    """Routes of feeds and markers."""
    feeds = "/api/v5/message-feeds"
    markers = "/api/v1/markers"
    return [
        serve(services, "POST", feeds, create),
        serve(services, "GET", f"{feeds}/list", by_id),
        serve(services, "GET", f"{feeds}/channel/{{channelId}}", listed),
        serve(services, "GET", f"{feeds}/{{messageFeedId}}", one),
        serve(services, "PUT", f"{feeds}/{{messageFeedId}}", update),
        serve(services, "DELETE", f"{feeds}/{{messageFeedId}}", delete),
        serve(services, "GET", f"{markers}/channels", channel_markers),
        serve(services, "GET", f"{markers}/message-feeds", feed_markers),
        serve(services, "GET", f"{markers}/user-message-feed", feed_markers),
        serve(services, "GET", f"{markers}/messages", message_markers),
        serve(services, "GET", f"{markers}/userMarker", user_marker),
        serve(services, "POST", f"{markers}/sync", sync),
        serve(services, "POST", f"{markers}/message-feeds/reading", reading),
        serve(services, "PUT", f"{markers}/message-feeds/{{messageFeedId}}/mark-read", mark_read),
        serve(services, "PUT", f"{markers}/message-feeds/{{messageFeedId}}/mark-delivering", mark_delivering),
        serve(services, "PUT", f"{markers}/channels/{{channelId}}/mark-read", mark_channel_read),
        serve(services, "GET", f"{markers}/messages/{{messageId}}/read-users", read_users),
        serve(services, "GET", f"{markers}/messages/{{messageId}}/delivered-users", delivered_users),
        serve(services, "POST", "/api/v3/channels/seen", seen),
    ]


# -- feeds


def _shown(call: Call, feed_id: str) -> Json:
    feed_id, channel = feed_and_channel(call, feed_id)
    return feed_of(channel, call.store.message_feeds.get(feed_id))


async def create(call: Call) -> Json:
    """A further feed of a channel."""
    wish = call.read(FeedCreate)
    channel = channel_of(call, wish.channelId)
    if not moderates(call.store.members.get(f"{channel['channelId']}:{call.user_id}")):
        raise Refused.forbidden("Only a moderator of the channel may give it a further feed")
    feed_id, at = new_id(), call.store.now()
    call.store.message_feeds.insert(
        {
            "messageFeedId": feed_id,
            "channelPublicId": channel["channelId"],
            "name": wish.name,
            "creatorId": call.user["_id"],
            "creatorPublicId": call.user_id,
            "path": f"{channel['path']}/{feed_id}",
            "lastActivity": at,
            "isDeleted": False,
            "createdAt": at,
            "updatedAt": at,
        }
    )
    return _announced(call, "message-feed.created", channel, feed_id)


def _announced(call: Call, event_type: str, channel: Json, feed_id: str) -> Json:
    told = feed_payload(call.store, [feed_of(channel, call.store.message_feeds.get(feed_id))])
    call.publish([channel["path"]], event_type, told, subject_id=feed_id)
    return told


async def listed(call: Call) -> Json:
    """All feeds of a channel, the default one first."""
    channel, wish = channel_of(call, call.path("channelId")), call.query.page()
    where = {"channelPublicId": channel["channelId"], "isDeleted": 0}
    own = [feed_of(channel, feed) for feed in call.store.message_feeds.find(where)]
    feeds = own if call.query.flag("excludeDefaultMessageFeed") else [feed_of(channel), *own]
    page = sliced(feeds, wish)
    return {**feed_payload(call.store, page.documents), "paging": paging(page, wish.limit)}


async def by_id(call: Call) -> Json:
    """Feeds by id."""
    return feed_payload(call.store, [_shown(call, each) for each in call.query.many("messageFeedIds")])


async def one(call: Call) -> Json:
    """One feed."""
    return feed_payload(call.store, [_shown(call, call.path("messageFeedId"))])


def _own(call: Call) -> tuple[Json, Json]:
    feed = call.store.message_feeds.get(call.path("messageFeedId"))
    if feed is None or feed["isDeleted"]:
        raise Refused.not_found(f"Message feed {call.path('messageFeedId')!r}")
    channel = channel_of(call, feed["channelPublicId"])
    if not moderates(call.store.members.get(f"{channel['channelId']}:{call.user_id}")):
        raise Refused.forbidden("Only a moderator of the channel may change its feeds")
    return feed, channel


async def update(call: Call) -> Json:
    """Rename a feed; the default one has its channel's name."""
    feed, channel = _own(call)
    name = call.read(FeedUpdate).name
    call.store.message_feeds.save({**feed, "name": name, "updatedAt": call.store.now()})
    return _announced(call, "message-feed.updated", channel, feed["messageFeedId"])


async def delete(call: Call) -> Json:
    """Close a feed; the default one ends with its channel."""
    feed, channel = _own(call)
    call.store.message_feeds.save({**feed, "isDeleted": True, "updatedAt": call.store.now()})
    _announced(call, "message-feed.deleted", channel, feed["messageFeedId"])
    return {"success": True}


# -- markers


def _last(call: Call, feed_id: str) -> int:
    found = call.store.messages.find({"messageFeedId": feed_id}, newest_first=True, limit=1)
    return int(found[0]["segment"]) if found else 0


def _unread(call: Call, channel: Json, feed_id: str) -> int:
    if channel["type"] not in COUNTED:
        return 0
    return max(0, _last(call, feed_id) - int(read_mark(call.store, feed_id, call.user_id)["readToSegment"]))


def _feeds_of(channel: Json, extra: list[Json]) -> list[str]:
    return [channel["defaultSubChannelId"], *(feed["messageFeedId"] for feed in extra)]


def _markers(call: Call, wanted: list[tuple[str, Json]]) -> Json:
    """All markers of feeds, each `(feed id, channel)`: of the feed, of the user in it, in its channel and in all."""
    at = call.store.now()
    feeds: list[Json] = []
    of_feeds: list[Json] = []
    of_channels: dict[str, Json] = {}
    for feed_id, channel in wanted:
        mark, last = read_mark(call.store, feed_id, call.user_id), _last(call, feed_id)
        unread = _unread(call, channel, feed_id)
        entity = {"entityId": channel["channelInternalId"], "createdAt": at, "updatedAt": at}
        feeds.append({**entity, "feedId": feed_id, "lastSegment": last, "isDeleted": channel["isDeleted"]})
        named = last_mention(call.store, feed_id, call.user_id)
        mentioned = unread > 0 and named > int(mark["readToSegment"])
        mine = {**entity, "userId": call.user["_id"], "unreadCount": unread, "isMentioned": mentioned}
        read = {"readToSegment": mark["readToSegment"], "deliveredToSegment": delivered_to(mark)}
        of_feeds.append({**mine, **read, "feedId": feed_id, "oldUnreadCount": unread, "lastMentionSegment": named})
        before = of_channels.get(channel["channelId"])
        total = unread + (before["unreadCount"] if before else 0)
        both = {"unreadCount": total, "isMentioned": mentioned or bool(before and before["isMentioned"])}
        of_channels[channel["channelId"]] = {**mine, **both, "isDeleted": channel["isDeleted"]}
    return {
        "feedMarkers": feeds,
        "userFeedMarkers": of_feeds,
        "userEntityMarkers": list(of_channels.values()),
        "userMarkers": [_user_marker(call)],
    }


def _joined(call: Call) -> list[tuple[str, Json]]:
    """Every feed that is counted for the caller, with its channel."""
    found: list[tuple[str, Json]] = []
    for member in call.store.members.find({"userId": call.user_id, "membership": "member"}):
        channel = call.store.channels.get(member["scopeId"])
        if channel is not None and channel["type"] in COUNTED and not channel["isDeleted"]:
            more = call.store.message_feeds.find({"channelPublicId": channel["channelId"], "isDeleted": 0})
            found += [(feed_id, channel) for feed_id in _feeds_of(channel, more)]
    return found


def _user_marker(call: Call) -> Json:
    at = call.store.now()
    counts = {feed_id: _unread(call, channel, feed_id) for feed_id, channel in _joined(call)}
    mentioned = any(
        last_mention(call.store, each, call.user_id) > int(read_mark(call.store, each, call.user_id)["readToSegment"])
        for each, unread in counts.items()
        if unread
    )
    told = {"userId": call.user["_id"], "unreadCount": sum(counts.values()), "isMentioned": mentioned}
    return {**told, "lastSyncAt": at, "createdAt": at, "updatedAt": at}


async def channel_markers(call: Call) -> Json:
    """Unread counts by channel."""
    channels = [channel_of(call, each, deleted=True) for each in call.query.many("channelIds")]
    return _markers(call, [(channel["defaultSubChannelId"], channel) for channel in channels])


async def feed_markers(call: Call) -> Json:
    """Unread counts by feed, or by the feeds of channels."""
    asked = [*call.query.many("feedIds", "messageFeedIds"), *call.query.many("channelIds", "entityIds")]
    wanted = [feed_and_channel(call, each, deleted=True) for each in asked]
    return _markers(call, wanted)


async def message_markers(call: Call) -> Json:
    """How many have read messages."""
    messages = call.store.messages.get_many(call.query.many("messageIds", "contentIds"))
    asked = dict.fromkeys(each["messageFeedId"] for each in messages)
    feeds = [feed_and_channel(call, feed_id, deleted=True) for feed_id in asked]
    return {**_markers(call, feeds), "contentMarkers": [_content_marker(call, message) for message in messages]}


def _content_marker(call: Call, message: Json) -> Json:
    marks = call.store.read_marks.find({"feedId": message["messageFeedId"]})
    read = sum(int(mark["readToSegment"]) >= message["segment"] for mark in marks)
    delivered = sum(delivered_to(mark) >= message["segment"] for mark in marks)
    return {
        "feedId": message["messageFeedId"],
        "contentId": message["messageId"],
        "creatorId": message["creatorId"],
        "readCount": read,
        "deliveredCount": delivered,
        "createdAt": message["createdAt"],
        "updatedAt": message["updatedAt"],
    }


async def user_marker(call: Call) -> Json:
    """The caller's unread messages over all channels."""
    return {"userMarkers": [_user_marker(call)]}


async def sync(call: Call) -> Json:
    """Markers that changed since the device asked last: those of what was written or read since then."""
    told: Any = call.body.get("deviceLastSyncAt") if isinstance(call.body, dict) else None
    since = told if isinstance(told, str) else ""
    changed = []
    for feed_id, channel in _joined(call):
        mark = call.store.read_marks.get(f"{feed_id}:{call.user_id}")
        if channel["lastActivity"] > since or (mark is not None and mark["updatedAt"] > since):
            changed.append((feed_id, channel))
    return _markers(call, changed)


async def reading(call: Call) -> Json:
    """The caller reads some feeds now, up to their ends."""
    wanted = [feed_and_channel(call, each) for each in call.read(Reading).messageFeedIds]
    for feed_id, _ in wanted:
        read_up_to(call.store, feed_id, call.user_id, _last(call, feed_id))
    return _markers(call, wanted)


def _announce(call: Call, wanted: list[tuple[str, Json]]) -> Json:
    told = _markers(call, wanted)
    topic = f"{call.store.network_id}/marker/user/{call.user['_id']}"
    data = {**told, "contentMarkers": []}
    call.publish([topic], "marker.feed-updated", data, subject_id=wanted[0][0] if wanted else "")
    return told


async def mark_read(call: Call) -> Json:
    """The caller has read a feed up to a segment."""
    feed = feed_and_channel(call, call.path("messageFeedId"))
    read_up_to(call.store, feed[0], call.user_id, call.read(ReadTo).readToSegment)
    return _announce(call, [feed])


async def mark_delivering(call: Call) -> Json:
    """A message has reached the caller's device (SDK: `MessageRepository.markAsDelivered`)."""
    feed = feed_and_channel(call, call.path("messageFeedId"))
    message = call.store.messages.get(call.read(Delivered).messageId)
    if message is None or message["messageFeedId"] != feed[0]:
        raise Refused.not_found("The message")
    delivered_up_to(call.store, feed[0], call.user_id, message["segment"])
    return _markers(call, [feed])


async def mark_channel_read(call: Call) -> Json:
    """The caller has read all of a channel (SDK: `Channel.markAsRead`)."""
    channel = channel_of(call, call.path("channelId"))
    more = call.store.message_feeds.find({"channelPublicId": channel["channelId"], "isDeleted": 0})
    for feed_id in _feeds_of(channel, more):
        read_up_to(call.store, feed_id, call.user_id, _last(call, feed_id))
    return _announce(call, [(feed_id, channel) for feed_id in _feeds_of(channel, more)])


async def seen(call: Call) -> Json:
    """The caller has seen channels up to a segment each; SDKs name one that was closed meanwhile among the others."""
    wanted = []
    for each in call.read(SeenChannels).channels:
        feed_id, channel = feed_and_channel(call, each.channelId, deleted=True)
        read_up_to(call.store, feed_id, call.user_id, each.readToSegment)
        wanted.append((feed_id, channel))
    return _announce(call, wanted)


async def read_users(call: Call) -> Json:
    """Who has read a message."""
    return _reached(call, lambda mark: int(mark["readToSegment"]))


async def delivered_users(call: Call) -> Json:
    """Whose devices a message has reached."""
    return _reached(call, delivered_to)


def _reached(call: Call, up_to: Callable[[Json], int]) -> Json:
    message = call.store.messages.get(call.path("messageId"))
    if message is None:
        raise Refused.not_found(f"Message {call.path('messageId')!r}")
    marks = call.store.read_marks.find({"feedId": message["messageFeedId"]})
    who = [mark["userId"] for mark in marks if up_to(mark) >= message["segment"]]
    feed = feed_and_channel(call, message["messageFeedId"], deleted=True)
    people = [user for user_id in who if (user := call.store.user_by_public_id(user_id)) is not None]
    told = {"contentMarkers": [_content_marker(call, message)], "publicUserIds": who, "users": people}
    return {**_markers(call, [feed]), **told, "paging": {}}
