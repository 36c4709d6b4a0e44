"""Posts: a media post is a parent with a child of the media's own kind; a room's post ties the room to its target."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.fields import Hashtag, Link, Mentionee, reported
from spnb.sandbox.rest.notification_tray import note_mentions, place_of
from spnb.sandbox.rest.payloads import room_payload
from spnb.sandbox.rest.products import MOST_TAGGED, ProductTag, check_products, wire_tags
from spnb.sandbox.rest.query import page_by, paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.roles import COMMUNITY_MODERATOR
from spnb.sandbox.rest.social_payloads import post_payload, reviewing_feed
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Accept

__all__ = ["answered", "moderates_community", "routes"]

LEGACY_KINDS = frozenset({"livestream", "liveStream"})
PRODUCT_FIELDS = frozenset({"productTags", "pinnedProductId"})
CARRIED = frozenset({"room", "poll", "clip", "audio", "liveStream"})
"""Kinds of data that a child post carries, below a parent with the words."""
STRUCTURES = ("text", "image", "video", "file", "audio", "liveStream", "poll", "clip", "room", "mixed")
"""How a post is built, as the service tells them apart; posts of an app's own kinds are built as texts."""


class Attachment(BaseModel):
    type: str = Field(min_length=1, max_length=20)
    fileId: str | None = None
    productTags: list[ProductTag] = Field(default_factory=list, max_length=MOST_TAGGED)
    displayMode: str | None = None
    isMuted: bool | None = None
    thumbnailFileId: str | None = None


LONGEST_TITLE = 150


def _whole(data: dict[str, Any]) -> dict[str, Any]:
    """Lists of posts look up what a post's data name: names are texts, and null is none."""
    names = ("text", "title", "roomId", "streamId", "pollId", "fileId", "thumbnailFileId")
    for name in names:
        if not isinstance(data.get(name) or "", str):
            raise ValueError(f"{name}: a text is wanted")
    if len(data.get("title") or "") > LONGEST_TITLE:
        raise ValueError(f"title: {LONGEST_TITLE} characters at most")
    video = data.get("videoFileId") or {}
    if not isinstance(video, dict) or not all(isinstance(one, str) for one in video.values()):
        raise ValueError("videoFileId: ids of files by quality are wanted")
    return {name: value for name, value in data.items() if value is not None or name not in (*names, "videoFileId")}


PostTag = Annotated[str, Field(max_length=24)]
PostData = Annotated[dict[str, Any], AfterValidator(_whole)]


class PostCreate(BaseModel):
    targetType: Literal["community", "user", "content"] = "user"
    targetId: str | None = None
    dataType: str = Field(default="text", min_length=1, max_length=50)
    data: PostData = Field(default_factory=dict)
    attachments: list[Attachment] = Field(default_factory=list, max_length=20)
    mentionees: list[Mentionee] = Field(default_factory=list, max_length=30)
    hashtags: list[Hashtag] = Field(default_factory=list, max_length=30)
    links: list[Link] = Field(default_factory=list, max_length=100)
    metadata: dict[str, Any] | None = None
    tags: list[PostTag] = Field(default_factory=list, max_length=5)
    productTags: list[ProductTag] = Field(default_factory=list, max_length=MOST_TAGGED)
    pinnedProductId: str | None = None


class PostUpdate(BaseModel):
    data: PostData = Field(default_factory=dict)
    attachments: list[Attachment] | None = Field(default=None, max_length=20)
    mentionees: list[Mentionee] | None = Field(default=None, max_length=30)
    hashtags: list[Hashtag] | None = Field(default=None, max_length=30)
    links: list[Link] | None = Field(default=None, max_length=100)
    metadata: dict[str, Any] | None = None
    tags: list[PostTag] = Field(default_factory=list, max_length=5)
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
        serve(services, "POST", "/api/v3/posts/{postId}/approve", approve),
        serve(services, "POST", "/api/v3/posts/{postId}/decline", decline),
        serve(services, "GET", "/api/v3/posts/{postId}/isflagbyme", flagged_by_me),
        serve(services, "PUT", "/api/v4/posts/{postId}", update),
        serve(services, "DELETE", "/api/v4/posts/{postId}", delete),
        serve(services, "POST", "/api/v3/posts/{postId}/flag", flag),
        serve(services, "DELETE", "/api/v3/posts/{postId}/unflag", unflag),
    ]


