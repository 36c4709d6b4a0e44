"""Posts: a media post is a parent with a child of the media's own kind; a room's post ties the room to its target."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.payloads import post_payload, room_payload
from spnb.sandbox.rest.products import MOST_TAGGED, ProductTag, check_products, wire_tags
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]

LEGACY_KINDS = frozenset({"livestream", "liveStream"})
PRODUCT_FIELDS = frozenset({"productTags", "pinnedProductId"})


def _whole(data: dict[str, Any]) -> dict[str, Any]:
    """Lists of posts look up what a post's data name: names are texts."""
    for name in ("text", "title", "roomId", "streamId", "fileId"):
        if not isinstance(data.get(name) or "", str):
            raise ValueError(f"{name}: a text is wanted")
    return data


PostData = Annotated[dict[str, Any], AfterValidator(_whole)]


class PostCreate(BaseModel):
    targetType: Literal["community", "user", "content"] = "user"
    targetId: str | None = None
    dataType: str = "text"
    data: PostData = Field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    tags: list[str] = Field(default_factory=list, max_length=5)
    productTags: list[ProductTag] = Field(default_factory=list, max_length=MOST_TAGGED)
    pinnedProductId: str | None = None


class PostUpdate(BaseModel):
    data: PostData = Field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    tags: list[str] = Field(default_factory=list, max_length=5)
    productTags: list[ProductTag] | None = Field(default=None, max_length=MOST_TAGGED)
    pinnedProductId: str | None = None


def routes(services: Services) -> list[BaseRoute]:
    """Post routes."""
    return [
        serve(services, "POST", "/api/v4/posts", create),
        serve(services, "GET", "/api/v5/posts", feed),
        serve(services, "GET", "/api/v4/posts", feed),
        serve(services, "GET", "/api/v3/posts/list", listed),
        serve(services, "GET", "/api/v3/posts/{postId}", one),
        serve(services, "PUT", "/api/v4/posts/{postId}", update),
        serve(services, "DELETE", "/api/v4/posts/{postId}", delete),
        serve(services, "POST", "/api/v3/posts/{postId}/flag", flag),
        serve(services, "DELETE", "/api/v3/posts/{postId}/unflag", unflag),
    ]


def _payload(call: Call, posts: list[Json]) -> Json:
    return post_payload(call.store, call.services.stage, posts, reader=call.user, base_url=call.base_url)


def _announce(call: Call, event_type: str, post: Json) -> None:
    data = {name: value for name, value in _payload(call, [post]).items() if value}
    call.publish(topics.post(post), event_type, data, subject_id=post["postId"])


def _post(call: Call) -> Json:
    post_id = call.path("postId")
    post = call.store.posts.get(post_id)
    if post is None or post["isDeleted"]:
        raise Refused.not_found(f"Post {post_id!r}")
    return post


def _own(call: Call, doing: str) -> Json:
    post = _post(call)
    if post["postedUserPublicId"] != call.user_id:
        raise Refused.forbidden(f"Only the author of a post may {doing} it")
    return post


