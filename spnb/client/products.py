"""Products of live commerce: the catalogue, what a post carries, views and clicks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from spnb._loop import on_loop
from spnb.client.records import Records
from spnb.client.resource import Resource, part
from spnb.errors import InvalidInput, NotFound
from spnb.models import Post, Product
from spnb.record import Record

__all__ = ["MOST_TAGGED", "AsyncProducts", "ProductActivity", "ProductCounts", "ProductTags"]

Json = dict[str, Any]

MOST_TAGGED = 20
"""Products on one livestream (social.plus product guide)."""
MOST_ACTIVITIES = 1000
MOST_POSTS = 100


@dataclass(frozen=True, slots=True)
class ProductTags:
    """The products of a livestream post: those tagged, in their order, and the one that is pinned."""

    post_id: str
    """The child post, which is the one that carries the room and its products."""
    room_id: str | None
    tagged: tuple[Product, ...] = ()
    pinned_id: str | None = None

    @property
    def pinned(self) -> Product | None:
        """The pinned product."""
        return next((product for product in self.tagged if product.product_id == self.pinned_id), None)


@dataclass(frozen=True, slots=True)
class ProductActivity:
    """A product was seen, or its link followed."""

    product_id: str
    kind: Literal["view", "linkClicked"]
    location: str
    """Where on the page, e.g. `pinned` or `list`."""
    source_id: str
    """The room it was seen in."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class ProductCounts(Record, frozen=True):
    """How often a product was seen in a room, and its link followed."""

    product_id: str
    product_name: str = ""
    views: int
    viewers: int
    """How many people saw it."""
    clicks: int
    clickers: int
    """How many people followed its link."""


