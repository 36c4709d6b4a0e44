"""The embedded media server: rooms, their clock, and the routes clients reach them by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiortc import RTCCertificate
from livekit.protocol import models
from starlette.routing import BaseRoute, Route, WebSocketRoute

from spnb._lasting import kept_up
from spnb.sandbox.media.frames import MediaEvent, Tap
from spnb.sandbox.media.participant import Participant
from spnb.sandbox.media.room import MediaRoom
from spnb.sandbox.media.room_service import RoomService
from spnb.sandbox.media.signalling import Signalling
from spnb.sandbox.media.tokens import Identity

__all__ = ["MediaServer", "MediaSettings"]


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Choices of the media server. Times are seconds."""

    report_interval: float = 0.25
    """How often publishers hear of loss and bandwidth."""
    speaker_interval: float = 0.5
    """How often everybody hears who speaks, how well who is connected, where that has changed, and who has vanished."""


class MediaServer:
    """Speaks LiveKit's signalling and forwards encoded media between the participants of a room.

    Args:
        api_key, api_secret: what tokens are signed with.
        on_event: told of joins, tracks and leaves, on the event loop.
        is_over: whether a room of that name must not be opened again; None where every room may.
        is_out: whether a token of that room and identity, made then (Unix seconds), lets nobody in any more.
        settings: see `MediaSettings`.
    """

    def __init__(
        self,
        api_key: str,
        api_secret: str,
        *,
        on_event: Callable[[MediaEvent], None],
        is_over: Callable[[str], bool] | None = None,
        is_out: Callable[[str, str, float], bool] | None = None,
        settings: MediaSettings | None = None,
    ) -> None:
        self.api_key = api_key
        self.api_secret = api_secret
        self.rooms: dict[str, MediaRoom] = {}
        self._on_event = on_event
        self.is_over = is_over or (lambda _room: False)
        self.is_out = is_out or (lambda _room, _identity, _issued_at: False)
        self._settings = settings or MediaSettings()
        self._certificate = RTCCertificate.generateCertificate()
        self._signalling = Signalling(self)
        self._service = RoomService(self)
        self._ticker: asyncio.Task[None] | None = None

    def routes(self) -> list[BaseRoute]:
        """What to mount at the root of an ASGI app: signalling, its validation, and the room service."""
        signalling = self._signalling
        return [
            WebSocketRoute("/rtc", signalling.serve),
            WebSocketRoute("/rtc/v1", signalling.serve),
            Route("/rtc/validate", signalling.validate, methods=["GET"]),
            Route("/rtc/v1/validate", signalling.validate, methods=["GET"]),
            *self._service.routes(),
        ]

    def checked(self, token: str) -> Identity:
        """Whose token it is; raises what `Signalling.identify` does."""
        return self._signalling.checked(token)

    def room(self, name: str) -> MediaRoom:
        """The room of that name, opened where it is not."""
        found = self.rooms.get(name)
        if found is None:
            found = MediaRoom(name, self._certificate, on_event=self._on_event, on_empty=self._emptied)
            self.rooms[name] = found
            if self._ticker is None:
                self._ticker = asyncio.create_task(kept_up(self._tick, "the media server's clock"), name="media-ticker")
        return found

    def _emptied(self, room: MediaRoom) -> None:
        """Nobody is in a room: it stays for a while, as LiveKit's rooms do."""
        stays = room.departure_timeout if room.visited else room.empty_timeout
        asyncio.get_running_loop().call_later(stays, self._drop, room)

    def _drop(self, room: MediaRoom) -> None:
        if not room.taps and not room.participants and self.rooms.get(room.name) is room:
            del self.rooms[room.name]

    def create_room(
        self, name: str, *, metadata: str, max_participants: int, empty_timeout: int, departure_timeout: int
    ) -> MediaRoom:
        """Open a room before anybody joins it, or change the limits of one that is open. Times are seconds."""
        found = self.room(name)
        found.max_participants = max_participants or found.max_participants
        found.empty_timeout = empty_timeout or found.empty_timeout
        found.departure_timeout = departure_timeout or found.departure_timeout
        if metadata:
            found.describe(metadata)
        if not found.participants:
            self._emptied(found)
        return found

    def participants(self, room: str) -> list[Participant]:
        """Who is in a room now."""
        found = self.rooms.get(room)
        return list(found.participants.values()) if found else []

    def add_tap(self, room: str, tap: Tap) -> Callable[[], None]:
        """Give `tap` all frames of a room, of tracks there are and of those to come.

        Returns:
            A function that ends it.
        """
        found = self.room(room)
        remove = found.add_tap(tap)

        def end() -> None:
            remove()
            self._emptied(found)

        return end

    async def remove_participant(self, room: str, identity: str) -> bool:
        """Put a participant out; whether there was one."""
        found = self.rooms.get(room)
        participant = found.participants.get(identity) if found else None
        if found is None or participant is None:
            return False
        await found.dismiss(participant, models.DisconnectReason.PARTICIPANT_REMOVED)
        return True

    async def close_room(self, room: str) -> bool:
        """Put everybody out of a room; whether there was one."""
        found = self.rooms.get(room)
        if found is None:
            return False
        await found.aclose(models.DisconnectReason.ROOM_DELETED)
        self._drop(found)
        return True

    async def cut_signalling(self, room: str | None) -> int:
        """Close the signalling sockets of a room, of all without one. Returns how many."""
        return await self._signalling.cut(room)

    async def cut_transports(self, room: str | None) -> int:
        """Drop the media connections of everybody in a room, of all rooms without one. Returns how many."""
        names = list(self.rooms) if room is None else [room]
        participants = [participant for name in names for participant in self.participants(name)]
        for participant in participants:
            await participant.drop_transports()
        return len(participants)

    def expire_tokens(self) -> None:
        """Tokens issued so far let nobody in any more; who is in stays."""
        self._signalling.expired_before = time.time()

    async def _tick(self) -> None:
        told_speakers = 0.0
        while True:
            await asyncio.sleep(self._settings.report_interval)
            now = time.monotonic()
            tell_speakers = now - told_speakers >= self._settings.speaker_interval
            if tell_speakers:
                told_speakers = now
            for room in list(self.rooms.values()):
                for participant in list(room.participants.values()):
                    participant.report()
                if tell_speakers:
                    room.look_after(now)
                    room.speakers()
                    room.qualities()

    async def aclose(self) -> None:
        """Put everybody out and stop."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
            self._ticker = None
        for room in list(self.rooms.values()):
            await room.aclose(models.DisconnectReason.SERVER_SHUTDOWN)
