"""Communities, posts and comments as answers and events show them.

Every array of an envelope is there, also an empty one: SDK 7.20 reads them without a guard. What depends on who reads
(`isJoined`, `myReactions`, `permissions`) is left out of events, since an event goes to many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from spnb.sandbox.rest.payloads import room_payload
from spnb.sandbox.rest.roles import permissions
from spnb.sandbox.rooms.ports import Json, Stage
from spnb.sandbox.store import Store

__all__ = ["comment_payload", "community_member", "community_payload", "feeds_of", "post_payload", "reviewing_feed"]

COMMUNITY_DEFAULTS: Json = {
    "type": "default",
    "isOfficial": False,
    "isDiscoverable": True,
    "requiresJoinApproval": False,
    "onlyAdminCanPost": False,
    "needApprovalOnPostCreation": False,
    "allowCommentInStory": True,
    "hasFlaggedPost": False,
    "hasFlaggedComment": False,
    "categoryIds": [],
}
"""Fields that SDKs read without a guard; communities of before had not all of them."""


def reviewing_feed(target_id: str) -> str:
    """The id of the feed of posts that await a moderator."""
    return f"{target_id}-reviewing"


def feeds_of(targets: Iterable[tuple[str, str]], since: str) -> list[Json]:
    """Both feeds of each target (its type and id)."""
    return [
        {
            "_id": feed_id,
            "feedId": feed_id,
            "feedType": kind,
            "targetType": target_type,
            "targetId": target_id,
            "postCount": 0,
            "createdAt": since,
            "updatedAt": since,
        }
        for target_type, target_id in dict.fromkeys(targets)
        for feed_id, kind in ((target_id, "published"), (reviewing_feed(target_id), "reviewing"))
    ]


def post_payload(store: Store, stage: Stage, posts: Sequence[Json], *, reader: Json | None, base_url: str = "") -> Json:
    """The post envelope; `rooms` are those the posts carry, `comments` the newest of each post."""
    children = store.posts.get_many([child for post in posts for child in post["children"]])
    everything = [*posts, *children]
    data = [post["data"] for post in everything]
    rooms = store.rooms.get_many([each["roomId"] for each in data if each.get("roomId")])
    of_community = [post["targetId"] for post in posts if post["targetType"] == "community"]
    communities = community_payload(store, store.communities.get_many(of_community), reader=reader)
    room_part = room_payload(store, stage, rooms, reader=reader["userId"] if reader else None, base_url=base_url)
    comments = comment_payload(
        store, store.comments.get_many([each for post in posts for each in post["comments"]]), reader=reader
    )
    authors = store.users.get_many([post["postedUserInternalId"] for post in everything])
    tagged = [tag["productId"] for post in everything for tag in post.get("productTags", [])]
    files = store.files.get_many([file_id for each in data for file_id in _file_ids(each)])
    polls = store.polls.get_many([each["pollId"] for each in data if each.get("pollId")])
    members = [
        community_member(store, post["targetId"], author)
        for post in posts
        for author in authors
        if post["targetType"] == "community" and author["_id"] == post["postedUserInternalId"]
    ]
    return {
        "posts": [_shown_post(store, post, reader) for post in posts],
        "postChildren": [_shown_post(store, post, reader) for post in children],
        "comments": comments["comments"],
        "users": _unique([*authors, *room_part["users"], *communities["users"], *comments["users"]], "_id"),
        "files": _unique([*files, *room_part["files"], *communities["files"]], "fileId"),
        "communities": communities["communities"],
        "communityUsers": _unique([*members, *communities["communityUsers"]], ("communityId", "userId")),
        "categories": communities["categories"],
        "feeds": feeds_of(((post["targetType"], post["targetId"]) for post in posts), posts[0]["createdAt"])
        if posts
        else [],
        "polls": [shown_poll(store, poll, reader) for poll in polls],
        "videoStreamings": [],
        "videoStreamingChildren": [],
        "rooms": room_part["rooms"],
        "roomChildrens": room_part["roomChildrens"],
        "events": [],
        "products": store.products.get_many(tagged),
    }


def _file_ids(data: Json) -> list[str]:
    found = [data.get("fileId"), data.get("thumbnailFileId")]
    videos = data.get("videoFileId")
    if isinstance(videos, dict):
        found += videos.values()
    return [file_id for file_id in found if isinstance(file_id, str) and file_id]


def _shown_post(store: Store, post: Json, reader: Json | None) -> Json:
    # `feedType` is no field of the wire's post: SDKs find it by joining `feedId` with `feeds`.
    shown = {"editedAt": post["createdAt"], "mentionees": [], "hashtags": [], "hashFlag": None, **post}
    shown |= {"hasFlaggedChildren": False, "hasFlaggedComment": False, "parentId": post["parentPostId"] or None}
    if reader is None:
        return shown
    return {**shown, "myReactions": _my_reactions(store, "post", post["postId"], reader)}


def _my_reactions(store: Store, kind: str, subject_id: str, reader: Json) -> list[str]:
    where = {"referenceType": kind, "referenceId": subject_id, "userId": reader["userId"]}
    return [reaction["reactionName"] for reaction in store.reactions.find(where)]


def shown_poll(store: Store, poll: Json, reader: Json | None) -> Json:
    """A poll with its counts, and with the reader's own votes."""
    votes = store.votes.find({"pollId": poll["pollId"]})
    mine = {vote["answerId"] for vote in votes if reader and vote["userId"] == reader["userId"]}
    answers = [
        {
            **each,
            "voteCount": sum(vote["answerId"] == each["id"] for vote in votes),
            "isVotedByUser": each["id"] in mine,
        }
        for each in poll["answers"]
    ]
    return {**poll, "answers": answers, "isVoted": bool(mine)}


