"""Reactions on posts and messages, and the floating reactions of a live room."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.chat_payloads import message_payload
from spnb.sandbox.rest.notification_tray import note, place_of
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused, answer
from spnb.sandbox.rest.social_payloads import comment_payload, post_payload
from spnb.sandbox.rest.sound import MOST_BATCH_BYTES, WireTime
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]

MOST_NAMES = 200
MOST_NAMES_OF_USER = 20
"""Different reactions on one message or post, which every list of it tells (a choice)."""
REACTOR = ("reactionId", "reactionName", "userId", "userInternalId", "createdAt", "updatedAt")
"""What is told of one reaction."""


class ReactionWish(BaseModel):
    referenceId: str = Field(min_length=1, max_length=100)
    referenceType: Literal["message", "post", "comment", "story"]
    reactionName: str = Field(min_length=1, max_length=100)
    referenceVersion: int | None = None


class LiveReactionWish(BaseModel):
    referencePublicId: str | None = None
    referenceId: str | None = None
    referenceType: Literal["post"] = "post"
    reactionName: str = Field(min_length=1, max_length=100)
    occurredAt: WireTime | None = None
    roomId: str | None = None


class LiveReactions(BaseModel):
    roomId: str | None = None
    liveStreamId: str | None = None
    reactions: list[LiveReactionWish] = Field(min_length=1, max_length=1000)


def routes(services: Services) -> list[BaseRoute]:
    """Reaction routes."""
    return [
        serve(services, "POST", "/api/v2/reactions", add),
        serve(services, "DELETE", "/api/v2/reactions", remove),
        serve(services, "GET", "/api/v3/reactions", listed),
        serve(services, "GET", "/api/v2/reactions", listed),
        serve(services, "POST", "/api/v1/reactions/live", add_live, most=MOST_BATCH_BYTES),
    ]


def _wish(call: Call) -> ReactionWish:
    if not call.body and not isinstance(call.body, list):
        names = ("referenceId", "referenceType", "reactionName")
        call.body = {name: value for name in names if (value := call.query.one(name)) is not None}
    return call.read(ReactionWish)


def _subject(call: Call, kind: str, subject_id: str) -> Json:
    found = {"message": call.store.messages, "post": call.store.posts, "comment": call.store.comments}.get(kind)
    subject = found.get(subject_id) if found else None
    if subject is None or subject["isDeleted"]:
        raise Refused.not_found(f"{kind.capitalize()} {subject_id!r}")
    return subject


async def add(call: Call) -> Json:
    """React to a post or message; the same reaction of a user counts once."""
    wish = _wish(call)
    subject = _subject(call, wish.referenceType, wish.referenceId)
    where = _where(call, wish)
    before = call.store.reactions.first(where)
    if before is not None:
        return {"addedId": before["reactionId"]}
    mine = call.store.reactions.count({**where, "reactionName": None})
    if mine >= MOST_NAMES_OF_USER or len(subject["reactions"].keys() | {wish.reactionName}) > MOST_NAMES:
        raise Refused.bad_request(
            f"There are enough different reactions here: {MOST_NAMES_OF_USER} of a user, {MOST_NAMES} in all"
        )
    at = call.store.now()
    reaction = {"reactionId": new_id(), **where, "userInternalId": call.user["_id"], "createdAt": at, "updatedAt": at}
    call.store.reactions.insert(reaction)
    _count(call, wish, subject, reaction, added=True)
    return {"addedId": reaction["reactionId"]}


async def remove(call: Call) -> Json:
    """Take a reaction back; body (as SDKs send it) or query (as the specification has it)."""
    wish = _wish(call)
    subject = _subject(call, wish.referenceType, wish.referenceId)
    before = call.store.reactions.first(_where(call, wish))
    if before is None:
        raise Refused.not_found(f"Reaction {wish.reactionName!r} of this user")
    call.store.reactions.delete(before["reactionId"])
    call.store.reactions_removed.insert({**before, "removedAt": call.store.now()})
    _count(call, wish, subject, before, added=False)
    return {"removedId": before["reactionId"]}


def _where(call: Call, wish: ReactionWish) -> Json:
    return {
        "referenceType": wish.referenceType,
        "referenceId": wish.referenceId,
        "userId": call.user_id,
        "reactionName": wish.reactionName,
    }


def _count(call: Call, wish: ReactionWish, subject: Json, reaction: Json, *, added: bool) -> None:
    # Counted on, not anew: a post that thousands react to must not be slower for each.
    counts: Counter[str] = Counter(subject["reactions"])
    counts[wish.reactionName] += 1 if added else -1
    names = dict(+counts)
    total = sum(names.values())
    reactor = {name: reaction[name] for name in ("reactionId", "reactionName", "userId")}
    if wish.referenceType == "message":
        changed = call.store.messages.save({**subject, "reactions": names, "reactionCount": total})
        event = "message.reactionAdded" if added else "message.reactionRemoved"
        data = {
            **message_payload(call.store, [changed]),
            # The reaction itself: SDKs read the first one's user, unlike in the list of who reacted.
            "reactions": [{name: reaction[name] for name in REACTOR}],
        }
        call.publish(topics.message(changed), event, data, subject_id=changed["messageId"])
        return
    kind = wish.referenceType
    kept = call.store.comments if kind == "comment" else call.store.posts
    changed = kept.save({**subject, "reactions": names, "reactionsCount": total})
    if kind == "comment":
        data = comment_payload(call.store, [changed], reader=None)
    else:
        data = post_payload(call.store, call.services.stage, [changed], reader=None, base_url=call.base_url)
    data |= {"users": [*data["users"], call.user], "reactor": reactor}
    if added:
        _note(call, kind, changed)
    event = f"{kind}.addReaction" if added else f"{kind}.removeReaction"
    call.publish(topics.post(changed), event, data, subject_id=wish.referenceId)


def _note(call: Call, kind: str, subject: Json) -> None:
    author = call.store.user_by_public_id(subject["userId"] if kind == "comment" else subject["postedUserPublicId"])
    called = "reply" if kind == "comment" and subject["parentId"] else kind
    about = place_of(subject) | {"actionType": "reaction"}
    note(call, author, f"reaction_on_{called}", f"{call.user['displayName']} reacted to your {called}", **about)


def _listed(subject_id: str, kind: str, reactions: list[Json]) -> Json:
    reactors = [{name: reaction[name] for name in REACTOR} for reaction in reactions]
    return {"referenceId": subject_id, "referenceType": kind, "reactors": reactors}


async def listed(call: Call) -> Json:
    """Who reacted to a post or message."""
    kind, subject_id = call.query.need("referenceType"), call.query.need("referenceId")
    wish = call.query.page()
    where = {"referenceType": kind, "referenceId": subject_id, "reactionName": call.query.one("reactionName")}
    page = call.store.reactions.page(where, limit=wish.limit, newest_first=True, start=wish.start)
    return {
        "reactions": [_listed(subject_id, kind, page.documents)],
        "users": call.store.users.get_many([reaction["userInternalId"] for reaction in page.documents]),
        "files": [],
        "paging": paging(page, wish.limit),
    }


async def add_live(call: Call) -> Any:
    """Floating reactions, buffered by the sender; SDKs may send one buffer for two rooms, so strangers are dropped."""
    wish = call.read(LiveReactions)
    room_id = wish.roomId or wish.liveStreamId or next((each.roomId for each in wish.reactions if each.roomId), None)
    room = call.store.rooms.get(room_id or "")
    if room is None or room["isDeleted"]:
        raise Refused.not_found(f"Room {room_id!r}")
    if call.store.is_banned_viewer(room["roomId"], call.user_id):
        raise Refused(403, 400304, "The user is banned from this room")
    added: list[Json] = []
    news: dict[str, list[Json]] = {}
    for each in wish.reactions:
        if each.roomId not in (None, room["roomId"]):
            continue
        post = call.store.posts.get(each.referencePublicId or each.referenceId or room.get("referenceId") or "")
        if post is None:
            raise Refused.not_found(f"Post {each.referencePublicId!r}")
        reaction = _live(call, room, post, each)
        added.append(reaction)
        # A sender whose answer was lost sends again: what is known already is neither kept nor announced twice.
        if call.store.live_reactions.get(reaction["_id"]) is None:
            call.store.live_reactions.insert(reaction)
            news.setdefault(post["postId"], []).append({name: reaction[name] for name in reaction if name != "_id"})
    for post in call.store.posts.get_many(list(news)):
        data = {"reactions": news[post["postId"]]}
        # *Choice*: told on the room's own post as well. Apps react to the post that the chat was opened for and listen
        # to the one that the room names: they differ where a room was posted once more.
        where = [topic for each in _floating_over(call, post, room) for topic in topics.live_reactions(each)]
        call.publish(where, "liveReaction.created", data, subject_id=post["_id"])
    return answer({"addedIds": [reaction["_id"] for reaction in added]}, 202)


def _floating_over(call: Call, post: Json, room: Json) -> list[Json]:
    """The posts whose followers are told of a floating reaction: that which it names, and the room's."""
    return call.store.posts.get_many([post["postId"], room.get("referenceId") or ""])


def _live(call: Call, room: Json, post: Json, wish: LiveReactionWish) -> Json:
    """One floating reaction. Its id follows from what it is, where the sender says when it was (a choice)."""
    said = "\n".join((call.user_id, room["roomId"], post["postId"], wish.reactionName, wish.occurredAt or ""))
    return {
        "_id": hashlib.sha256(said.encode()).hexdigest()[:24] if wish.occurredAt else new_id(),
        "userId": call.user_id,
        "referenceId": post["_id"],
        "referencePublicId": post["postId"],
        "referenceType": "post",
        "reactionName": wish.reactionName,
        "roomId": room["roomId"],
        "occurredAt": wish.occurredAt or call.store.now(),
    }
