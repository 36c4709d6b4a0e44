"""What a room has besides its status: reactions, audience, products, and the viewing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._loop import on_loop
from spnb.live.audience import AsyncAudience
from spnb.live.followed import FollowedRoom
from spnb.live.products import AsyncRoomProducts
from spnb.live.reactions import AsyncLiveReactions
from spnb.live.viewing import AsyncViewing
from spnb.models import LiveReaction

if TYPE_CHECKING:
    from spnb.client.audience import AsyncPresence

__all__ = ["AsyncEngagement"]


@checked_class
class AsyncEngagement(FollowedRoom):
    """The audience's side of `AsyncLiveRoom`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        checked_class(cls)

    _reactions: AsyncLiveReactions | None = None
    _audience: AsyncAudience | None = None
    _products: AsyncRoomProducts | None = None

    @on_loop
    async def viewers(self) -> int:
        """How many users watch now. social.plus: `RoomPresenceRepository.getRoomUserCount`."""
        return await self.client.presence.count(self.room_id)

    @property
    def presence(self) -> AsyncPresence:
        """Heartbeats, viewers and watch sessions, on the connection the room lives on."""
        return self.client.presence

    @property
    def reactions(self) -> AsyncLiveReactions:
        """Floating reactions counted by name, from the first look on; `send()` sends."""
        reactions = self._own_reactions()
        reactions.follow()
        return reactions

    def _own_reactions(self) -> AsyncLiveReactions:
        if self._reactions is None:
            self._reactions = AsyncLiveReactions(self)
        return self._reactions

    @on_loop
    async def react(self, name: str, times: int = 1) -> list[LiveReaction]:
        """Send a floating reaction: gathered for a second, kept while the network is away, flushed at the close.

        social.plus: `LiveReactionRepository.createReaction`.

        Args:
            name: e.g. `heart`; at most 100 characters.
            times: how often.

        Raises:
            InvalidInput: no post carries the room yet.
        """
        return await self._own_reactions().send(name, times)

    def live_reactions(self) -> AsyncIterator[LiveReaction]:
        """Every floating reaction from now on, one's own too. Ends only when it is left.

        social.plus: `LiveReactionRepository.getReactions`, `LiveReactionRepository.onLiveReactionCreated`.
        """
        return self._own_reactions().watch()

    @property
    def audience(self) -> AsyncAudience:
        """How many watch, and who; shared by all who look at this room on this connection.

        social.plus: `RoomPresenceRepository.getRoomOnlineUsers`.
        """
        if self._audience is None:
            self._audience = AsyncAudience.of(self.client, self.room_id)
        return self._audience

    def watch_session(self) -> AsyncViewing:
        """A viewing of this room: presence and a watch session. `async with` starts and ends it.

        social.plus: `room.analytics`, `RoomPresenceRepository.stopHeartbeat`.
        """
        return AsyncViewing(self)

    @property
    def products(self) -> AsyncRoomProducts:
        """What is sold in this room: tag, pin, follow."""
        if self._products is None:
            self._products = AsyncRoomProducts(self)
        return self._products
