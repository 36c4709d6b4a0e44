"""Settings that SDKs ask for at login."""

from __future__ import annotations

from starlette.routing import BaseRoute

from spnb.sandbox.ports import Json
from spnb.sandbox.rest.call import Call, Services, serve

__all__ = ["routes"]


def routes(services: Services) -> list[BaseRoute]:
    """Network-setting routes."""
    base = "/api/v3/network-settings"
    return [
        serve(services, "GET", f"{base}/chat", chat),
        serve(services, "GET", f"{base}/social", social),
        serve(services, "GET", f"{base}/product", product_settings),
        serve(services, "GET", f"{base}/feed-setting", feeds),
        serve(services, "GET", f"{base}/shareable-deep-links", deep_links),
        serve(services, "GET", f"{base}/video-streaming", video_streaming),
    ]


async def chat(_call: Call) -> Json:
    """SDKs read into this without a guard, so it is complete."""
    return {
        "enabled": True,
        "mention": {"isAllowMentionedChannelEnabled": True},
        "messagePreview": {"enabled": True, "isIncludeDeleted": False},
    }


async def social(_call: Call) -> Json:
    """Social settings."""
    return {"socialNetworkSetting": {"enabled": True, "isAllowEditPostWhenReviewingEnabled": False, "globalFeed": {}}}


async def product_settings(_call: Call) -> Json:
    """Product settings."""
    return {"enabled": True}


async def feeds(_call: Call) -> Json:
    """Feed settings."""
    return {"feedSettings": []}


async def deep_links(_call: Call) -> Json:
    """Deep-link settings."""
    return {"enabled": False, "domain": "", "patterns": {}}


async def video_streaming(call: Call) -> Json:
    """Moderation thresholds; the documented defaults are 40 % to flag and 75 % to terminate."""
    categories = [
        {"category": name, "flagThreshold": known.flag, "terminateThreshold": known.terminate}
        for name, known in call.services.settings.moderation.items()
    ]
    return {"enabled": True, "moderation": {"enabled": True, "categories": categories}}
