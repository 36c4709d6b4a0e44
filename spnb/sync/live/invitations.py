"""The blocking twins of `spnb.live.invitations`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch, asynchronous, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from spnb.live.invitations import AsyncLiveInvitations, Observer
    from spnb.sync.client.client import Client
    from spnb.sync.live.invitation import LiveInvitation
    from spnb.sync.live.room import LiveRoom


__all__ = ["LiveInvitations"]


class LiveInvitations(Face):
    """Invitations, newest first: yours, or with a room those to it.

    The blocking twin of `AsyncLiveInvitations`.

    social.plus: `InvitationRepository.getInvitations`.

    Args:
        client: the connection.
        room_id: the room whose invitations are wanted, which must be yours; your own invitations without.
    """

    _twin: AsyncLiveInvitations

    def __init__(self, client: Client[Any], *, room_id: str | None = None) -> None:
        from spnb.live.invitations import AsyncLiveInvitations

        super().__init__(AsyncLiveInvitations(asynchronous(client), room_id=room_id))

    @property
    def invitations(self) -> list[LiveInvitation]:
        """All that are known now.

        Raises:
            InvalidInput: they have not been read yet.
        """
        found: list[LiveInvitation] = blocking(self._twin.invitations)
        return found

    @property
    def pending(self) -> list[LiveInvitation]:
        """Those that wait for an answer.

        Raises:
            InvalidInput: they have not been read yet.
        """
        found: list[LiveInvitation] = blocking(self._twin.pending)
        return found

    @property
    def read_error(self) -> str | None:
        """Why they, who are observed, could not be read last; None where they could."""
        return self._twin.read_error

    def __len__(self) -> int:
        return len(self._twin)

    def refresh(self) -> list[LiveInvitation]:
        """Read them now.

        Raises:
            ServiceError, Unreachable: they could not be read.
        """
        found: list[LiveInvitation] = blocking(run(self._twin.refresh()))
        return found

    def accept_link(self, link: str, *, timeout: float = 20.0) -> LiveRoom:
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
        found: LiveRoom = blocking(run(self._twin.accept_link(link, timeout=timeout)))
        return found

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with all invitations as soon as they are read, then at every change.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[LiveInvitation]:
        """Each invitation that waits for an answer, once, as it comes. Ends only when it is left.

        social.plus: `RoomRepository.onRoomCoHostInvited`.
        """
        return Watch(self._twin.watch(), faces=True)

    @property
    def asynchronous(self) -> AsyncLiveInvitations:
        """The async twin: the same object, to be awaited."""
        return self._twin
