"""What apps of the vendor ask for at their start and the sandbox has no matter for: answered in the right shape, empty.

Stories and advertisements are made in apps and in the Console; the sandbox keeps none. Looked-up links would leave this
machine: a preview says nothing.
"""

from __future__ import annotations

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


class Checked(BaseModel):
    texts: list[str] = Field(default_factory=list, max_length=1000)
    urls: list[str] = Field(default_factory=list, max_length=1000)


def routes(services: Services) -> list[BaseRoute]:
    """Routes of stories, advertisements, link previews and word lists."""
    return [
        serve(services, "GET", "/api/v4/stories", stories),
        serve(services, "GET", "/api/v4/stories/seen", story_targets),
        serve(services, "GET", "/api/v4/stories-by-targets", stories),
        serve(services, "GET", "/api/v5/me/global-story-targets", story_targets),
        serve(services, "GET", "/api/v1/ads/me", ads),
        serve(services, "GET", "/api/v1/link-preview", link_preview),
        serve(services, "POST", "/api/v3/allowlists/verify", verified),
        serve(services, "POST", "/api/v3/blocklists/verify", verified),
    ]


async def stories(_call: Call) -> Json:
    """No stories."""
    empty = ("stories", "comments", "files", "users", "communities", "communityUsers", "categories", "storyTargets")
    return {name: [] for name in empty} | {"paging": {}}


async def story_targets(call: Call) -> Json:
    """Targets without stories."""
    return await stories(call)


async def ads(call: Call) -> Json:
    """No advertisements, switched off; apps read how often there would be some all the same."""
    never = {"type": "fixed", "value": 1000}
    frequency = {"feed": never, "story": never, "comment": never}
    settings = {"enabled": False, "maxActiveAds": 0, "frequency": frequency, "updatedAt": call.store.now()}
    return {"ads": [], "advertisers": [], "files": [], "settings": settings}


async def link_preview(_call: Call) -> Json:
    """A preview that says nothing."""
    return {"title": None, "description": None, "image": None, "video": None}


async def verified(call: Call) -> Json:
    """Words and addresses are all allowed."""
    call.read(Checked)
    return {"success": True}
