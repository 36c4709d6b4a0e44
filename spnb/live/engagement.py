"""What a room has besides its status: reactions, audience, products, and the viewing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from spnb._loop import on_loop, run
from spnb.live.audience import AsyncAudience, Audience
from spnb.live.products import AsyncRoomProducts, RoomProducts
from spnb.live.reactions import AsyncLiveReactions, LiveReactions
from spnb.live.viewing import AsyncViewing, Viewing
from spnb.models import LiveReaction

if TYPE_CHECKING:
    from spnb.client import AsyncClient
    from spnb.live.room import AsyncLiveRoom

__all__ = ["AsyncEngagement", "Engagement"]


class AsyncEngagement:
    """The audience's side of `AsyncLiveRoom`."""

    _client: AsyncClient[Any]
    _reactions: AsyncLiveReactions | None = None
    _audience: AsyncAudience | None = None
    _products: AsyncRoomProducts | None = None

    @property
    def reactions(self) -> AsyncLiveReactions:
        """Floating reactions counted by name, from the first look on; `send()` sends."""
        reactions = self._own_reactions()
        reactions.follow()
        return reactions

    def _own_reactions(self) -> AsyncLiveReactions:
        if self._reactions is None:
            self._reactions = AsyncLiveReactions(cast("AsyncLiveRoom", self))
        return self._reactions

    @on_loop
    async def react(self, name: str, times: int = 1) -> list[LiveReaction]:
        """Send a floating reaction: gathered for a second, kept while the network is away, flushed at the close.

        Args:
            name: e.g. `heart`; at most 100 characters.
            times: how often.

        Raises:
            InvalidInput: no post carries the room yet.
        """
        return await self._own_reactions().send(name, times)

    def live_reactions(self) -> AsyncIterator[LiveReaction]:
        """Every floating reaction from now on, one's own too. Ends only when it is left."""
        return self._own_reactions().watch()

    @property
    def audience(self) -> AsyncAudience:
        """How many watch, and who; shared by all who look at this room on this connection."""
        if self._audience is None:
            self._audience = AsyncAudience.of(self._client, cast("AsyncLiveRoom", self).room_id)
        return self._audience

    def watch_session(self) -> AsyncViewing:
        """A viewing of this room: presence and a watch session. `async with` starts and ends it."""
        return AsyncViewing(cast("AsyncLiveRoom", self))

    @property
    def products(self) -> AsyncRoomProducts:
        """What is sold in this room: tag, pin, follow."""
        if self._products is None:
            self._products = AsyncRoomProducts(cast("AsyncLiveRoom", self))
        return self._products


class Engagement:
    """The audience's side of `LiveRoom`: the blocking twin of `AsyncEngagement`."""

    _twin: AsyncLiveRoom

    @property
    def reactions(self) -> LiveReactions:
        """Floating reactions counted by name, from the first look on."""
        return self._twin.reactions.sync

    def react(self, name: str, times: int = 1) -> list[LiveReaction]:
        """Send a floating reaction: gathered for a second, kept while the network is away, flushed at the close.

        Args:
            name: e.g. `heart`; at most 100 characters.
            times: how often.
        """
        return run(self._twin.react(name, times))

    @property
    def audience(self) -> Audience:
        """How many watch, and who."""
        return self._twin.audience.sync

    def watch_session(self) -> Viewing:
        """A viewing of this room: presence and a watch session. `with` starts and ends it."""
        return self._twin.watch_session().sync

    @property
    def products(self) -> RoomProducts:
        """What is sold in this room: tag, pin, follow."""
        return self._twin.products.sync
