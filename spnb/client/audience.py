"""The audience: reactions, presence, invitations, users."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from spnb._loop import on_loop
from spnb.client.resource import Resource, checked_text, part, settled
from spnb.client.watch_key import signed, text_to_sign
from spnb.errors import InvalidInput
from spnb.models import Invitation, Reactor, User, Viewer, WatchSession

__all__ = ["AsyncInvitations", "AsyncPresence", "AsyncReactions", "AsyncUsers", "wire_time"]

Json = dict[str, Any]
Subject = Literal["post", "message"]
MESSAGE_VERSION = 5
"""The service wants reactions on messages marked with the message API's version."""


class AsyncReactions(Resource):
    """Reactions on posts and messages, and the floating ones of a live room."""

    @on_loop
    async def add(self, reference_id: str, reference_type: Subject, name: str) -> str:
        """React; the same reaction of a user counts once. Returns the reaction's id.

        social.plus: `ReactionRepository.addReaction`.
        """
        body = _reaction(reference_id, reference_type, name)
        return str((await self._post("/api/v2/reactions", "react", body, repeatable=True))["addedId"])

    @on_loop
    async def remove(self, reference_id: str, reference_type: Subject, name: str) -> None:
        """Take your reaction back. social.plus: `ReactionRepository.removeReaction`."""
        body = _reaction(reference_id, reference_type, name)
        await self._gone("/api/v2/reactions", "take the reaction back", body)

    def query(
        self, reference_id: str, reference_type: Subject, *, name: str | None = None, page_size: int = 50
    ) -> AsyncIterator[Reactor]:
        """Who reacted, newest first.

        social.plus: `ReactionRepository.getReactions`.

        Args:
            name: only this reaction.
            page_size: reactions per request, 1 to 100.
        """
        return self._listed(
            _reactors,
            "/api/v3/reactions",
            "list reactions",
            page_size=page_size,
            referenceId=reference_id,
            referenceType=reference_type,
            referenceVersion=MESSAGE_VERSION if reference_type == "message" else None,
            reactionName=name,
        )

    @on_loop
    async def send_live(
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
        if isinstance(names, str) or not names:
            raise InvalidInput("name at least one reaction, as a list")
        if occurred_at is not None and len(occurred_at) != len(names):
            raise InvalidInput(f"{len(names)} reactions and {len(occurred_at)} times: give one for each")
        reactions: list[Json] = []
        for number, name in enumerate(names):
            checked_text("reaction", name, 100, required=True)
            reaction = {"referencePublicId": post_id, "referenceType": "post", "reactionName": name, "roomId": room_id}
            if occurred_at is not None:
                reaction["occurredAt"] = wire_time(occurred_at[number])
            reactions.append(reaction)
        body = {"roomId": room_id, "reactions": reactions}
        return [str(added) for added in (await self._post("/api/v1/reactions/live", "react", body))["addedIds"]]


def _reactors(page: Json) -> list[Reactor]:
    return [reactor for subject in page.get("reactions", []) for reactor in Reactor.many(subject.get("reactors"))]


def _reaction(reference_id: str, reference_type: str, name: str) -> Json:
    checked_text("reaction", name, 100, required=True)
    body: Json = {"referenceId": reference_id, "referenceType": reference_type, "reactionName": name}
    if reference_type == "message":
        body["referenceVersion"] = MESSAGE_VERSION
    return body


def wire_time(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`, as the service writes times."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class AsyncPresence(Resource):
    """Who watches a room now."""

    @on_loop
    async def settings(self) -> Json:
        """The network's presence settings as they came."""
        return await self._get("/api/v1/presence/settings", "read the presence settings")

    @on_loop
    async def heartbeat(self, room_id: str) -> None:
        """Say that you watch; to be repeated at the settings' interval, silence means gone.

        social.plus: `RoomPresenceRepository.startHeartbeat`.
        """
        path = f"/api/v1/presence/rooms/{part(room_id)}/heartbeat"
        await self._post(path, "say that you watch", {}, repeatable=True)

    @on_loop
    async def count(self, room_id: str) -> int:
        """How many users watch now. social.plus: `RoomPresenceRepository.getRoomUserCount`."""
        return int((await self._get(f"/api/v1/presence/rooms/{part(room_id)}/users/count", "count viewers"))["count"])

    @on_loop
    async def viewers(self, room_id: str) -> list[Viewer]:
        """Who watches now; the service lists at most 200. social.plus: `RoomPresenceRepository.getRoomOnlineUsers`."""
        answer = await self._get(f"/api/v1/presence/rooms/{part(room_id)}/users", "list viewers")
        return Viewer.many(answer.get("viewers"))

    @on_loop
    async def report(self, sessions: Sequence[WatchSession]) -> bool:
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
        key = self._session.credentials.watch_key
        if not key:
            return False
        rooms = [
            {
                "sessionId": session.session_id,
                "roomId": session.room_id,
                "watchSeconds": _plain(session.watch_seconds),
                "startTime": wire_time(session.start_time),
                "endTime": wire_time(session.end_time or self._session.clock.now()),
            }
            for session in sessions
        ]
        nonce, timestamp = str(uuid4()), wire_time(self._session.clock.now())
        # Making a first key takes a moment.
        signature = await asyncio.to_thread(signed, key, text_to_sign(nonce, timestamp, rooms))
        body = {"signature": signature, "nonceStr": nonce, "timestamp": timestamp, "rooms": rooms}
        # Not repeatable: a nonce counts once. Whoever reports again signs anew.
        await self._post("/api/v3/user-event/room", "report what was watched", body)
        return True


def _plain(seconds: float) -> int | float:
    """As the service's SDKs write a number: without a point where it is whole."""
    rounded = round(seconds, 3)
    return int(rounded) if rounded == int(rounded) else rounded


class AsyncInvitations(Resource):
    """Invitations to co-host."""

    @on_loop
    async def create(self, room_id: str, user_id: str) -> Invitation:
        """Invite a user to co-host your room. social.plus: `room.createInvitation`."""
        body = {
            "type": "livestreamCohostInvite",
            "targetType": "room",
            "targetId": room_id,
            "userIds": [user_id],
        }
        # A second invitation while one is pending is the same one.
        answer = await self._post("/api/v1/invitations", "invite", body, repeatable=True)
        return Invitation.model_validate(answer["invitations"][0])

    @on_loop
    async def mine(self, *, room_id: str | None = None) -> list[Invitation]:
        """Invitations to you, newest first. social.plus: `room.getInvitations`."""
        answer = await self._get(
            "/api/v1/invitations/me",
            "list your invitations",
            targetId=room_id,
            targetType="room" if room_id else None,
            options={"limit": 100},
        )
        return Invitation.many(answer.get("invitations"))

    @on_loop
    async def of_room(self, room_id: str) -> list[Invitation]:
        """Invitations to a room, newest first. social.plus: `InvitationRepository.getInvitations`."""
        answer = await self._get(
            "/api/v1/invitations", "list invitations", targetId=room_id, targetType="room", options={"limit": 100}
        )
        return Invitation.many(answer.get("invitations"))

    @on_loop
    async def accept(self, invitation_id: str) -> None:
        """Become a co-host. social.plus: `invitation.accept`."""
        await self._answered(invitation_id, "accept", "approved")

    @on_loop
    async def reject(self, invitation_id: str) -> None:
        """Decline. social.plus: `invitation.reject`."""
        await self._answered(invitation_id, "reject", "rejected")

    async def _answered(self, invitation_id: str, answer: str, status: str) -> None:
        path = f"/api/v1/invitations/{part(invitation_id)}/{answer}"

        async def is_so() -> Json | None:
            found = next((one for one in await self.mine() if one.invitation_id == invitation_id), None)
            return {} if found is not None and found.status == status else None

        await settled(self._post(path, f"{answer} the invitation", {}, repeatable=True), is_so)

    @on_loop
    async def cancel(self, invitation_id: str) -> None:
        """Take your invitation back. social.plus: `InvitationRepository.cancelInvitation`."""
        await self._gone(f"/api/v1/invitations/{part(invitation_id)}", "cancel the invitation", answered=True)


class AsyncUsers(Resource):
    """Users of the network."""

    @on_loop
    async def get(self, user_id: str) -> User:
        """One user by public id. social.plus: `UserRepository.getUser`."""
        return User.model_validate((await self._get(f"/api/v3/users/{part(user_id)}", "read the user"))["users"][0])

    def query(
        self,
        *,
        keyword: str | None = None,
        sort: Literal["displayName", "firstCreated", "lastCreated"] = "displayName",
        page_size: int = 20,
    ) -> AsyncIterator[User]:
        """Users of the network, page after page.

        social.plus: `UserRepository.getUsers`, `UserRepository.searchUserByDisplayName`.

        Args:
            keyword: part of the name; all users without it.
            sort: by name, or oldest or newest first.
            page_size: users per request, 1 to 100.
        """
        return self._listed(
            lambda page: User.many(page.get("users")),
            "/api/v3/users",
            "search users",
            page_size=page_size,
            keyword=keyword,
            sortBy=sort,
        )

    @on_loop
    async def get_many(self, user_ids: Sequence[str]) -> list[User]:
        """Users by public id; unknown ones are left out. social.plus: `UserRepository.getUserByIds`."""
        found: list[User] = []
        for start in range(0, len(user_ids), 100):
            wanted = list(user_ids[start : start + 100])
            answer = await self._get("/api/v3/users/list", "read users", userIds=wanted)
            found += User.many(answer.get("users"))
        return found

    @on_loop
    async def update(self, *, display_name: str | None = None, metadata: Json | None = None) -> User:
        """Change your own profile. social.plus: `UserRepository.updateUser`."""
        body: Json = {}
        if display_name is not None:
            body["displayName"] = checked_text("display_name", display_name, 100, required=True)
        if metadata is not None:
            body["metadata"] = metadata
        return User.model_validate((await self._put("/api/v3/users", "change the profile", body))["users"][0])
