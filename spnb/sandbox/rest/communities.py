"""Communities: the places posts live in, found by name, category, membership, what is posted there."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.fields import Tag
from spnb.sandbox.rest.posts import moderates_community
from spnb.sandbox.rest.query import page_by, paging, sliced
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.roles import COMMUNITY_MODERATOR
from spnb.sandbox.rest.social_payloads import COMMUNITY_DEFAULTS, community_payload
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Accept, Store

__all__ = [
    "announce_community",
    "community_of",
    "discussion_of",
    "found_standing_community",
    "moderated_community",
    "routes",
]

CATEGORIES = ("Gaming", "Music", "Shopping", "Sports")
"""Categories are made in the Console; these stand in the sandbox (a choice)."""


class CommunityFields(BaseModel):
    description: str | None = Field(default=None, max_length=5000)
    isPublic: bool | None = None
    isDiscoverable: bool | None = None
    requiresJoinApproval: bool | None = None
    metadata: dict[str, Any] | None = None
    tags: list[Tag] | None = Field(default=None, max_length=10)
    categoryIds: list[str] | None = Field(default=None, max_length=10)
    avatarFileId: str | None = None
    onlyAdminCanPost: bool | None = None
    needApprovalOnPostCreation: bool | None = None
    allowCommentInStory: bool | None = None
    isOfficial: bool | None = None


class CommunityCreate(CommunityFields):
    displayName: str = Field(min_length=1, max_length=1000, pattern=r"\S")
    userIds: list[str] = Field(default_factory=list, max_length=1000)
    isUniqueDisplayName: bool = False


class CommunityUpdate(CommunityFields):
    displayName: str | None = Field(default=None, min_length=1, max_length=1000, pattern=r"\S")


def routes(services: Services) -> list[BaseRoute]:
    """Community routes; those with a name of their own come before `{communityId}`."""
    base = "/api/v3/communities"
    one_community = f"{base}/{{communityId}}"
    return [
        serve(services, "POST", base, create),
        serve(services, "POST", f"{base}/", create),
        serve(services, "GET", base, listed),
        serve(services, "GET", f"{base}/list", by_id),
        serve(services, "GET", f"{base}/top-trending", trending),
        serve(services, "GET", f"{base}/recommended", recommended),
        serve(services, "GET", "/api/v1/semantic-search/communities", search),
        serve(services, "GET", one_community, one),
        serve(services, "PUT", one_community, update),
        serve(services, "DELETE", one_community, delete),
        serve(services, "GET", "/api/v3/community-categories", categories),
        serve(services, "GET", "/api/v3/community-categories/{categoryId}", category),
    ]


def found_standing_community(store: Store, community_id: str) -> None:
    """Make what is always there: a community for a newcomer's first post, which every user may join; categories."""
    if store.communities.get(community_id) is None:
        store.communities.insert(_document(store, community_id, "Sandbox community", owner=None))
    at = store.now()
    for name in CATEGORIES:
        if store.categories.get(name.casefold()) is None:
            told = {"categoryId": name.casefold(), "name": name, "metadata": {}, "isDeleted": False}
            store.categories.insert({**told, "createdAt": at, "updatedAt": at})


def _document(store: Store, community_id: str, name: str, *, owner: Json | None, **fields: Any) -> Json:
    at = store.now()
    return {
        **COMMUNITY_DEFAULTS,
        "_id": community_id,
        "communityId": community_id,
        "path": f"{store.network_id}/social/community/{community_id}",
        "channelId": community_id,
        "displayName": name,
        "isPublic": True,
        "tags": [],
        "metadata": {},
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


def announce_community(call: Call, event_type: str, community: Json, *affected: str) -> None:
    """Tell those who follow the community of a change, and of the memberships of those it affects."""
    data = community_payload(call.store, [community], reader=None, affected=affected)
    call.publish([community["path"]], event_type, data, subject_id=community["communityId"])


def community_of(call: Call, *, deleted: bool = False) -> Json:
    """The community of the path.

    Args:
        deleted: whether one that was deleted is found too; SDKs read it again.
    """
    community_id = call.path("communityId")
    community = call.store.communities.get(community_id)
    if community is None or (community["isDeleted"] and not deleted):
        raise Refused.not_found(f"Community {community_id!r}")
    return community


def moderated_community(call: Call, doing: str) -> Json:
    """The community of the path, which the caller must moderate."""
    community = community_of(call)
    if not moderates_community(call, community["communityId"]):
        raise Refused.forbidden(f"Only a moderator of the community may {doing}")
    return community


def _fields(call: Call, wish: CommunityFields) -> Json:
    fields = wish.model_dump(exclude_none=True, exclude={"userIds", "isUniqueDisplayName"})
    if unknown := [each for each in fields.get("categoryIds", []) if call.store.categories.get(each) is None]:
        raise Refused.not_found(f"Category {unknown[0]!r}")
    return fields


async def create(call: Call) -> Json:
    """A new community (SDK: `CommunityRepository.createCommunity`); its creator and the named users are members."""
    wish = call.read(CommunityCreate)
    unknown = [user_id for user_id in wish.userIds if call.store.user_by_public_id(user_id) is None]
    if unknown:
        raise Refused.not_found(f"User {unknown[0]!r}")
    fields = _fields(call, wish)
    community = _document(call.store, new_id(), fields.pop("displayName"), owner=call.user, **fields)
    call.store.communities.insert(community)
    call.store.set_membership(community["communityId"], call.user_id, "member", roles=[COMMUNITY_MODERATOR])
    for user_id in wish.userIds:
        if user_id != call.user_id:
            call.store.set_membership(community["communityId"], user_id, "member")
    announce_community(call, "community.created", community, call.user_id)
    return _payload(call, [community])


def discussion_of(call: Call, title: str) -> str:
    """The id of a new community in which an event is talked about: those find it who come."""
    community = _document(call.store, new_id(), title, owner=call.user, isPublic=False, isDiscoverable=False)
    call.store.communities.insert(community)
    call.store.set_membership(community["communityId"], call.user_id, "member", roles=[COMMUNITY_MODERATOR])
    return str(community["communityId"])


def _visible(call: Call, community: Json) -> bool:
    """Whether the caller may find the community: public, joined, or private and to be discovered."""
    if community["isPublic"] or call.store.membership(community["communityId"], call.user_id) == "member":
        return True
    return bool(community.get("isDiscoverable")) and call.query.flag("includeDiscoverablePrivateCommunity") is not False


async def listed(call: Call) -> Json:
    """Communities by part of the name, category, tags and the caller's membership (SDK: `getCommunities`)."""
    wish = call.query.page()
    kind = call.query.choice("filter", ("all", "member", "notMember", "flagged"), "all")
    keyword = (call.query.one("keyword", "displayName") or "").casefold()
    order = call.query.choice("sortBy", ("firstCreated", "lastCreated", "displayName"), "lastCreated")
    tags, category_id = set(call.query.many("tags")), call.query.one("categoryId")
    deleted = call.query.flag("isDeleted")

    def accept(community: Json) -> bool:
        member = call.store.membership(community["communityId"], call.user_id) == "member"
        return (
            keyword in community["displayName"].casefold()
            and (kind == "all" or (kind == "member") == member)
            and (not tags or bool(tags & set(community["tags"])))
            and category_id in (None, *community.get("categoryIds", []))
            and _visible(call, community)
        )

    where = {"isDeleted": None if deleted is None else int(deleted)}
    page = page_by(call.store.communities, where, wish, order, accept=accept)
    return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}


