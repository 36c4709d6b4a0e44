"""Who follows and who blocks whom. *Choice*: following needs nobody's consent."""

from __future__ import annotations

from starlette.routing import BaseRoute

from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.notification_tray import note
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


def routes(services: Services) -> list[BaseRoute]:
    """Relationship routes (SDK: `UserRepository.Relationship`)."""
    me = "/api/v4/me"
    return [
        serve(services, "GET", f"{me}/followInfo", my_info),
        serve(services, "GET", "/api/v5/users/{userId}/followInfo", info),
        serve(services, "GET", "/api/v4/users/{userId}/followInfo", info),
        serve(services, "GET", f"{me}/followers", my_followers),
        serve(services, "GET", f"{me}/following", my_following),
        serve(services, "GET", "/api/v4/users/{userId}/followers", followers),
        serve(services, "GET", "/api/v4/users/{userId}/following", following),
        serve(services, "POST", f"{me}/following/{{userId}}", follow),
        serve(services, "DELETE", f"{me}/following/{{userId}}", unfollow),
        serve(services, "POST", f"{me}/followers/{{userId}}", accept),
        serve(services, "DELETE", f"{me}/followers/{{userId}}", remove_follower),
        serve(services, "GET", f"{me}/user-blocks", blocked),
        serve(services, "POST", f"{me}/user-blocks/{{userId}}", block),
        serve(services, "DELETE", f"{me}/user-blocks/{{userId}}", unblock),
    ]


def _other(call: Call) -> Json:
    user = call.store.user_by_public_id(call.path("userId"))
    if user is None:
        raise Refused.not_found(f"User {call.path('userId')!r}")
    return user


def _relation(call: Call, follower: str, followed: str) -> Json:
    known = call.store.follows.get(f"{follower}>{followed}")
    if known is not None:
        return known
    at = call.store.now()
    return {"_id": "", "follower": follower, "followed": followed, "status": "none", "createdAt": at, "updatedAt": at}


def _wire(relation: Json) -> Json:
    told = {"from": relation["follower"], "to": relation["followed"], "status": relation["status"]}
    return {**told, "createdAt": relation["createdAt"], "updatedAt": relation["updatedAt"]}


def _set(call: Call, follower: str, followed: str, status: str) -> Json:
    key = f"{follower}>{followed}"
    known = _relation(call, follower, followed)
    return call.store.follows.put({**known, "_id": key, "status": status, "updatedAt": call.store.now()})


def _counts(call: Call, user_id: str) -> Json:
    count = call.store.follows.count
    return {
        "userId": user_id,
        "followerCount": count({"followed": user_id, "status": "accepted"}),
        "followingCount": count({"follower": user_id, "status": "accepted"}),
        "pendingCount": count({"followed": user_id, "status": "pending"}),
    }


def _told(call: Call, relation: Json, *, counts_of: str | None = None) -> Json:
    people = [call.store.user_by_public_id(relation[end]) for end in ("follower", "followed")]
    told = {
        "follows": [_wire(relation)],
        "users": [user for user in people if user is not None],
        "files": [],
    }
    return told if counts_of is None else {**told, "followCounts": [_counts(call, counts_of)]}


def _announce(call: Call, event_type: str, relation: Json) -> None:
    follower = call.store.user_by_public_id(relation["follower"])
    followed = call.store.user_by_public_id(relation["followed"])
    if follower and followed:
        # SDKs follow `membership/{followed}/+/+` and `membership/+/{follower}/+`.
        topic = f"{call.store.network_id}/membership/{followed['_id']}/{follower['_id']}/follow"
        call.publish([topic], event_type, _told(call, relation), subject_id=relation["followed"])


async def my_info(call: Call) -> Json:
    """How many follow the caller, and whom the caller follows."""
    return {"followCounts": [_counts(call, call.user_id)]}


async def info(call: Call) -> Json:
    """The same of another user, and whether the caller follows that one."""
    other = _other(call)
    return _told(call, _relation(call, call.user_id, other["userId"]), counts_of=other["userId"])


async def follow(call: Call) -> Json:
    """Follow a user."""
    other = _other(call)["userId"]
    if other == call.user_id:
        raise Refused.bad_request("Nobody follows themselves")
    if _relation(call, other, call.user_id)["status"] == "blocked":
        raise Refused.forbidden("The user has blocked the caller")
    relation = _set(call, call.user_id, other, "accepted")
    about = {"actionType": "user", "targetId": other, "targetType": "user", "referenceId": call.user_id}
    text = f"{call.user['displayName']} follows you"
    note(call, call.store.user_by_public_id(other), "follow", text, referenceType="user", **about)
    _announce(call, "follow.created", relation)
    return _told(call, relation)


async def unfollow(call: Call) -> Json:
    """Follow a user no longer."""
    relation = _set(call, call.user_id, _other(call)["userId"], "none")
    _announce(call, "follow.unfollowed", relation)
    return _told(call, relation)


async def accept(call: Call) -> Json:
    """Let a follower in who asked."""
    relation = _relation(call, _other(call)["userId"], call.user_id)
    if relation["status"] != "pending":
        raise Refused.bad_request("The user has not asked to follow the caller")
    relation = _set(call, relation["follower"], call.user_id, "accepted")
    _announce(call, "follow.accepted", relation)
    return _told(call, relation)


async def remove_follower(call: Call) -> Json:
    """Turn a follower away."""
    relation = _set(call, _other(call)["userId"], call.user_id, "none")
    _announce(call, "follow.followerDeleted", relation)
    return _told(call, relation)


async def my_followers(call: Call) -> Json:
    """Who follows the caller."""
    return _listed(call, "followed", call.user_id, "follower")


async def my_following(call: Call) -> Json:
    """Whom the caller follows."""
    return _listed(call, "follower", call.user_id, "followed")


async def followers(call: Call) -> Json:
    """Who follows a user."""
    return _listed(call, "followed", _other(call)["userId"], "follower")


async def following(call: Call) -> Json:
    """Whom a user follows."""
    return _listed(call, "follower", _other(call)["userId"], "followed")


async def blocked(call: Call) -> Json:
    """Whom the caller has blocked."""
    return _listed(call, "follower", call.user_id, "followed", status="blocked")


def _listed(call: Call, end: str, user_id: str, other: str, *, status: str | None = None) -> Json:
    wish = call.query.page()
    asked = status or call.query.choice("status", ("all", "accepted", "pending", "blocked"), "accepted")
    where = {end: user_id, "status": ["accepted", "pending"] if asked == "all" else asked}
    page = call.store.follows.page(where, limit=wish.limit, newest_first=True, start=wish.start)
    people = [user for each in page.documents if (user := call.store.user_by_public_id(each[other])) is not None]
    return {
        "follows": [_wire(each) for each in page.documents],
        "users": people,
        "files": [],
        "paging": {**paging(page, wish.limit), "total": call.store.follows.count(where)},
    }


async def block(call: Call) -> Json:
    """Block a user: neither follows the other any more."""
    other = _other(call)["userId"]
    if other == call.user_id:
        raise Refused.bad_request("Nobody blocks themselves")
    if _relation(call, other, call.user_id)["status"] == "accepted":
        _set(call, other, call.user_id, "none")
    return _told(call, _set(call, call.user_id, other, "blocked"), counts_of=other)


async def unblock(call: Call) -> Json:
    """Block a user no longer."""
    other = _other(call)["userId"]
    return _told(call, _set(call, call.user_id, other, "none"), counts_of=other)
