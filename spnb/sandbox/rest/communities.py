"""Communities: the places posts live in."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.payloads import community_payload
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Store

__all__ = ["found_standing_community", "routes"]


class CommunityCreate(BaseModel):
    displayName: str = Field(min_length=1, max_length=1000, pattern=r"\S")
    description: str | None = Field(default=None, max_length=5000)
    isPublic: bool = True
    metadata: dict[str, Any] | None = None
    tags: list[str] = Field(default_factory=list, max_length=10)
    userIds: list[str] = Field(default_factory=list, max_length=1000)
    categoryIds: list[str] = Field(default_factory=list, max_length=10)
    onlyAdminCanPost: bool = False


def routes(services: Services) -> list[BaseRoute]:
    """Community routes."""
    base = "/api/v3/communities"
    return [
        serve(services, "POST", base, create),
        serve(services, "POST", f"{base}/", create),
        serve(services, "GET", base, listed),
        serve(services, "GET", f"{base}/list", by_id),
        serve(services, "GET", f"{base}/{{communityId}}", one),
        serve(services, "POST", f"{base}/{{communityId}}/join", join),
        serve(services, "POST", "/api/v4/communities/{communityId}/join", request_to_join),
        serve(services, "DELETE", f"{base}/{{communityId}}/leave", leave),
        serve(services, "GET", f"{base}/{{communityId}}/users", members),
    ]


def found_standing_community(store: Store, community_id: str) -> None:
    """Make the community that is always there, so that a newcomer's first post has a place; every user may join."""
    if store.communities.get(community_id) is None:
        store.communities.insert(_document(store, community_id, "Sandbox community", owner=None))


def _document(store: Store, community_id: str, name: str, *, owner: Json | None, **fields: Any) -> Json:
    at = store.now()
    return {
        "_id": community_id,
        "communityId": community_id,
        "path": f"{store.network_id}/social/community/{community_id}",
        "channelId": community_id,
        "displayName": name,
        "isPublic": True,
        "isOfficial": False,
        "isDiscoverable": True,
        "requiresJoinApproval": False,
        "onlyAdminCanPost": False,
        "tags": [],
        "metadata": {},
        "categoryIds": [],
        "userId": owner["_id"] if owner else "",
        "userPublicId": owner["userId"] if owner else "",
        "userInternalId": owner["_id"] if owner else "",
        "isDeleted": False,
        "createdAt": at,
        "updatedAt": at,
        **fields,
    }


def _payload(call: Call, communities: list[Json]) -> Json:
    return community_payload(call.store, communities, reader=call.user)


def _community(call: Call) -> Json:
    community_id = call.path("communityId")
    community = call.store.communities.get(community_id)
    if community is None or community["isDeleted"]:
        raise Refused.not_found(f"Community {community_id!r}")
    return community


async def create(call: Call) -> Json:
    """A new community; its creator and the named users are members."""
    wish = call.read(CommunityCreate)
    unknown = [user_id for user_id in wish.userIds if call.store.user_by_public_id(user_id) is None]
    if unknown:
        raise Refused.not_found(f"User {unknown[0]!r}")
    fields = wish.model_dump(exclude={"displayName", "userIds"}, exclude_none=True)
    community = _document(call.store, new_id(), wish.displayName, owner=call.user, **fields)
    call.store.communities.insert(community)
    call.store.set_membership(community["communityId"], call.user_id, "member", roles=["community-moderator"])
    for user_id in wish.userIds:
        call.store.set_membership(community["communityId"], user_id, "member")
    return _payload(call, [community])


async def listed(call: Call) -> Json:
    """Communities, by part of the name and by the caller's membership."""
    wish = call.query.page()
    kind = call.query.choice("filter", ("all", "member", "notMember"), "all")
    keyword = (call.query.one("keyword") or "").casefold()
    newest = call.query.choice("sortBy", ("firstCreated", "lastCreated", "displayName"), "lastCreated") == "lastCreated"
    if kind == "all" and not keyword:
        page = call.store.communities.page({"isDeleted": 0}, limit=wish.limit, newest_first=newest, start=wish.start)
        return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}
    hits = [
        community
        for community in call.store.communities.find({"isDeleted": 0}, newest_first=newest)
        if keyword in community["displayName"].casefold()
        and (
            kind == "all"
            or (call.store.membership(community["communityId"], call.user_id) == "member") == (kind == "member")
        )
    ]
    return {**_payload(call, hits[: wish.limit]), "paging": {}}


async def by_id(call: Call) -> Json:
    """Up to 100 communities by id."""
    found = call.store.communities.get_many(call.query.many("communityIds"))
    return _payload(call, [community for community in found if not community["isDeleted"]])


async def one(call: Call) -> Json:
    """One community."""
    return _payload(call, [_community(call)])


def _join(call: Call) -> Json:
    community = _community(call)
    if call.store.membership(community["communityId"], call.user_id) == "banned":
        raise Refused(403, 400304, "The user is banned from this community")
    call.store.set_membership(community["communityId"], call.user_id, "member")
    return community


async def join(call: Call) -> Json:
    """Become a member."""
    return _payload(call, [_join(call)])


async def request_to_join(call: Call) -> Json:
    """Become a member by the newer flow; the sandbox approves at once."""
    community, at = _join(call), call.store.now()
    request = {
        "joinRequestId": new_id(),
        "networkId": call.store.network_id,
        "targetId": community["communityId"],
        "targetType": "community",
        "status": "approved",
        "requestorPublicId": call.user_id,
        "requestorInternalId": call.user["_id"],
        "createdAt": at,
        "updatedAt": at,
    }
    return {"joinRequests": [request], "users": [call.user]}


async def leave(call: Call) -> Json:
    """Stop being a member."""
    community = _community(call)
    call.store.set_membership(community["communityId"], call.user_id, "none")
    return _payload(call, [community])


async def members(call: Call) -> Json:
    """Who is a member."""
    community, wish = _community(call), call.query.page()
    where = {"scopeId": community["communityId"], "membership": "member"}
    page = call.store.members.page(where, limit=wish.limit, start=wish.start)
    people = [call.store.user_by_public_id(found["userId"]) for found in page.documents]
    known = [user for user in people if user is not None]
    return {
        "communityUsers": [
            {
                "communityId": community["communityId"],
                "userId": found["userId"],
                "communityMembership": "member",
                "roles": found["roles"],
                "permissions": [],
                "createdAt": found["createdAt"],
            }
            for found in page.documents
        ],
        "users": known,
        "files": [],
        "paging": paging(page, wish.limit),
    }
