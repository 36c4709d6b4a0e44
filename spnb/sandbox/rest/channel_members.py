"""Who is in a channel: members, moderators, who is banned or muted."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import moment, stamp
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.channels import LONGEST_PERIOD, announce_channel, channel_of, moderated_channel
from spnb.sandbox.rest.chat_payloads import channel_member, channel_payload, shown_channel
from spnb.sandbox.rest.query import page_by, paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.roles import check_roles
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]

FOREVER = "9999-12-31T23:59:59.999Z"
LONG_AGO = "1970-01-01T00:00:00.000Z"


class UserIds(BaseModel):
    userIds: list[str] = Field(min_length=1, max_length=100)


class Roles(UserIds):
    role: str = Field(min_length=1, max_length=100)


class Mute(BaseModel):
    mutePeriod: int = Field(ge=-1, le=LONGEST_PERIOD)
    userIds: list[str] = Field(default_factory=list, max_length=100)


def routes(services: Services) -> list[BaseRoute]:
    """Membership routes."""
    users = "/api/v3/channels/{channelId}/users"
    return [
        serve(services, "GET", users, members),
        serve(services, "GET", "/api/v4/channels/{channelId}/users", members),
        serve(services, "POST", users, add_members),
        serve(services, "DELETE", users, remove_members),
        serve(services, "PUT", f"{users}/ban", ban),
        serve(services, "PUT", f"{users}/unban", unban),
        serve(services, "POST", f"{users}/roles", add_role),
        serve(services, "DELETE", f"{users}/roles", remove_role),
        serve(services, "PUT", "/api/v2/channel/{channelId}/mute", mute),
        serve(services, "PUT", "/api/v2/channel/{channelId}/users/mute", mute_users),
    ]


async def members(call: Call) -> Json:
    """Who is a member, who is banned or muted, or who has one of some roles (SDK: `Membership.getMembers`)."""
    channel, wish = channel_of(call, call.path("channelId"), deleted=True), call.query.page()
    kind = call.query.choice("filter", ("all", "muted", "banned", "member&banned"), "all")
    standing = {"banned": ["banned"], "member&banned": ["member", "banned"]}.get(kind, ["member"])
    asked = [each for each in call.query.many("memberships") if each != "none"]
    muted = kind == "muted" or "muted" in asked
    standing = [each for each in asked if each != "muted"] or standing
    roles = set(call.query.many("roles", most=20))
    keyword = (call.query.one("search", "keyword") or "").casefold()
    order = call.query.choice("sortBy", ("firstCreated", "lastCreated", "displayName"), "firstCreated")
    now = call.store.clock()

    def accept(member: Json) -> bool:
        user = call.store.user_by_public_id(member["userId"])
        return (
            user is not None
            and (not roles or bool(roles & set(member["roles"])))
            and (not muted or moment(member.get("muteTimeout", LONG_AGO)) > now)
            and (not keyword or keyword in user["displayName"].casefold() or keyword in member["userId"].casefold())
        )

    where = {"scopeId": channel["channelId"], "membership": standing}
    asks = bool(roles or muted or keyword)
    page = page_by(call.store.members, where, wish, order, accept=accept if asks else None, name=call.name_of)
    people = [user for found in page.documents if (user := call.store.user_by_public_id(found["userId"])) is not None]
    return {
        "channels": [shown_channel(call.store, channel)],
        "channelUsers": [channel_member(call.store, channel, user) for user in people],
        "messagePreviews": [],
        "users": people,
        "files": [],
        "paging": paging(page, wish.limit),
    }


async def add_members(call: Call) -> Json:
    """A moderator adds members."""
    return _set_members(call, "add members", "member", "channel.membersAdded")


async def remove_members(call: Call) -> Json:
    """A moderator removes members."""
    return _set_members(call, "remove members", "none", "channel.membersRemoved")


async def ban(call: Call) -> Json:
    """A moderator bans users from the channel."""
    return _set_members(call, "ban", "banned", "channel.banned")


async def unban(call: Call) -> Json:
    """A moderator lets banned users back in."""
    return _set_members(call, "unban", "none", "channel.unbanned", lifts_ban=True)


def _set_members(call: Call, doing: str, membership: str, event_type: str, *, lifts_ban: bool = False) -> Json:
    channel, user_ids = moderated_channel(call, doing), call.read(UserIds).userIds
    _check_known(call, user_ids)
    for user_id in user_ids:
        roles: list[str] | None = None if membership == "member" else []
        call.store.set_membership(channel["channelId"], user_id, membership, roles=roles, lifts_ban=lifts_ban)
    announce_channel(call, event_type, channel, *user_ids, userIds=user_ids)
    return _told(call, channel, user_ids)


def _told(call: Call, channel: Json, user_ids: list[str]) -> Json:
    return channel_payload(call.store, [channel], reader=call.user, affected=user_ids)


def _check_known(call: Call, user_ids: list[str]) -> None:
    if unknown := [user_id for user_id in user_ids if call.store.user_by_public_id(user_id) is None]:
        raise Refused.not_found(f"User {unknown[0]!r}")


async def add_role(call: Call) -> Json:
    """A moderator gives members a role (SDK: `ChannelRepository.Moderation.addRole`)."""
    return _change_roles(call, add=True)


async def remove_role(call: Call) -> Json:
    """A moderator takes members' role away (SDK: `ChannelRepository.Moderation.removeRole`)."""
    return _change_roles(call, add=False)


