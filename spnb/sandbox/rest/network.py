"""Settings that SDKs ask for at login, and product events."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.ports import Json
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused, answer

__all__ = ["routes"]


class Activities(BaseModel):
    activities: list[dict[str, Any]] = Field(min_length=1, max_length=1000)


def routes(services: Services) -> list[BaseRoute]:
    """Network-setting, product and activity routes."""
    base = "/api/v3/network-settings"
    return [
        serve(services, "GET", f"{base}/chat", chat),
        serve(services, "GET", f"{base}/social", social),
        serve(services, "GET", f"{base}/product", product_settings),
        serve(services, "GET", f"{base}/feed-setting", feeds),
        serve(services, "GET", f"{base}/shareable-deep-links", deep_links),
        serve(services, "GET", f"{base}/video-streaming", video_streaming),
        serve(services, "GET", "/api/v1/products/search", search_products),
        serve(services, "GET", "/api/v1/products/{productId}", product),
        serve(services, "POST", "/api/v1/analytics/activities", activities),
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


async def product(call: Call) -> Json:
    """One product."""
    product_id = call.path("productId")
    found = call.store.products.get(product_id)
    if found is None:
        raise Refused.not_found(f"Product {product_id!r}")
    return {"products": [found]}


async def search_products(call: Call) -> Json:
    """Products by part of the name."""
    wish = call.query.page()
    keyword = (call.query.one("keyword") or "").casefold()
    page = call.store.products.page({}, limit=wish.limit, newest_first=True, start=wish.start)
    hits = [found for found in page.documents if keyword in found["productName"].casefold()]
    return {"products": hits, "paging": paging(page, wish.limit)}


async def activities(call: Call) -> Response:
    """Views and clicks of products."""
    for activity in call.read(Activities).activities:
        document = {**activity, "_id": new_id(), "userId": call.user_id, "receivedAt": call.store.now()}
        call.store.activities.insert(document)
    return answer(None, 202)