def answered(call: Call, posts: list[Json]) -> Json:
    """The post envelope for the caller."""
    return post_payload(call.store, call.services.stage, posts, reader=call.user, base_url=call.base_url)


def _announce(call: Call, event_type: str, post: Json) -> None:
    data = post_payload(call.store, call.services.stage, [post], reader=None, base_url=call.base_url)
    call.publish(topics.post(post), event_type, data, subject_id=post["postId"])


def moderates_community(call: Call, community_id: str) -> bool:
    """Whether the caller is a moderator of the community."""
    found = call.store.members.get(f"{community_id}:{call.user_id}")
    return found is not None and found["membership"] == "member" and COMMUNITY_MODERATOR in found["roles"]


def _post(call: Call) -> Json:
    post_id = call.path("postId")
    post = call.store.posts.get(post_id)
    if post is None or post["isDeleted"]:
        raise Refused.not_found(f"Post {post_id!r}")
    return post


def _own(call: Call, doing: str) -> Json:
    post = _post(call)
    if doing == "delete" and post["targetType"] == "community" and moderates_community(call, post["targetId"]):
        return post
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
    carried = _carried(call, wish, room)
    kind = "text" if carried or wish.dataType in ("image", "file", "video") else wish.dataType
    words = {name: value for name, value in wish.data.items() if name in ("text", "title")} if carried else wish.data
    parent = _document(call, wish, target_id, kind, words)
    children = [_child(call, wish, parent, each) for each in carried]
    parent["children"] = [child["postId"] for child in children]
    parent["childrenNumber"] = len(children)
    kinds = {child["dataType"] for child in children}
    if kinds:
        (alone,) = kinds if len(kinds) == 1 else ("mixed",)
        parent["structureType"] = alone if alone in STRUCTURES else "text"
    if room is not None:
        # Products are the child's, as the guide has it: whoever tags the parent is told so.
        parent |= {"productTags": [], "pinnedProductId": None}
    for each in (parent, *children):
        call.store.posts.insert(each)
    if room is not None:
        _tie(call, wish, room, target_id, parent)
    _announce(call, "post.created", parent)
    called = "poll" if wish.dataType == "poll" else "post"
    text = f"{call.user['displayName']} mentioned you in a {called}"
    note_mentions(call, parent["mentionees"], f"mention_in_{called}", text, **place_of(parent))
    return answered(call, [parent])


def _carried(call: Call, wish: PostCreate, room: Json | None) -> list[tuple[str, Json, list[ProductTag]]]:
    """What child posts carry: `(data type, data, product tags)` each."""
    words = {name: value for name, value in wish.data.items() if name in ("text", "title")}
    if room is not None:
        return [("room", {"roomId": room["roomId"], **words}, wish.productTags)]
    if wish.dataType == "poll" and call.store.polls.get(str(wish.data.get("pollId"))) is None:
        raise Refused.not_found(f"Poll {wish.data.get('pollId')!r}")
    carried: list[tuple[str, Json, list[ProductTag]]] = []
    if wish.dataType in CARRIED:
        data = {name: value for name, value in wish.data.items() if name not in ("text", "title")}
        carried.append((wish.dataType, data, []))
    for each in wish.attachments:
        if each.fileId is not None and call.store.files.get(each.fileId) is None:
            raise Refused.not_found(f"File {each.fileId!r}")
        data = each.model_dump(exclude_none=True, exclude={"type", "productTags"})
        if each.type == "video" and each.fileId:
            data = {"videoFileId": {"original": each.fileId}}
            data |= {"thumbnailFileId": each.thumbnailFileId} if each.thumbnailFileId else {}
        carried.append((each.type, data, each.productTags))
    return carried


def _child(call: Call, wish: PostCreate, parent: Json, carried: tuple[str, Json, list[ProductTag]]) -> Json:
    kind, data, tags = carried
    child = _document(call, wish, parent["targetId"], kind, data, parent_id=parent["postId"])
    pinned = wish.pinnedProductId if kind == "room" else None
    return {**child, "productTags": wire_tags(tags), "pinnedProductId": pinned, "feedId": parent["feedId"]}


