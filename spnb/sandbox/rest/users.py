"""Users: read, search, update, report."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.fields import reported, with_changes
from spnb.sandbox.rest.query import page_by, paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


class UserChange(BaseModel):
    userId: str | None = None
    displayName: str | None = Field(default=None, min_length=1, max_length=100)
    description: str | None = Field(default=None, max_length=5000)
    metadata: dict[str, Any] | None = None
    avatarFileId: str | None = Field(default=None, max_length=100)
    avatarCustomUrl: str | None = Field(default=None, max_length=2000)


def routes(services: Services) -> list[BaseRoute]:
    """User routes; SDKs write `isFlagByMe` in two ways."""
    return [
        serve(services, "GET", "/api/v3/users/list", listed),
        serve(services, "GET", "/api/v3/users/{userId}", one),
        serve(services, "GET", "/api/v3/users/{userId}/isFlagByMe", flagged_by_me),
        serve(services, "GET", "/api/v3/users/{userId}/isflagbyme", flagged_by_me),
        serve(services, "GET", "/api/v3/users", search),
        serve(services, "PUT", "/api/v3/users", update),
        serve(services, "PUT", "/api/v3/users/", update),
        serve(services, "POST", "/api/v4/me/flags/{userId}", flag),
        serve(services, "DELETE", "/api/v4/me/flags/{userId}", unflag),
    ]


def _payload(call: Call, users: list[Json]) -> Json:
    avatars = [user["avatarFileId"] for user in users if user.get("avatarFileId")]
    return {"users": users, "files": call.store.files.get_many(avatars)}


def _user(call: Call) -> Json:
    wanted = call.path("userId")
    internal = call.query.one("type") == "internal"
    user = call.store.users.get(wanted) if internal else call.store.user_by_public_id(wanted)
    if user is None:
        raise Refused.not_found(f"User {wanted!r}")
    return user


async def one(call: Call) -> Json:
    """A user by public id, or by internal id with `type=internal`."""
    return _payload(call, [_user(call)])


async def listed(call: Call) -> Json:
    """Up to 100 users by public id, unknown ones left out."""
    found = [call.store.user_by_public_id(user_id) for user_id in call.query.many("userIds")]
    return _payload(call, [user for user in found if user is not None])


async def search(call: Call) -> Json:
    """Users, by part of their display name or id where `keyword` is given (SDK: `searchUserByDisplayName`)."""
    wish = call.query.page()
    keyword = (call.query.one("keyword") or call.query.one("displayName") or "").casefold()
    order = call.query.choice("sortBy", ("firstCreated", "lastCreated", "displayName"), "firstCreated")
    flagged = call.query.choice("filter", ("all", "flagged"), "all") == "flagged"
    by = call.query.many("searchBy") or ["displayName", "userId"]

    def accept(user: Json) -> bool:
        named = any(keyword in str(user.get(field) or "").casefold() for field in by)
        return (not keyword or named) and (not flagged or user["flagCount"] > 0)

    page = page_by(call.store.users, {}, wish, order, accept=accept if keyword or flagged else None)
    return {**_payload(call, page.documents), "paging": paging(page, wish.limit)}


async def update(call: Call) -> Json:
    """Change the caller's own profile (SDK: `UserRepository.updateUser`)."""
    change = call.read(UserChange)
    if change.userId not in (None, call.user_id):
        raise Refused.forbidden("Only the user's own profile can be changed")
    fields = change.model_dump(exclude_unset=True, exclude={"userId"})
    fields = {name: value for name, value in fields.items() if name != "displayName" or value is not None}
    changed = call.store.users.save({**with_changes(call.user, fields), "updatedAt": call.store.now()})
    where = topics.user(call.store.network_id, changed["_id"])
    call.publish(where, "user.updated", _payload(call, [changed]), subject_id=changed["_id"])
    return _payload(call, [changed])


async def flag(call: Call) -> Json:
    """Report a user; once per reporter (SDK: `UserRepository.flagUser`)."""
    return _flagged(call, add=True)


async def unflag(call: Call) -> Json:
    """Take the caller's report back (SDK: `UserRepository.unflagUser`)."""
    return _flagged(call, add=False)


def _flagged(call: Call, *, add: bool) -> Json:
    user = _user(call)
    key = f"user:{user['userId']}:{call.user_id}"
    subject = {"referenceType": "user", "referenceId": user["userId"]}
    if add != (call.store.flags.get(key) is not None):
        if add:
            call.store.flags.insert({"_id": key, **subject, "userId": call.user_id})
        else:
            call.store.flags.delete(key)
        user = call.store.users.save({**user, **reported(call.store, subject)})
    return _payload(call, [user])


async def flagged_by_me(call: Call) -> Json:
    """Whether the caller reported the user; SDKs read `isFlagByMe` in one place and `result` in another."""
    flagged = call.store.flags.get(f"user:{_user(call)['userId']}:{call.user_id}") is not None
    return {"isFlagByMe": flagged, "result": flagged}
