"""Documents as answers and events show them: envelopes, and fields that depend on who reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from spnb.sandbox.rooms.ports import Json, Stage
from spnb.sandbox.store import Store

__all__ = [
    "channel_payload",
    "community_payload",
    "invitation_payload",
    "message_payload",
    "post_payload",
    "room_payload",
    "shown_room",
]


def shown_room(store: Store, stage: Stage, room: Json, *, reader: str | None = None, base_url: str = "") -> Json:
    """A room as `reader` (a public user id; None for events) sees it.

    Playback addresses are made at reading time since they expire; a banned viewer gets none.
    """
    shown = dict(room)
    banned = reader is not None and store.is_banned_viewer(room["roomId"], reader)
    shown["recordedPlaybackInfos"] = []
    if banned:
        return shown
    if room["status"] in ("live", "waitingReconnect"):
        for name, value in stage.live_urls(room["roomId"]).items():
            shown[name] = f"{base_url}{value}" if isinstance(value, str) and value.startswith("/") else value
    if room["status"] == "recorded":
        prefix = f"{base_url}/api/v1/rooms/{room['roomId']}/recorded"
        shown["recordedPlaybackInfos"] = [
            {"url": f"{prefix}/{file['playbackId']}/watch", "thumbnailUrl": f"{prefix}/{file['playbackId']}/thumbnail"}
            for file in stage.recordings(room["roomId"])
        ]
    return shown


def room_payload(
    store: Store, stage: Stage, rooms: Json | Sequence[Json], *, reader: str | None = None, base_url: str = ""
) -> Json:
    """`{rooms, roomChildrens, users, files}`."""
    listed = [rooms] if isinstance(rooms, dict) else list(rooms)
    children = store.rooms.get_many([child for room in listed for child in room.get("childRoomIds", [])])
    people = [room["creatorInternalId"] for room in listed]
    people += [participant["userInternalId"] for room in listed for participant in room.get("participants", [])]
    files = [room["thumbnailFileId"] for room in listed if room.get("thumbnailFileId")]
    return {
        "rooms": [shown_room(store, stage, room, reader=reader, base_url=base_url) for room in listed],
        "roomChildrens": [shown_room(store, stage, room, reader=reader, base_url=base_url) for room in children],
        "users": store.users.get_many(people),
        "files": store.files.get_many(files),
    }


def post_payload(store: Store, stage: Stage, posts: Sequence[Json], *, reader: Json, base_url: str = "") -> Json:
    """The post envelope; `rooms` are those the posts carry."""
    children = store.posts.get_many([child for post in posts for child in post["children"]])
    everything = [*posts, *children]
    rooms = store.rooms.get_many([post["data"]["roomId"] for post in everything if post["data"].get("roomId")])
    communities = store.communities.get_many([post["targetId"] for post in posts if post["targetType"] == "community"])
    room_part = room_payload(store, stage, rooms, reader=reader["userId"], base_url=base_url)
    people = [post["postedUserInternalId"] for post in everything]
    return {
        "posts": [_shown_post(store, post, reader) for post in posts],
        "postChildren": [_shown_post(store, post, reader) for post in children],
        "comments": [],
        "users": _unique([*store.users.get_many(people), *room_part["users"]], "_id"),
        "files": room_part["files"],
        "communities": [_shown_community(store, community, reader) for community in communities],
        "communityUsers": [],
        "categories": [],
        "feeds": [],
        "polls": [],
        "videoStreamings": [],
        "rooms": room_part["rooms"],
        "events": [],
        "products": store.products.get_many(
            [tag["productId"] for post in everything for tag in post.get("productTags", [])]
        ),
    }


def _shown_post(store: Store, post: Json, reader: Json) -> Json:
    mine = store.reactions.find({"referenceType": "post", "referenceId": post["postId"], "userId": reader["userId"]})
    return {**post, "myReactions": [reaction["reactionName"] for reaction in mine]}


def community_payload(store: Store, communities: Sequence[Json], *, reader: Json) -> Json:
    """The community envelope, with the reader's own membership."""
    owners = [community["userInternalId"] for community in communities if community.get("userInternalId")]
    return {
        "communities": [_shown_community(store, community, reader) for community in communities],
        "communityUsers": [
            _membership(store, community["communityId"], reader, "communityId", "communityMembership")
            for community in communities
        ],
        "feeds": [],
        "categories": [],
        "users": store.users.get_many([*owners, reader["_id"]]),
        "files": [],
    }


