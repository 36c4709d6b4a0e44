"""The products of a live room: tagged, pinned, seen and clicked. That they hang on a child post is hidden here."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal, get_args

from spnb._arguments import checked_class
from spnb._loop import aiterate, on_loop
from spnb._twins import Blocking
from spnb.client.products import MOST_TAGGED, ProductActivity, ProductCounts, ProductTags
from spnb.client.records import Records
from spnb.errors import InvalidInput, NotFound, ServiceError, Unreachable
from spnb.live.followed import FollowedRoom
from spnb.live.outbox import Outbox
from spnb.live.reading import Reader
from spnb.models import Product, Room
from spnb.observers import Observers
from spnb.realtime import Event

__all__ = ["AsyncRoomProducts"]

log = logging.getLogger(__name__)

Kind = Literal["view", "linkClicked"]
Location = Literal["pinned", "list"]
LOCATIONS = get_args(Location)

SAME_SECONDS = 300.0
"""The same product seen again at the same place within five minutes is one view (SDK 7.20)."""
TRACK_SECONDS = 60.0
MOST_WAITING = 5_000
BLIND_READ = 5.0
"""Seconds between the first reads while events are away."""
NO_POST = "products are tagged on the post that carries the room: call room.post() first"


@checked_class
class AsyncRoomProducts:
    """What is sold in a room: up to 20 tagged products, one of them pinned.

    Follows the service while anybody observes it; `refresh()` reads it now.

    Args:
        room: the room.
        clock: monotonic seconds.
    """

    def __init__(self, room: FollowedRoom, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._client = room.client
        self._clock = clock
        self._tags: ProductTags | None = None
        self._was_read = False
        self._observers = Observers[ProductTags](
            "products", first=self._follow, last=self._unfollow, now=lambda: self._tags
        )
        self._ends: list[Callable[[], None]] = []
        self._topics: set[str] = set()
        self._reader: Reader | None = None
        self._changing = asyncio.Lock()
        self._seen: dict[tuple[str, str, str], float] = {}
        self._there: set[str] = set()
        self._numbers = itertools.count()
        self._outbox_made: Outbox[ProductActivity] | None = None
        self.uncounted: str | None = None
        """Why the service refused views and clicks that were told last; None where it took them all."""

    @property
    def tagged(self) -> list[Product]:
        """The tagged products as they were read last, in their order.

        Raises:
            InvalidInput: they have not been read yet.
        """
        tags = self._known()
        return list(tags.tagged) if tags else []

    @property
    def pinned(self) -> Product | None:
        """The pinned one.

        Raises:
            InvalidInput: they have not been read yet.
        """
        tags = self._known()
        return tags.pinned if tags else None

    def _known(self) -> ProductTags | None:
        """What was read last; None where no post carries the room yet."""
        if not self._was_read:
            raise InvalidInput("the products of this room have not been read yet: refresh() or observe() them")
        return self._tags

    @property
    def read_error(self) -> str | None:
        """Why the products, which are observed, could not be read last; None where they could."""
        return self._reader.read_error if self._reader is not None else None

    def __len__(self) -> int:
        return len(self.tagged)

    @property
    def manageable(self) -> bool:
        """Whether this user may tag and pin: the host, and co-hosts who were given the right."""
        record = self._room.record
        mine = [person for person in record.participants if person.user_id == self._client.user_id]
        return record.created_by == self._client.user_id or any(person.can_manage_product_tags for person in mine)

    # -- following

    @on_loop
    async def refresh(self) -> list[Product]:
        """Read the products now; none where no post carries the room yet."""
        await self._read()
        return self.tagged

    def observe(self, observer: Callable[[ProductTags], Any]) -> Callable[[], None]:
        """Have `observer` called with the product tags (`tagged`, `pinned`) where they are known, and at every change.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._observers.add(observer)

    def watch(self) -> AsyncIterator[ProductTags]:
        """The product tags at every change, first as they are now. Ends only when it is left.

        social.plus: `PostRepository.onPostUpdated`.
        """
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[ProductTags]:
        changes: asyncio.Queue[ProductTags] = asyncio.Queue()
        await self._read()
        end = self.observe(changes.put_nowait)
        try:
            while True:
                yield await changes.get()
        finally:
            end()

    def _follow(self) -> None:
        self._ends = [self._room.observe(self._room_changed)]
        # Without a post there are none; that one has come is told by the room.
        self._reader = Reader(
            self._keep_up,
            self._followed,
            over=lambda: not self._room.record.reference_id,
            first=BLIND_READ,
            gate=self._room.client._reading,
            name="spnb-products",
        )
        self._reader.start()

    def _unfollow(self) -> None:
        for end in self._ends:
            end()
        self._ends = []
        self._topics.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _room_changed(self, record: Room) -> None:
        if record.reference_id and (self._tags is None or not self._topics):
            self._reconcile()

    def _heard(self, event: Event) -> None:
        if event.type == "post.updated":
            self._reconcile()

    def _reconcile(self) -> None:
        if self._reader is not None:
            self._reader.soon()

    async def _keep_up(self) -> bool:
        """Read, and follow the post that carries them; whether anything was new."""
        before = self._tags
        try:
            await self._read()
            await self._follow_post()
        except NotFound:
            log.info("the post of the products is gone")
        return self._tags is not before

    def _followed(self) -> bool:
        return bool(self._topics) and all(map(self._room.client.realtime.is_subscribed, self._topics))

    async def _follow_post(self) -> None:
        if self._topics or self._tags is None or not self._observers:
            return
        post = await self._client.posts.get(self._tags.post_id)
        if post.path and self._observers:
            self._topics.add(post.path)
            # What happened before the broker takes the subscription is told by no event: it is read once more then.
            subscribe = self._client.realtime.subscribe
            self._ends.append(subscribe(post.path, self._heard, settled=lambda _granted: self._reconcile()))

    async def _read(self) -> None:
        reference = self._room.record.reference_id or (await self._room.refresh()).reference_id
        if reference:
            self._take(await self._client.products.tags(reference))
        self._was_read = True

    def _take(self, tags: ProductTags) -> None:
        self._was_read = True
        if tags != self._tags:
            self._tags = tags
            self._observers.tell(tags)

    # -- changing

    @on_loop
    async def tag(self, *products: Product | str) -> list[Product]:
        """Tag more products, behind those that are tagged.

        social.plus: `PostRepository.updateProductTags`.

        Args:
            products: products of `sp.products`, or their ids.

        Raises:
            InvalidInput: it would be more than 20, or no post carries the room.
            Forbidden: neither host nor a co-host with the right.
        """
        async with self._changing:
            tags = await self._newest_tags()
            ids = [*(product.product_id for product in tags.tagged), *_ids(products)]
            self._take(await self._client.products.tag(tags.post_id, ids))
        return self.tagged

    @on_loop
    async def untag(self, *products: Product | str) -> list[Product]:
        """Take products off; a pinned one among them is unpinned. social.plus: `PostRepository.updateProductTags`.

        Raises:
            InvalidInput: one of them is not tagged.
        """
        gone = set(_ids(products))
        async with self._changing:
            tags = await self._newest_tags()
            if odd := gone - {product.product_id for product in tags.tagged}:
                known = ", ".join(product.product_id for product in tags.tagged) or "none"
                raise InvalidInput(f"{', '.join(map(repr, sorted(odd)))} is not tagged: tagged are {known}")
            kept = [product.product_id for product in tags.tagged if product.product_id not in gone]
            self._take(await self._client.products.tag(tags.post_id, kept))
        return self.tagged

    @on_loop
    async def pin(self, product: Product | str) -> Product:
        """Pin a product in place of the one that is pinned; it is tagged first where it is not.

        social.plus: `PostRepository.pinProduct`.

        Raises:
            InvalidInput: 20 are tagged already, or no post carries the room.
            Forbidden: neither host nor a co-host with the right.
        """
        wanted = _ids([product])[0]
        async with self._changing:
            tags = await self._newest_tags()
            ids = [one.product_id for one in tags.tagged]
            if wanted not in ids:
                tags = await self._client.products.tag(tags.post_id, [*ids, wanted])
            self._take(await self._client.products.pin(tags.post_id, wanted))
        pinned = self.pinned
        if pinned is None:
            raise InvalidInput(f"product {wanted!r} was untagged by somebody else meanwhile: pin it again")
        return pinned

    @on_loop
    async def unpin(self) -> None:
        """Pin none. social.plus: `PostRepository.unpinProduct`."""
        async with self._changing:
            tags = await self._newest_tags()
            self._take(await self._client.products.pin(tags.post_id, None))

    async def _newest_tags(self) -> ProductTags:
        """Read first: tagging replaces the whole list, and a co-host may have changed it."""
        await self._read()
        if self._tags is None:
            raise InvalidInput(NO_POST)
        return self._tags

    # -- seen and clicked

    @on_loop
    async def viewed(self, product: Product | str, *, location: Location = "list") -> None:
        """A viewer saw a product; once in five minutes counts. social.plus: `product.analytics`.

        Args:
            product: the product, or its id.
            location: where it was seen: `pinned`, or in the `list`.

        Raises:
            InvalidInput: there is no such place.
            NotFound: there is no such product.
        """
        await self._track(product, "view", location)

    @on_loop
    async def clicked(self, product: Product | str, *, location: Location = "list") -> None:
        """A viewer followed a product's link; once in five minutes counts. social.plus: `product.analytics`.

        Args:
            product: the product, or its id.
            location: where it was clicked: `pinned`, or in the `list`.

        Raises:
            InvalidInput: there is no such place.
            NotFound: there is no such product.
        """
        await self._track(product, "linkClicked", location)

    async def _track(self, product: Product | str, kind: Kind, location: Location) -> None:
        if location not in LOCATIONS:
            raise InvalidInput(f"location is 'pinned' or 'list', not {location!r}")
        product_id = _ids([product])[0]
        if isinstance(product, str):
            await self._check(product_id)
        now, key = self._clock(), (product_id, kind, location)
        if now - self._seen.get(key, float("-inf")) < SAME_SECONDS:
            return
        self._seen[key] = now
        activity = ProductActivity(product_id, kind, location, self._room.room_id)
        self._outbox().put(next(self._numbers), activity)

    async def _check(self, product_id: str) -> None:
        """See that there is such a product, once: the service takes and counts any id."""
        if product_id in self._there or any(product_id == one.product_id for one in self._tags_known()):
            return
        try:
            await self._client.products.get(product_id)
        except NotFound:
            raise
        except (ServiceError, Unreachable) as error:
            log.info("a product could not be looked up: %s", type(error).__name__)  # seen it was all the same
            return
        self._there.add(product_id)

    def _tags_known(self) -> tuple[Product, ...]:
        return self._tags.tagged if self._tags is not None else ()

    @on_loop
    async def flush(self) -> None:
        """Send now what waits to be reported of views and clicks; done by itself once a minute."""
        await self._outbox().flush()

    @on_loop
    async def activity(self) -> Records[ProductCounts]:
        """Views and clicks of all viewers, by product, most clicked first; tagged ones that nobody saw have none.

        Raises:
            NotFound: the service takes them and tells them in its Console alone; a sandbox tells.
            Forbidden: neither host nor co-host.
        """
        await self.flush()
        counts = await self._client.products.activity(self._room.room_id)
        await self._read()
        seen = {each.product_id for each in counts}
        unseen = [
            ProductCounts(
                product_id=tagged.product_id,
                product_name=tagged.product_name,
                views=0,
                viewers=0,
                clicks=0,
                clickers=0,
            )
            for tagged in self.tagged
            if tagged.product_id not in seen
        ]
        return Records.of([*counts, *unseen])

    def _outbox(self) -> Outbox[ProductActivity]:
        if self._outbox_made is None:
            self._outbox_made = Outbox(
                self._client,
                self._client.products.track,
                every=TRACK_SECONDS,
                most=MOST_WAITING,
                batch=1000,
                refused=self._refused,
            )
        return self._outbox_made

    def _refused(self, activities: list[ProductActivity], error: ServiceError) -> None:
        log.warning("%d views and clicks of products were refused: %s", len(activities), error)
        self.uncounted = str(error)

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        if not self._was_read:
            return f"{type(self).__name__}(not read yet: refresh())"
        pinned = f", pinned {self.pinned.product_id!r}: {self.pinned.product_name!r}" if self.pinned else ""
        return f"{type(self).__name__}({len(self)} of {MOST_TAGGED} tagged{pinned})"


def _ids(products: Sequence[Product | str]) -> list[str]:
    if not products:
        raise InvalidInput("name at least one product")
    return [product if isinstance(product, str) else product.product_id for product in products]
