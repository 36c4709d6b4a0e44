"""Roles of communities and channels, and what they permit (social.plus role pages, SDK 7.20 `Amity.Permission`)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["CHANNEL_MODERATOR", "COMMUNITY_MODERATOR", "check_roles", "permissions", "routes"]

CHANNEL_MODERATOR = "channel-moderator"
COMMUNITY_MODERATOR = "community-moderator"

PERMISSIONS = {
    COMMUNITY_MODERATOR: (
        "EDIT_COMMUNITY",
        "DELETE_COMMUNITY",
        "ADD_COMMUNITY_USER",
        "EDIT_COMMUNITY_USER",
        "REMOVE_COMMUNITY_USER",
        "MUTE_COMMUNITY_USER",
        "BAN_COMMUNITY_USER",
        "EDIT_COMMUNITY_POST",
        "DELETE_COMMUNITY_POST",
        "REVIEW_COMMUNITY_POST",
        "EDIT_COMMUNITY_COMMENT",
        "DELETE_COMMUNITY_COMMENT",
        "MANAGE_COMMUNITY_STORY",
        "CREATE_PRIVILEGED_POST",
        "CREATE_EVENT",
        "DELETE_EVENT",
        "CREATE_EVENT_WITH_LIVESTREAM",
        "MANAGE_COMMUNITY_EVENTS",
    ),
    CHANNEL_MODERATOR: (
        "EDIT_CHANNEL",
        "EDIT_CHANNEL_RATELIMIT",
        "MUTE_CHANNEL",
        "CLOSE_CHANNEL",
        "ADD_CHANNEL_USER",
        "EDIT_CHANNEL_USER",
        "REMOVE_CHANNEL_USER",
        "MUTE_CHANNEL_USER",
        "BAN_CHANNEL_USER",
        "EDIT_MESSAGE",
        "DELETE_MESSAGE",
    ),
}
SINCE = "2020-01-01T00:00:00.000Z"


def permissions(roles: Sequence[str]) -> list[str]:
    """What these roles permit together."""
    return list(dict.fromkeys(permission for role in roles for permission in PERMISSIONS.get(role, ())))


def check_roles(roles: Sequence[str]) -> None:
    """That the network has these roles.

    Raises:
        Refused: one of them it has not.
    """
    for role in roles:
        if role not in PERMISSIONS:
            raise Refused.not_found(f"Role {role!r}, of {', '.join(PERMISSIONS)},")


def routes(services: Services) -> list[BaseRoute]:
    """Role routes."""
    return [
        serve(services, "GET", "/api/v3/roles", listed),
        serve(services, "GET", "/api/v3/roles/{roleId}", one),
    ]


def _role(name: str) -> Json:
    told = {"roleId": name, "displayName": name, "permissions": list(PERMISSIONS[name]), "isDeleted": False}
    return {**told, "createdAt": SINCE, "updatedAt": SINCE}


async def listed(_call: Call) -> Json:
    """All roles (SDK: `queryRoles`)."""
    return {"roles": [_role(name) for name in PERMISSIONS], "paging": {}}


async def one(call: Call) -> list[Json]:
    """One role in a bare array, which is how the SDK reads it (`getRole`)."""
    if (name := call.path("roleId")) not in PERMISSIONS:
        raise Refused.not_found(f"Role {name!r}")
    return [_role(name)]
