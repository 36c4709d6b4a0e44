"""`AsyncLiveInvitations`: your own invitations to co-host, or those to your room, kept up to date by events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._faces import asynchronous, is_a
from spnb._loop import aiterate, on_loop
from spnb._twins import Blocking
from spnb.errors import Forbidden, InvalidInput
from spnb.live.invitation import AsyncLiveInvitation
from spnb.live.invite_link import used_link
from spnb.live.reading import Reader
from spnb.models import Invitation
from spnb.observers import Observers
from spnb.realtime import Event

if TYPE_CHECKING:
    from spnb.client import AsyncClient
    from spnb.live.room import AsyncLiveRoom

__all__ = ["AsyncLiveInvitations"]

BLIND_READ = 2.0
"""Seconds between the first reads while events are away."""

Observer = Callable[[list[AsyncLiveInvitation]], Any]


@checked_class
class AsyncLiveInvitations:
    """Invitations, newest first: yours, or with a room those to it.

    social.plus: `InvitationRepository.getInvitations`.

    Args:
        client: the connection.
        room_id: the room whose invitations are wanted, which must be yours; your own invitations without.
    """

    def __init__(self, client: AsyncClient[Any], *, room_id: str | None = None) -> None:
        client = asynchronous(client)
        if not is_a(client, "Client"):
            raise InvalidInput(f"invitations are those of a connection, not of a {type(client).__name__}")
        self._client: AsyncClient[Any] = client
        self._room_id = room_id
        self._records: list[Invitation] = []
        self._observers = Observers[list[AsyncLiveInvitation]](
            "invitations", first=self._begin, last=self._end, now=lambda: self._all() if self._was_read else None
        )
        self._topics: list[str] = []
        self._ends: list[Callable[[], None]] = []
        self._reader: Reader | None = None
        self._was_read = False

    @property
    def invitations(self) -> list[AsyncLiveInvitation]:
        """All that are known now.

        Raises:
            InvalidInput: they have not been read yet.
        """
        if not self._was_read:
            raise InvalidInput("these invitations have not been read yet: refresh() or observe() them")
        return self._all()

    def _all(self) -> list[AsyncLiveInvitation]:
        return [AsyncLiveInvitation(self._client, record) for record in self._records]

    @property
    def pending(self) -> list[AsyncLiveInvitation]:
        """Those that wait for an answer.

        Raises:
            InvalidInput: they have not been read yet.
        """
        return [invitation for invitation in self.invitations if invitation.status == "pending"]

    @property
    def read_error(self) -> str | None:
        """Why they, who are observed, could not be read last; None where they could."""
        return self._reader.read_error if self._reader is not None else None

    def __len__(self) -> int:
        return len(self.invitations)

    @on_loop
    async def refresh(self) -> list[AsyncLiveInvitation]:
        """Read them now.

        Raises:
            ServiceError, Unreachable: they could not be read.
        """
        await self._read()
        return self.invitations

    @on_loop
    async def accept_link(self, link: str, *, timeout: float = 20.0) -> AsyncLiveRoom:
        """Become a co-host by a link of `room.invite_link()`, and hand out its room.

        social.plus: `ChannelRepository.joinChannel`, `invitation.accept`.

        Args:
            link: what the host handed over.
            timeout: seconds to wait for the host's program, which answers it at once where it runs.

        Raises:
            InvalidInput: it is no link, has expired, was used or taken back; the host's program does not answer, or
                could not invite you.
            BadRequest: the room is over or full.
        """
        invitation = await used_link(self._client, link, timeout)
        return await invitation.accept()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with all invitations as soon as they are read, then at every change.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._observers.add(observer)

    def watch(self) -> AsyncIterator[AsyncLiveInvitation]:
        """Each invitation that waits for an answer, once, as it comes. Ends only when it is left.

        social.plus: `RoomRepository.onRoomCoHostInvited`.
        """
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

    def _begin(self) -> None:
        self._reader = Reader(
            self._keep_up, self._followed, first=BLIND_READ, gate=self._client._reading, name="spnb-invitations"
        )
        self._reader.start()

    def _end(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
            for end in self._ends:
                end()
            self._ends = []

    def _followed(self) -> bool:
        # Which of a room's two topics carries its invitations is not documented: one of them has to come in.
        return any(self._client.realtime.is_subscribed(topic) for topic in self._topics)

    async def _keep_up(self) -> bool:
        """Follow, if that is not so yet, and read; whether anything was new."""
        before = self._records
        await self._follow()
        await self._read()
        return self._records is not before

    async def _follow(self) -> None:
        if self._ends or self._reader is None:
            return
        user = await self._client.login()
        if self._reader is None:
            return  # nobody observes any more
        realtime, network, soon = self._client.realtime, self._client.network_id, self._reader.soon
        room = f"{network}/room/{self._room_id}"
        self._topics = [f"{network}/user/{user.id}"] if self._room_id is None else [room, f"{room}/streamer"]
        self._ends = [
            *(realtime.subscribe(topic, self._heard, settled=lambda _granted: soon()) for topic in self._topics),
            realtime.on_state(lambda _state: soon()),
        ]

    def _heard(self, event: Event) -> None:
        if event.type.startswith("room.didCohostInvite") and self._reader is not None:
            self._reader.soon()

    async def _read(self) -> None:
        invitations = self._client.invitations
        try:
            fresh = await (invitations.of_room(self._room_id) if self._room_id else invitations.mine())
        except Forbidden:
            fresh = []  # not the user's to see
        first, self._was_read = not self._was_read, True
        if first or fresh != self._records:
            self._records = fresh
            self._observers.tell(self.invitations)

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        whose = f"to {self._room_id}" if self._room_id else f"of {self._client.user_id}"
        told = (
            f"{len(self.pending)} pending of {len(self)}" if self._was_read else "not read yet: refresh() or observe()"
        )
        return f"{type(self).__name__}({whose}: {told})"
