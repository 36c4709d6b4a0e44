"""Chat messages (v5): numbered by segment within their feed, sent once per reference id."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.channels import channel_topics, check_may_write, feed_and_channel, moderates, take_turn
from spnb.sandbox.rest.chat_payloads import message_payload
from spnb.sandbox.rest.fields import Tag, reported
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.read_marks import COUNTED, EVERYBODY, mentioned_in, read_up_to
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Accept

__all__ = ["routes"]

TEXT_LIMIT = 20_000


class MessageCreate(BaseModel):
    messageFeedId: str | None = Field(default=None, max_length=100)
    subChannelId: str | None = Field(default=None, max_length=100)
    # The specification of 2024 allows 30 characters; SDK 7.20 sends `LOCAL_` and a UUID, which are 42.
    referenceId: str | None = Field(default=None, max_length=100)
    dataType: Literal["text", "image", "file", "video", "audio", "custom"] = "text"
    data: dict[str, Any] = Field(default_factory=dict)
    fileId: str | None = None
    parentId: str | None = None
    metadata: dict[str, Any] | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=10)
    mentionedUsers: list[Any] = Field(default_factory=list)


class MessageUpdate(BaseModel):
    data: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=10)
    mentionedUsers: list[Any] = Field(default_factory=list)


def routes(services: Services) -> list[BaseRoute]:
    """Message routes."""
    base = "/api/v5/messages"
    return [
        serve(services, "POST", base, create),
        serve(services, "GET", base, listed),
        serve(services, "GET", f"{base}/list", by_id),
        serve(services, "GET", f"{base}/{{messageId}}", one),
        serve(services, "PUT", f"{base}/{{messageId}}", update),
        serve(services, "DELETE", f"{base}/{{messageId}}", delete),
        serve(services, "POST", f"{base}/{{messageId}}/flags", flag),
        serve(services, "GET", f"{base}/{{messageId}}/flags", flagged_by_me),
        serve(services, "DELETE", f"{base}/{{messageId}}/flags", unflag),
    ]


def _payload(call: Call, messages: list[Json]) -> Json:
    return message_payload(call.store, messages, reader=call.user)


def _announce(call: Call, event_type: str, message: Json, channel: Json | None = None) -> None:
    channel = channel or call.store.channels.get(message["channelPublicId"])
    where = topics.message(message)
    data = message_payload(call.store, [message], [channel] if channel else [])
    if channel is not None and channel["type"] != "live":
        # Members hear of what they do not have open: SDKs follow this topic from the login on.
        where = [*where, *channel_topics(call, channel, "messages")]
    call.publish(where, event_type, data, subject_id=message["messageId"])


def _message(call: Call) -> Json:
    message_id = call.path("messageId")
    message = call.store.messages.get(message_id)
    if message is None:
        raise Refused.not_found(f"Message {message_id!r}")
    return message


def _check_text(data: dict[str, Any] | None) -> None:
    text = (data or {}).get("text") or ""
    if not isinstance(text, str):
        raise Refused.invalid(["data.text: a text is wanted"])
    length = len(text)
    if length > TEXT_LIMIT:
        raise Refused.invalid([f"data.text: at most {TEXT_LIMIT} characters, got {length}"])


async def create(call: Call) -> Json:
    """Send a message. Sent again with the same reference id, it is answered as it stands, not doubled."""
    wish = call.read(MessageCreate)
    feed_id = wish.messageFeedId or wish.subChannelId
    if feed_id is None:
        raise Refused.invalid(["messageFeedId is required"])
    feed_id, channel = feed_and_channel(call, feed_id)
    _check_text(wish.data)
    if wish.dataType == "text" and not str(wish.data.get("text") or "").strip():
        raise Refused.invalid(["data.text is required"])
    if wish.referenceId is not None:
        for before in call.store.messages.find({"referenceId": wish.referenceId, "messageFeedId": feed_id}):
            if before["creatorId"] == call.user["_id"]:
                return _payload(call, [before])
    check_may_write(call, channel)
    parent = None
    if wish.parentId is not None:
        parent = call.store.messages.get(wish.parentId)
        if parent is None or parent["messageFeedId"] != feed_id:
            raise Refused.not_found(f"Parent message {wish.parentId!r}")
    take_turn(call, channel)
    message = call.store.messages.insert(_document(call, wish, channel, feed_id))
    if parent is not None:
        call.store.messages.save({**parent, "childCount": parent["childCount"] + 1})
    call.store.channels.save({**channel, "lastActivity": message["createdAt"]})
    if channel["type"] in COUNTED:
        # Whoever writes has read what came before.
        read_up_to(call.store, feed_id, call.user_id, message["segment"])
        for user_id in _named(message):
            mentioned_in(call.store, feed_id, user_id, message["segment"])
    _announce(call, "message.created", message, channel)
    return _payload(call, [message])


def _mentioned(call: Call, wishes: list[Any]) -> list[Any]:
    """Mentions as they are told: those of users with internal and public ids, which SDKs read apart."""
    told: list[Any] = []
    for wish in wishes:
        if not isinstance(wish, dict) or wish.get("type") != "user":
            told.append(wish)
            continue
        ids = [user_id for user_id in wish.get("userIds") or [] if isinstance(user_id, str)]
        known = [user for user_id in ids if (user := call.store.user_by_public_id(user_id)) is not None]
        internal, public = [user["_id"] for user in known], [user["userId"] for user in known]
        told.append({**wish, "userIds": public, "userInternalIds": internal, "userPublicIds": public})
    return told


def _named(message: Json) -> list[str]:
    """Public ids of those whom a message mentions."""
    named: list[str] = []
    for wish in message["mentionedUsers"]:
        if isinstance(wish, dict):
            named += [EVERYBODY] if wish.get("type") == "channel" else wish.get("userPublicIds") or []
    return named


def _document(call: Call, wish: MessageCreate, channel: Json, feed_id: str) -> Json:
    message_id, at, user = new_id(), call.store.now(), call.user
    newest = call.store.messages.find({"messageFeedId": feed_id}, newest_first=True, limit=1)
    segment = newest[0]["segment"] + 1 if newest else 1
    document = {
        "messageId": message_id,
        "publicId": message_id,
        "referenceId": wish.referenceId,
        "networkId": call.store.network_id,
        "channelId": channel["channelInternalId"],
        "channelPublicId": channel["channelId"],
        "channelType": channel["type"],
        "messageFeedId": feed_id,
        "segment": segment,
        "dataType": wish.dataType,
        "data": wish.data,
        "metadata": wish.metadata or {},
        "tags": wish.tags,
        "mentionedUsers": _mentioned(call, wish.mentionedUsers),
        "creatorId": user["_id"],
        "creatorPublicId": user["userId"],
        "parentId": wish.parentId,
        "childCount": 0,
        "reactions": {},
        "reactionCount": 0,
        "flagCount": 0,
        "hashFlag": None,
        "path": f"{channel['path']}/{feed_id}/{message_id}",
        "isDeleted": False,
        "editedAt": at,
        "createdAt": at,
        "updatedAt": at,
    }
    if wish.fileId:
        document["fileId"] = wish.fileId
    return document


async def listed(call: Call) -> Json:
    """Messages of a feed by segment, oldest or newest first, or around one message."""
    feed_id, _ = feed_and_channel(call, call.query.need("messageFeedId"))
    wish = call.query.page()
    newest = call.query.choice("sortBy", ("segmentAsc", "segmentDesc"), "segmentDesc") == "segmentDesc"
    deleted = call.query.flag("isDeleted")
    where = {
        "messageFeedId": feed_id,
        "parentId": call.query.one("parentId"),
        # SDKs send `false`, or nothing where deleted ones are wanted too (the specification's default was false).
        "isDeleted": None if deleted is None else int(deleted),
    }
    around = call.query.option("around")
    if around is not None:
        return _around(call, feed_id, around, wish.limit, newest=call.query.option("sortBy") == "segmentDesc")
    page = call.store.messages.page(
        where, limit=wish.limit, newest_first=newest, start=wish.start, accept=_wanted(call)
    )
    return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}


def _wanted(call: Call) -> Accept | None:
    """The filters by tags, data type and flags; None where none is asked for."""
    having, lacking = set(call.query.many("includeTags", "tags")), set(call.query.many("excludeTags"))
    kind, flagged = call.query.one("dataType"), call.query.flag("hasFlags")
    if not having and not lacking and kind is None and flagged is None:
        return None

    def accept(message: Json) -> bool:
        tags = set(message["tags"])
        return (
            (not having or bool(tags & having))
            and not tags & lacking
            and kind in (None, message["dataType"])
            and flagged in (None, message["flagCount"] > 0)
        )

    return accept


def _around(call: Call, feed_id: str, message_id: str, limit: int, *, newest: bool) -> Json:
    middle = call.store.messages.get(message_id)
    if middle is None or middle["messageFeedId"] != feed_id:
        raise Refused.not_found(f"Message {message_id!r}")
    first = max(1, middle["segment"] - limit // 2)
    segments = list(range(first, first + limit))
    where = {"messageFeedId": feed_id, "segment": segments, "isDeleted": 0}
    found = call.store.messages.find(where, newest_first=newest)
    return {**_payload(call, found), "paging": {}}


async def by_id(call: Call) -> Json:
    """Messages by id."""
    return _payload(call, call.store.messages.get_many(call.query.many("messageIds", most=10)))


async def one(call: Call) -> Json:
    """One message."""
    return _payload(call, [_message(call)])


def _own(call: Call, doing: str) -> Json:
    message = _message(call)
    if message["creatorId"] != call.user["_id"]:
        membership = call.store.members.get(f"{message['channelPublicId']}:{call.user_id}")
        if doing != "delete" or not moderates(membership):
            raise Refused.forbidden(f"Only its author may {doing} a message")
    return message


async def update(call: Call) -> Json:
    """Edit the caller's message."""
    message, at = _own(call, "edit"), call.store.now()
    if message["isDeleted"]:
        raise Refused.not_found(f"Message {message['messageId']!r}")
    check_may_write(call, feed_and_channel(call, message["messageFeedId"])[1])
    fields = call.read(MessageUpdate).model_dump(exclude_unset=True, exclude_none=True)
    _check_text(fields.get("data"))
    if "mentionedUsers" in fields:
        fields["mentionedUsers"] = _mentioned(call, fields["mentionedUsers"])
    changed = call.store.messages.save({**message, **fields, "editedAt": at, "updatedAt": at})
    _announce(call, "message.updated", changed)
    return _payload(call, [changed])


