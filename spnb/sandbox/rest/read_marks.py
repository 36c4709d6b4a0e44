"""How far each member has read each message feed."""

from __future__ import annotations

from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Store

__all__ = [
    "COUNTED",
    "EVERYBODY",
    "delivered_to",
    "delivered_up_to",
    "last_mention",
    "mentioned_in",
    "read_mark",
    "read_up_to",
]

COUNTED = ("community", "conversation", "broadcast")
"""Types of channels that have unread counts; live chats have none (social.plus unread-count pages)."""


def read_mark(store: Store, feed_id: str, user_id: str) -> Json:
    """The mark of a user in a feed; one at the beginning where there is none yet."""
    known = store.read_marks.get(f"{feed_id}:{user_id}")
    if known is not None:
        return known
    at, key = store.now(), f"{feed_id}:{user_id}"
    return {"_id": key, "feedId": feed_id, "userId": user_id, "readToSegment": 0, "createdAt": at, "updatedAt": at}


def read_up_to(store: Store, feed_id: str, user_id: str, segment: int) -> None:
    """Move the mark forward."""
    mark = read_mark(store, feed_id, user_id)
    if segment > mark["readToSegment"]:
        store.read_marks.put({**mark, "readToSegment": segment, "updatedAt": store.now()})


def delivered_to(mark: Json) -> int:
    """Up to which message a feed has reached a user's device: what was read has."""
    return max(int(mark["readToSegment"]), int(mark.get("deliveredToSegment", 0)))


def delivered_up_to(store: Store, feed_id: str, user_id: str, segment: int) -> None:
    """Messages up to this one have reached the user's device."""
    mark = read_mark(store, feed_id, user_id)
    if segment > delivered_to(mark):
        store.read_marks.put({**mark, "deliveredToSegment": segment, "updatedAt": store.now()})


EVERYBODY = ""
"""Whose mark holds the mentions of a whole channel."""


def mentioned_in(store: Store, feed_id: str, user_id: str, segment: int) -> None:
    """A message mentions the user, or everybody."""
    store.read_marks.put({**read_mark(store, feed_id, user_id), "mentionedSegment": segment, "updatedAt": store.now()})


def last_mention(store: Store, feed_id: str, user_id: str) -> int:
    """The segment of the latest message that mentions the user; 0 without one."""
    return max(int(read_mark(store, feed_id, each).get("mentionedSegment", 0)) for each in (user_id, EVERYBODY))
