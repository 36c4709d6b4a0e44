"""The blocking twins of `spnb.live.products`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from spnb.client.products import ProductCounts, ProductTags
    from spnb.client.records import Records
    from spnb.live.products import AsyncRoomProducts, Location
    from spnb.models import Product


__all__ = ["RoomProducts"]


class RoomProducts(Face):
    """What is sold in a room: up to 20 tagged products, one of them pinned.

    The blocking twin of `AsyncRoomProducts`.

    Follows the service while anybody observes it; `refresh()` reads it now.
    """

    _twin: AsyncRoomProducts

    @property
    def uncounted(self) -> str | None:
        """Why the service refused views and clicks that were told last; None where it took them all."""
        return self._twin.uncounted

    @property
    def tagged(self) -> list[Product]:
        """The tagged products as they were read last, in their order.

        Raises:
            InvalidInput: they have not been read yet.
        """
        return self._twin.tagged

    @property
    def pinned(self) -> Product | None:
        """The pinned one.

        Raises:
            InvalidInput: they have not been read yet.
        """
        return self._twin.pinned

    @property
    def read_error(self) -> str | None:
        """Why the products, which are observed, could not be read last; None where they could."""
        return self._twin.read_error

    def __len__(self) -> int:
        return len(self._twin)

    @property
    def manageable(self) -> bool:
        """Whether this user may tag and pin: the host, and co-hosts who were given the right."""
        return self._twin.manageable

    def refresh(self) -> list[Product]:
        """Read the products now; none where no post carries the room yet."""
        return run(self._twin.refresh())

    def observe(self, observer: Callable[[ProductTags], Any]) -> Callable[[], None]:
        """Have `observer` called with the product tags (`tagged`, `pinned`) where they are known, and at every change.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[ProductTags]:
        """The product tags at every change, first as they are now. Ends only when it is left.

        social.plus: `PostRepository.onPostUpdated`.
        """
        return Watch(self._twin.watch())

    def tag(self, *products: Product | str) -> list[Product]:
        """Tag more products, behind those that are tagged.

        social.plus: `PostRepository.updateProductTags`.

        Args:
            products: products of `sp.products`, or their ids.

        Raises:
            InvalidInput: it would be more than 20, or no post carries the room.
            Forbidden: neither host nor a co-host with the right.
        """
        return run(self._twin.tag(*products))

    def untag(self, *products: Product | str) -> list[Product]:
        """Take products off; a pinned one among them is unpinned. social.plus: `PostRepository.updateProductTags`.

        Raises:
            InvalidInput: one of them is not tagged.
        """
        return run(self._twin.untag(*products))

    def pin(self, product: Product | str) -> Product:
        """Pin a product in place of the one that is pinned; it is tagged first where it is not.

        social.plus: `PostRepository.pinProduct`.

        Raises:
            InvalidInput: 20 are tagged already, or no post carries the room.
            Forbidden: neither host nor a co-host with the right.
        """
        return run(self._twin.pin(product))

    def unpin(self) -> None:
        """Pin none. social.plus: `PostRepository.unpinProduct`."""
        run(self._twin.unpin())

    def viewed(self, product: Product | str, *, location: Location = "list") -> None:
        """A viewer saw a product; once in five minutes counts. social.plus: `product.analytics`.

        Args:
            product: the product, or its id.
            location: where it was seen: `pinned`, or in the `list`.

        Raises:
            InvalidInput: there is no such place.
            NotFound: there is no such product.
        """
        run(self._twin.viewed(product, location=location))

    def clicked(self, product: Product | str, *, location: Location = "list") -> None:
        """A viewer followed a product's link; once in five minutes counts. social.plus: `product.analytics`.

        Args:
            product: the product, or its id.
            location: where it was clicked: `pinned`, or in the `list`.

        Raises:
            InvalidInput: there is no such place.
            NotFound: there is no such product.
        """
        run(self._twin.clicked(product, location=location))

    def flush(self) -> None:
        """Send now what waits to be reported of views and clicks; done by itself once a minute."""
        run(self._twin.flush())

    def activity(self) -> Records[ProductCounts]:
        """Views and clicks of all viewers, by product, most clicked first; tagged ones that nobody saw have none.

        Raises:
            NotFound: the service takes them and tells them in its Console alone; a sandbox tells.
            Forbidden: neither host nor co-host.
        """
        return run(self._twin.activity())

    @property
    def asynchronous(self) -> AsyncRoomProducts:
        """The async twin: the same object, to be awaited."""
        return self._twin