def _ranked(call: Call, accept: Accept) -> Json:
    """Those with the most members first, which is what trends in a sandbox (a choice)."""
    wish = call.query.page()

    def members(community: Json) -> int:
        return call.store.members.count({"scopeId": community["communityId"], "membership": "member"})

    found = call.store.communities.find({"isDeleted": 0}, accept=lambda each: _visible(call, each) and accept(each))
    found.sort(key=members, reverse=True)
    page = sliced(found, wish)
    return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}


async def trending(call: Call) -> Json:
    """The largest communities (SDK: `CommunityRepository.getTrendingCommunities`)."""
    return _ranked(call, lambda _community: True)


async def recommended(call: Call) -> Json:
    """Communities that the caller has not joined (SDK: `CommunityRepository.getRecommendedCommunities`)."""
    return _ranked(call, lambda each: call.store.membership(each["communityId"], call.user_id) == "none")


async def search(call: Call) -> Json:
    """Communities by words of name and description. *Choice*: the sandbox knows no meaning, and every score is 1."""
    words = (call.query.one("query") or "").casefold().split()
    kind = call.query.choice("filter", ("all", "member", "notMember"), "all")
    tags, wanted = set(call.query.many("tags")), set(call.query.many("categoryIds"))

    def accept(community: Json) -> bool:
        told = f"{community['displayName']} {community.get('description') or ''}".casefold()
        member = call.store.membership(community["communityId"], call.user_id) == "member"
        return (
            bool(words)
            and all(word in told for word in words)
            and (kind == "all" or (kind == "member") == member)
            and (not tags or bool(tags & set(community["tags"])))
            and (not wanted or bool(wanted & set(community.get("categoryIds", []))))
        )

    found = _ranked(call, accept)
    scores = [{"communityId": each["communityId"], "score": 1} for each in found["communities"]]
    return {**found, "searchResult": scores}


async def by_id(call: Call) -> Json:
    """Up to 100 communities by id."""
    found = call.store.communities.get_many(call.query.many("communityIds"))
    return _payload(call, [community for community in found if not community["isDeleted"]])


async def one(call: Call) -> Json:
    """One community; one that was deleted can still be read."""
    return _payload(call, [community_of(call, deleted=True)])


async def update(call: Call) -> Json:
    """A moderator changes the community (SDK: `CommunityRepository.updateCommunity`)."""
    community = moderated_community(call, "change it")
    fields = _fields(call, call.read(CommunityUpdate))
    changed = call.store.communities.save({**community, **fields, "updatedAt": call.store.now()})
    announce_community(call, "community.updated", changed)
    return _payload(call, [changed])


async def delete(call: Call) -> Json:
    """A moderator closes the community (SDK: `CommunityRepository.deleteCommunity`)."""
    community = moderated_community(call, "delete it")
    changed = call.store.communities.save({**community, "isDeleted": True, "updatedAt": call.store.now()})
    announce_community(call, "community.deleted", changed)
    return {"success": True}


async def categories(call: Call) -> Json:
    """All categories, by name unless it is asked for otherwise (SDK: `CategoryRepository.getCategories`)."""
    wish = call.query.page()
    by = call.query.choice("sortBy", ("name", "firstCreated", "lastCreated"), "name")
    found = call.store.categories.find({"isDeleted": 0}, newest_first=by == "lastCreated")
    if by == "name":
        found.sort(key=lambda each: str(each["name"]).casefold())
    page = sliced(found, wish)
    return {"categories": page.documents, "files": [], "paging": paging(page, wish.limit)}


async def category(call: Call) -> Json:
    """One category."""
    category_id = call.path("categoryId")
    found = call.store.categories.get(category_id)
    if found is None:
        raise Refused.not_found(f"Category {category_id!r}")
    return {"categories": [found], "files": []}
