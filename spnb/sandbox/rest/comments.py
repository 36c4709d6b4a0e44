"""Comments on posts, with one level of replies."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.fields import Link, Mentionee, reported
from spnb.sandbox.rest.notification_tray import note, note_mentions, place_of
from spnb.sandbox.rest.posts import moderates_community
from spnb.sandbox.rest.query import page_by, paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.social_payloads import comment_payload
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]

SHOWN = 5
"""*Choice*: the newest comments that a post carries with it."""


class CommentCreate(BaseModel):
    referenceType: Literal["post", "content", "story"]
    referenceId: str = Field(min_length=1, max_length=100)
    data: dict[str, Any] = Field(default_factory=dict)
    parentId: str | None = None
    metadata: dict[str, Any] | None = None
    mentionees: list[Mentionee] = Field(default_factory=list, max_length=30)
    attachments: list[dict[str, Any]] = Field(default_factory=list, max_length=10)
    links: list[Link] = Field(default_factory=list, max_length=100)


class CommentUpdate(BaseModel):
    data: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    mentionees: list[Mentionee] | None = Field(default=None, max_length=30)
    attachments: list[dict[str, Any]] | None = Field(default=None, max_length=10)
    links: list[Link] | None = Field(default=None, max_length=100)


def routes(services: Services) -> list[BaseRoute]:
    """Comment routes."""
    base = "/api/v3/comments"
    one_comment = f"{base}/{{commentId}}"
    return [
        serve(services, "POST", base, create),
        serve(services, "GET", base, listed),
        serve(services, "GET", f"{base}/list", by_id),
        serve(services, "GET", one_comment, one),
        serve(services, "PUT", one_comment, update),
        serve(services, "DELETE", "/api/v4/comments/{commentId}", delete),
        serve(services, "DELETE", one_comment, delete),
        serve(services, "POST", f"{one_comment}/flag", flag),
        serve(services, "DELETE", f"{one_comment}/unflag", unflag),
        serve(services, "GET", f"{one_comment}/isflagbyme", flagged_by_me),
    ]


def _payload(call: Call, comments: list[Json]) -> Json:
    return comment_payload(call.store, comments, reader=call.user)


def _announce(call: Call, event_type: str, comment: Json) -> None:
    data = comment_payload(call.store, [comment], reader=None)
    call.publish([comment["path"]], event_type, data, subject_id=comment["commentId"])


def _comment(call: Call) -> Json:
    comment_id = call.path("commentId")
    found = call.store.comments.get(comment_id)
    if found is None:
        raise Refused.not_found(f"Comment {comment_id!r}")
    return found


def _post(call: Call, post_id: str) -> Json:
    post = call.store.posts.get(post_id)
    if post is None or post["isDeleted"]:
        raise Refused.not_found(f"Post {post_id!r}")
    return post


async def create(call: Call) -> Json:
    """Comment on a post, or reply to a comment (SDK: `CommentRepository.createComment`)."""
    wish = call.read(CommentCreate)
    if wish.referenceType != "post":
        raise Refused.bad_request("The sandbox knows comments on posts only")
    if not str(wish.data.get("text") or "").strip() and not wish.attachments:
        raise Refused.invalid(["data.text is required"])
    post = _post(call, wish.referenceId)
    if post["targetType"] == "community" and call.store.membership(post["targetId"], call.user_id) != "member":
        raise Refused.forbidden("Only members may comment: join the community first")
    parent = None
    if wish.parentId:
        parent = call.store.comments.get(wish.parentId)
        if parent is None or parent["referenceId"] != post["postId"] or parent["isDeleted"]:
            raise Refused.not_found(f"Comment {wish.parentId!r}")
    comment = call.store.comments.insert(_document(call, wish, post, parent))
    if parent is not None:
        children = [*parent["children"], comment["commentId"]]
        # No event tells of the parent: SDKs count the reply themselves when they hear of it.
        call.store.comments.save({**parent, "children": children, "childrenNumber": len(children)})
    _recount(call, post)
    _announce(call, "comment.created", comment)
    _note(call, comment, post, parent)
    return _payload(call, [comment])


def _note(call: Call, comment: Json, post: Json, parent: Json | None) -> None:
    about, name = place_of(comment), call.user["displayName"]
    author = call.store.user_by_public_id(parent["userId"] if parent else post["postedUserPublicId"])
    text = f"{name} replied to your comment" if parent else f"{name} commented on your post"
    note(call, author, None, text, actionType="reply" if parent else "comment", **about)
    kind = "reply" if parent else "comment"
    note_mentions(call, comment["mentionees"], f"mention_in_{kind}", f"{name} mentioned you in a {kind}", **about)


def _document(call: Call, wish: CommentCreate, post: Json, parent: Json | None) -> Json:
    comment_id, at, user = new_id(), call.store.now(), call.user
    before = call.store.comments.count({"referenceType": "post", "referenceId": post["postId"]})
    return {
        "_id": comment_id,
        "commentId": comment_id,
        "userId": user["userId"],
        "userPublicId": user["userId"],
        "userInternalId": user["_id"],
        "parentId": parent["commentId"] if parent else "",
        "rootId": (parent["rootId"] if parent else "") or comment_id,
        "referenceType": "post",
        "referenceId": post["postId"],
        "targetType": post["targetType"],
        "targetId": post["targetId"],
        "dataType": "text",
        "dataTypes": _kinds(wish.data, wish.attachments),
        "data": wish.data,
        "metadata": wish.metadata or {},
        "mentionees": wish.mentionees,
        "attachments": wish.attachments,
        "links": wish.links,
        "children": [],
        "childrenNumber": 0,
        "segmentNumber": before + 1,
        "reactions": {},
        "reactionsCount": 0,
        "flagCount": 0,
        "hashFlag": None,
        "path": f"{post['path']}/comment/{comment_id}",
        "isDeleted": False,
        "editedAt": at,
        "createdAt": at,
        "updatedAt": at,
    }


def _kinds(data: Json, attachments: list[Json]) -> list[str]:
    """What a comment is made of: SDKs filter by it."""
    words = ["text"] if data.get("text") else []
    return list(dict.fromkeys([*words, *(str(each.get("type")) for each in attachments)]))


def _recount(call: Call, post: Json) -> None:
    where = {"referenceType": "post", "referenceId": post["postId"]}
    alive = call.store.comments.find(where, accept=lambda each: not each["isDeleted"])
    newest = [each["commentId"] for each in alive if not each["parentId"]][-SHOWN:]
    call.store.posts.save({**post, "comments": newest, "commentsCount": len(alive)})


async def listed(call: Call) -> Json:
    """Comments of a post; replies are asked for by their parent (SDK: `CommentRepository.getComments`)."""
    wish = call.query.page()
    order = call.query.choice("sortBy", ("firstCreated", "lastCreated", "firstUpdated", "lastUpdated"), "lastCreated")
    deleted, flagged = call.query.flag("isDeleted"), call.query.flag("hasFlag")
    parent = call.query.one("parentId")
    where = {
        "referenceType": call.query.need("referenceType"),
        "referenceId": call.query.need("referenceId"),
        # Without a parent those are meant that are no replies: so SDKs sort the events of such a list.
        "parentId": "" if parent in (None, "null") else parent,
    }

    kinds, exact = set(call.query.inner("dataTypes", "values")), call.query.inner("dataTypes", "matchType") == ["exact"]

    def accept(comment: Json) -> bool:
        has = set(comment["dataTypes"])
        return (
            not comment.get("isErased")
            and deleted in (None, comment["isDeleted"])
            and flagged in (None, comment["flagCount"] > 0)
            and (not kinds or (has == kinds if exact else bool(has & kinds)))
        )

    page = page_by(call.store.comments, where, wish, order, accept=accept)
    return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}


async def by_id(call: Call) -> Json:
    """Comments by id."""
    return _payload(call, call.store.comments.get_many(call.query.many("commentIds")))


async def one(call: Call) -> Json:
    """One comment."""
    return _payload(call, [_comment(call)])


async def update(call: Call) -> Json:
    """Edit the caller's comment."""
    comment, at = _comment(call), call.store.now()
    if comment["userId"] != call.user_id:
        raise Refused.forbidden("Only its author may edit a comment")
    fields = call.read(CommentUpdate).model_dump(exclude_none=True)
    new = {**comment, **fields}
    new["dataTypes"] = _kinds(new["data"], new["attachments"])
    changed = call.store.comments.save({**new, "editedAt": at, "updatedAt": at})
    _announce(call, "comment.updated", changed)
    return _payload(call, [changed])


