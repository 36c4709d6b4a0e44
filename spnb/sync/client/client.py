"""The blocking twins of `spnb.client.client`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Self, TypeVar

from spnb._faces import Face, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from spnb.client.client import AsyncClient
    from spnb.client.clock import ServiceClock
    from spnb.config import Endpoints
    from spnb.ice import IceServer
    from spnb.models import User
    from spnb.realtime import Realtime
    from spnb.sync.client.audience import Invitations, Presence, Reactions, Users
    from spnb.sync.client.chat import Channels, Messages
    from spnb.sync.client.comments import Comments
    from spnb.sync.client.files import Files
    from spnb.sync.client.first_party import FirstParty
    from spnb.sync.client.products import Products
    from spnb.sync.client.rooms import Rooms
    from spnb.sync.client.settings import Settings
    from spnb.sync.client.social import Communities, Posts


__all__ = ["Client"]

R = TypeVar("R")


class Client(Face, Generic[R]):
    """Talks to social.plus, the real service or a sandbox, as one user.

    The blocking twin of `AsyncClient`.

    Its work is done on spnb's own event loop, wherever it is called; interrupting a cell cancels the call.
    `spnb.connect_async()` makes one that hands out live rooms.
    """

    _twin: AsyncClient[Any]

    @property
    def files(self) -> Files:
        """Files of the network."""
        found: Files = blocking(self._twin.files)
        return found

    @property
    def posts(self) -> Posts:
        """Posts of feeds."""
        found: Posts = blocking(self._twin.posts)
        return found

    @property
    def channels(self) -> Channels:
        """Chat channels."""
        found: Channels = blocking(self._twin.channels)
        return found

    @property
    def rooms(self) -> Rooms[R]:
        """Broadcast rooms."""
        found: Rooms[R] = blocking(self._twin.rooms)
        return found

    @property
    def communities(self) -> Communities:
        """Communities."""
        found: Communities = blocking(self._twin.communities)
        return found

    @property
    def comments(self) -> Comments:
        """Comments on posts."""
        found: Comments = blocking(self._twin.comments)
        return found

    @property
    def messages(self) -> Messages:
        """Messages of channels."""
        found: Messages = blocking(self._twin.messages)
        return found

    @property
    def reactions(self) -> Reactions:
        """Reactions on posts and messages, and the floating ones of a live room."""
        found: Reactions = blocking(self._twin.reactions)
        return found

    @property
    def presence(self) -> Presence:
        """Who watches a room now."""
        found: Presence = blocking(self._twin.presence)
        return found

    @property
    def products(self) -> Products:
        """The network's products, and those of posts."""
        found: Products = blocking(self._twin.products)
        return found

    @property
    def invitations(self) -> Invitations:
        """Invitations to co-host."""
        found: Invitations = blocking(self._twin.invitations)
        return found

    @property
    def users(self) -> Users:
        """Users of the network."""
        found: Users = blocking(self._twin.users)
        return found

    @property
    def settings(self) -> Settings:
        """Settings of the whole network. The service lets only its administrators see and change them."""
        found: Settings = blocking(self._twin.settings)
        return found

    @property
    def first_party(self) -> FirstParty:
        """First-party data: needs an administrator's token, which is used for the one call and kept nowhere."""
        found: FirstParty = blocking(self._twin.first_party)
        return found

    @property
    def clock(self) -> ServiceClock:
        """The service's clock, as far as answers have told of it."""
        return self._twin.clock

    @property
    def endpoints(self) -> Endpoints:
        """Where the service is. social.plus: `Client.getActiveClient`."""
        return self._twin.endpoints

    @property
    def user_id(self) -> str:
        """The public id of the user this client acts as; that of a visitor or bot is known once it is logged in."""
        return self._twin.user_id

    @property
    def user(self) -> User | None:
        """The user, once logged in. social.plus: `Client.getCurrentUser`, `Client.getActiveUser`."""
        return self._twin.user

    @property
    def ice_servers(self) -> tuple[IceServer, ...]:
        """STUN and TURN servers that were given to `connect()`; without any, media take those that LiveKit names."""
        return self._twin.ice_servers

    @property
    def network_id(self) -> str | None:
        """The network, once logged in: the root of real-time topics."""
        return self._twin.network_id

    def login(self) -> User:
        """Log in; every call does so by itself where it is needed.

        Raises:
            Unauthorized, Forbidden: the key or the user was refused.
            Unreachable: the service does not answer.
        """
        return run(self._twin.login())

    def access_token(self) -> str:
        """The current access token. Secret: never show or store it."""
        return run(self._twin.access_token())

    @property
    def realtime(self) -> Realtime:
        """The real-time connection; it connects at the first subscription."""
        return self._twin.realtime

    def check_open(self) -> None:
        """See that this connection can be used.

        Raises:
            ClientClosed: it was closed, or is another process's.
        """
        self._twin.check_open()

    def logout(self) -> None:
        """End the session at the service, then close: the access token is worth nothing from then on.

        social.plus: `Client.logout`, `Client.secureLogout`.

        Raises:
            ServiceError, Unreachable: the service did not end it; the connections are closed all the same.
        """
        run(self._twin.logout())

    def close(self) -> None:
        """Send what still waits, then close all connections; calling it again does nothing."""
        run(self._twin.aclose())

    def __enter__(self) -> Self:
        run(self._twin.__aenter__())
        return self

    async def __aenter__(self) -> AsyncClient[Any]:
        return await self._twin.__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._twin.__aexit__(kind, error, trace))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._twin.__aexit__(kind, error, trace)

    @property
    def asynchronous(self) -> AsyncClient[Any]:
        """The async twin: the same object, to be awaited."""
        return self._twin
