"""Products of live commerce: the catalogue, what may be tagged and pinned on a post, views and clicks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.query import paging, sliced
from spnb.sandbox.rest.refused import Refused, answer
from spnb.sandbox.rest.sound import MOST_BATCH_BYTES, WireTime
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Store

__all__ = ["MOST_TAGGED", "ProductTag", "check_products", "found_catalogue", "routes", "wire_tags"]

MOST_TAGGED = 20
"""Products on one livestream, as documented."""

CATALOGUE = (
    ("mug", "Enamel mug", 14.5),
    ("shirt", "Crew T-shirt", 24.0),
    ("lamp", "Desk lamp", 59.0),
    ("headset", "Studio headset", 129.0),
    ("tripod", "Travel tripod", 45.0),
    ("notebook", "Dotted notebook", 9.9),
)
"""A first catalogue, so that live commerce can be tried at once (a choice)."""


class ProductTag(BaseModel):
    productId: str = Field(min_length=1, max_length=100)
    text: str | None = Field(default=None, max_length=1000)
    index: int | None = None
    length: int | None = None


class ProductCreate(BaseModel):
    productId: str | None = Field(default=None, min_length=1, max_length=100)
    productName: str = Field(min_length=1, max_length=200, pattern=r"\S")
    productUrl: str = Field(default="", max_length=2000)
    price: float | None = Field(default=None, ge=0)
    currency: str | None = Field(default=None, max_length=10)
    thumbnailUrl: str | None = Field(default=None, max_length=2000)
    thumbnailMode: Literal["fit", "fill"] = "fit"
    status: Literal["active", "archived"] = "active"


class Activity(BaseModel):
    contentId: str = Field(min_length=1, max_length=100)
    contentType: str = Field(max_length=100)
    activityType: str = Field(max_length=100)
    timestamp: WireTime | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class Activities(BaseModel):
    activities: list[Activity] = Field(min_length=1, max_length=1000)


def routes(services: Services) -> list[BaseRoute]:
    """Product and activity routes; making one is the Console's in the service, so here it is the sandbox's own call."""
    return [
        serve(services, "GET", "/api/v1/products/search", search),
        serve(services, "GET", "/api/v1/products/{productId}", one),
        serve(services, "POST", "/api/v1/analytics/activities", activities, most=MOST_BATCH_BYTES),
        serve(services, "POST", "/sandbox/products", create, audience="key"),
        serve(services, "GET", "/sandbox/products/activity", counted),
    ]


def found_catalogue(store: Store) -> None:
    """Fill an empty catalogue."""
    if not store.products.count({}):
        for product_id, name, price in CATALOGUE:
            url = f"https://shop.example/{product_id}"
            wish = ProductCreate(productId=product_id, productName=name, productUrl=url, price=price, currency="EUR")
            store.products.insert(_document(store, wish, "sandbox"))


def _document(store: Store, wish: ProductCreate, creator: str) -> Json:
    at = store.now()
    fields, product_id = wish.model_dump(exclude_none=True), wish.productId or new_id()
    return {
        **fields,
        "_id": product_id,
        "productId": product_id,
        "importSource": "manual",
        "createdBy": creator,
        "isDeleted": False,
        "createdAt": at,
        "updatedAt": at,
    }


async def create(call: Call) -> Json:
    """A new product; one with the same id is written over. Needs the API key."""
    product = _document(call.store, call.read(ProductCreate), "sandbox")
    return {"products": [call.store.products.put(product)]}


async def one(call: Call) -> Json:
    """One product."""
    product_id = call.path("productId")
    found = call.store.products.get(product_id)
    if found is None:
        raise Refused.not_found(f"Product {product_id!r}")
    return {"products": [found]}


async def search(call: Call) -> Json:
    """Products by part of the name."""
    wish = call.query.page()
    keyword = (call.query.one("keyword") or "").casefold()
    active, deleted = call.query.flag("isActive"), call.query.flag("isDeleted")
    field = call.query.choice("sortBy", ("createdAt", "updatedAt", "productName"), "createdAt")
    downward = call.query.choice("sortOrder", ("asc", "desc"), "desc") == "desc"
    where = {
        "status": None if active is None else "active" if active else "archived",
        "isDeleted": int(deleted or False),
    }
    found = [product for product in call.store.products.find(where) if keyword in product["productName"].casefold()]
    found.sort(key=lambda product: str(product[field]).casefold(), reverse=downward)
    page = sliced(found, wish)
    return {"products": page.documents, "paging": paging(page, wish.limit)}


async def activities(call: Call) -> Response:
    """Views and clicks of products, views of posts and stories."""
    for activity in call.read(Activities).activities:
        document = {
            **activity.model_dump(),
            "_id": new_id(),
            "userId": call.user_id,
            "receivedAt": call.store.now(),
        }
        if (activity.contentType, activity.activityType) == ("post", "view"):
            _count_view(call, activity.contentId)
        call.store.activities.insert(document)
    return answer(None, 202)


async def counted(call: Call) -> Json:
    """Views and clicks of products in a room, by product: what the service shows in its Console alone."""
    room = call.store.rooms.get(call.query.one("roomId") or "")
    if room is None or room["isDeleted"]:
        raise Refused.not_found("The room")
    if call.user_id not in {room["createdBy"], *(person["userId"] for person in room["participants"])}:
        raise Refused.forbidden("Views and clicks are told to the host of a room and to its co-hosts")
    found: dict[str, dict[str, list[str]]] = {}
    for activity in call.store.activities.find({"metadata.sourceId": room["roomId"]}):
        if activity["contentType"] == "product" and activity["activityType"] in ("view", "linkClicked"):
            of_product = found.setdefault(activity["contentId"], {"view": [], "linkClicked": []})
            of_product[activity["activityType"]].append(activity["userId"])
    activities = [
        {
            "productId": product_id,
            "views": len(people["view"]),
            "viewers": len(set(people["view"])),
            "clicks": len(people["linkClicked"]),
            "clickers": len(set(people["linkClicked"])),
        }
        for product_id, people in found.items()
    ]
    return {"activities": activities, "products": call.store.products.get_many([*found])}


def _count_view(call: Call, post_id: str) -> None:
    """A post is seen once more (`impression`), or by one more user (`reach`); this view is not kept yet."""
    post = call.store.posts.get(post_id)
    if post is not None and not post["isDeleted"]:
        where = {"contentId": post_id, "userId": call.user_id}
        before = call.store.activities.find(where, limit=1, accept=lambda each: each["activityType"] == "view")
        seen = {"impression": post["impression"] + 1, "reach": post["reach"] + (not before)}
        call.store.posts.save({**post, **seen})


def wire_tags(tags: Sequence[ProductTag]) -> list[Json]:
    """Tags as documents hold them, each product once."""
    return list({tag.productId: tag.model_dump(exclude_none=True) for tag in tags}.values())


def check_products(
    call: Call, tags: Sequence[Json], pinned: str | None, *, tagged: Sequence[Json] | None = None
) -> None:
    """Let only active products be tagged, and only tagged ones be pinned.

    Args:
        tags: what is tagged anew.
        pinned: what is pinned anew.
        tagged: all that is tagged afterwards; `tags` without it.

    Raises:
        Refused: 404 for an unknown product, 400 for an archived one or a pin without a tag.
    """
    for tag in tags:
        product = call.store.products.get(tag["productId"])
        if product is None or product["isDeleted"]:
            raise Refused.not_found(f"Product {tag['productId']!r}")
        if product["status"] != "active":
            raise Refused.bad_request(f"Product {tag['productId']!r} is archived: only active ones can be tagged")
    everything = tags if tagged is None else tagged
    if pinned is not None and pinned not in {tag["productId"] for tag in everything}:
        raise Refused.bad_request("Only a tagged product can be pinned: tag it first")
