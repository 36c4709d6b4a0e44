"""`AsyncClient`: one user's connection to the service, REST and real time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from spnb._arguments import checked_class
from spnb._loop import on_loop
from spnb._twins import Blocking
from spnb.client.audience import AsyncInvitations, AsyncPresence, AsyncReactions, AsyncUsers
from spnb.client.budget import BackgroundReads
from spnb.client.chat import AsyncChannels, AsyncMessages
from spnb.client.clock import ServiceClock
from spnb.client.comments import AsyncComments
from spnb.client.files import AsyncFiles
from spnb.client.first_party import AsyncFirstParty
from spnb.client.products import AsyncProducts
from spnb.client.rooms import AsyncRooms
from spnb.client.session import Session, Whereabouts
from spnb.client.settings import AsyncSettings
from spnb.client.social import AsyncCommunities, AsyncPosts
from spnb.config import Credentials, Endpoints, Network
from spnb.errors import InvalidInput, SpnbError
from spnb.ice import IceServer
from spnb.models import Room, User
from spnb.realtime import MqttLogin, Realtime

__all__ = ["AsyncClient"]

log = logging.getLogger(__name__)

R = TypeVar("R")

BACKGROUND_READS = 8
"""Requests at once by which live objects keep up to date: a quarter of the connections, so that calls find one free."""
CLOSE_SECONDS = 3.0
"""How long each part may take to send what still waits when a client closes."""


@checked_class
class AsyncClient(Generic[R]):
    """Talks to social.plus, the real service or a sandbox, as one user.

    Its work is done on spnb's own event loop, wherever it is called; interrupting a cell cancels the call.
    `spnb.connect_async()` makes one that hands out live rooms.

    Args:
        endpoints: where the service is.
        credentials: as whom it is asked.
        name: what the repr calls the service.
        room_factory: makes of each room's record what the client hands out; the record itself without it.
        network: the way to the service.
        whereabouts: for a service that may come back elsewhere: a sandbox.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        credentials: Credentials,
        *,
        name: str = "social.plus",
        room_factory: Callable[[AsyncClient[R], Room], R] | None = None,
        network: Network | None = None,
        whereabouts: Whereabouts | None = None,
    ) -> None:
        if not (isinstance(endpoints, Endpoints) and isinstance(credentials, Credentials)):
            raise InvalidInput("a client is made of endpoints and credentials: spnb.connect() puts them together")
        self._name = name
        self._first_endpoints = endpoints
        self._whereabouts = whereabouts
        self._credentials = credentials
        self._network = network or Network()
        self._factory = room_factory
        self._open_session: Session | None = None
        self._open_realtime: Realtime | None = None
        self._connections = 0
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._reading = BackgroundReads(BACKGROUND_READS)
        """Held by each read that nobody waits for."""
        self.shared: dict[tuple[str, str], Any] = {}
        """What live objects of one kind and id share on this connection."""
        session = self._session
        self.files = AsyncFiles(session)
        self.posts = AsyncPosts(session)
        self.channels = AsyncChannels(session)
        self.rooms: AsyncRooms[R] = AsyncRooms(session, self.files, self.posts, self.channels, self)
        self.communities = AsyncCommunities(session)
        self.comments = AsyncComments(session)
        self.messages = AsyncMessages(session)
        self.reactions = AsyncReactions(session)
        self.presence = AsyncPresence(session)
        self.products = AsyncProducts(session)
        self.invitations = AsyncInvitations(session)
        self.users = AsyncUsers(session)
        self.settings = AsyncSettings(session)
        self.first_party = AsyncFirstParty(session)

    @property
    def _session(self) -> Session:
        if self._open_session is None:
            self._open_session = Session(
                self._first_endpoints, self._credentials, network=self._network, whereabouts=self._whereabouts
            )
        return self._open_session

    @property
    def clock(self) -> ServiceClock:
        """The service's clock, as far as answers have told of it."""
        return self._session.clock

    def hand_out(self, room: Room) -> R:
        """What this client makes of a room's record: a live room, where `spnb.connect()` made it."""
        return cast(R, room) if self._factory is None else self._factory(self, room)

    @property
    def endpoints(self) -> Endpoints:
        """Where the service is. social.plus: `Client.getActiveClient`."""
        return self._endpoints

    @property
    def _endpoints(self) -> Endpoints:
        return self._first_endpoints if self._open_session is None else self._open_session.endpoints

    @property
    def user_id(self) -> str:
        """The public id of the user this client acts as; that of a visitor or bot is known once it is logged in."""
        return self._credentials.user_id or (self.user.user_id if self.user else "")

    @property
    def user(self) -> User | None:
        """The user, once logged in. social.plus: `Client.getCurrentUser`, `Client.getActiveUser`."""
        return self._session.user

    @property
    def ice_servers(self) -> tuple[IceServer, ...]:
        """STUN and TURN servers that were given to `connect()`; without any, media take those that LiveKit names."""
        return self._network.ice_servers

    @property
    def network_id(self) -> str | None:
        """The network, once logged in: the root of real-time topics."""
        return self.user.network_id if self.user else None

    @on_loop
    async def login(self) -> User:
        """Log in; every call does so by itself where it is needed.

        Raises:
            Unauthorized, Forbidden: the key or the user was refused.
            Unreachable: the service does not answer.
        """
        return await self._session.login()

    @on_loop
    async def access_token(self) -> str:
        """The current access token. Secret: never show or store it."""
        return await self._session.token()

    @property
    def realtime(self) -> Realtime:
        """The real-time connection; it connects at the first subscription."""
        if self._open_realtime is None:
            self._open_realtime = Realtime(
                lambda: self._endpoints.mqtt,
                self._mqtt_login,
                network=self._network,
                on_sent=self._session.clock.heard,
            )
        return self._open_realtime

    async def _mqtt_login(self) -> MqttLogin:
        if self._connections:
            await self._session.look_around()
        token = await self._session.token()
        user = self._session.user
        assert user is not None  # noqa: S101 - a token is there only after a login
        self._connections += 1
        client_id = f"mqttjs_{self._session.device_id}_{user.id}_{self._connections}"
        return MqttLogin(username=user.id, password=token, client_id=client_id)

    def check_open(self) -> None:
        """See that this connection can be used.

        Raises:
            ClientClosed: it was closed, or is another process's.
        """
        self._session.check_open()

    def at_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Have `closer` awaited on the background loop before the connections close: what waits to be sent goes out."""
        self._closers.append(closer)

    @on_loop
    async def logout(self) -> None:
        """End the session at the service, then close: the access token is worth nothing from then on.

        social.plus: `Client.logout`, `Client.secureLogout`.

        Raises:
            ServiceError, Unreachable: the service did not end it; the connections are closed all the same.
        """
        self.check_open()
        await self._send_what_waits()
        try:
            await self._session.logout()
        finally:
            await self.aclose()

    @on_loop
    async def aclose(self) -> None:
        """Send what still waits, then close all connections; calling it again does nothing."""
        await self._send_what_waits()
        if self._open_realtime is not None:
            await self._open_realtime.aclose()
        await self._session.aclose()

    async def _send_what_waits(self) -> None:
        closers, self._closers = self._closers, []
        for closer in closers:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await closer()
            except (SpnbError, TimeoutError) as error:
                log.warning("not everything was sent before closing: %s", type(error).__name__)

    async def __aenter__(self) -> AsyncClient[R]:
        await self.login()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    sync = Blocking()
    """The blocking twin on the same connection."""

    def __repr__(self) -> str:
        return f"AsyncClient({self._name} at {self._endpoints.rest}, as {self.user_id})"
