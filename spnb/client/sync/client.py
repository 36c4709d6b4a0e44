"""Blocking twins of `spnb.client.client`: written by `python -m spnb.client.twin`, change that instead."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, TypeVar

from spnb._loop import run
from spnb.client.client import AsyncClient
from spnb.client.sync.audience import Invitations, Presence, Reactions, Users
from spnb.client.sync.chat import Channels, Messages
from spnb.client.sync.files import Files
from spnb.client.sync.products import Products
from spnb.client.sync.rooms import Rooms
from spnb.client.sync.settings import Settings
from spnb.client.sync.social import Communities, Posts
from spnb.models import (
    User,
)
from spnb.realtime import Realtime

R = TypeVar("R")
Json = dict[str, Any]


class Client(Generic[R]):
    """Talks to social.plus, the real service or a sandbox, as one user: the blocking twin of `AsyncClient`.

    Works in plain programs and in notebook cells alike; interrupting a cell cancels the call. `spnb.connect()` makes
    one that hands out live rooms.

    Args:
        twin: the async client it stands before.
    """

    def __init__(self, twin: AsyncClient[Any]) -> None:
        self._twin = twin
        self.files = Files(twin.files)
        self.rooms: Rooms[R] = Rooms(twin.rooms)
        self.posts = Posts(twin.posts)
        self.communities = Communities(twin.communities)
        self.channels = Channels(twin.channels)
        self.messages = Messages(twin.messages)
        self.reactions = Reactions(twin.reactions)
        self.presence = Presence(twin.presence)
        self.products = Products(twin.products)
        self.invitations = Invitations(twin.invitations)
        self.users = Users(twin.users)
        self.settings = Settings(twin.settings)

    @property
    def asynchronous(self) -> AsyncClient[Any]:
        """The async twin on the same connection."""
        return self._twin

    @property
    def user_id(self) -> str:
        """The public id of the user this client acts as."""
        return self._twin.user_id

    @property
    def user(self) -> User | None:
        """The user, once logged in."""
        return self._twin.user

    @property
    def network_id(self) -> str | None:
        """The network, once logged in: the root of real-time topics."""
        return self._twin.network_id

    @property
    def realtime(self) -> Realtime:
        """The real-time connection; it connects at the first subscription."""
        return self._twin.realtime

    def login(self) -> User:
        """Log in; every call does so by itself where it is needed."""
        return run(self._twin.login())

    def access_token(self) -> str:
        """The current access token. Secret: never show or store it."""
        return run(self._twin.access_token())

    def close(self) -> None:
        """Close all connections; calling it again does nothing."""
        run(self._twin.aclose())

    def __enter__(self) -> Client[R]:
        self.login()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")