def _tie(call: Call, wish: PostCreate, room: Json, target_id: str, parent: Json) -> None:
    """Tie the room to where it was posted."""
    community = call.store.communities.get(target_id) if wish.targetType == "community" else None
    posted = call.store.update_room(
        room["roomId"],
        targetType=wish.targetType,
        targetId=target_id,
        targetVisibility="private" if community and not community["isPublic"] else "public",
        referenceType="post",
        # The parent: apps open the post that a live room names and read the room off its first child.
        referenceId=parent["postId"],
    )
    changed = room_payload(call.store, call.services.stage, posted or room, base_url=call.base_url)
    where = topics.room(call.store.network_id, room)
    call.publish(where, "room.didUpdate", changed, subject_id=room["roomId"])


def _target(call: Call, wish: PostCreate) -> str:
    if wish.targetType == "community":
        community = call.store.communities.get(wish.targetId or "")
        if community is None or community["isDeleted"]:
            raise Refused.not_found(f"Community {wish.targetId!r}")
        if call.store.membership(community["communityId"], call.user_id) == "banned":
            raise Refused(403, 400304, "The user is banned from this community")
        if call.store.membership(community["communityId"], call.user_id) != "member":
            raise Refused.forbidden("Only members may post: join the community first")
        if community.get("onlyAdminCanPost") and not moderates_community(call, community["communityId"]):
            raise Refused.forbidden("Only moderators may post in this community")
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
    awaits = wish.targetType == "community" and _awaits_review(call, target_id)
    return {
        "_id": post_id,
        "postId": post_id,
        "parentPostId": parent_id or "",
        "postedUserId": user["userId"],
        "postedUserPublicId": user["userId"],
        "postedUserInternalId": user["_id"],
        "targetType": wish.targetType,
        "targetId": target_id,
        "feedId": reviewing_feed(target_id) if awaits else target_id,
        "feedType": "reviewing" if awaits else "published",
        "dataType": kind,
        "structureType": kind if kind in STRUCTURES else "text",
        "data": data,
        "metadata": wish.metadata or {},
        "tags": wish.tags,
        "mentionees": wish.mentionees,
        "hashtags": wish.hashtags,
        "links": wish.links,
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
        # Equal at first: SDKs and apps show a post as edited where it is later than its creation.
        "editedAt": at,
    }


def _awaits_review(call: Call, community_id: str) -> bool:
    community = call.store.communities.get(community_id)
    needs = bool(community and community.get("needApprovalOnPostCreation"))
    return needs and not moderates_community(call, community_id)


async def feed(call: Call) -> Json:
    """Posts of a target (SDK: `PostRepository.getPosts`); children only where `matchingOnlyParentPost` is false."""
    wish = call.query.page()
    order = call.query.choice("sortBy", ("firstCreated", "lastCreated", "firstUpdated", "lastUpdated"), "lastCreated")
    deleted = call.query.flag("isDeleted")
    parents_only = call.query.flag("matchingOnlyParentPost") is not False
    where = {
        "targetId": call.query.need("targetId"),
        "targetType": call.query.one("targetType"),
        "isDeleted": None if deleted is None else int(deleted),
        "parentPostId": "" if parents_only else None,
        "dataType": None if parents_only else call.query.many("dataTypes", most=20) or None,
    }
    page = page_by(call.store.posts, where, wish, order, accept=_wanted(call))
    return {**answered(call, page.documents), "paging": paging(page, wish.limit)}


def _wanted(call: Call) -> Accept:
    """The filters by feed, tags, kind, flags, age. Posts that await review are shown to their author and moderators."""
    feed_type = call.query.choice("feedType", ("published", "reviewing", "declined"), "published")
    tags, flagged = set(call.query.many("tags")), call.query.flag("hasFlag")
    kinds = call.query.many("dataTypes", most=20) if call.query.flag("matchingOnlyParentPost") is not False else []
    if kinds and call.query.flag("includeMixedStructure"):
        kinds.append("mixed")
    until = call.query.one("untilAt") or ""
    sees_all = moderates_community(call, call.query.need("targetId"))

    def accept(post: Json) -> bool:
        return (
            not post.get("isErased")
            and post.get("feedType", "published") == feed_type
            and (feed_type == "published" or sees_all or post["postedUserPublicId"] == call.user_id)
            and (not tags or bool(tags & set(post["tags"])))
            and (not kinds or post["structureType"] in kinds)
            and flagged in (None, post["flagCount"] > 0)
            and post["createdAt"] >= until
        )

    return accept


