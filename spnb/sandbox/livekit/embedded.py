"""The embedded media server as the lifecycle sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.routing import BaseRoute

from spnb.sandbox.media import MediaEvent, MediaServer, Tap

__all__ = ["EmbeddedMedia"]


class EmbeddedMedia:
    """Implements `lifecycle.MediaPlane` with a `MediaServer` of this process.

    Args:
        api_key, api_secret: what its tokens are signed with.
        url: where clients reach its signalling, `ws://…`.
        is_over: whether nobody may join the room of that name any more.
        is_out: whether a token of that room and identity, made then, lets nobody in any more.
    """

    def __init__(
        self,
        api_key: str,
        api_secret: str,
        url: str,
        *,
        is_over: Callable[[str], bool],
        is_out: Callable[[str, str, float], bool],
    ) -> None:
        self.api_key = api_key
        self.api_secret = api_secret
        self.url = url
        self._listeners: list[Callable[[MediaEvent], None]] = []
        self.server = MediaServer(api_key, api_secret, on_event=self._tell, is_over=is_over, is_out=is_out)
        """The server itself."""

    async def start(self) -> None:
        """Nothing to start: it lives in this process."""

    def listen(self, listener: Callable[[MediaEvent], None]) -> None:
        """Have `listener` called with every media event."""
        self._listeners.append(listener)

    def _tell(self, event: MediaEvent) -> None:
        for listener in self._listeners:
            listener(event)

    def routes(self) -> list[BaseRoute]:
        """LiveKit's routes."""
        return self.server.routes()

    def follow(self, room_id: str) -> None:
        """Nothing to do: every room of this process is seen."""

    async def catch_up(self, room_ids: Iterable[str]) -> None:
        """Nothing happens unseen in this process."""

    def record(self, room_id: str, tap: Tap) -> Callable[[], None]:
        """Hand the room's encoded frames to `tap`."""
        return self.server.add_tap(room_id, tap)

    async def close_room(self, room_id: str) -> bool:
        """Put everybody out."""
        return await self.server.close_room(room_id)

    async def remove_participant(self, room_id: str, identity: str) -> bool:
        """Put one participant out."""
        return await self.server.remove_participant(room_id, identity)

    async def cut_signalling(self, room_id: str | None) -> int:
        """A fault on demand: close signalling sockets of a room, or of all."""
        return await self.server.cut_signalling(room_id)

    async def cut_transports(self, room_id: str | None) -> int:
        """A fault on demand: drop media connections of a room, or of all."""
        return await self.server.cut_transports(room_id)

    def expire_tokens(self) -> None:
        """A fault on demand: tokens made so far have expired."""
        self.server.expire_tokens()

    async def aclose(self) -> None:
        """Put everybody out of every room."""
        await self.server.aclose()
