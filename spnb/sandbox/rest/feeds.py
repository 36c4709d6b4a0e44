"""Feeds over many targets: what a user follows, a user's own, search, who saw a post."""

from __future__ import annotations

from starlette.routing import BaseRoute

from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.posts import answered
from spnb.sandbox.rest.query import page_by, paging, sliced
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Accept

__all__ = ["routes"]


def routes(services: Services) -> list[BaseRoute]:
    """Feed routes."""
    return [
        serve(services, "GET", "/api/v4/me/global-feeds", global_feed),
        serve(services, "GET", "/api/v5/me/global-feeds", global_feed),
        serve(services, "GET", "/api/v4/user-feeds/{userId}", user_feed),
        serve(services, "GET", "/api/v1/semantic-search/posts", search),
        serve(services, "GET", "/api/v1/search/posts", by_hashtag),
        serve(services, "GET", "/api/v1/analytics/views/posts/{postId}/users", viewers),
    ]


def _page(call: Call, accept: Accept, **where: object) -> Json:
    """A page of published posts, the newest first unless it is asked for otherwise."""
    wish = call.query.page()
    order = call.query.choice("sortBy", ("firstCreated", "lastCreated", "firstUpdated", "lastUpdated"), "lastCreated")
    kinds = call.query.many("dataTypes", most=20)
    resolve = call.query.flag("resolveParent") is True
    parents = not kinds or (call.query.flag("matchingOnlyParentPost") is True and not resolve)
    until = call.query.one("untilAt") or ""

    def wanted(post: Json) -> bool:
        published = post.get("feedType", "published") == "published" and post["createdAt"] >= until
        return published and accept(post) and (not parents or not kinds or post["structureType"] in kinds)

    columns = {"isDeleted": 0, "parentPostId": "" if parents else None, "dataType": None if parents else kinds or None}
    page = page_by(call.store.posts, {**columns, **where}, wish, order, accept=wanted)
    posts = page.documents
    if resolve:
        wanted_ids = [post["parentPostId"] or post["postId"] for post in posts]
        posts = [post for post in call.store.posts.get_many(wanted_ids) if not post["isDeleted"]]
    return {**answered(call, posts), "paging": paging(page, wish.limit)}


async def global_feed(call: Call) -> Json:
    """Posts of the caller's communities, of those the caller follows, and the caller's own.

    SDK: `FeedRepository.getGlobalFeed`, `getCustomRankingGlobalFeed` (v5). *Choice*: both by time, the newest first.
    """
    joined = call.store.members.find({"userId": call.user_id, "membership": "member"})
    communities = {member["scopeId"] for member in joined}
    followed = {each["followed"] for each in call.store.follows.find({"follower": call.user_id, "status": "accepted"})}
    people = {*followed, call.user_id}

    def accept(post: Json) -> bool:
        return post["targetId"] in (communities if post["targetType"] == "community" else people)

    return _page(call, accept)


async def user_feed(call: Call) -> Json:
    """What a user posted: on the own feed, and in communities where they are asked for (SDK: `getUserFeed`)."""
    user_id = call.path("userId")
    if call.store.user_by_public_id(user_id) is None:
        raise Refused.not_found(f"User {user_id!r}")
    sources = call.query.many("includePostedFeed", "feedSources") or ["user"]

    def accept(post: Json) -> bool:
        if post["targetType"] == "community":
            return "community" in sources and post["postedUserPublicId"] == user_id
        return "user" in sources and post["targetId"] == user_id

    return _page(call, accept)


async def search(call: Call) -> Json:
    """Posts by their words. *Choice*: the sandbox knows no meaning; every word must be there, and every score is 1."""
    words = (call.query.one("query") or "").casefold().split()
    target, kind = call.query.one("targetId"), call.query.one("targetType")

    def accept(post: Json) -> bool:
        told = f"{post['data'].get('title') or ''} {post['data'].get('text') or ''}".casefold()
        here = target in (None, post["targetId"]) and kind in (None, "all", post["targetType"])
        return here and bool(words) and all(word in told for word in words)

    found = _page(call, accept)
    return {**found, "searchResult": [{"postId": post["postId"], "score": 1} for post in found["posts"]]}


async def by_hashtag(call: Call) -> Json:
    """Posts with one of some hashtags (SDK: `PostRepository.searchPostsByHashtag`)."""
    wanted = {tag.casefold().lstrip("#") for tag in call.query.many("hashtags")}
    kind = call.query.one("targetType")

    def accept(post: Json) -> bool:
        tags = {str(tag).casefold().lstrip("#") for tag in post.get("hashtags", [])}
        return kind in (None, "all", post["targetType"]) and bool(tags & wanted)

    return _page(call, accept)


async def viewers(call: Call) -> Json:
    """Who saw a post, by the views that SDKs report (SDK: `UserRepository.getReachedUsers`).

    Of a deleted post its author alone may ask.
    """
    post_id, wish = call.path("postId"), call.query.page()
    post = call.store.posts.get(post_id)
    if post is None or (post["isDeleted"] and post["postedUserPublicId"] != call.user_id):
        raise Refused.not_found(f"Post {post_id!r}")
    seen: set[str] = set()

    def first_view(activity: Json) -> bool:
        if activity["activityType"] != "view" or activity["userId"] in seen:
            return False
        seen.add(activity["userId"])
        return True

    found = call.store.activities.find({"contentId": post_id}, accept=first_view)
    users = [call.store.user_by_public_id(each["userId"]) for each in found]
    people = [user for user in users if user is not None and not (user["isGlobalBan"] or user["isDeleted"])]
    page = sliced(people, wish)
    return {"users": page.documents, "files": [], "paging": paging(page, wish.limit)}