async def listed(call: Call) -> Json:
    """Up to 100 posts by id."""
    found = call.store.posts.get_many(call.query.many("postIds"))
    return answered(call, [post for post in found if not post["isDeleted"]])


async def one(call: Call) -> Json:
    """One post."""
    return answered(call, [_post(call)])


async def update(call: Call) -> Json:
    """Change text, metadata, tags, products, or the pinned product of the caller's post."""
    change = call.read(PostUpdate)
    fields = change.model_dump(exclude_unset=True, exclude={"attachments"})
    post = _post(call)
    if not (fields.keys() <= PRODUCT_FIELDS and _manages_products(call, post)):
        _own(call, "change")
    fields = {name: value for name, value in fields.items() if value is not None or name in PRODUCT_FIELDS}
    if change.attachments is not None and post["children"]:
        fields |= _attached(call, post, change.attachments)
    if "data" in fields:
        fields["data"] = {**post["data"], **(fields["data"] or {})}
        fields["editedAt"] = call.store.now()
    if fields.keys() & PRODUCT_FIELDS:
        fields |= _products_of(call, post, change)
    changed = call.store.posts.save({**post, **fields, "updatedAt": call.store.now()})
    _announce(call, "post.updated", changed)
    return answered(call, [changed])


def _attached(call: Call, post: Json, wish: list[Attachment]) -> Json:
    """The children that stay with a post after its attachments were changed."""
    kept = {each.fileId for each in wish}
    staying = []
    for child in call.store.posts.get_many(post["children"]):
        files = {child["data"].get("fileId"), *(child["data"].get("videoFileId") or {}).values()}
        if files & kept or not files - {None}:
            staying.append(child["postId"])
        else:
            call.store.posts.save({**child, "isDeleted": True, "updatedAt": call.store.now()})
    return {"children": staying, "childrenNumber": len(staying), "editedAt": call.store.now()}


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
    """Take a post and its children out of the feed; the room it carried stays.

    Lists that are asked for deleted posts too show it, unless it was `permanent` (SDK: `hardDeletePost`).
    """
    post, gone = _own(call, "delete"), {"isDeleted": True, "isErased": call.query.flag("permanent") is True}
    for each in [post, *call.store.posts.get_many(post["children"])]:
        call.store.posts.save({**each, **gone, "updatedAt": call.store.now()})
    _announce(call, "post.deleted", {**post, "isDeleted": True})
    return {"status": "success", "data": {"success": True}}


async def approve(call: Call) -> Json:
    """A moderator lets a post that awaits review into the community's feed."""
    return _reviewed(call, "published", "post.approved")


async def decline(call: Call) -> Json:
    """A moderator keeps a post that awaits review out of the feed."""
    return _reviewed(call, "declined", "post.declined")


def _reviewed(call: Call, feed_type: str, event_type: str) -> Json:
    post = _post(call)
    if post["targetType"] != "community" or not moderates_community(call, post["targetId"]):
        raise Refused.forbidden("Only a moderator of the community may review its posts")
    if post.get("feedType", "published") != "reviewing":
        raise Refused.bad_request("The post awaits no review")
    feed_id = post["targetId"] if feed_type == "published" else post["feedId"]
    for each in [post, *call.store.posts.get_many(post["children"])]:
        call.store.posts.save({**each, "feedType": feed_type, "feedId": feed_id, "updatedAt": call.store.now()})
    post = call.store.posts.get(post["postId"]) or post
    _announce(call, event_type, post)
    return answered(call, [post])


async def flagged_by_me(call: Call) -> Json:
    """Whether the caller reported the post (SDK: `PostRepository.isPostFlaggedByMe`)."""
    flagged = call.store.flags.get(f"post:{_post(call)['postId']}:{call.user_id}") is not None
    return {"result": flagged, "isFlagByMe": flagged}


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
        where = {"referenceType": "post", "referenceId": post["postId"]}
        post = call.store.posts.save({**post, **reported(call.store, where)})
        _announce(call, "post.flagged" if add else "post.unflagged", post)
    return answered(call, [post])
