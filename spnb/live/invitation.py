"""An invitation to co-host, with what its two sides can do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._loop import on_loop
from spnb._twins import Blocking
from spnb.errors import InvalidInput
from spnb.live.followed import Same
from spnb.models import Invitation

if TYPE_CHECKING:
    from spnb.client import AsyncClient
    from spnb.live.room import AsyncLiveRoom

__all__ = ["AsyncLiveInvitation"]


@checked_class
class AsyncLiveInvitation(Same):
    """An invitation as it was last read. The invited user accepts or rejects it, the host cancels it.

    Two of one connection are equal where they are the same invitation.

    Args:
        client: the connection of one of the two.
        record: the invitation.
    """

    def __init__(self, client: AsyncClient[Any], record: Invitation) -> None:
        self._client = client
        self._record = record

    @property
    def record(self) -> Invitation:
        """The invitation as it was last read."""
        return self._record

    @property
    def invitation_id(self) -> str:
        """Its id."""
        return self._record.invitation_id

    def _stands_for(self) -> tuple[object, str]:
        return self._client, self.invitation_id

    @property
    def room_id(self) -> str:
        """The room it is for."""
        return self._record.target_id or ""

    @property
    def user_id(self) -> str:
        """Who is invited."""
        return self._record.invited_user_public_id or ""

    @property
    def host_id(self) -> str:
        """Who invites."""
        return self._record.inviter_user_public_id or ""

    @property
    def status(self) -> str:
        """`pending`, `approved`, `rejected` or `cancelled`."""
        return self._record.status

    @on_loop
    async def accept(self) -> AsyncLiveRoom:
        """Become a co-host; `join_stage()` of the room that comes back is the way onto the stage, once it is live.

        social.plus: `invitation.accept`.

        Raises:
            Forbidden: somebody else is invited.
            BadRequest: the invitation was answered or cancelled, the room is over or full.
        """
        await self._client.invitations.accept(self.invitation_id)
        self._record = self._record.model_copy(update={"status": "approved"})
        room: AsyncLiveRoom = await self._client.rooms.get(self.room_id)
        return room

    @on_loop
    async def reject(self) -> None:
        """Decline.

        social.plus: `invitation.reject`.

        Raises:
            Forbidden: somebody else is invited.
            BadRequest: the invitation was answered or cancelled.
        """
        await self._client.invitations.reject(self.invitation_id)
        self._record = self._record.model_copy(update={"status": "rejected"})

    @on_loop
    async def cancel(self) -> None:
        """Take it back.

        social.plus: `InvitationRepository.cancelInvitation`.

        Raises:
            Forbidden: somebody else invited.
            BadRequest: it was answered already; remove the co-host instead.
        """
        await self._client.invitations.cancel(self.invitation_id)
        self._record = self._record.model_copy(update={"status": "cancelled"})

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.user_id} into {self.room_id}, {self.status}, {self.invitation_id})"

    def _repr_html_(self) -> str:
        return self._record._repr_html_()


def checked_user(user_id: str) -> str:
    """A public user id, which must not be empty."""
    if not user_id.strip():
        raise InvalidInput("name the user by id")
    return user_id.strip()
