"""`CreateRoom`: a form for a new room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spnb.client import Client
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.widgets.base import STATIC
from spnb.widgets.room_form import RoomForm

__all__ = ["CreateRoom"]


class CreateRoom(RoomForm):
    """A form that creates a room, publishes its post and opens its chat.

    Args:
        client: a client of `spnb.connect()`.
    """

    _esm = STATIC / "createRoom.js"
    plain = "fill in a form to create a room; in code: sp.rooms.create('title')."

    def __init__(self, client: Client[LiveRoom], **keywords: Any) -> None:
        super().__init__(**keywords)
        self._client = client.asynchronous
        self._room: AsyncLiveRoom | None = None
        self._callbacks: list[Callable[[LiveRoom], Any]] = []
        self._spawn(self._read_communities())

    @property
    def room(self) -> LiveRoom | None:
        """The room that was created last; None before."""
        return self._room.sync if self._room is not None else None

    def on_created(self, callback: Callable[[LiveRoom], Any]) -> None:
        """Have `callback` called with each new room, on spnb's background loop."""
        self._callbacks.append(callback)

    def _made(self, room: AsyncLiveRoom) -> None:
        self._room = room
        for callback in self._callbacks:
            callback(room.sync)
