"""Who is in a community: joining with or without approval, members, moderators, who is banned."""

from __future__ import annotations

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.communities import announce_community, community_of, moderated_community
from spnb.sandbox.rest.notification_tray import note
from spnb.sandbox.rest.posts import moderates_community
from spnb.sandbox.rest.query import page_by, paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.roles import check_roles
from spnb.sandbox.rest.social_payloads import community_member, community_payload
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


class UserIds(BaseModel):
    userIds: list[str] = Field(min_length=1, max_length=1000)


class Roles(UserIds):
    roles: list[str] = Field(min_length=1, max_length=20)


class Answer(BaseModel):
    userId: str = Field(min_length=1)


def routes(services: Services) -> list[BaseRoute]:
    """Membership routes of communities."""
    base = "/api/v3/communities/{communityId}"
    newer = "/api/v4/communities/{communityId}"
    return [
        serve(services, "GET", "/api/v4/communities/join/requests", requests_of_many),
        serve(services, "POST", f"{base}/join", join),
        serve(services, "DELETE", f"{base}/leave", leave),
        serve(services, "GET", f"{base}/users", members),
        serve(services, "POST", f"{base}/users", add_members),
        serve(services, "DELETE", f"{base}/users", remove_members),
        serve(services, "PUT", f"{base}/users/ban", ban),
        serve(services, "PUT", f"{base}/users/unban", unban),
        serve(services, "POST", f"{newer}/users/roles", add_roles),
        serve(services, "DELETE", f"{newer}/users/roles", remove_roles),
        serve(services, "POST", f"{newer}/join", request_to_join),
        serve(services, "GET", f"{newer}/join", join_requests),
        serve(services, "DELETE", f"{newer}/join", cancel_request),
        serve(services, "GET", f"{newer}/join/me", my_request),
        serve(services, "POST", f"{newer}/join/approve", approve),
        serve(services, "POST", f"{newer}/join/reject", reject),
    ]


def _told(call: Call, community: Json, *affected: str) -> Json:
    return community_payload(call.store, [community], reader=call.user, affected=affected)


def _check_not_banned(call: Call, community: Json) -> None:
    if call.store.membership(community["communityId"], call.user_id) == "banned":
        raise Refused(403, 400304, "The user is banned from this community")


def _join(call: Call, community: Json, user_id: str) -> None:
    if call.store.membership(community["communityId"], user_id) != "member":
        call.store.set_membership(community["communityId"], user_id, "member")
        announce_community(call, "community.joined", community, user_id)


async def join(call: Call) -> Json:
    """Become a member."""
    community = community_of(call)
    _check_not_banned(call, community)
    if community.get("requiresJoinApproval"):
        raise Refused.forbidden("The community asks for approval: request to join it")
    _join(call, community, call.user_id)
    return _told(call, community)


async def request_to_join(call: Call) -> Json:
    """Become a member by the newer flow (SDK: `Community.join`); where approval is asked for, a request waits."""
    community = community_of(call)
    _check_not_banned(call, community)
    waits = bool(community.get("requiresJoinApproval"))
    waits = waits and call.store.membership(community["communityId"], call.user_id) != "member"
    request = _request_of(call, community, call.user_id) if waits else None
    if request is None:
        request = call.store.join_requests.insert(_request(call, community, "pending" if waits else "approved"))
    if not waits:
        _join(call, community, call.user_id)
    return _requests(call, [request])


def _request(call: Call, community: Json, status: str) -> Json:
    request_id, at = new_id(), call.store.now()
    return {
        "_id": request_id,
        "joinRequestId": request_id,
        "networkId": call.store.network_id,
        "targetId": community["communityId"],
        "targetType": "community",
        "type": "communityJoinRequest",
        "status": status,
        "userId": call.user["_id"],
        "requestorId": call.user["_id"],
        "requestorPublicId": call.user_id,
        "requestorInternalId": call.user["_id"],
        "responderId": None,
        "responderPublicId": None,
        "responderInternalId": None,
        "respondedAt": at if status == "approved" else None,
        "createdAt": at,
        "updatedAt": at,
    }


