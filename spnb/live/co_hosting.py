"""What a live room offers to a host who wants company on the stage, and to the company."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from spnb._loop import on_loop, run
from spnb.errors import InvalidInput
from spnb.live.invitation import AsyncLiveInvitation, LiveInvitation, checked_user
from spnb.live.stage import AsyncStage, Stage
from spnb.models import Room

if TYPE_CHECKING:
    from spnb.client import AsyncClient
    from spnb.live.room import AsyncLiveRoom

__all__ = ["AsyncCoHosting", "CoHosting"]


class AsyncCoHosting:
    """Part of `AsyncLiveRoom`: invitations, the stage, joining and leaving it."""

    _client: AsyncClient[Any]
    _record: Room
    _stage: AsyncStage | None = None
    _show: Any = None

    @property
    def hosted(self) -> bool:
        """Whether the room is yours; else you are at most a co-host, and your leaving never ends it."""
        return self._record.created_by in (None, self._client.user_id)

    @property
    def seat(self) -> str:
        """This user's place in this room: there is one broadcast for each in a process."""
        return f"{self._record.room_id} of {self._client.user_id}"

    @property
    def stage(self) -> AsyncStage:
        """Who broadcasts, and who of them is on the stage now."""
        if self._stage is None:
            self._stage = AsyncStage(cast("AsyncLiveRoom", self))
        return self._stage

    @on_loop
    async def invite(self, user_id: str) -> AsyncLiveInvitation:
        """Invite a user to co-host; a second invitation while one is pending is the same one.

        Args:
            user_id: public id.

        Raises:
            Forbidden: the room is not yours.
            NotFound: there is no such user.
            BadRequest: the user is a broadcaster already, or the room is over or full.
        """
        record = await self._client.invitations.create(self._record.room_id, checked_user(user_id))
        return AsyncLiveInvitation(self._client, record)

    @on_loop
    async def invitations(self) -> list[AsyncLiveInvitation]:
        """All invitations to the room, newest first."""
        found = await self._client.invitations.of_room(self._record.room_id)
        return [AsyncLiveInvitation(self._client, record) for record in found]

    @on_loop
    async def invitation(self) -> AsyncLiveInvitation | None:
        """The newest invitation of you to the room; None where there is none."""
        found = await self._client.invitations.mine(room_id=self._record.room_id)
        return AsyncLiveInvitation(self._client, found[0]) if found else None

    @on_loop
    async def join_stage(self, source: Any = None, **options: Any) -> Any:
        """Come onto the stage as a co-host, once the room is live, and hand out the running `Broadcast`.

        Its end leaves the air only: the room goes on, and you may join again until you `leave_stage()`.

        Args:
            source: a source of `spnb.broadcast.sources`; a test card without.
            options: see `spnb.broadcast.go_live`.

        Raises:
            InvalidInput: the room is yours: `go_live()` is the host's way.
            Forbidden: you have not accepted an invitation, or were removed.
            BadRequest: the room is not live yet, or over.
        """
        if self.hosted:
            raise InvalidInput("the room is yours: the host comes onto the stage with go_live()")
        self._show = await cast("AsyncLiveRoom", self).go_live(source, **options)
        return self._show

    @on_loop
    async def leave_stage(self) -> None:
        """Stop being a co-host: leave the air, if you are on it from here, then the room's broadcasters.

        Raises:
            BadRequest: the room is yours: `stop()` ends it.
            NotFound: you are no co-host.
        """
        show, self._show = self._show, None
        if show is not None:
            await show.stop()
        await self._client.rooms.leave(self._record.room_id)

    @on_loop
    async def remove(self, user_id: str) -> None:
        """Take a co-host off the stage and out of the room's broadcasters; host only.

        Raises:
            Forbidden: the room is not yours.
            NotFound: the user is no co-host of it.
        """
        await self._client.rooms.remove_participant(self._record.room_id, checked_user(user_id))

    @on_loop
    async def let_manage_products(self, user_id: str, allowed: bool = True) -> None:
        """Grant or take a co-host's right to tag and pin products; host only.

        Raises:
            Forbidden: the room is not yours.
            NotFound: the user is no co-host of it.
        """
        await self._client.rooms.set_participant(
            self._record.room_id, checked_user(user_id), can_manage_product_tags=allowed
        )


class CoHosting:
    """Part of `LiveRoom`: the blocking twin of `AsyncCoHosting`."""

    _twin: AsyncLiveRoom

    @property
    def hosted(self) -> bool:
        """Whether the room is yours."""
        return self._twin.hosted

    @property
    def stage(self) -> Stage:
        """Who broadcasts, and who of them is on the stage now."""
        return self._twin.stage.sync

    def invite(self, user_id: str) -> LiveInvitation:
        """Invite a user to co-host.

        Args:
            user_id: public id.
        """
        return run(self._twin.invite(user_id)).sync

    def invitations(self) -> list[LiveInvitation]:
        """All invitations to the room, newest first."""
        return [invitation.sync for invitation in run(self._twin.invitations())]

    def invitation(self) -> LiveInvitation | None:
        """The newest invitation of you to the room; None where there is none."""
        found = run(self._twin.invitation())
        return found.sync if found is not None else None

    def join_stage(self, source: Any = None, **options: Any) -> Any:
        """Come onto the stage as a co-host, once the room is live, and hand out the running `Broadcast`.

        Args:
            source: a source of `spnb.broadcast.sources`; a test card without.
            options: see `spnb.broadcast.go_live`.
        """
        return run(self._twin.join_stage(source, **options)).sync

    def leave_stage(self) -> None:
        """Stop being a co-host: leave the air, then the room's broadcasters."""
        run(self._twin.leave_stage())

    def remove(self, user_id: str) -> None:
        """Take a co-host off the stage and out of the room's broadcasters; host only."""
        run(self._twin.remove(user_id))

    def let_manage_products(self, user_id: str, allowed: bool = True) -> None:
        """Grant or take a co-host's right to tag and pin products; host only."""
        run(self._twin.let_manage_products(user_id, allowed))
