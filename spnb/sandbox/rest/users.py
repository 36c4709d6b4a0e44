"""Users: read, search, update."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


class UserChange(BaseModel):
    userId: str | None = None
    displayName: str = Field(default="", max_length=100)
    description: str | None = Field(default=None, max_length=5000)
    metadata: dict[str, Any] | None = None
    avatarFileId: str | None = Field(default=None, max_length=100)
    avatarCustomUrl: str | None = Field(default=None, max_length=2000)


def routes(services: Services) -> list[BaseRoute]:
    """User routes."""
    return [
        serve(services, "GET", "/api/v3/users/list", listed),
        serve(services, "GET", "/api/v3/users/{userId}", one),
        serve(services, "GET", "/api/v3/users", search),
        serve(services, "PUT", "/api/v3/users", update),
    ]


def _payload(users: list[Json]) -> Json:
    return {"users": users, "files": []}


async def one(call: Call) -> Json:
    """A user by public id, or by internal id with `type=internal`."""
    wanted = call.path("userId")
    internal = call.query.one("type") == "internal"
    user = call.store.users.get(wanted) if internal else call.store.user_by_public_id(wanted)
    if user is None:
        raise Refused.not_found(f"User {wanted!r}")
    return _payload([user])


async def listed(call: Call) -> Json:
    """Up to 100 users by public id, unknown ones left out."""
    found = [call.store.user_by_public_id(user_id) for user_id in call.query.many("userIds")]
    return _payload([user for user in found if user is not None])


async def search(call: Call) -> Json:
    """Users, by part of their display name where `keyword` is given."""
    wish = call.query.page()
    keyword = (call.query.one("keyword") or call.query.one("displayName") or "").casefold()
    if keyword:
        hits = [user for user in call.store.users.find({}) if keyword in user["displayName"].casefold()]
        return {**_payload(hits[: wish.limit]), "paging": {}}
    page = call.store.users.page({}, limit=wish.limit, start=wish.start)
    return {**_payload(page.documents), "paging": paging(page, wish.limit)}


async def update(call: Call) -> Json:
    """Change the caller's own profile."""
    change = call.read(UserChange)
    if change.userId not in (None, call.user_id):
        raise Refused.forbidden("Only the user's own profile can be changed")
    fields = change.model_dump(exclude_unset=True, exclude={"userId"})
    return _payload([call.store.users.save({**call.user, **fields, "updatedAt": call.store.now()})])