def _requests(call: Call, requests: list[Json]) -> Json:
    people = call.store.users.get_many([request["requestorInternalId"] for request in requests])
    return {"joinRequests": requests, "users": people, "files": []}


def _request_of(call: Call, community: Json, user_id: str) -> Json | None:
    where = {"targetId": community["communityId"], "status": "pending"}
    found = call.store.join_requests.find(
        where, accept=lambda each: user_id in (each["requestorPublicId"], each["requestorInternalId"])
    )
    return found[0] if found else None


async def my_request(call: Call) -> Json:
    """The caller's own request that waits; an empty list without one."""
    request = _request_of(call, community_of(call), call.user_id)
    return _requests(call, [request] if request else [])


async def join_requests(call: Call) -> Json:
    """Requests to join the community, for its moderators."""
    community, wish = moderated_community(call, "see who wants to join"), call.query.page()
    status = call.query.choice("status", ("pending", "approved", "rejected", "cancelled"), "pending")
    where = {"targetId": community["communityId"], "status": status}
    page = call.store.join_requests.page(where, limit=wish.limit, newest_first=True, start=wish.start)
    return {**_requests(call, page.documents), "paging": paging(page, wish.limit)}


async def requests_of_many(call: Call) -> Json:
    """The caller's own requests that wait, of some communities (SDK: `CommunityRepository.getJoinRequestList`)."""
    where = {"targetId": call.query.many("communityIds") or [""], "status": "pending"}
    mine = call.store.join_requests.find(where, accept=lambda each: each["requestorPublicId"] == call.user_id)
    return {**_requests(call, mine), "paging": {}}


async def approve(call: Call) -> Json:
    """A moderator lets somebody in."""
    return _answered(call, "approved")


async def reject(call: Call) -> Json:
    """A moderator turns a request down."""
    return _answered(call, "rejected")


def _answered(call: Call, status: str) -> Json:
    community, wish = moderated_community(call, "answer requests"), call.read(Answer)
    request = _request_of(call, community, wish.userId)
    if request is None:
        raise Refused.not_found(f"A request of user {wish.userId!r}")
    at = call.store.now()
    internal = call.user["_id"]
    answer = {"responderId": internal, "responderPublicId": call.user_id, "responderInternalId": internal}
    call.store.join_requests.save({**request, **answer, "status": status, "respondedAt": at, "updatedAt": at})
    if status == "approved":
        _join(call, community, request["requestorPublicId"])
    place = {"targetId": community["communityId"], "targetType": "community", "actionType": "join_request"}
    about = {"referenceId": request["joinRequestId"], "referenceType": "joinRequest"}
    text = f"Your request to join {community['displayName']} was {status}"
    requestor = call.store.users.get(request["requestorInternalId"])
    note(call, requestor, "respond_on_join_request", text, **place, **about)
    return {"success": True}


async def cancel_request(call: Call) -> Json:
    """The caller takes the own request back."""
    community = community_of(call)
    request = _request_of(call, community, call.user_id)
    if request is None:
        raise Refused.not_found("A request of this user")
    call.store.join_requests.save({**request, "status": "cancelled", "updatedAt": call.store.now()})
    return {"success": True}


async def leave(call: Call) -> Json:
    """Stop being a member."""
    community = community_of(call)
    if call.store.membership(community["communityId"], call.user_id) == "member":
        call.store.set_membership(community["communityId"], call.user_id, "none", roles=[])
        announce_community(call, "community.left", community, call.user_id)
    return _told(call, community)


