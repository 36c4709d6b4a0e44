"""The blocking twins of `spnb.client.audience`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Literal

    from spnb.client.audience import AsyncInvitations, AsyncPresence, AsyncReactions, AsyncUsers, Json, Subject
    from spnb.models import Invitation, Reactor, User, Viewer, WatchSession


__all__ = ["Invitations", "Presence", "Reactions", "Users"]


class Reactions(Face):
    """Reactions on posts and messages, and the floating ones of a live room.

    The blocking twin of `AsyncReactions`.
    """

    _twin: AsyncReactions

    def add(self, reference_id: str, reference_type: Subject, name: str) -> str:
        """React; the same reaction of a user counts once. Returns the reaction's id.

        social.plus: `ReactionRepository.addReaction`.
        """
        return run(self._twin.add(reference_id, reference_type, name))

    def remove(self, reference_id: str, reference_type: Subject, name: str) -> None:
        """Take your reaction back. social.plus: `ReactionRepository.removeReaction`."""
        run(self._twin.remove(reference_id, reference_type, name))

    def query(
        self, reference_id: str, reference_type: Subject, *, name: str | None = None, page_size: int = 50
    ) -> Watch[Reactor]:
        """Who reacted, newest first.

        social.plus: `ReactionRepository.getReactions`.

        Args:
            name: only this reaction.
            page_size: reactions per request, 1 to 100.
        """
        return Watch(self._twin.query(reference_id, reference_type, name=name, page_size=page_size))

    def send_live(
        self, room_id: str, post_id: str, names: Sequence[str], *, occurred_at: Sequence[datetime] | None = None
    ) -> list[str]:
        """Send floating reactions to a live room, best buffered and sent once a second. Returns their ids.

        social.plus: `LiveReactionRepository.createReaction`.

        `room.react()` of a live room does the buffering.

        Args:
            room_id: the room they float in.
            post_id: the post that carries the room.
            names: e.g. `["heart", "fire"]`, one for each reaction.
            occurred_at: when each of them was given; the service's own time without it.
        """
        return run(self._twin.send_live(room_id, post_id, names, occurred_at=occurred_at))

    @property
    def asynchronous(self) -> AsyncReactions:
        """The async twin: the same object, to be awaited."""
        return self._twin


class Presence(Face):
    """Who watches a room now.

    The blocking twin of `AsyncPresence`.
    """

    _twin: AsyncPresence

    def settings(self) -> Json:
        """The network's presence settings as they came."""
        return run(self._twin.settings())

    def heartbeat(self, room_id: str) -> None:
        """Say that you watch; to be repeated at the settings' interval, silence means gone.

        social.plus: `RoomPresenceRepository.startHeartbeat`.
        """
        run(self._twin.heartbeat(room_id))

    def count(self, room_id: str) -> int:
        """How many users watch now. social.plus: `RoomPresenceRepository.getRoomUserCount`."""
        return run(self._twin.count(room_id))

    def viewers(self, room_id: str) -> list[Viewer]:
        """Who watches now; the service lists at most 200. social.plus: `RoomPresenceRepository.getRoomOnlineUsers`."""
        return run(self._twin.viewers(room_id))

    def report(self, sessions: Sequence[WatchSession]) -> bool:
        """Report watch sessions: how long you watched. Repeating a session with more seconds lengthens it.

        social.plus: `RoomRepository.syncWatchSessions`.

        The service wants them signed with a key that lies inside the vendor's SDKs and is not ours to ship:
        `connect(watch_key=…)` or `SOCIALPLUS_WATCH_KEY` gives one. The sandbox takes any, unless it was given the
        public key (`spnb sandbox --watch-key`). Shape and signature of the call: the service's user-event API.

        Args:
            sessions: sessions of rooms that are on air or recorded.

        Returns:
            Whether they were sent; False without a key.

        Raises:
            ConfigError: what was given is no key.
            ServiceError: the service did not take them, e.g. since they are signed with another key.
        """
        return run(self._twin.report(sessions))

    @property
    def asynchronous(self) -> AsyncPresence:
        """The async twin: the same object, to be awaited."""
        return self._twin


class Invitations(Face):
    """Invitations to co-host.

    The blocking twin of `AsyncInvitations`.
    """

    _twin: AsyncInvitations

    def create(self, room_id: str, user_id: str) -> Invitation:
        """Invite a user to co-host your room. social.plus: `room.createInvitation`."""
        return run(self._twin.create(room_id, user_id))

    def mine(self, *, room_id: str | None = None) -> list[Invitation]:
        """Invitations to you, newest first. social.plus: `room.getInvitations`."""
        return run(self._twin.mine(room_id=room_id))

    def of_room(self, room_id: str) -> list[Invitation]:
        """Invitations to a room, newest first. social.plus: `InvitationRepository.getInvitations`."""
        return run(self._twin.of_room(room_id))

    def accept(self, invitation_id: str) -> None:
        """Become a co-host. social.plus: `invitation.accept`."""
        run(self._twin.accept(invitation_id))

    def reject(self, invitation_id: str) -> None:
        """Decline. social.plus: `invitation.reject`."""
        run(self._twin.reject(invitation_id))

    def cancel(self, invitation_id: str) -> None:
        """Take your invitation back. social.plus: `InvitationRepository.cancelInvitation`."""
        run(self._twin.cancel(invitation_id))

    @property
    def asynchronous(self) -> AsyncInvitations:
        """The async twin: the same object, to be awaited."""
        return self._twin


class Users(Face):
    """Users of the network.

    The blocking twin of `AsyncUsers`.
    """

    _twin: AsyncUsers

    def get(self, user_id: str) -> User:
        """One user by public id. social.plus: `UserRepository.getUser`."""
        return run(self._twin.get(user_id))

    def query(
        self,
        *,
        keyword: str | None = None,
        sort: Literal["displayName", "firstCreated", "lastCreated"] = "displayName",
        page_size: int = 20,
    ) -> Watch[User]:
        """Users of the network, page after page.

        social.plus: `UserRepository.getUsers`, `UserRepository.searchUserByDisplayName`.

        Args:
            keyword: part of the name; all users without it.
            sort: by name, or oldest or newest first.
            page_size: users per request, 1 to 100.
        """
        return Watch(self._twin.query(keyword=keyword, sort=sort, page_size=page_size))

    def get_many(self, user_ids: Sequence[str]) -> list[User]:
        """Users by public id; unknown ones are left out. social.plus: `UserRepository.getUserByIds`."""
        return run(self._twin.get_many(user_ids))

    def update(self, *, display_name: str | None = None, metadata: Json | None = None) -> User:
        """Change your own profile. social.plus: `UserRepository.updateUser`."""
        return run(self._twin.update(display_name=display_name, metadata=metadata))

    @property
    def asynchronous(self) -> AsyncUsers:
        """The async twin: the same object, to be awaited."""
        return self._twin
