"""What a live room offers to a host who wants company on the stage, and to the company."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._loop import on_loop
from spnb.errors import InvalidInput, RoomOver
from spnb.ice import IceServer
from spnb.live.followed import FollowedRoom
from spnb.live.invitation import AsyncLiveInvitation, checked_user
from spnb.live.invite_link import LONGEST, AsyncInviteLink
from spnb.live.stage import AsyncStage

if TYPE_CHECKING:
    from spnb.broadcast import AsyncBroadcast, AudioOptions, BroadcastEvent, ReconnectOptions, VideoOptions
    from spnb.broadcast.sources import Source

__all__ = ["AsyncCoHosting"]


@checked_class
class AsyncCoHosting(FollowedRoom):
    """Part of `AsyncLiveRoom`: invitations, the stage, joining and leaving it."""

    _stage: AsyncStage | None = None
    _broadcast: Any = None

    @property
    def hosted(self) -> bool:
        """Whether the room is yours; else you are at most a co-host, and your leaving never ends it."""
        return self.record.created_by in (None, self.client.user_id)

    @property
    def broadcast_key(self) -> str:
        """Names this user in this room: a process has one broadcast for each."""
        return f"{self.room_id} of {self.client.user_id}"

    @property
    def ice_servers(self) -> tuple[IceServer, ...]:
        """STUN and TURN servers of what is sent, where the user named some."""
        return self.client.ice_servers

    @property
    def stage(self) -> AsyncStage:
        """Who broadcasts, and who of them is on the stage now."""
        if self._stage is None:
            self._stage = AsyncStage(self)
        return self._stage

    @on_loop
    async def invite(self, user_id: str) -> AsyncLiveInvitation:
        """Invite a user to co-host; a second invitation while one is pending is the same one.

        social.plus: `room.createInvitation`.

        Args:
            user_id: public id.

        Raises:
            Forbidden: the room is not yours.
            NotFound: there is no such user.
            BadRequest: the user is a broadcaster already, or the room is over or full.
        """
        record = await self.client.invitations.create(self.room_id, checked_user(user_id))
        return AsyncLiveInvitation(self.client, record)

    @on_loop
    async def invite_link(self, *, seconds: float = 3600.0) -> AsyncInviteLink:
        """Make a link that one guest becomes a co-host by, for whom no user id is needed: `address` is what to hand
        over, and `LiveInvitations(sp).accept_link(address)` what the guest does with it.

        The service knows no such links. This program answers it, by an invitation of the service, while it runs; the
        link's channel of its own is closed after the first guest, at its end, and with the room.

        social.plus: `ChannelRepository.createChannel`, `room.createInvitation`.

        Args:
            seconds: how long it may be used, at most 7 days.

        Raises:
            InvalidInput: the room is not yours, or `seconds` is out of bounds.
            RoomOver: it has ended.
        """
        if not self.hosted:
            raise InvalidInput("only the room's host invites others")
        if self.record.is_over or self.record.is_deleted:
            raise RoomOver("the room is over: nobody can come onto its stage", status=self.status)
        if not 0 < seconds <= LONGEST:
            raise InvalidInput(f"an invite link lasts up to {LONGEST:.0f} seconds")
        channel = await self.client.channels.create("Invite link")
        return AsyncInviteLink(self, channel, self.client.clock.now() + timedelta(seconds=seconds))

    @on_loop
    async def invitations(self) -> list[AsyncLiveInvitation]:
        """All invitations to the room, newest first. social.plus: `InvitationRepository.getInvitations`."""
        found = await self.client.invitations.of_room(self.room_id)
        return [AsyncLiveInvitation(self.client, record) for record in found]

    @on_loop
    async def invitation(self) -> AsyncLiveInvitation | None:
        """The newest invitation of you to the room; None where there is none. social.plus: `room.getInvitations`."""
        found = await self.client.invitations.mine(room_id=self.room_id)
        return AsyncLiveInvitation(self.client, found[0]) if found else None

    @on_loop
    async def join_stage(
        self,
        source: Source | str | Path | None = None,
        *,
        video: VideoOptions | None = None,
        audio: AudioOptions | bool = True,
        reconnect: ReconnectOptions | None = None,
        auto_subscribe: bool = False,
        on_event: Callable[[BroadcastEvent], Any] | None = None,
    ) -> AsyncBroadcast:
        """Come onto the stage as a co-host, once the room is live, and hand out the running `Broadcast`.

        Its end leaves the air only: the room goes on, and you may join again until you `leave_stage()`.

        Args:
            source: a source of `spnb.broadcast.sources`, the path of a media file, the address of a live stream; a test
                card without.
            video: how to send the picture: size, rates, codec, simulcast, what is kept when short of bandwidth.
            audio: how to send the sound: volume, stereo, bit rate; or only whether to send it.
            reconnect: how long and how often to try after the connection was lost.
            auto_subscribe: whether what others on stage send comes here too, told as `TrackSubscribed`; not to a page.
            on_event: called with each event, on the background loop.

        Raises:
            InvalidInput: the room is yours: `go_live()` is the host's way.
            Forbidden: you have not accepted an invitation, or were removed.
            BadRequest: the room is not live yet, or over.
        """
        if self.hosted:
            raise InvalidInput("the room is yours: the host comes onto the stage with go_live()")
        broadcast: AsyncBroadcast = await self.go_live(
            source, video=video, audio=audio, reconnect=reconnect, auto_subscribe=auto_subscribe, on_event=on_event
        )
        self._broadcast = broadcast
        return broadcast

    @on_loop
    async def leave_stage(self) -> None:
        """Stop being a co-host: leave the air, if you are on it from here, then the room's broadcasters.

        social.plus: `RoomRepository.leaveRoom`.

        Raises:
            BadRequest: the room is yours: `stop()` ends it.
            NotFound: you are no co-host.
        """
        broadcast, self._broadcast = self._broadcast, None
        if broadcast is not None:
            await broadcast.stop()
        await self.client.rooms.leave(self.room_id)

    @on_loop
    async def remove(self, user_id: str) -> None:
        """Take a co-host off the stage and out of the room's broadcasters; host only.

        social.plus: `RoomRepository.removeParticipant`.

        Raises:
            Forbidden: the room is not yours.
            NotFound: the user is no co-host of it.
        """
        await self.client.rooms.remove_participant(self.room_id, checked_user(user_id))

    @on_loop
    async def let_manage_products(self, user_id: str, allowed: bool = True) -> None:
        """Grant or take a co-host's right to tag and pin products; host only.

        social.plus: `RoomRepository.updateCohostPermission`.

        Raises:
            Forbidden: the room is not yours.
            NotFound: the user is no co-host of it.
        """
        await self.client.rooms.set_participant(self.room_id, checked_user(user_id), can_manage_product_tags=allowed)
