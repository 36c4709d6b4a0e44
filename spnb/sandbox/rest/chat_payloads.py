"""Channels, message feeds and messages as answers and events show them.

A channel's default feed has the channel's internal id: SDK 7.20 never reads `defaultSubChannelId`, it takes
`channelInternalId` for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spnb.sandbox.clock import moment
from spnb.sandbox.rest.read_marks import last_mention
from spnb.sandbox.rest.roles import permissions
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Store

__all__ = [
    "channel_member",
    "channel_payload",
    "feed_of",
    "feed_payload",
    "message_payload",
    "plain_message",
    "shown_channel",
]

ABSENT = ("parentId", "referenceId")
LONG_AGO = "1970-01-01T00:00:00.000Z"


def shown_channel(store: Store, channel: Json) -> Json:
    """A channel with its counts."""
    members = {"scopeId": channel["channelId"], "membership": "member"}
    preview = _latest(store, channel["defaultSubChannelId"])
    return {
        **channel,
        "memberCount": store.members.count(members),
        "messageCount": preview["segment"] if preview else 0,
        **({"messagePreviewId": preview["messageId"]} if preview else {}),
    }


def plain_message(message: Json) -> Json:
    """A message without the fields that are absent where they say nothing, as descriptions and SDKs have it."""
    return {name: value for name, value in message.items() if value is not None or name not in ABSENT}


def _latest(store: Store, feed_id: str) -> Json | None:
    found = store.messages.find({"messageFeedId": feed_id}, newest_first=True, limit=1)
    return found[0] if found else None


def channel_payload(
    store: Store, channels: Sequence[Json], *, reader: Json | None = None, affected: Sequence[str] = ()
) -> Json:
    """The channel envelope.

    Args:
        reader: whose memberships are told; None in events.
        affected: public ids of those whose membership an event is about.
    """
    people = [user for user_id in affected if (user := store.user_by_public_id(user_id)) is not None]
    if reader is not None:
        people.append(reader)
    feeds = [feed_of(channel) for channel in channels]
    latest = [found for channel in channels if (found := _latest(store, channel["defaultSubChannelId"])) is not None]
    newest = {message["messageFeedId"]: message for message in latest}
    users = [*people, *store.users.get_many([message["creatorId"] for message in latest])]
    return {
        "channels": [shown_channel(store, channel) for channel in channels],
        "channelUsers": [channel_member(store, channel, user) for channel in channels for user in people],
        "users": list({user["_id"]: user for user in users}.values()),
        "files": store.files.get_many([channel["avatarFileId"] for channel in channels if channel.get("avatarFileId")]),
        "messageFeeds": feeds,
        "messageFeedsInfo": [
            {
                "messageFeedId": feed["messageFeedId"],
                "name": feed["name"],
                **({"messagePreviewId": last["messageId"]} if (last := newest.get(feed["messageFeedId"])) else {}),
                "createdAt": feed["createdAt"],
                "updatedAt": feed["updatedAt"],
            }
            for feed in feeds
        ],
        "messagePreviews": [plain_message(message) for message in latest],
    }


def channel_member(store: Store, channel: Json, user: Json) -> Json:
    """A user's membership in a channel; `none` where there is none."""
    found = store.members.get(f"{channel['channelId']}:{user['userId']}")
    until = (found or {}).get("muteTimeout") or LONG_AGO
    at = found["createdAt"] if found else channel["createdAt"]
    mark = store.read_marks.get(f"{channel['defaultSubChannelId']}:{user['userId']}")
    return {
        "channelId": channel["channelId"],
        "userId": user["userId"],
        "userInternalId": user["_id"],
        "userPublicId": user["userId"],
        "membership": found["membership"] if found else "none",
        "isBanned": bool(found and found["membership"] == "banned"),
        "isMuted": moment(until) > store.clock(),
        # Who is not muted was so until long ago: SDK 7.20's type has a time in any case.
        "muteTimeout": until,
        "roles": found["roles"] if found else [],
        "permissions": permissions(found["roles"]) if found else [],
        "readToSegment": mark["readToSegment"] if mark else 0,
        "lastMentionedSegment": last_mention(store, channel["defaultSubChannelId"], user["userId"]),
        "lastActivity": found["updatedAt"] if found else at,
        "createdAt": at,
        "updatedAt": found["updatedAt"] if found else at,
    }


def feed_of(channel: Json, feed: Json | None = None) -> Json:
    """A message feed; a channel's default one where no other is given."""
    own = feed or {}
    return {
        "messageFeedId": own.get("messageFeedId", channel["defaultSubChannelId"]),
        "channelId": channel["channelInternalId"],
        "channelPublicId": channel["channelId"],
        "channelType": channel["type"],
        "name": own.get("name", channel.get("displayName") or ""),
        "childCount": 0,
        "creatorId": own.get("creatorId", channel.get("creatorId", "")),
        "creatorPublicId": own.get("creatorPublicId", channel.get("creatorPublicId", "")),
        "lastMessageTimestamp": own.get("lastActivity", channel["lastActivity"]),
        "path": own.get("path", f"{channel['path']}/{channel['defaultSubChannelId']}"),
        "isDeleted": own.get("isDeleted", channel["isDeleted"]),
        "createdAt": own.get("createdAt", channel["createdAt"]),
        "updatedAt": own.get("updatedAt", channel["updatedAt"]),
    }


def _up_to(feed: Json, latest: Json | None) -> Json:
    """A feed with what its latest message says of it."""
    if latest is None:
        return feed
    told = {"lastMessageId": latest["messageId"], "messagePreviewId": latest["messageId"]}
    return {**feed, **told, "childCount": latest["segment"], "lastMessageTimestamp": latest["createdAt"]}


def feed_payload(store: Store, feeds: Sequence[Json]) -> Json:
    """`{messageFeeds, messages, users, files}` of feeds in wire shape, with their newest messages."""
    latest = [_latest(store, feed["messageFeedId"]) for feed in feeds]
    shown = [_up_to(feed, message) for feed, message in zip(feeds, latest, strict=True)]
    newest = [message for message in latest if message is not None]
    people = [feed["creatorId"] for feed in shown] + [message["creatorId"] for message in newest]
    return {
        "messageFeeds": shown,
        "messages": list(map(plain_message, newest)),
        "users": store.users.get_many(people),
        "files": [],
    }


def message_payload(
    store: Store, messages: Iterable[Json], channels: Sequence[Json] = (), *, reader: Json | None = None
) -> Json:
    """The message envelope. Fields that depend on the reader are absent from events.

    Args:
        channels: the messages' channels: with them, the feeds that the messages are in are told.
    """
    listed = list(messages)
    known = {channel["channelId"]: channel for channel in channels}
    of_feeds = {each["messageFeedId"]: each["channelPublicId"] for each in listed if each["channelPublicId"] in known}
    people = [message["creatorId"] for message in listed]
    return {
        "messages": [
            plain_message(message if reader is None else _shown(store, message, reader)) for message in listed
        ],
        "messageFeeds": [
            _up_to(feed_of(known[public], store.message_feeds.get(feed_id)), _latest(store, feed_id))
            for feed_id, public in of_feeds.items()
        ],
        "users": store.users.get_many(people),
        "files": store.files.get_many([message["fileId"] for message in listed if message.get("fileId")]),
        "reactions": [],
    }


def _shown(store: Store, message: Json, reader: Json) -> Json:
    if not message["reactionCount"]:
        return {**message, "myReactions": []}
    where = {"referenceType": "message", "referenceId": message["messageId"], "userId": reader["userId"]}
    return {**message, "myReactions": [found["reactionName"] for found in store.reactions.find(where)]}
