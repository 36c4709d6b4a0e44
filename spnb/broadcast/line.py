"""`Line`: the one connection of a broadcast: made, changed, and made anew when it is lost.

Whatever a connection needs to know (source, format, mute, volume, options) is the broadcast's and is given to each new
one before its first packet; a connection that could not be made whole is left again, never kept.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from spnb.broadcast.credentials import BroadcastRoom, prepared
from spnb.broadcast.events import BroadcastStats
from spnb.broadcast.options import Format, Intent
from spnb.broadcast.outlet import Outlet
from spnb.broadcast.publisher import Connection, ConnectionRefused, Publisher, PublisherEvents, PublishesItself
from spnb.broadcast.restream import Copies
from spnb.broadcast.sources.base import checked_size
from spnb.broadcast.tiles import Tiles
from spnb.errors import (
    BroadcastError,
    ConfigError,
    Forbidden,
    InvalidInput,
    NotFound,
    ServiceError,
    SourceError,
    Unreachable,
)
from spnb.models import BroadcasterData

if TYPE_CHECKING:
    from spnb.broadcast.sources.base import Source

__all__ = ["PUT_OUT", "Line", "OutForGood"]

log = logging.getLogger(__name__)

JOIN_SECONDS = 30.0
RELAYS = (
    ", with the STUN and TURN servers of ice_servers; of relays over TLS (turns:) the kernel's SDK believes those "
    "alone that a public authority vouches for"
)
PUT_OUT = {
    "duplicate identity": "you are on air in this room from elsewhere",
    "participant removed": "a moderator removed you",
    "room deleted": "the room has ended",
    "room closed": "the room has ended",
}
"""Ends of a connection that are meant, by LiveKit's `DisconnectReason`: nobody comes back from them."""

OVER = ("ended", "recorded", "terminated", "error")


class OutForGood(BroadcastError):
    """A lost connection was not restored, and trying on has no sense; the message says why."""


