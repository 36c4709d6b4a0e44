"""The blocking twins of `spnb.live.invitation`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from spnb.live.invitation import AsyncLiveInvitation
    from spnb.models import Invitation
    from spnb.sync.live.room import LiveRoom


__all__ = ["LiveInvitation"]


class LiveInvitation(Face):
    """An invitation as it was last read. The invited user accepts or rejects it, the host cancels it.

    The blocking twin of `AsyncLiveInvitation`.

    Two of one connection are equal where they are the same invitation.
    """

    _twin: AsyncLiveInvitation

    @property
    def record(self) -> Invitation:
        """The invitation as it was last read."""
        return self._twin.record

    @property
    def invitation_id(self) -> str:
        """Its id."""
        return self._twin.invitation_id

    @property
    def room_id(self) -> str:
        """The room it is for."""
        return self._twin.room_id

    @property
    def user_id(self) -> str:
        """Who is invited."""
        return self._twin.user_id

    @property
    def host_id(self) -> str:
        """Who invites."""
        return self._twin.host_id

    @property
    def status(self) -> str:
        """`pending`, `approved`, `rejected` or `cancelled`."""
        return self._twin.status

    def accept(self) -> LiveRoom:
        """Become a co-host; `join_stage()` of the room that comes back is the way onto the stage, once it is live.

        social.plus: `invitation.accept`.

        Raises:
            Forbidden: somebody else is invited.
            BadRequest: the invitation was answered or cancelled, the room is over or full.
        """
        found: LiveRoom = blocking(run(self._twin.accept()))
        return found

    def reject(self) -> None:
        """Decline.

        social.plus: `invitation.reject`.

        Raises:
            Forbidden: somebody else is invited.
            BadRequest: the invitation was answered or cancelled.
        """
        run(self._twin.reject())

    def cancel(self) -> None:
        """Take it back.

        social.plus: `InvitationRepository.cancelInvitation`.

        Raises:
            Forbidden: somebody else invited.
            BadRequest: it was answered already; remove the co-host instead.
        """
        run(self._twin.cancel())

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()

    @property
    def asynchronous(self) -> AsyncLiveInvitation:
        """The async twin: the same object, to be awaited."""
        return self._twin
