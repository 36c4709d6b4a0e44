"""Documents of a back-filled past: kept short, shown whole.

A million messages in wire shape would be gigabytes of the same field names. What the back-fill writes is a JSON array
of the few facts that differ; the document is made of it at reading. A past document that is changed (a late reaction,
a deletion) is written back whole, like any other.

    message       [run, stream, segment, fan, at, text or null where deleted, parent segment or 0, replies, reactions]
    watch session [run, stream, number, fan, start, end, watched seconds]
    reaction      [run, stream, number, fan, at, name, segment of the message or 0 for the stream's post]
    live reaction [run, stream, number, fan, at, name]

Times are milliseconds since 1970 in UTC. Ids are not stored at all: they follow from run, kind and numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from spnb.sandbox.clock import stamp

__all__ = [
    "Kind",
    "fan_id",
    "live_reaction_document",
    "message_document",
    "past_id",
    "reaction_document",
    "stamp_of",
    "watch_session_document",
]

Json = dict[str, Any]
Expand = Callable[[list[Any]], Json]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind:
    """The two hex digits of an id that tell what it names."""

    USER = "01"
    ROOM = "02"
    POST = "03"
    ROOM_POST = "04"
    CHANNEL = "05"
    MESSAGE = "06"
    WATCH_SESSION = "07"
    REACTION = "08"
    LIVE_REACTION = "09"
    COMMUNITY = "0a"
    STATUS = "0b"
    PRESENCE = "0c"


def past_id(run: str, kind: str, stream: int, number: int = 0) -> str:
    """The id of a past thing: 24 hex digits as everywhere, rising with stream and number, so that indexes only grow.

    Args:
        run: eight hex digits that name the back-fill.
    """
    return f"{run}{kind}{stream:06x}{number:08x}"


def fan_id(run: str, fan: int) -> str:
    """The public id of a past viewer."""
    return f"fan-{run[:4]}-{fan}"


def stamp_of(at: int) -> str:
    """The wire's timestamp of milliseconds since 1970."""
    return stamp(EPOCH + timedelta(milliseconds=at))


def message_document(network_id: str) -> Expand:
    """Makes whole messages of short ones."""

    def expand(short: list[Any]) -> Json:
        run, stream, segment, fan, at, text, parent, replies, reactions = short
        message_id = past_id(run, Kind.MESSAGE, stream, segment)
        channel_id = past_id(run, Kind.CHANNEL, stream)
        when = stamp_of(at)
        return {
            "messageId": message_id,
            "publicId": message_id,
            "referenceId": None,
            "networkId": network_id,
            "channelId": channel_id,
            "channelPublicId": channel_id,
            "channelType": "live",
            "messageFeedId": channel_id,
            "segment": segment,
            "dataType": "text",
            "data": {} if text is None else {"text": text},
            "metadata": {},
            "tags": [],
            "mentionedUsers": [],
            "creatorId": past_id(run, Kind.USER, 0, fan),
            "creatorPublicId": fan_id(run, fan),
            "parentId": past_id(run, Kind.MESSAGE, stream, parent) if parent else None,
            "childCount": replies,
            "reactions": reactions or {},
            "reactionCount": sum(reactions.values()) if reactions else 0,
            "flagCount": 0,
            "path": f"{network_id}/chat/{channel_id}/{channel_id}/{message_id}",
            "isDeleted": text is None,
            "editedAt": when,
            "createdAt": when,
            "updatedAt": when,
        }

    return expand


def watch_session_document(short: list[Any]) -> Json:
    """A whole watch session of a short one."""
    run, stream, number, fan, start, end, watched = short
    return {
        "sessionId": past_id(run, Kind.WATCH_SESSION, stream, number),
        "roomId": past_id(run, Kind.ROOM, stream),
        "watchSeconds": watched,
        "startTime": stamp_of(start),
        "endTime": stamp_of(end),
        "userId": fan_id(run, fan),
        "userInternalId": past_id(run, Kind.USER, 0, fan),
    }


def reaction_document(short: list[Any]) -> Json:
    """A whole reaction of a short one."""
    run, stream, number, fan, at, name, segment = short
    when = stamp_of(at)
    return {
        "reactionId": past_id(run, Kind.REACTION, stream, number),
        "referenceType": "message" if segment else "post",
        "referenceId": past_id(run, Kind.MESSAGE, stream, segment) if segment else past_id(run, Kind.ROOM_POST, stream),
        "userId": fan_id(run, fan),
        "reactionName": name,
        "userInternalId": past_id(run, Kind.USER, 0, fan),
        "createdAt": when,
        "updatedAt": when,
    }


def live_reaction_document(short: list[Any]) -> Json:
    """A whole floating reaction of a short one."""
    run, stream, number, fan, at, name = short
    post_id = past_id(run, Kind.ROOM_POST, stream)
    return {
        "_id": past_id(run, Kind.LIVE_REACTION, stream, number),
        "userId": fan_id(run, fan),
        "referenceId": post_id,
        "referencePublicId": post_id,
        "referenceType": "post",
        "reactionName": name,
        "roomId": past_id(run, Kind.ROOM, stream),
        "occurredAt": stamp_of(at),
    }