async def delete(call: Call) -> Json:
    """Delete a comment with its replies, as its author or as a moderator of the community.

    Lists that are asked for deleted comments too show it, unless it was `permanent`.
    """
    comment = _comment(call)
    moderator = comment["targetType"] == "community" and moderates_community(call, comment["targetId"])
    if comment["userId"] != call.user_id and not moderator:
        raise Refused.forbidden("Only its author or a moderator may delete a comment")
    gone = {"isDeleted": True, "isErased": call.query.flag("permanent") is True}
    for each in [comment, *call.store.comments.get_many(comment["children"])]:
        call.store.comments.save({**each, **gone, "updatedAt": call.store.now()})
    post = call.store.posts.get(comment["referenceId"])
    if post is not None:
        _recount(call, post)
    _announce(call, "comment.deleted", {**comment, "isDeleted": True})
    return {"success": True}


async def flag(call: Call) -> Json:
    """Report a comment; once per user."""
    return _flagged(call, add=True)


async def unflag(call: Call) -> Json:
    """Take the caller's report back."""
    return _flagged(call, add=False)


def _flagged(call: Call, *, add: bool) -> Json:
    comment = _comment(call)
    key = f"comment:{comment['commentId']}:{call.user_id}"
    subject = {"referenceType": "comment", "referenceId": comment["commentId"]}
    if add != (call.store.flags.get(key) is not None):
        if add:
            call.store.flags.insert({"_id": key, **subject, "userId": call.user_id})
        else:
            call.store.flags.delete(key)
        comment = call.store.comments.save({**comment, **reported(call.store, subject)})
        _announce(call, "comment.flagged" if add else "comment.unflagged", comment)
    return _payload(call, [comment])


async def flagged_by_me(call: Call) -> Json:
    """Whether the caller reported the comment."""
    flagged = call.store.flags.get(f"comment:{_comment(call)['commentId']}:{call.user_id}") is not None
    return {"result": flagged, "isFlagByMe": flagged}