async def create(call: Call) -> Json:
    """A new post; a room post also needs the caller to own the room."""
    wish = call.read(PostCreate)
    text = str(wish.data.get("text") or "")
    if len(text) > 50_000:
        raise Refused.invalid([f"data.text: at most 50000 characters, got {len(text)}"])
    if len(str(wish.data.get("title") or "")) > 150:
        raise Refused.invalid(["data.title: at most 150 characters"])
    target_id = _target(call, wish)
    room = _room_of(call, wish)
    check_products(call, wire_tags(wish.productTags), wish.pinnedProductId)
    parent_kind = "text" if room else wish.dataType
    parent_data = {name: value for name, value in wish.data.items() if name in ("text", "title")} if room else wish.data
    parent = _document(call, wish, target_id, parent_kind, parent_data)
    if room is not None:
        child_data = {"roomId": room["roomId"], **parent_data}
        child = _document(call, wish, target_id, "room", child_data, parent_id=parent["postId"])
        parent["children"] = [child["postId"]]
        parent["childrenNumber"] = 1
        parent["structureType"] = "room"
        # Products are the child's, as the guide has it: whoever tags the parent is told so.
        parent |= {"productTags": [], "pinnedProductId": None}
        call.store.posts.insert(parent)
        call.store.posts.insert(child)
        posted = call.store.update_room(
            room["roomId"],
            targetType=wish.targetType,
            targetId=target_id,
            targetVisibility="public",
            referenceType="post",
            # Parent or child is undocumented; the child carries the room, and viewers read the room off it (a choice).
            referenceId=child["postId"],
        )
        changed = room_payload(call.store, call.services.stage, posted or room, base_url=call.base_url)
        network = call.store.network_id
        call.publish(topics.room(network, room), "room.didUpdate", changed, subject_id=room["roomId"])
    else:
        call.store.posts.insert(parent)
    _announce(call, "post.created", parent)
    return _payload(call, [parent])


def _target(call: Call, wish: PostCreate) -> str:
    if wish.targetType == "community":
        community = call.store.communities.get(wish.targetId or "")
        if community is None or community["isDeleted"]:
            raise Refused.not_found(f"Community {wish.targetId!r}")
        if call.store.membership(community["communityId"], call.user_id) == "banned":
            raise Refused(403, 400304, "The user is banned from this community")
        if call.store.membership(community["communityId"], call.user_id) != "member":
            raise Refused.forbidden("Only members may post: join the community first")
        return str(community["communityId"])
    target = wish.targetId or call.user_id
    if target != call.user_id and call.store.user_by_public_id(target) is None:
        raise Refused.not_found(f"User {target!r}")
    return target


def _room_of(call: Call, wish: PostCreate) -> Json | None:
    if wish.dataType not in LEGACY_KINDS and wish.dataType != "room":
        return None
    room_id = str(wish.data.get("roomId") or wish.data.get("streamId") or "")
    room = call.store.rooms.get(room_id)
    if room is None or room["isDeleted"]:
        raise Refused.not_found(f"Room {room_id!r}")
    if room["createdBy"] != call.user_id:
        raise Refused.forbidden("Only the creator of a room may post it")
    return room


def _document(
    call: Call, wish: PostCreate, target_id: str, kind: str, data: Json, *, parent_id: str | None = None
) -> Json:
    post_id, at, user = new_id(), call.store.now(), call.user
    network = call.store.network_id
    if wish.targetType == "community":
        path = f"{network}/social/community/{target_id}/post/{post_id}"
    else:
        owner = call.store.user_by_public_id(target_id) or user
        path = f"{network}/social/user/{owner['_id']}/post/{post_id}"
    return {
        "_id": post_id,
        "postId": post_id,
        "parentPostId": parent_id or "",
        "postedUserId": user["userId"],
        "postedUserPublicId": user["userId"],
        "postedUserInternalId": user["_id"],
        "targetType": wish.targetType,
        "targetId": target_id,
        "feedId": target_id,
        "dataType": kind,
        "structureType": kind,
        "data": data,
        "metadata": wish.metadata or {},
        "tags": wish.tags,
        "children": [],
        "childrenNumber": 0,
        "comments": [],
        "commentsCount": 0,
        "reactions": {},
        "reactionsCount": 0,
        "flagCount": 0,
        "impression": 0,
        "reach": 0,
        "productTags": wire_tags(wish.productTags),
        "pinnedProductId": wish.pinnedProductId,
        "path": path,
        "isDeleted": False,
        "createdAt": at,
        "updatedAt": at,
    }