class AsyncProducts(Resource):
    """The network's products, and those of posts."""

    @on_loop
    async def get(self, product_id: str) -> Product:
        """One product. social.plus: `ProductRepository.getProduct`."""
        answer = await self._get(f"/api/v1/products/{part(product_id)}", "read the product")
        return Product.model_validate(answer["products"][0])

    def query(
        self, *, keyword: str | None = None, active: bool | None = True, page_size: int = 20
    ) -> AsyncIterator[Product]:
        """Products of the catalogue, newest first.

        social.plus: `ProductRepository.searchProducts`.

        Args:
            keyword: part of the name.
            active: False for archived ones, None for both; only active ones can be tagged.
            page_size: products per request, 1 to 100.
        """
        return self._listed(
            lambda page: Product.many(page.get("products")),
            "/api/v1/products/search",
            "search products",
            page_size=page_size,
            keyword=keyword,
            isActive=active,
            sortBy="createdAt",
            sortOrder="desc",
        )

    @on_loop
    async def tags(self, post_id: str) -> ProductTags:
        """The products of a livestream post.

        Args:
            post_id: the post or its child; a room's `reference_id` is either.
        """
        answer = await self._get(f"/api/v3/posts/{part(post_id)}", "read the post's products")
        found = _all_tags(answer)
        return found[0] if found else ProductTags(post_id, None)

    @on_loop
    async def tags_of(self, post_ids: Sequence[str]) -> list[ProductTags]:
        """The products of many livestream posts, a hundred in a request; posts without a room are left out."""
        found: list[ProductTags] = []
        for start in range(0, len(post_ids), MOST_POSTS):
            wanted = list(post_ids[start : start + MOST_POSTS])
            found += _all_tags(await self._get("/api/v3/posts/list", "read the posts' products", postIds=wanted))
        return found

    @on_loop
    async def tag(self, post_id: str, product_ids: Sequence[str]) -> ProductTags:
        """Make these, and only these, the products of a livestream post; a pinned one that is not among them goes.

        social.plus: `PostRepository.updateProductTags`.

        Args:
            post_id: the child post that carries the room; `tags()` tells it.
            product_ids: at most 20 active products, in the order to show them.

        Raises:
            InvalidInput: more than 20; nothing was sent.
            Forbidden: the post is another's, and you have no right to manage its products.
        """
        wanted = list(dict.fromkeys(product_ids))
        if len(wanted) > MOST_TAGGED:
            raise InvalidInput(f"{len(wanted)} products; a livestream carries at most {MOST_TAGGED}")
        body = {"productTags": [{"productId": product_id} for product_id in wanted]}
        return _tags_in(post_id, await self._put(f"/api/v4/posts/{part(post_id)}", "tag products", body))

    @on_loop
    async def pin(self, post_id: str, product_id: str | None) -> ProductTags:
        """Pin one of the tagged products in place of the one that is pinned; None unpins.

        social.plus: `PostRepository.pinProduct`.

        Args:
            post_id: the child post that carries the room; `tags()` tells it.
        """
        doing = "pin the product" if product_id else "unpin the product"
        return _tags_in(
            post_id, await self._put(f"/api/v4/posts/{part(post_id)}", doing, json={"pinnedProductId": product_id})
        )

    @on_loop
    async def track(self, activities: Sequence[ProductActivity]) -> None:
        """Report views and clicks of products (social.plus SDK 7.20, `analytics/activities`).

        social.plus: `product.analytics`.
        """
        for start in range(0, len(activities), MOST_ACTIVITIES):
            body = {"activities": [_activity(activity) for activity in activities[start : start + MOST_ACTIVITIES]]}
            await self._post("/api/v1/analytics/activities", "report views of products", body)

    @on_loop
    async def activity(self, room_id: str) -> Records[ProductCounts]:
        """Views and clicks of products in a room, most clicked first; products that nobody saw are not among them.

        The service takes them and tells them in its Console alone; a sandbox tells.

        Raises:
            NotFound: there is no such room; or it is the service, whose API does not tell.
            Forbidden: neither its host nor a co-host.
        """
        doing = "read views of products"
        try:
            answer = await self._get("/sandbox/products/activity", doing, roomId=room_id)
        except NotFound as error:
            rooms = (await self._get(f"/api/v1/rooms/{part(room_id)}", doing)).get("rooms")  # not there: told as that
            if any(room.get("isDeleted") for room in rooms or ()):
                raise
            words = "views and clicks of products cannot be read: the service tells them in its Console alone"
            raise NotFound(f"{words}, not by its API", status=404) from error
        names = {product.product_id: product.product_name for product in Product.many(answer.get("products"))}
        bodies = answer.get("activities") or []
        counts = ProductCounts.many([{**body, "productName": names.get(body.get("productId"))} for body in bodies])
        return Records.of(sorted(counts, key=lambda each: (-each.clicks, -each.views, each.product_id)))


def _activity(activity: ProductActivity) -> Json:
    return {
        "contentId": activity.product_id,
        "contentType": "product",
        "activityType": activity.kind,
        "timestamp": activity.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "metadata": {"location": activity.location, "sourceType": "room", "sourceId": activity.source_id},
    }


def _all_tags(answer: Json) -> list[ProductTags]:
    """The product tags of an answer's posts that carry a room: parents are passed over for their children."""
    products = _products_by_id(answer)
    posts = Post.many([*(answer.get("posts") or []), *(answer.get("postChildren") or [])])
    return [
        _tags_of(post, products) for post in {post.post_id: post for post in posts}.values() if post.data.get("roomId")
    ]


def _tags_in(post_id: str, answer: Json) -> ProductTags:
    body = next((body for body in answer["posts"] if body["postId"] == post_id), answer["posts"][0])
    return _tags_of(Post.model_validate(body), _products_by_id(answer))


def _products_by_id(answer: Json) -> dict[str, Product]:
    products = Product.many(answer.get("products"))
    return {product.product_id: product for product in products}


def _tags_of(post: Post, products: dict[str, Product]) -> ProductTags:
    ids = [str(tag.get("productId")) for tag in post.product_tags if isinstance(tag, dict)]
    # A product the answer does not describe is still tagged: its id stands for its name.
    tagged = [products.get(one) or Product(product_id=one, product_name=one) for one in dict.fromkeys(ids)]
    return ProductTags(post.post_id, post.data.get("roomId"), tuple(tagged), post.pinned_product_id)