async def members(call: Call) -> Json:
    """Who is a member or banned, by role and part of the name (SDK: `Membership.getMembers`, `searchMembers`)."""
    community, wish = community_of(call), call.query.page()
    asked = [each for each in call.query.many("memberships") if each in ("member", "banned")]
    roles, without = set(call.query.many("roles", most=20)), set(call.query.many("excludingRoles", "notIncludesRoles"))
    keyword = (call.query.one("search", "keyword") or "").casefold()
    order = call.query.choice("sortBy", ("firstCreated", "lastCreated", "displayName"), "firstCreated")

    def accept(member: Json) -> bool:
        user = call.store.user_by_public_id(member["userId"])
        has = set(member["roles"])
        named = user is not None and (
            keyword in user["displayName"].casefold() or keyword in member["userId"].casefold()
        )
        return named and (not roles or bool(roles & has)) and not without & has

    where = {"scopeId": community["communityId"], "membership": asked or "member"}
    page = page_by(call.store.members, where, wish, order, accept=accept, name=call.name_of)
    people = [user for found in page.documents if (user := call.store.user_by_public_id(found["userId"])) is not None]
    told = community_payload(call.store, [community], reader=call.user)
    told["communityUsers"] = [community_member(call.store, community["communityId"], user) for user in people]
    told["users"] = list({user["_id"]: user for user in [*people, *told["users"]]}.values())
    return {**told, "paging": paging(page, wish.limit)}


async def add_members(call: Call) -> Json:
    """A moderator adds members (SDK: `CommunityRepository.Membership.addMembers`)."""
    return _set_members(call, "add members", "member", "community.userAdded")


async def remove_members(call: Call) -> Json:
    """A moderator removes members (SDK: `CommunityRepository.Membership.removeMembers`)."""
    return _set_members(call, "remove members", "none", "community.userRemoved")


async def ban(call: Call) -> Json:
    """A moderator bans users (SDK: `CommunityRepository.Moderation.banMembers`)."""
    return _set_members(call, "ban", "banned", "community.userBanned")


async def unban(call: Call) -> Json:
    """A moderator lets banned users back in (SDK: `CommunityRepository.Moderation.unbanMembers`)."""
    return _set_members(call, "unban", "none", "community.userUnbanned", lifts_ban=True)


def _check_known(call: Call, user_ids: list[str]) -> None:
    if unknown := [user_id for user_id in user_ids if call.store.user_by_public_id(user_id) is None]:
        raise Refused.not_found(f"User {unknown[0]!r}")


def _set_members(call: Call, doing: str, membership: str, event_type: str, *, lifts_ban: bool = False) -> Json:
    community, user_ids = moderated_community(call, doing), call.read(UserIds).userIds
    _check_known(call, user_ids)
    for user_id in user_ids:
        roles: list[str] | None = None if membership == "member" else []
        call.store.set_membership(community["communityId"], user_id, membership, roles=roles, lifts_ban=lifts_ban)
    announce_community(call, event_type, community, *user_ids)
    return _told(call, community, *user_ids)


async def add_roles(call: Call) -> Json:
    """A moderator gives members roles (SDK: `CommunityRepository.Moderation.addRoles`)."""
    return _change_roles(call, "community.roleAdded", add=True)


async def remove_roles(call: Call) -> Json:
    """A moderator takes members' roles away (SDK: `CommunityRepository.Moderation.removeRoles`)."""
    return _change_roles(call, "community.roleRemoved", add=False)


def _change_roles(call: Call, event_type: str, *, add: bool) -> Json:
    community, wish = community_of(call), call.read(Roles)
    # Whoever gives an own role up needs no other moderator for it.
    if not moderates_community(call, community["communityId"]) and (add or wish.userIds != [call.user_id]):
        raise Refused.forbidden("Only a moderator of the community may give roles")
    check_roles(wish.roles if add else [])
    _check_known(call, wish.userIds)
    for user_id in wish.userIds:
        member = call.store.members.get(f"{community['communityId']}:{user_id}")
        if member is None or member["membership"] != "member":
            raise Refused.bad_request(f"User {user_id!r} is no member of the community: add the user first")
        roles = [role for role in member["roles"] if role not in wish.roles]
        kept = [*roles, *wish.roles] if add else roles
        call.store.set_membership(community["communityId"], user_id, "member", roles=kept)
    announce_community(call, event_type, community, *wish.userIds)
    return _told(call, community, *wish.userIds)
