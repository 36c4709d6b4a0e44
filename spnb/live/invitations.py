"""`AsyncLiveInvitations`: your own invitations to co-host, or those to your room, kept up to date by events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from spnb._loop import aiterate, iterate, on_loop, run
from spnb.errors import Forbidden, ServiceError, Unreachable
from spnb.live.invitation import AsyncLiveInvitation, LiveInvitation
from spnb.models import Invitation
from spnb.observers import Observers
from spnb.realtime import Event

if TYPE_CHECKING:
    from spnb.client import AsyncClient, Client

__all__ = ["AsyncLiveInvitations", "LiveInvitations"]

log = logging.getLogger(__name__)

BLIND_READ, BLIND_LONGEST = 2.0, 60.0
"""Seconds between reads while events are away: growing while nothing changes."""

Observer = Callable[[list[AsyncLiveInvitation]], Any]


class AsyncLiveInvitations:
    """Invitations, newest first: yours, or with a room those to it.

    Args:
        client: the connection.
        room_id: the room whose invitations are wanted, which must be yours; your own invitations without.
    """

    def __init__(self, client: AsyncClient[Any], *, room_id: str | None = None) -> None:
        self._client = client
        self._room_id = room_id
        self._records: list[Invitation] = []
        self._observers = Observers[list[AsyncLiveInvitation]](
            "invitations", first=self._follow, last=self._unfollow, now=lambda: self.invitations
        )
        self._reader: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @property
    def invitations(self) -> list[AsyncLiveInvitation]:
        """All that are known now."""
        return [AsyncLiveInvitation(self._client, record) for record in self._records]

    @property
    def pending(self) -> list[AsyncLiveInvitation]:
        """Those that wait for an answer."""
        return [invitation for invitation in self.invitations if invitation.status == "pending"]

    def __len__(self) -> int:
        return len(self._records)

    @on_loop
    async def refresh(self) -> list[AsyncLiveInvitation]:
        """Read them now."""
        await self._read()
        return self.invitations

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with all invitations, first with those known now, then at every change.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._observers.add(observer)

    def watch(self) -> AsyncIterator[AsyncLiveInvitation]:
        """Each invitation that waits for an answer, once, as it comes. Ends only when it is left."""
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[AsyncLiveInvitation]:
        changes: asyncio.Queue[list[AsyncLiveInvitation]] = asyncio.Queue()
        seen: set[str] = set()
        end = self.observe(changes.put_nowait)
        try:
            while True:
                for invitation in reversed(await changes.get()):
                    if invitation.status == "pending" and invitation.invitation_id not in seen:
                        seen.add(invitation.invitation_id)
                        yield invitation
        finally:
            end()

    def _follow(self) -> None:
        self._reader = asyncio.create_task(self._keep_reading(), name="spnb-invitations")

    def _unfollow(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    async def _keep_reading(self) -> None:
        """Read at every event and (re)connection, and with back-off only while real time is away."""
        with contextlib.suppress(ServiceError, Unreachable):
            await self._client.login()
        realtime, network = self._client.realtime, self._client.network_id
        if self._room_id is not None:
            topics = [f"{network}/room/{self._room_id}", f"{network}/room/{self._room_id}/streamer"]
        else:
            topics = [f"{network}/user/{self._client.user.id}"] if self._client.user is not None else []
        with contextlib.ExitStack() as ends:
            for topic in topics:
                ends.callback(realtime.subscribe(topic, self._heard))
            ends.callback(realtime.on_state(lambda _state: self._wake.set()))
            wait = BLIND_READ
            while True:
                self._wake.clear()
                before = self._records
                await self._read()
                followed = realtime.state == "connected"
                wait = BLIND_READ if self._records != before else min(BLIND_LONGEST, wait * 2)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if followed else wait * random.uniform(0.8, 1.2)):
                        await self._wake.wait()

    def _heard(self, event: Event) -> None:
        if event.type.startswith("room.didCohostInvite"):
            self._wake.set()

    async def _read(self) -> None:
        invitations = self._client.invitations
        try:
            fresh = await (invitations.of_room(self._room_id) if self._room_id else invitations.mine())
        except Forbidden:
            fresh = []  # not the user's to see
        except (ServiceError, Unreachable) as error:
            log.info("invitations could not be read: %s", type(error).__name__)
            return
        if fresh != self._records:
            self._records = fresh
            self._observers.tell(self.invitations)

    @property
    def sync(self) -> LiveInvitations:
        """The blocking twin."""
        return LiveInvitations(self)

    def __repr__(self) -> str:
        whose = f"to {self._room_id}" if self._room_id else f"of {self._client.user_id}"
        return f"{type(self).__name__}({whose}: {len(self.pending)} pending of {len(self)})"


class LiveInvitations:
    """Invitations to co-host: the blocking twin of `AsyncLiveInvitations`.

    Args:
        client: a client of `spnb.connect()`, or the async twin to stand before.
        room_id: the room whose invitations are wanted, which must be yours; your own invitations without.
    """

    def __init__(self, client: Client[Any] | AsyncLiveInvitations, *, room_id: str | None = None) -> None:
        if isinstance(client, AsyncLiveInvitations):
            self._twin = client
        else:
            self._twin = AsyncLiveInvitations(client.asynchronous, room_id=room_id)

    @property
    def asynchronous(self) -> AsyncLiveInvitations:
        """The async twin."""
        return self._twin

    @property
    def invitations(self) -> list[LiveInvitation]:
        """All that are known now."""
        return [invitation.sync for invitation in self._twin.invitations]

    @property
    def pending(self) -> list[LiveInvitation]:
        """Those that wait for an answer."""
        return [invitation.sync for invitation in self._twin.pending]

    def refresh(self) -> list[LiveInvitation]:
        """Read them now."""
        return [invitation.sync for invitation in run(self._twin.refresh())]

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with all invitations, on spnb's background loop, at every change.

        Returns:
            A function that ends it.
        """
        return self._twin.observe(observer)

    def watch(self) -> Iterator[LiveInvitation]:
        """Each invitation that waits for an answer, once, as it comes."""
        return (invitation.sync for invitation in iterate(self._twin.watch()))

    def __len__(self) -> int:
        return len(self._twin)

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")
