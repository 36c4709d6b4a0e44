"""The blocking twins of `spnb.live.invite_link`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from datetime import datetime

    from spnb.live.invite_link import AsyncInviteLink
    from spnb.sync.live.invitation import LiveInvitation


__all__ = ["InviteLink"]


class InviteLink(Face):
    """A link that one guest becomes a co-host by. Made by `room.invite_link()`.

    The blocking twin of `AsyncInviteLink`.
    """

    _twin: AsyncInviteLink

    @property
    def address(self) -> str:
        """What to hand to the guest. Secret: whoever has it first is the guest."""
        return self._twin.address

    @property
    def expires_at(self) -> datetime:
        """Until when it may be used, in UTC."""
        return self._twin.expires_at

    @property
    def status(self) -> str:
        """`open`, `used`, `expired`, `cancelled`, or `over` where the room ended."""
        return self._twin.status

    @property
    def invitation(self) -> LiveInvitation | None:
        """The invitation of the guest who used it."""
        found: LiveInvitation | None = blocking(self._twin.invitation)
        return found

    def until_used(self, *, timeout: float | None = None) -> LiveInvitation | None:
        """Wait for the guest.

        Args:
            timeout: seconds; until the link expires without.

        Returns:
            The guest's invitation; None where the link expired, was cancelled, or the room ended.

        Raises:
            TimeoutError: nobody has used it in time; it stays open.
        """
        found: LiveInvitation | None = blocking(run(self._twin.until_used(timeout=timeout)))
        return found

    def cancel(self) -> None:
        """Take it back. A guest who used it stays; `room.remove()` takes them off the stage."""
        run(self._twin.cancel())

    @property
    def asynchronous(self) -> AsyncInviteLink:
        """The async twin: the same object, to be awaited."""
        return self._twin