def comment_payload(store: Store, comments: Sequence[Json], *, reader: Json | None) -> Json:
    """`{comments, commentChildren, users, files, communityUsers, …}`."""
    children = store.comments.get_many([child for comment in comments for child in comment["children"]])
    everything = [*comments, *children]
    authors = store.users.get_many([comment["userInternalId"] for comment in everything])
    files = [
        each["fileId"] for comment in everything for each in comment["attachments"] if each.get("fileId") is not None
    ]
    return {
        "comments": [_shown_comment(store, comment, reader) for comment in comments],
        "commentChildren": [_shown_comment(store, comment, reader) for comment in children],
        "users": authors,
        "files": store.files.get_many(files),
        "communityUsers": [
            community_member(store, comment["targetId"], author)
            for comment in comments
            for author in authors
            if comment["targetType"] == "community" and author["_id"] == comment["userInternalId"]
        ],
    }


def _shown_comment(store: Store, comment: Json, reader: Json | None) -> Json:
    if reader is None:
        return comment
    return {**comment, "myReactions": _my_reactions(store, "comment", comment["commentId"], reader)}


def community_payload(
    store: Store, communities: Sequence[Json], *, reader: Json | None, affected: Sequence[str] = ()
) -> Json:
    """The community envelope.

    Args:
        reader: whose membership is told; None in events.
        affected: public ids of those whose membership an event is about.
    """
    people = [user for user_id in affected if (user := store.user_by_public_id(user_id)) is not None]
    members = [*people, *([reader] if reader else [])]
    owners = store.users.get_many(
        [community["userInternalId"] for community in communities if community.get("userInternalId")]
    )
    categories = [category for community in communities for category in community.get("categoryIds", [])]
    avatars = [community["avatarFileId"] for community in communities if community.get("avatarFileId")]
    kinds = [("community", community["communityId"]) for community in communities]
    return {
        "communities": [_shown_community(store, community, reader) for community in communities],
        "communityUsers": [
            community_member(store, community["communityId"], user) for community in communities for user in members
        ],
        "feeds": feeds_of(kinds, communities[0]["createdAt"]) if communities else [],
        "categories": store.categories.get_many(categories),
        "users": _unique([*owners, *members], "_id"),
        "files": store.files.get_many(avatars),
    }


def _shown_community(store: Store, community: Json, reader: Json | None) -> Json:
    community_id = community["communityId"]
    where = {"targetType": "community", "targetId": community_id, "parentPostId": "", "isDeleted": 0}
    shown = {
        **COMMUNITY_DEFAULTS,
        **community,
        "membersCount": store.members.count({"scopeId": community_id, "membership": "member"}),
        "postsCount": store.posts.count(where),
    }
    if reader is not None:
        shown["isJoined"] = store.membership(community_id, reader["userId"]) == "member"
    return shown


def community_member(store: Store, community_id: str, user: Json) -> Json:
    """A user's membership in a community; `none` where there is none."""
    found = store.members.get(f"{community_id}:{user['userId']}")
    at = found["createdAt"] if found else user["createdAt"]
    return {
        "communityId": community_id,
        "userId": user["userId"],
        "userInternalId": user["_id"],
        "userPublicId": user["userId"],
        "communityMembership": found["membership"] if found else "none",
        "isBanned": bool(found and found["membership"] == "banned"),
        "isMuted": False,
        "muteTimeout": "1970-01-01T00:00:00.000Z",
        "roles": found["roles"] if found else [],
        "permissions": permissions(found["roles"]) if found else [],
        "lastActivity": found["updatedAt"] if found else at,
        "createdAt": at,
        "updatedAt": found["updatedAt"] if found else at,
    }


def _unique(documents: Iterable[Json], key: str | tuple[str, ...]) -> list[Any]:
    names = (key,) if isinstance(key, str) else key
    return list({tuple(document[name] for name in names): document for document in documents}.values())
