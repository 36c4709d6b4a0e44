"""What a page shows and does of a room's audience: floating reactions, and products to look at, tag and pin."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

import traitlets

from spnb.client import ProductTags
from spnb.errors import InvalidInput
from spnb.live import AsyncLiveRoom
from spnb.models import LiveReaction, Product, Room
from spnb.widgets.base import Widget

__all__ = ["Engagement", "product_row"]

BURST_SECONDS = 0.25
"""Reactions of a quarter of a second travel to the page in one message."""
MOST_AT_ONCE = 50
MOST_FOUND = 20


class Engagement(Widget):
    """A widget with a room's reactions and products."""

    reactable = traitlets.Bool(False).tag(sync=True)
    """Whether reactions can be given now: the room is live and a post carries it."""
    reactions: traitlets.Dict[str, int] = traitlets.Dict().tag(sync=True)
    """How many floated since the widget looks, by name."""
    products: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """The tagged products: id, name, price, url, picture."""
    pinned = traitlets.Unicode("").tag(sync=True)
    """The id of the pinned product; empty without one."""
    manages = traitlets.Bool(False).tag(sync=True)
    """Whether this user may tag and pin products."""
    _engaged: AsyncLiveRoom | None = None
    _engagements: tuple[Callable[[], None], ...] = ()

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._burst: Counter[str] = Counter()
        self._at_end(self._disengage)

    def _engage(self, room: AsyncLiveRoom) -> None:
        """Show the reactions and products of another room."""
        self._disengage()
        self._engaged = room
        with self.hold_sync():
            self.reactions, self.products, self.pinned = room.reactions._so_far, [], ""
            self._may(room.record)
        self._engagements = (
            room.reactions.observe(self._floated),
            room.products.observe(self._tags_changed),
            room.observe(self._may),
        )

    def _disengage(self) -> None:
        ends, self._engagements = self._engagements, ()
        for end in ends:
            end()
        self._engaged = None

    def _may(self, record: Room) -> None:
        if self._engaged is not None:
            self.reactable = record.is_live and bool(record.reference_id)
            self.manages = self._engaged.products.manageable

    # -- reactions

    def _floated(self, reaction: LiveReaction) -> None:
        if not self._burst:
            asyncio.get_running_loop().call_later(BURST_SECONDS, self._tell_burst)
        self._burst[reaction.reaction_name] += 1

    def _tell_burst(self) -> None:
        names, self._burst = dict(self._burst), Counter()
        if self._engaged is not None and names:
            self.send({"type": "float", "names": names})
            self.reactions = self._engaged.reactions._so_far

    async def do_react(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A reaction was pressed."""
        times = content.get("times") or 1
        if self._engaged is None or not isinstance(times, int):
            raise InvalidInput("there is no room to react to")
        await self._engaged.react(str(content.get("name") or ""), min(times, MOST_AT_ONCE))

    # -- products

    def _tags_changed(self, tags: ProductTags) -> None:
        with self.hold_sync():
            self.products = [product_row(product) for product in tags.tagged]
            self.pinned = tags.pinned_id or ""

    async def do_viewed(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A product came into sight."""
        if self._engaged is not None and not self.manages:
            product, location = _seen(content)
            await self._engaged.products.viewed(product, location=location)

    async def do_clicked(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A product's link was followed."""
        if self._engaged is not None and not self.manages:
            product, location = _seen(content)
            await self._engaged.products.clicked(product, location=location)

    async def do_pin(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Pin this one, or none."""
        room, product = self._managed(), str(content.get("product") or "")
        await (room.products.pin(product) if product else room.products.unpin())

    async def do_tag(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Put a product on the tags."""
        room = self._managed()
        if not room.record.reference_id:
            # The product hangs on the room's post: the first one makes it.
            await room.post(text=room.title)
        await room.products.tag(str(content.get("product") or ""))

    async def do_untag(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Take a product off the tags."""
        await self._managed().products.untag(str(content.get("product") or ""))

    async def do_search(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Look for products to tag; the page that asked is answered."""
        room, found = self._managed(), []
        keyword = str(content.get("keyword") or "").strip() or None
        async for product in room.client.products.query(keyword=keyword, page_size=MOST_FOUND):
            found.append(product_row(product))
            if len(found) >= MOST_FOUND:
                break
        self.send({"type": "found", "client": content.get("client"), "products": found})

    def _managed(self) -> AsyncLiveRoom:
        if self._engaged is None:
            raise InvalidInput("there is no room yet: create it first")
        self.error = ""
        return self._engaged


def product_row(product: Product) -> dict[str, str]:
    """A product as a page shows it. Addresses other than of the web are left out: they are what somebody wrote."""
    return {
        "id": product.product_id,
        "name": product.product_name or product.product_id,
        "price": product.price_text,
        "url": _web(product.product_url),
        "picture": _web(product.thumbnail_url),
    }


def _web(address: str | None) -> str:
    try:
        scheme = urlsplit(address or "").scheme
    except ValueError:
        return ""
    return address or "" if scheme in ("http", "https") else ""


def _seen(content: dict[str, Any]) -> tuple[str, Literal["pinned", "list"]]:
    product, location = content.get("product"), content.get("location")
    if not isinstance(product, str) or not product:
        raise InvalidInput("a product has an id")
    return product, "pinned" if location == "pinned" else "list"