def _change_roles(call: Call, *, add: bool) -> Json:
    channel, wish = moderated_channel(call, "give roles"), call.read(Roles)
    _check_known(call, wish.userIds)
    check_roles([wish.role] if add else [])
    for user_id in wish.userIds:
        member = call.store.members.get(f"{channel['channelId']}:{user_id}")
        if member is None or member["membership"] != "member":
            raise Refused.bad_request(f"User {user_id!r} is no member of the channel: add the user first")
        roles = [role for role in member["roles"] if role != wish.role]
        call.store.set_membership(channel["channelId"], user_id, "member", roles=[*roles, wish.role] if add else roles)
    announce_channel(call, "channel.updated", channel, *wish.userIds)
    return _told(call, channel, wish.userIds)


def _until(call: Call, period_ms: int) -> str:
    if period_ms == -1:
        return FOREVER
    return stamp(call.store.clock() + timedelta(milliseconds=period_ms))


async def mute(call: Call) -> Json:
    """Mute the channel for a period in milliseconds (-1 for ever, 0 ends it)."""
    channel, wish = moderated_channel(call, "mute it"), call.read(Mute)
    until = _until(call, wish.mutePeriod)
    call.store.channels.save({**channel, "isMuted": wish.mutePeriod != 0, "muteTimeout": until})
    data = {
        # SDKs keep channels by internal id and look this one up so.
        "channelId": channel["channelInternalId"],
        "muteTimeout": until,
        "actor": call.user["_id"],
        "networkId": call.store.network_id,
    }
    call.publish(topics.channel(channel), "channel.setMuted", data, subject_id=channel["channelId"])
    return {"success": True}


async def mute_users(call: Call) -> Json:
    """Mute members for a period in milliseconds."""
    channel, wish = moderated_channel(call, "mute users"), call.read(Mute)
    until = _until(call, wish.mutePeriod)
    _check_known(call, wish.userIds)
    for user_id in wish.userIds:
        # Who is banned stays banned.
        before = call.store.membership(channel["channelId"], user_id)
        standing = "banned" if before == "banned" else "member"
        member = call.store.set_membership(channel["channelId"], user_id, standing)
        call.store.members.save({**member, "muteTimeout": until})
    data = {
        "channelId": channel["channelId"],
        "userIds": wish.userIds,
        "muteTimeout": until,
        "actor": call.user["_id"],
    }
    call.publish(topics.channel(channel), "channel.setMutedUsers", data, subject_id=channel["channelId"])
    return {"success": True}
