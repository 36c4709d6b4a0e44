"""What the parts of a live room know of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from spnb.models import Room

if TYPE_CHECKING:
    from spnb.broadcast import AsyncBroadcast, AudioOptions, BroadcastEvent, ReconnectOptions, VideoOptions
    from spnb.broadcast.sources import Source
    from spnb.client import AsyncClient

__all__ = ["FollowedRoom", "Observer", "Same"]

Observer = Callable[[Room], Any]


class Same:
    """What stands for one thing of the service: two of one connection are equal where they stand for the same one, and
    are in sets by it, whatever each of them has read of it so far."""

    def _stands_for(self) -> tuple[object, str]:
        """The connection, and the id."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Same) or type(other) is not type(self):
            return NotImplemented
        return self._stands_for() == other._stands_for()

    def __hash__(self) -> int:
        return hash((type(self), self._stands_for()))


class FollowedRoom(Protocol):
    """A room that follows the service, as its stage, products, reactions and viewers see it."""

    @property
    def client(self) -> AsyncClient[Any]:
        """The connection it lives on."""
        ...

    @property
    def record(self) -> Room:
        """The newest that is known."""
        ...

    @property
    def room_id(self) -> str:
        """The room's id."""
        ...

    @property
    def status(self) -> str:
        """Its state."""
        ...

    @property
    def title(self) -> str:
        """Its title. User content: show it as text."""
        ...

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with the record at every change."""
        ...

    async def refresh(self) -> Room:
        """Read the room again now."""
        ...

    async def until(self, *statuses: str, timeout: float | None = None) -> Room:
        """Wait until the room is in one of these states."""
        ...

    async def go_live(
        self,
        source: Source | str | Path | None = None,
        *,
        video: VideoOptions | None = None,
        audio: AudioOptions | bool = True,
        reconnect: ReconnectOptions | None = None,
        auto_subscribe: bool = False,
        on_event: Callable[[BroadcastEvent], Any] | None = None,
    ) -> AsyncBroadcast:
        """Put the room on air, or come onto its stage."""
        ...
