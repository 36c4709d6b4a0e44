"""What a broadcast needs of a room, and its broadcaster data, fetched ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from spnb._loop import on_loop
from spnb.ice import IceServer
from spnb.models import BroadcasterData, Room

__all__ = ["BroadcastRoom", "prepare", "prepared"]


class BroadcastRoom(Protocol):
    """What a broadcast needs of a room; `AsyncLiveRoom` is one."""

    @property
    def room_id(self) -> str:
        """The room's id."""
        ...

    @property
    def status(self) -> str:
        """Its state as it is known."""
        ...

    @property
    def broadcast_key(self) -> str:
        """Names the user in the room: a process has one broadcast for each."""
        ...

    @property
    def hosted(self) -> bool:
        """Whether the room is the user's own; a co-host's leaving does not end it."""
        ...

    @property
    def ice_servers(self) -> tuple[IceServer, ...]:
        """STUN and TURN servers in place of those that LiveKit names; none to take those."""
        ...

    def observe(self, observer: Callable[[Room], Any]) -> Callable[[], None]:
        """Have changes told."""
        ...

    async def broadcaster_data(self) -> BroadcasterData:
        """LiveKit address and token."""
        ...

    async def refresh(self) -> Room:
        """Read the record anew."""
        ...

    async def stop(self) -> Room:
        """End the room."""
        ...


_prepared: dict[str, BroadcasterData] = {}


@on_loop
async def prepare(room: BroadcastRoom) -> str:
    """Fetch a room's broadcaster data ahead, so that going live costs one round trip less. Kept in memory only.

    Returns:
        LiveKit's address, which is no secret.
    """
    data = _prepared[room.broadcast_key] = await room.broadcaster_data()
    return data.co_host_url or ""


def prepared(room: BroadcastRoom) -> BroadcasterData | None:
    """What was fetched ahead, once."""
    return _prepared.pop(room.broadcast_key, None)
