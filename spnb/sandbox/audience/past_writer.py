"""Writes a planned past into the sandbox's database, stream by stream, each whole or not at all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson

from spnb.sandbox.audience.crowd import TEXTS, Chat, Crowd, Reacted, Watched, crowd_of, peak_of
from spnb.sandbox.audience.history import Creator, History, PastStream
from spnb.sandbox.audience.words import COMMUNITIES, REACTIONS, VIEWERS
from spnb.sandbox.store import Store
from spnb.sandbox.store.past import Kind, fan_id, past_id, stamp_of

__all__ = ["write_past"]

Json = dict[str, Any]
Row = tuple[Any, ...]

SAID = tuple(orjson.dumps(text).decode() for text in TEXTS)
PAST_ROWS = -(10**17)


def write_past(store: Store, history: History, told: Callable[[int], None]) -> Iterator[Json]:
    """Write what is not there yet, and give each stream's truth.

    Every stream is one transaction, so a sandbox that runs on the same file goes on answering in between, and a
    back-fill that was killed is taken up by running it again.

    Args:
        store: an open store on the sandbox's file.
        history: what to write.
        told: called with the number of streams that are there, after each.
    """
    _write_people(store, history)
    for stream in history.streams:
        crowd = crowd_of(history, stream)
        room_id = past_id(history.run, Kind.ROOM, stream.number)
        if store.rooms.get(room_id) is None:
            with store.bulk():
                _write_stream(store, history, stream, crowd)
        told(stream.number + 1)
        yield _truth(history, stream, crowd)


def _row_number(history: History, at: int) -> int:
    """Row numbers below all others, in the order of time: lists by creation show the past before the present."""
    return PAST_ROWS + at * 1000 + int(history.run, 16) % 1000


def _creator_id(history: History, creator: Creator) -> str:
    return f"{creator.name.lower()}-{history.run[:4]}"


def _creator_internal(history: History, creator: Creator) -> str:
    return past_id(history.run, Kind.USER, 1, creator.number)


def _whole(document: Json) -> bytes:
    return orjson.dumps(document)


def _write_people(store: Store, history: History) -> None:
    first = history.creators[0]
    if store.users.get(_creator_internal(history, first)) is not None:
        return
    born = stamp_of(history.start)
    run = history.run
    people = [
        (_creator_internal(history, creator), _creator_id(history, creator), creator.name)
        for creator in history.creators
    ]
    fans = (
        (past_id(run, Kind.USER, 0, fan), fan_id(run, fan), f"{VIEWERS[fan % len(VIEWERS)]} {fan}")
        for fan in range(history.fans)
    )
    with store.bulk():
        store.users.insert_rows(
            (None, internal, _whole(_user(store, internal, public, name, born)), public)
            for group in (people, fans)
            for internal, public, name in group
        )
        for number, name in enumerate(COMMUNITIES):
            community = _community(store, history, number, name)
            store.communities.insert_rows([(None, community["communityId"], _whole(community), 0)])
            for creator in history.creators:
                key = f"{community['communityId']}:{_creator_id(history, creator)}"
                store.members.insert_rows([_member(key, community["communityId"], _creator_id(history, creator), born)])


def _user(store: Store, internal: str, public: str, name: str, born: str) -> Json:
    return {
        "_id": internal,
        "userId": public,
        "userInternalId": internal,
        "userPublicId": public,
        "path": f"{store.network_id}/user/{internal}",
        "displayName": name,
        "roles": [],
        "permissions": [],
        "metadata": {},
        "flagCount": 0,
        "hashFlag": None,
        "isBrand": False,
        "isGlobalBan": False,
        "isDeleted": False,
        "createdAt": born,
        "updatedAt": born,
    }


def _community(store: Store, history: History, number: int, name: str) -> Json:
    community_id, born = past_id(history.run, Kind.COMMUNITY, number), stamp_of(history.start)
    owner = history.creators[number % len(history.creators)]
    return {
        "_id": community_id,
        "communityId": community_id,
        "path": f"{store.network_id}/social/community/{community_id}",
        "channelId": community_id,
        "displayName": name,
        "isPublic": True,
        "isOfficial": False,
        "isDiscoverable": True,
        "requiresJoinApproval": False,
        "onlyAdminCanPost": False,
        "tags": [],
        "metadata": {},
        "categoryIds": [],
        "userId": _creator_internal(history, owner),
        "userPublicId": _creator_id(history, owner),
        "userInternalId": _creator_internal(history, owner),
        "isDeleted": False,
        "createdAt": born,
        "updatedAt": born,
    }


def _member(key: str, scope_id: str, user_id: str, at: str, roles: tuple[str, ...] = ()) -> Row:
    document = {
        "_id": key,
        "scopeId": scope_id,
        "userId": user_id,
        "membership": "member",
        "roles": list(roles),
        "createdAt": at,
        "updatedAt": at,
    }
    return (None, key, _whole(document), scope_id, user_id, "member")


def _write_stream(store: Store, history: History, stream: PastStream, crowd: Crowd) -> None:
    run, number = history.run, stream.number
    room_id, channel_id = past_id(run, Kind.ROOM, number), past_id(run, Kind.CHANNEL, number)
    n = _row_number(history, stream.created)
    host = _creator_id(history, stream.creator)
    room = _room(store, history, stream)
    columns = (stream.status, stream.type, host, 0, room["referenceId"])
    # Two streams may have been created in the same moment, in this past or in another.
    store.rooms.insert_rows([(store.rooms.free_row(n), room_id, _whole(room), *columns)])
    reacted = Counter(REACTIONS[name] for name in crowd.reacted.name[crowd.reacted.segment == 0].tolist())
    parent, child = _posts(store, history, stream, room, dict(reacted))
    for ahead, post in ((0, parent), (1000, child)):
        post_columns = ("community", room["targetId"], post["parentPostId"], post["dataType"], 0)
        post_row = (
            store.posts.free_row(n + ahead),
            post["postId"],
            _whole(post),
            *post_columns,
            post["data"].get("roomId"),
        )
        store.posts.insert_rows([post_row])
    channel = _channel(store, history, stream, crowd.chat)
    store.channels.insert_rows([(None, channel_id, _whole(channel), "live", 0, channel_id, None)])
    store.members.insert_rows(
        [_member(f"{channel_id}:{host}", channel_id, host, channel["createdAt"], ("channel-moderator",))]
    )
    store.statuses.insert_rows(_statuses(run, stream, room_id))
    store.presence.insert_rows(_presence(run, stream, room_id, crowd.watched))
    store.watch_sessions.insert_rows(_watch_sessions(run, number, room_id, crowd.watched))
    store.messages.insert_rows(_messages(run, number, channel_id, crowd.chat, crowd.reacted))
    store.reactions.insert_rows(_reactions(run, number, child["postId"], crowd.reacted))
    store.live_reactions.insert_rows(_live_reactions(run, number, room_id, crowd.floated))


def _room(store: Store, history: History, stream: PastStream) -> Json:
    room_id = past_id(history.run, Kind.ROOM, stream.number)
    host, internal = _creator_id(history, stream.creator), _creator_internal(history, stream.creator)
    room: Json = {
        "_id": room_id,
        "roomId": room_id,
        "type": stream.type,
        "status": stream.status,
        "title": stream.title,
        "description": "",
        "metadata": {},
        "liveChatEnabled": True,
        "liveChannelId": past_id(history.run, Kind.CHANNEL, stream.number),
        "participants": [{"type": "host", "userId": host, "userInternalId": internal, "canManageProductTags": True}],
        "childRoomIds": [],
        "createdBy": host,
        "creatorInternalId": internal,
        "createdAt": stamp_of(stream.created),
        "updatedAt": stamp_of(stream.recorded or stream.ended or stream.created),
        "isDeleted": False,
        "path": f"{store.network_id}/room/{room_id}",
        "targetType": "community",
        "targetId": past_id(history.run, Kind.COMMUNITY, stream.community),
        "targetVisibility": "public",
        "referenceType": "post",
        "referenceId": past_id(history.run, Kind.ROOM_POST, stream.number),
    }
    if stream.live is not None and stream.ended is not None:
        room["liveAt"], room["endedAt"] = stamp_of(stream.live), stamp_of(stream.ended)
        room["durationSeconds"] = math.ceil((stream.ended - stream.live) / 1000)
    if stream.recorded is not None:
        room["recordedAt"] = stamp_of(stream.recorded)
        room["recordedResolution"] = {"width": 1280, "height": 720}
    return room


def _posts(
    store: Store, history: History, stream: PastStream, room: Json, reactions: dict[str, int]
) -> tuple[Json, Json]:
    parent_id = past_id(history.run, Kind.POST, stream.number)
    child_id = past_id(history.run, Kind.ROOM_POST, stream.number)
    at = room["createdAt"]

    def post(post_id: str, kind: str, data: Json, **fields: Any) -> Json:
        return {
            "_id": post_id,
            "postId": post_id,
            "parentPostId": "",
            "postedUserId": room["createdBy"],
            "postedUserPublicId": room["createdBy"],
            "postedUserInternalId": room["creatorInternalId"],
            "targetType": "community",
            "targetId": room["targetId"],
            "feedId": room["targetId"],
            "dataType": kind,
            "structureType": kind,
            "data": data,
            "metadata": {},
            "tags": [],
            "children": [],
            "childrenNumber": 0,
            "comments": [],
            "commentsCount": 0,
            "reactions": {},
            "reactionsCount": 0,
            "flagCount": 0,
            "impression": 0,
            "reach": 0,
            "productTags": [],
            "pinnedProductId": None,
            "path": f"{store.network_id}/social/community/{room['targetId']}/post/{post_id}",
            "isDeleted": False,
            "createdAt": at,
            "updatedAt": at,
            **fields,
        }

    parent = post(
        parent_id, "text", {"text": stream.title}, children=[child_id], childrenNumber=1, structureType="room"
    )
    child = post(
        child_id,
        "room",
        {"roomId": room["roomId"], "text": stream.title},
        parentPostId=parent_id,
        reactions=reactions,
        reactionsCount=sum(reactions.values()),
    )
    return parent, child


def _channel(store: Store, history: History, stream: PastStream, chat: Chat) -> Json:
    channel_id = past_id(history.run, Kind.CHANNEL, stream.number)
    at = stamp_of(stream.created)
    last = stamp_of(int(chat.at[-1])) if len(chat.at) else at
    return {
        "_id": channel_id,
        "channelId": channel_id,
        "channelPublicId": channel_id,
        "channelInternalId": channel_id,
        "defaultSubChannelId": channel_id,
        "path": f"{store.network_id}/chat/{channel_id}",
        "type": "live",
        "displayName": stream.title,
        "attachedTo": {
            "postId": past_id(history.run, Kind.ROOM_POST, stream.number),
            "roomId": past_id(history.run, Kind.ROOM, stream.number),
        },
        "metadata": {},
        "tags": [],
        "isPublic": True,
        "isMuted": False,
        "isRateLimited": False,
        "rateLimit": 0,
        "rateLimitWindow": 0,
        "moderatorMemberCount": 1,
        "lastActivity": last,
        "isDeleted": False,
        "createdAt": at,
        "updatedAt": last,
    }


def _statuses(run: str, stream: PastStream, room_id: str) -> Iterator[Row]:
    changes: list[tuple[int, str]] = []
    if stream.live is not None and stream.ended is not None:
        changes.append((stream.live, "live"))
        for away, back in stream.breaks:
            changes += [(away, "waitingReconnect"), (back, "live")]
        changes.append((stream.ended, "terminated" if stream.status == "terminated" else "ended"))
    if stream.recorded is not None:
        changes.append((stream.recorded, "recorded"))
    for number, (at, status) in enumerate(changes):
        key = past_id(run, Kind.STATUS, stream.number, number)
        yield None, key, _whole({"_id": key, "roomId": room_id, "status": status, "at": stamp_of(at)}), room_id


def _presence(run: str, stream: PastStream, room_id: str, watched: Watched) -> Iterator[Row]:
    """What a look at the presence count each minute would have seen."""
    if stream.live is None or stream.ended is None:
        return
    on_air = len(watched.start) - watched.replays
    at = np.arange(stream.live, stream.ended, 60_000)
    joined = np.searchsorted(np.sort(watched.start[:on_air]), at, side="right")
    left = np.searchsorted(np.sort(watched.end[:on_air]), at, side="right")
    for number, (when, viewers) in enumerate(zip(at.tolist(), (joined - left).tolist(), strict=True)):
        key = past_id(run, Kind.PRESENCE, stream.number, number)
        document = {"_id": key, "roomId": room_id, "at": stamp_of(when), "viewers": viewers}
        yield None, key, _whole(document), room_id


def _watch_sessions(run: str, stream: int, room_id: str, watched: Watched) -> Iterator[Row]:
    prefix = f"{run}{Kind.WATCH_SESSION}{stream:06x}"
    columns = (watched.fan.tolist(), watched.start.tolist(), watched.end.tolist(), watched.played.tolist())
    for number, (fan, start, end, played) in enumerate(zip(*columns, strict=True)):
        short = f'["{run}",{stream},{number},{fan},{start},{end},{played}]'
        yield None, f"{prefix}{number:08x}", short.encode(), room_id


def _messages(run: str, stream: int, channel_id: str, chat: Chat, reacted: Reacted) -> Iterator[Row]:
    prefix = f"{run}{Kind.MESSAGE}{stream:06x}"
    reactions: dict[int, Counter[str]] = {}
    on_messages = reacted.segment > 0
    for segment, name in zip(reacted.segment[on_messages].tolist(), reacted.name[on_messages].tolist(), strict=True):
        reactions.setdefault(segment, Counter())[REACTIONS[name]] += 1
    counted = {segment: orjson.dumps(dict(names)).decode() for segment, names in reactions.items()}
    columns = (column.tolist() for column in (chat.fan, chat.at, chat.text, chat.parent, chat.replies, chat.deleted))
    for segment, (fan, at, said, parent, replies, deleted) in enumerate(zip(*columns, strict=True), 1):
        text = "null" if deleted else SAID[said]
        short = f'["{run}",{stream},{segment},{fan},{at},{text},{parent},{replies},{counted.get(segment, "null")}]'
        answered = f"{prefix}{parent:08x}" if parent else None
        yield None, f"{prefix}{segment:08x}", short.encode(), channel_id, answered, int(deleted), None, segment


def _reactions(run: str, stream: int, post_id: str, reacted: Reacted) -> Iterator[Row]:
    prefix, messages = f"{run}{Kind.REACTION}{stream:06x}", f"{run}{Kind.MESSAGE}{stream:06x}"
    users = f"fan-{run[:4]}-"
    columns = (column.tolist() for column in (reacted.fan, reacted.at, reacted.name, reacted.segment))
    for number, (fan, at, named, segment) in enumerate(zip(*columns, strict=True)):
        name = REACTIONS[named]
        short = f'["{run}",{stream},{number},{fan},{at},"{name}",{segment}]'
        subject = ("message", f"{messages}{segment:08x}") if segment else ("post", post_id)
        yield None, f"{prefix}{number:08x}", short.encode(), *subject, f"{users}{fan}", name


def _live_reactions(run: str, stream: int, room_id: str, floated: Reacted) -> Iterator[Row]:
    prefix = f"{run}{Kind.LIVE_REACTION}{stream:06x}"
    columns = (column.tolist() for column in (floated.fan, floated.at, floated.name))
    for number, (fan, at, named) in enumerate(zip(*columns, strict=True)):
        short = f'["{run}",{stream},{number},{fan},{at},"{REACTIONS[named]}"]'
        yield None, f"{prefix}{number:08x}", short.encode(), room_id


def _truth(history: History, stream: PastStream, crowd: Crowd) -> Json:
    """What analysis should find in this stream."""
    watched, chat = crowd.watched, crowd.chat
    on_air = len(watched.start) - watched.replays
    peak, peak_at = peak_of(watched.start[:on_air], watched.end[:on_air])
    return {
        "roomId": past_id(history.run, Kind.ROOM, stream.number),
        "creator": _creator_id(history, stream.creator),
        "status": stream.status,
        "views": len(watched.start),
        "replays": watched.replays,
        "uniqueViewers": len(set(watched.fan.tolist())),
        "peakViewers": peak,
        "peakAt": stamp_of(peak_at) if peak else None,
        "watchSeconds": round(float(watched.played.sum()), 1),
        "messages": len(chat.at),
        "deletedMessages": int(chat.deleted.sum()),
        "reactions": len(crowd.reacted.at),
        "liveReactions": len(crowd.floated.at),
        "moments": [
            {"at": stamp_of(moment.at), "kind": moment.kind, "strength": moment.strength} for moment in stream.moments
        ],
    }
