"""Pinned posts. In the service the Console pins them, so that is a call of the sandbox's own."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.posts import answered
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]

NETWORK = "global"
"""The placement of what is pinned for everybody (SDK 7.20 drops `global#<postId>` when a post is deleted)."""


class Pin(BaseModel):
    postId: str = Field(min_length=1, max_length=100)
    placement: Literal["default", "announcement", "global"] = "default"


def routes(services: Services) -> list[BaseRoute]:
    """Routes of pinned posts."""
    pinned = "/api/v1/pinned-posts"
    return [
        serve(services, "GET", f"{pinned}/global", everywhere),
        serve(services, "GET", f"{pinned}/communities/{{communityId}}", of_community),
        serve(services, "GET", f"{pinned}/communities/{{communityId}}/{{placement}}", of_community),
        serve(services, "POST", "/sandbox/pins", pin, audience="key"),
        serve(services, "POST", "/sandbox/pins/remove", unpin, audience="key"),
    ]


async def everywhere(call: Call) -> Json:
    """Posts pinned for the whole network (SDK: `PostRepository.getGlobalPinnedPosts`)."""
    return _listed(call, NETWORK, NETWORK)


async def of_community(call: Call) -> Json:
    """Posts pinned in a community (SDK: `PostRepository.getPinnedPosts`)."""
    placement = call.request.path_params.get("placement")
    return _listed(call, call.path("communityId"), placement)


async def pin(call: Call) -> Json:
    """Pin a post, the newest first. Needs the API key."""
    wish = call.read(Pin)
    post = call.store.posts.get(wish.postId)
    if post is None or post["isDeleted"] or (wish.placement != NETWORK and post["targetType"] != "community"):
        raise Refused.not_found(f"Post {wish.postId!r} of a community")
    target = NETWORK if wish.placement == NETWORK else post["targetId"]
    made = {
        "pinId": f"{wish.placement}#{wish.postId}",
        "targetId": target,
        "placement": wish.placement,
        "referenceId": wish.postId,
        "referenceType": "post",
        "pinnedBy": "sandbox",
        "pinnedAt": call.store.now(),
    }
    return {"pins": [_wire(call.store.pins.put(made))]}


async def unpin(call: Call) -> Json:
    """Pin a post no longer. Needs the API key."""
    wish = call.read(Pin)
    return {"success": call.store.pins.delete(f"{wish.placement}#{wish.postId}")}


def _listed(call: Call, target: str, placement: str | None) -> Json:
    found = call.store.pins.find({"targetId": target, "placement": placement})
    found.sort(key=lambda each: str(each["pinnedAt"]), reverse=True)
    posts = {post["postId"]: post for post in call.store.posts.get_many([each["referenceId"] for each in found])}
    found = [each for each in found if not posts.get(each["referenceId"], {"isDeleted": True})["isDeleted"]]
    kind = "network" if target == NETWORK else "community"
    changed = {"targetId": target, "targetType": kind, "lastPinsUpdatedAt": found[0]["pinnedAt"]} if found else None
    return {
        **answered(call, [posts[each["referenceId"]] for each in found]),
        "pins": [_wire(each) for each in found],
        "pinTargets": [changed] if changed else [],
    }


def _wire(made: Json) -> Json:
    return {name: value for name, value in made.items() if name != "pinId"}