async def feed(call: Call) -> Json:
    """Posts of a target; children only where `matchingOnlyParentPost` is false."""
    wish = call.query.page()
    newest = call.query.choice("sortBy", ("firstCreated", "lastCreated"), "lastCreated") == "lastCreated"
    deleted = call.query.flag("isDeleted")
    parents_only = call.query.flag("matchingOnlyParentPost") is not False
    where = {
        "targetId": call.query.need("targetId"),
        "targetType": call.query.one("targetType"),
        "isDeleted": int(deleted or False),
        "parentPostId": "" if parents_only else None,
        "dataType": None if parents_only else call.query.many("dataTypes", most=4) or None,
    }
    page = call.store.posts.page(where, limit=wish.limit, newest_first=newest, start=wish.start)
    return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}


async def listed(call: Call) -> Json:
    """Up to 100 posts by id."""
    found = call.store.posts.get_many(call.query.many("postIds"))
    return _payload(call, [post for post in found if not post["isDeleted"]])


async def one(call: Call) -> Json:
    """One post."""
    return _payload(call, [_post(call)])


async def update(call: Call) -> Json:
    """Change text, metadata, tags, products, or the pinned product of the caller's post."""
    change = call.read(PostUpdate)
    fields = change.model_dump(exclude_unset=True)
    post = _post(call)
    if not (fields.keys() <= PRODUCT_FIELDS and _manages_products(call, post)):
        _own(call, "change")
    if "data" in fields:
        fields["data"] = {**post["data"], **(fields["data"] or {})}
        fields["editedAt"] = call.store.now()
    if fields.keys() & PRODUCT_FIELDS:
        fields |= _products_of(call, post, change)
    changed = call.store.posts.save({**post, **fields, "updatedAt": call.store.now()})
    _announce(call, "post.updated", changed)
    return _payload(call, [changed])


def _manages_products(call: Call, post: Json) -> bool:
    """A co-host with the right to it may tag and pin products, though the post is the host's."""
    room = call.store.rooms.get(post["data"].get("roomId") or "")
    people = room["participants"] if room else []
    return any(person["userId"] == call.user_id and person.get("canManageProductTags") for person in people)


def _products_of(call: Call, post: Json, change: PostUpdate) -> Json:
    """The products a post has after a change; the pinned one goes when its tag goes."""
    if post["structureType"] == "room" and not post["parentPostId"]:
        raise Refused.bad_request("Products are tagged on the child post that carries the room, not on its parent")
    asked = change.pinnedProductId if "pinnedProductId" in change.model_fields_set else None
    tags = post["productTags"] if change.productTags is None else wire_tags(change.productTags)
    new = tags if change.productTags is not None else []
    check_products(call, new, asked, tagged=tags)
    pinned = asked if "pinnedProductId" in change.model_fields_set else post.get("pinnedProductId")
    still = {tag["productId"] for tag in tags}
    return {"productTags": tags, "pinnedProductId": pinned if pinned in still else None}


async def delete(call: Call) -> Json:
    """Take a post and its children out of the feed; the room it carried stays."""
    post = _own(call, "delete")
    for each in [post, *call.store.posts.get_many(post["children"])]:
        call.store.posts.save({**each, "isDeleted": True, "updatedAt": call.store.now()})
    _announce(call, "post.deleted", {**post, "isDeleted": True})
    return {"status": "success", "data": {"success": True}}


async def flag(call: Call) -> Json:
    """Report a post; once per user."""
    return _flagged(call, add=True)


async def unflag(call: Call) -> Json:
    """Take the caller's report back."""
    return _flagged(call, add=False)


def _flagged(call: Call, *, add: bool) -> Json:
    post = _post(call)
    key = f"post:{post['postId']}:{call.user_id}"
    there = call.store.flags.get(key) is not None
    if add != there:
        if add:
            where = {"referenceType": "post", "referenceId": post["postId"], "userId": call.user_id}
            call.store.flags.insert({"_id": key, **where})
        else:
            call.store.flags.delete(key)
        count = call.store.flags.count({"referenceType": "post", "referenceId": post["postId"]})
        post = call.store.posts.save({**post, "flagCount": count})
        _announce(call, "post.flagged" if add else "post.unflagged", post)
    return _payload(call, [post])
