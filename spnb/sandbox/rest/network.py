"""Settings of the network: those that SDKs ask for at login, and those that can be changed.

*Choice*: any user of the sandbox may change them; the service lets a network's administrators only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator
from starlette.routing import BaseRoute

from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.server.settings import Thresholds

__all__ = ["routes"]

Share = Annotated[float, Field(ge=0, le=1)]


class WebhookWish(BaseModel):
    webhookEnabled: bool


class CategoryWish(BaseModel):
    category: Literal["pornography", "violence", "prohibited", "inappropriate", "profanity"]
    flagThreshold: Share
    terminateThreshold: Share

    @model_validator(mode="after")
    def _in_order(self) -> CategoryWish:
        self.thresholds()
        return self

    def thresholds(self) -> Thresholds:
        return Thresholds(flag=self.flagThreshold, terminate=self.terminateThreshold)


class ModerationWish(BaseModel):
    enabled: bool | None = None
    categories: list[CategoryWish] = []


class VideoStreamingWish(BaseModel):
    moderation: ModerationWish = ModerationWish()


class PrehookWish(BaseModel):
    enabled: bool | None = None
    callbackUrl: str | None = Field(default=None, max_length=900)
    defaultAction: Literal["allow", "deny"] | None = None
    regenerateKey: bool | None = None


def routes(services: Services) -> list[BaseRoute]:
    """Network-setting routes."""
    base = "/api/v3/network-settings"
    return [
        serve(services, "GET", f"{base}/chat", chat),
        serve(services, "GET", f"{base}/social", social),
        serve(services, "GET", f"{base}/product", product_settings),
        serve(services, "GET", f"{base}/uikit", uikit),
        serve(services, "GET", f"{base}/feed-setting", feeds),
        serve(services, "GET", f"{base}/shareable-deep-links", deep_links),
        serve(services, "GET", f"{base}/video-streaming", video_streaming),
        serve(services, "PUT", f"{base}/video-streaming", change_video_streaming),
        serve(services, "GET", f"{base}/webhook", webhook),
        serve(services, "PUT", f"{base}/webhook", change_webhook),
        serve(services, "GET", f"{base}/prehook", prehook),
        serve(services, "PUT", f"{base}/prehook", change_prehook),
    ]


async def chat(_call: Call) -> Json:
    """SDKs read into this without a guard, so it is complete."""
    return {
        "enabled": True,
        "mention": {"isAllowMentionedChannelEnabled": True},
        "messagePreview": {"enabled": True, "isIncludeDeleted": False},
    }


async def social(_call: Call) -> Json:
    """Social settings; SDKs read `socialNetworkSetting`, and of it what is in `globalFeed` and `story`."""
    setting = {
        "enabled": True,
        "isAllowEditPostWhenReviewingEnabled": False,
        "isFollowWithRequestEnabled": False,
        "globalFeed": {"showOnlyMyFeed": True},
        "story": {"allowAllUserToCreateStory": False, "expiryPeriodDays": 1},
        "userPrivacySetting": "public",
    }
    return {"socialNetworkSetting": setting}


async def product_settings(_call: Call) -> Json:
    """Product settings: SDK 7.20 reads `product.enabled` without a guard."""
    return {"product": {"enabled": True}}


async def uikit(_call: Call) -> Json:
    """What the Console has set for the Web UIKit: nothing, so it runs with its own defaults."""
    return {"config": {}}


async def feeds(_call: Call) -> Json:
    """Feed settings."""
    video = {"maxResolution": "1080p", "minResolution": "360p"}
    allowed = [
        {"contentType": "text", "allowed": True},
        {"contentType": "video", "allowed": True, "maxDurationSeconds": 900, "transcodeConfig": video},
    ]
    kinds = ("post", "message", "story", "chat", "clip")
    return {"feedSettings": [{"feedType": kind, "contentSettings": allowed} for kind in kinds]}


async def deep_links(_call: Call) -> Json:
    """Deep-link settings: none are set."""
    return {"enabled": False, "domain": "", "patterns": {}}


async def video_streaming(call: Call) -> Json:
    """Moderation thresholds; the documented defaults are 40 % to flag and 75 % to terminate."""
    network = call.services.network
    categories = [
        {"category": name, "flagThreshold": known.flag, "terminateThreshold": known.terminate}
        for name, known in network.thresholds.items()
    ]
    return {"enabled": True, "moderation": {"enabled": network.moderated, "categories": categories}}


async def change_video_streaming(call: Call) -> Json:
    """Change moderation; categories that are not named keep their thresholds."""
    wish = call.read(VideoStreamingWish).moderation
    network = call.services.network
    enabled = network.moderated if wish.enabled is None else wish.enabled
    network.moderate(enabled, {each.category: each.thresholds() for each in wish.categories})
    return await video_streaming(call)


async def webhook(call: Call) -> Json:
    """Whether webhooks are on."""
    return {"enabled": call.services.network.webhooks}


async def change_webhook(call: Call) -> Json:
    """Switch webhooks on or off; it is asked for by another name than it is answered with."""
    call.services.network.webhooks = call.read(WebhookWish).webhookEnabled
    return await webhook(call)


async def prehook(call: Call) -> Json:
    """Where the network asks before it stores something."""
    return call.services.prehooks.settings


async def change_prehook(call: Call) -> Json:
    """Change it; what is not named stays. The answer holds the key that the questions are signed with."""
    wish = call.read(PrehookWish)
    changed = wish.model_dump(exclude_none=True, exclude={"regenerateKey"})
    return call.services.prehooks.change(changed, new_key=bool(wish.regenerateKey))