class Line:
    """The connection of one broadcast.

    Args:
        room: the room.
        outlet: what is led to the connection.
        events: what is told; `disconnected` only of the connection that is in use.
        wanted: gives the source and the intent as they are now.
    """

    def __init__(
        self,
        room: BroadcastRoom,
        outlet: Outlet,
        events: PublisherEvents,
        wanted: Callable[[], tuple[Source, Intent]],
    ) -> None:
        self.connection: Connection | None = None
        self.changing = asyncio.Lock()
        """Held while the connection, or what it publishes, is being changed."""
        self._room = room
        self._outlet = outlet
        self._events = events
        self._wanted = wanted
        self.direct = False
        """Whether it pushes over RTMP to a room for direct streaming; known once there are credentials."""
        self.copies = Copies()
        """What packets that are encoded here go to as well."""
        self.tiles = Tiles()
        self._joining: Connection | None = None
        self._lost: str | None = None

    async def credentials(self) -> BroadcasterData:
        """LiveKit's address and token, or the address a room for direct streaming is pushed to."""
        data = prepared(self._room) or await self._room.broadcaster_data()
        self.direct = data.direct_stream_url is not None
        if not self.direct and not (data.co_host_url and data.co_host_token):
            raise ConfigError("the service gave neither a LiveKit address nor one to push to for this room")
        return data

    async def join(self, data: BroadcasterData | None = None) -> None:
        """Make a connection that publishes what is wanted, and put it in the place of the one there is.

        Raises:
            BroadcastError: it could not be made; the one there was stays, unless the server has put it out meanwhile,
                which is then told as a disconnection.
        """
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                made, sent = await self._made(data)
        except TimeoutError:
            self._settle()
            relays = RELAYS if self._room.ice_servers else ""
            raise BroadcastError(f"LiveKit did not answer within {JOIN_SECONDS:g} s{relays}") from None
        except BaseException:
            self._settle()
            raise
        before, self.connection = self.connection, made
        self._joining = self._lost = None
        self._outlet.lead(made, sent)
        made.heed(self._wanted()[1])
        if before is not None:
            await _left(before)

    async def _made(self, data: BroadcasterData | None) -> tuple[Connection, Format]:
        source, intent = self._wanted()
        made = self._joining = self._new(source, intent)
        try:
            first = data or await self.credentials()
            try:
                await self._connect(made, first)
            except ConnectionRefused:
                # The token may have died since it was fetched: once, silently, a fresh one.
                await self._connect(made, await self.credentials())
            sent = self.format()
            await made.publish(sent)
        except BaseException:
            await _left(made)
            raise
        return made, sent

    async def _connect(self, made: Connection, data: BroadcasterData) -> None:
        address = str(data.direct_stream_url or data.co_host_url)
        await made.connect(address, str(data.co_host_token), self._room.ice_servers)

    def _settle(self) -> None:
        """A connection could not be made: the old one may have been put out for it, which is no end."""
        lost, self._lost, self._joining = self._lost, None, None
        if lost is not None:
            self._events.disconnected(f"a new connection failed, and the old one is gone: {lost}")

    def _new(self, source: Source, intent: Intent) -> Connection:
        made: Connection

        def gone(reason: str) -> None:
            if made is not self.connection:
                return
            if self._joining is not None:
                self._lost = reason  # the same participant is joining anew, which puts the old connection out
            else:
                self._events.disconnected(reason)

        def of_mine(tell: Callable[..., None]) -> Callable[..., None]:
            # A connection that was given up may still tell of itself.
            return lambda *news: tell(*news) if made in (self.connection, self._joining) else None

        told = self._events
        events = replace(
            told,
            disconnected=gone,
            reconnecting=of_mine(told.reconnecting),
            reconnected=of_mine(told.reconnected),
            others=of_mine(told.others),
            muted=of_mine(told.muted),
            taken=of_mine(told.taken),
            tiles=self.tiles,
        )
        if intent.auto_subscribe and (self.direct or isinstance(source, PublishesItself)):
            why = (
                "in a room for direct streaming nobody else is on stage" if self.direct else "a page takes it by itself"
            )
            raise InvalidInput(f"auto_subscribe is for a source of the kernel's in a room with a stage: {why}")
        if isinstance(source, PublishesItself):
            if self.direct:
                raise ConfigError("a page cannot push to a room for direct streaming: create it with type='coHosts'")
            made = source.publisher(intent, events)
        elif self.direct:
            from spnb.broadcast.rtmp import RtmpPublisher

            made = RtmpPublisher(intent, events, self.copies)
        else:
            made = Publisher(intent, events)
        return made

    def format(self) -> Format:
        """What is to be sent of the source.

        Raises:
            SourceError: its pictures are of a size or rate that no encoder takes.
        """
        source, intent = self._wanted()
        try:
            checked_size(source.width, source.height)
        except InvalidInput as error:
            raise SourceError(f"{type(source).__name__} cannot be sent: {error}") from None
        if not 0 < source.fps < math.inf:
            raise SourceError(f"{type(source).__name__} cannot be sent: it has {source.fps} pictures a second")
        width, height, fps = intent.video.fit(source.width, source.height, source.fps)
        # Sources of users' own need not say whether they are a screen.
        screen = bool(getattr(source, "screen", False))
        return Format(width, height, fps, intent.audio.enabled and source.has_audio, screen)

    async def publish(self) -> None:
        """Bring what is published in line with what is wanted."""
        if self.connection is not None:
            sent = self.format()
            await self.connection.publish(sent)
            self._outlet.lead(self.connection, sent)

    def heed(self, intent: Intent) -> None:
        """Tell the connection there is, and the one that is being made."""
        for connection in (self.connection, self._joining):
            if connection is not None:
                connection.heed(intent)

    async def restore(self) -> None:
        """Try to join anew until it works.

        Raises:
            OutForGood: the room is over, or may not be entered any more, or it took too long.
        """
        await self.leave()
        began, policy = time.monotonic(), self._wanted()[1].reconnect
        wait = policy.first_wait
        while True:
            try:
                async with self.changing:
                    await self.join()
            except Exception as error:  # noqa: BLE001 - whatever an SDK raises: the room must not stay without anybody
                log.info("the connection is not restored yet: %s: %s", type(error).__name__, error)
                await self._judge(error, time.monotonic() - began, policy.seconds)
            else:
                return
            await asyncio.sleep(wait * random.uniform(0.75, 1.25))
            wait = min(policy.longest_wait, wait * 2)

    async def _judge(self, error: Exception, seconds: float, most: float) -> None:
        """Raises where another try has no sense."""
        if isinstance(error, Forbidden | NotFound | ConfigError):
            raise OutForGood(f"the connection could not be restored: {error}") from error
        try:
            status = (await self._room.refresh()).status
        except (ServiceError, Unreachable):
            status = self._room.status
        if status in OVER:
            raise OutForGood(f"the room was over before the connection could be restored ({status})") from error
        if seconds > most:
            raise OutForGood(f"the connection could not be restored within {most:g} s: {error}") from error

    async def stats(self) -> BroadcastStats | None:
        """How the last second went; None where there is nothing to tell."""
        try:
            return await self.connection.stats() if self.connection is not None else None
        except Exception as error:  # noqa: BLE001 - whatever the SDK says of a connection that is going
            log.debug("nothing to measure: %s", error)
            return None

    async def leave(self) -> None:
        """Leave the room."""
        connection, self.connection = self.connection, None
        self._outlet.lead(None)
        if connection is not None:
            await _left(connection)


async def _left(connection: Connection) -> None:
    try:
        await connection.leave()
    except Exception as error:  # noqa: BLE001 - an SDK whose connection is broken may say so in any way
        log.debug("a connection was left with %s: %s", type(error).__name__, error)