def _shown_community(store: Store, community: Json, reader: Json) -> Json:
    return {
        **community,
        "isJoined": store.membership(community["communityId"], reader["userId"]) == "member",
        "membersCount": store.members.count({"scopeId": community["communityId"], "membership": "member"}),
        "postsCount": store.posts.count(
            {"targetType": "community", "targetId": community["communityId"], "parentPostId": "", "isDeleted": 0}
        ),
    }


def channel_payload(store: Store, channels: Sequence[Json], *, reader: Json) -> Json:
    """The channel envelope; a live channel's one message feed has the channel's own id."""
    return {
        "channels": [
            {
                **channel,
                "memberCount": store.members.count({"scopeId": channel["channelId"], "membership": "member"}),
                "messageCount": store.messages.count({"messageFeedId": channel["channelId"]}),
            }
            for channel in channels
        ],
        "channelUsers": [
            _membership(store, channel["channelId"], reader, "channelId", "membership") for channel in channels
        ],
        "users": store.users.get_many([reader["_id"]]),
        "files": [],
        "messageFeeds": [_feed(channel) for channel in channels],
        "messageFeedsInfo": [],
        "messagePreviews": [],
    }


def _feed(channel: Json) -> Json:
    return {
        "messageFeedId": channel["channelId"],
        "channelId": channel["channelInternalId"],
        "channelPublicId": channel["channelId"],
        "channelType": channel["type"],
        "name": channel.get("displayName", ""),
        "childCount": 0,
        "path": channel["path"],
        "isDeleted": channel["isDeleted"],
        "createdAt": channel["createdAt"],
        "updatedAt": channel["updatedAt"],
    }


def _membership(store: Store, scope_id: str, user: Json, scope_field: str, field: str) -> Json:
    found = store.members.get(f"{scope_id}:{user['userId']}")
    return {
        scope_field: scope_id,
        "userId": user["userId"],
        "userInternalId": user["_id"],
        field: found["membership"] if found else "none",
        "roles": found["roles"] if found else [],
        "permissions": [],
        "createdAt": found["createdAt"] if found else store.now(),
    }


def message_payload(store: Store, messages: Iterable[Json], *, reader: Json | None = None) -> Json:
    """The message envelope. Fields that depend on the reader are absent from events."""
    listed = list(messages)
    feeds = store.channels.get_many([message["messageFeedId"] for message in listed])
    return {
        "messages": [message if reader is None else _shown_message(store, message, reader) for message in listed],
        "messageFeeds": [_feed(channel) for channel in feeds],
        "users": store.users.get_many([message["creatorId"] for message in listed]),
        "files": store.files.get_many([message["fileId"] for message in listed if message.get("fileId")]),
        "reactions": [],
    }


def _shown_message(store: Store, message: Json, reader: Json) -> Json:
    if not message["reactionCount"]:
        return {**message, "myReactions": []}
    where = {"referenceType": "message", "referenceId": message["messageId"], "userId": reader["userId"]}
    return {**message, "myReactions": [found["reactionName"] for found in store.reactions.find(where)]}


def invitation_payload(store: Store, invitations: Sequence[Json]) -> Json:
    """`{invitations, users}`; SDKs map over `users`, so it is always there."""
    people: list[str] = []
    for invitation in invitations:
        people += [invitation["invitedUserInternalId"], invitation["inviterUserInternalId"]]
    return {"invitations": list(invitations), "users": store.users.get_many(people)}


def _unique(documents: Iterable[Json], key: str) -> list[Any]:
    return list({document[key]: document for document in documents}.values())
