"""The blocking twins of `spnb.client.products`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spnb.client.products import AsyncProducts, ProductActivity, ProductCounts, ProductTags
    from spnb.client.records import Records
    from spnb.models import Product


__all__ = ["Products"]


class Products(Face):
    """The network's products, and those of posts.

    The blocking twin of `AsyncProducts`.
    """

    _twin: AsyncProducts

    def get(self, product_id: str) -> Product:
        """One product. social.plus: `ProductRepository.getProduct`."""
        return run(self._twin.get(product_id))

    def query(self, *, keyword: str | None = None, active: bool | None = True, page_size: int = 20) -> Watch[Product]:
        """Products of the catalogue, newest first.

        social.plus: `ProductRepository.searchProducts`.

        Args:
            keyword: part of the name.
            active: False for archived ones, None for both; only active ones can be tagged.
            page_size: products per request, 1 to 100.
        """
        return Watch(self._twin.query(keyword=keyword, active=active, page_size=page_size))

    def tags(self, post_id: str) -> ProductTags:
        """The products of a livestream post.

        Args:
            post_id: the post or its child; a room's `reference_id` is either.
        """
        return run(self._twin.tags(post_id))

    def tags_of(self, post_ids: Sequence[str]) -> list[ProductTags]:
        """The products of many livestream posts, a hundred in a request; posts without a room are left out."""
        return run(self._twin.tags_of(post_ids))

    def tag(self, post_id: str, product_ids: Sequence[str]) -> ProductTags:
        """Make these, and only these, the products of a livestream post; a pinned one that is not among them goes.

        social.plus: `PostRepository.updateProductTags`.

        Args:
            post_id: the child post that carries the room; `tags()` tells it.
            product_ids: at most 20 active products, in the order to show them.

        Raises:
            InvalidInput: more than 20; nothing was sent.
            Forbidden: the post is another's, and you have no right to manage its products.
        """
        return run(self._twin.tag(post_id, product_ids))

    def pin(self, post_id: str, product_id: str | None) -> ProductTags:
        """Pin one of the tagged products in place of the one that is pinned; None unpins.

        social.plus: `PostRepository.pinProduct`.

        Args:
            post_id: the child post that carries the room; `tags()` tells it.
        """
        return run(self._twin.pin(post_id, product_id))

    def track(self, activities: Sequence[ProductActivity]) -> None:
        """Report views and clicks of products (social.plus SDK 7.20, `analytics/activities`).

        social.plus: `product.analytics`.
        """
        run(self._twin.track(activities))

    def activity(self, room_id: str) -> Records[ProductCounts]:
        """Views and clicks of products in a room, most clicked first; products that nobody saw are not among them.

        The service takes them and tells them in its Console alone; a sandbox tells.

        Raises:
            NotFound: there is no such room; or it is the service, whose API does not tell.
            Forbidden: neither its host nor a co-host.
        """
        return run(self._twin.activity(room_id))

    @property
    def asynchronous(self) -> AsyncProducts:
        """The async twin: the same object, to be awaited."""
        return self._twin