async def delete(call: Call) -> Json:
    """Delete a message, as its author or as a moderator: its place stays, its content goes."""
    message = _own(call, "delete")
    changed = call.store.messages.save({**message, "isDeleted": True, "data": {}, "updatedAt": call.store.now()})
    _announce(call, "message.deleted", changed)
    return _payload(call, [changed])


def _flags(message: Json) -> Json:
    return {"referenceType": "message", "referenceId": message["messageId"]}


async def flag(call: Call) -> Json:
    """Report a message; once per user."""
    message = _message(call)
    key = f"message:{message['messageId']}:{call.user_id}"
    if call.store.flags.get(key) is None:
        reason = str((call.body or {}).get("reason") or "") if isinstance(call.body, dict) else ""
        call.store.flags.insert({"_id": key, **_flags(message), "userId": call.user_id, "reason": reason})
        message = _counted(call, message)
        _announce(call, "message.flagged", message)
    return _payload(call, [message])


async def flagged_by_me(call: Call) -> Json:
    """Whether the caller reported the message: SDKs read `result`, the specification says `isFlagByMe`."""
    message = _message(call)
    flagged = call.store.flags.get(f"message:{message['messageId']}:{call.user_id}") is not None
    return {"result": flagged, "isFlagByMe": flagged}


async def unflag(call: Call) -> Json:
    """Take the caller's report back."""
    message = _message(call)
    if call.store.flags.delete(f"message:{message['messageId']}:{call.user_id}"):
        message = _counted(call, message)
        _announce(call, "message.unflagged", message)
    return _payload(call, [message])


def _counted(call: Call, message: Json) -> Json:
    return call.store.messages.save({**message, **reported(call.store, _flags(message))})
