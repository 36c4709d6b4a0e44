"""The Studio's company: a host's invitations and co-hosts, and a guest's way onto the stage and off it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import traitlets

from spnb.broadcast.tiles import tiles_of
from spnb.client import AsyncClient
from spnb.errors import InvalidInput, ServiceError, SpnbError, Unreachable
from spnb.live import AsyncLiveInvitation, AsyncLiveInvitations, AsyncLiveRoom, Broadcaster
from spnb.widgets.stage import Stage

__all__ = ["CoHosts"]

MOST_LISTED = 20
TILES_SECONDS = 10.0
"""How long a page's word that it looks holds: a page that is gone says nothing."""
LINK_SECONDS = 20.0
SILENT_SECONDS = 3.0
SILENT = (
    f"The host's notebook has not answered this link yet. Waiting {LINK_SECONDS:.0f} s for it: if it was closed, the "
    "link leads nowhere, and the host has to make a fresh one."
)
REMOVED = "the host took you off the stage"


class CoHosts(Stage):
    """A stage that is shared. Names and titles are user content: the page shows them as text."""

    role = traitlets.Unicode("host").tag(sync=True)
    """What you are in the room: `host` or `coHost`."""
    people: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Host and co-hosts: user, name, role, whether on stage (None where it is not known), me, products."""
    stage_layout: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """How viewers are shown several: shape, focus; see `room.stage.arrange()`."""
    _tiles_until = 0.0
    invitations: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """A host's invitations to this room: id, user, status; newest first."""
    invited: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Invitations of you to others' rooms that wait for an answer: id, title, from, live."""
    invite_error = traitlets.Unicode("").tag(sync=True)
    _client: AsyncClient[AsyncLiveRoom]
    _inbox: AsyncLiveInvitations | None = None
    _leave_room: tuple[Callable[[], None], ...] = ()

    def _follow_inbox(self) -> None:
        """Have invitations of the user shown."""
        self._inbox = AsyncLiveInvitations(self._client)
        self._at_end(self._inbox.observe(lambda invitations: self._spawn(self._show_invited(invitations))))

    async def _show_invited(self, invitations: list[AsyncLiveInvitation]) -> None:
        shown: list[dict[str, Any]] = []
        for invitation in invitations:
            if invitation.status != "pending" or len(shown) >= MOST_LISTED:
                continue
            with contextlib.suppress(ServiceError, Unreachable):
                record = await self._client.rooms.record(invitation.room_id)
                host = (await self._client.users.get(invitation.host_id)).display_name
                if not record.is_over:
                    shown.append(
                        {
                            "id": invitation.invitation_id,
                            "title": record.title,
                            "from": host or invitation.host_id,
                            "live": record.status == "live",
                        }
                    )
        # Meanwhile one may have been answered.
        pending = {invitation.invitation_id for invitation in self._inbox.pending} if self._inbox is not None else set()
        self.invited = [row for row in shown if row["id"] in pending]

    def _use(self, room: AsyncLiveRoom) -> None:
        """Follow the room's stage, and where it is the user's own, its invitations."""
        self._forget_company()
        self.role = "host" if room.hosted else "coHost"
        super()._use(room)
        ends = [room.stage.observe(self._show_people), room.observe(lambda _record: self._show_layout(room))]
        self._show_layout(room)
        if room.hosted:
            ends.append(AsyncLiveInvitations(self._client, room_id=room.room_id).observe(self._show_invitations))
        self._leave_room = tuple(ends)

    async def do_tiles(self, _content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page that is not in the room itself shows tiles: the others' pictures for it, for a while."""
        self._tiles_until = time.monotonic() + TILES_SECONDS
        if self._broadcast is not None and self._broadcast.on_air:
            tiles_of(self._broadcast).show(self._tile)

    def _tile(self, user: str, picture: bytes | None) -> None:
        if time.monotonic() < self._tiles_until and self.comm is not None:
            self.send({"type": "tile", "user": user}, [picture] if picture else [])
        elif self._broadcast is not None:
            tiles_of(self._broadcast).show(None)

    def _forget_company(self) -> None:
        ends, self._leave_room = self._leave_room, ()
        for end in ends:
            end()
        with self.hold_sync():
            self.people, self.invitations, self.invite_error = [], [], ""

    def _show_people(self, people: list[Broadcaster]) -> None:
        self.people = [
            {
                "user": person.user_id,
                "name": person.name,
                "role": person.role,
                "on": person.on_stage,
                "me": person.user_id == self._client.user_id,
                "products": person.can_manage_product_tags,
            }
            for person in people
        ]

    def _show_layout(self, room: AsyncLiveRoom) -> None:
        layout = room.stage.layout
        self.stage_layout = {"shape": layout.shape, "focus": layout.focus or ""}

    def _show_invitations(self, invitations: list[AsyncLiveInvitation]) -> None:
        # One line for each user: what became of the newest invitation.
        newest: dict[str, AsyncLiveInvitation] = {}
        for invitation in invitations:
            newest.setdefault(invitation.user_id, invitation)
        self.invitations = [
            {"id": invitation.invitation_id, "user": invitation.user_id, "status": invitation.status}
            for invitation in list(newest.values())[:MOST_LISTED]
        ]

    # -- the host's

    async def do_invite(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Invite was pressed."""
        self.invite_error = ""
        if self._room is not None:
            try:
                await self._room.invite(str(content.get("user") or ""))
            except SpnbError as error:
                self.invite_error = str(error)

    async def do_invite_link(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A link for a guest whose user id the host does not know. It goes to the page that asked, and nowhere else."""
        self.invite_error = ""
        told: dict[str, str] = {}
        try:
            if self._room is not None:
                told = {"address": (await self._room.invite_link()).address}
        except SpnbError as error:
            self.invite_error = str(error)
        self.send({"type": "invite_link", "client": content.get("client"), **told})

    async def do_cancel_invite(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """An invitation is taken back."""
        wanted = str(content.get("invitation") or "")
        if wanted in [row["id"] for row in self.invitations]:
            await self._client.invitations.cancel(wanted)

    async def do_remove(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A co-host is taken off the stage."""
        if self._room is not None:
            await self._room.remove(self._co_host(content))

    async def do_arrange(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The host chose how several are shown."""
        if self._room is not None:
            shape: Any = content.get("shape")
            await self._room.stage.arrange(shape, focus=str(content.get("focus") or "") or None)

    async def do_let_manage_products(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A co-host may, or may not any more, manage products."""
        if self._room is not None:
            await self._room.let_manage_products(self._co_host(content), bool(content.get("allowed")))

    def _co_host(self, content: dict[str, Any]) -> str:
        wanted = str(content.get("user") or "")
        if wanted not in [row["user"] for row in self.people if row["role"] == "coHost"]:
            raise InvalidInput("there is no such co-host")
        return wanted

    # -- the guest's

    async def do_accept(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """An invitation is accepted: its room comes onto this stage."""
        invitation = self._waiting_for(content)
        if invitation is None:
            return
        if self.phase not in ("idle", "ended"):
            raise InvalidInput("you are on air: leave the air before you join another stage")
        self.error = ""
        self._use(await invitation.accept())

    async def do_accept_link(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A guest has a link: its room comes onto this stage."""
        if self._inbox is None:
            return
        if self.phase not in ("idle", "ended"):
            raise InvalidInput("you are on air: leave the air before you join another stage")
        self.error = ""
        # A host that is there answers at once.
        silent = asyncio.get_running_loop().call_later(SILENT_SECONDS, setattr, self, "error", SILENT)
        try:
            room = await self._inbox.accept_link(str(content.get("link") or ""), timeout=LINK_SECONDS)
        finally:
            silent.cancel()
        self.error = ""
        self._use(room)

    async def do_reject(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """An invitation is declined."""
        invitation = self._waiting_for(content)
        if invitation is not None:
            await invitation.reject()

    def _waiting_for(self, content: dict[str, Any]) -> AsyncLiveInvitation | None:
        wanted = content.get("invitation")
        known = self._inbox.pending if self._inbox is not None else []
        return next((invitation for invitation in known if invitation.invitation_id == wanted), None)

    async def do_leave_stage(self, _content: dict[str, Any], _buffers: list[Any]) -> None:
        """A co-host leaves for good; the room goes on."""
        room = self._room
        if room is None or room.hosted:
            return
        if self.phase == "live":
            self.phase = "stopping"
        if self._broadcast is not None and self._broadcast.on_air:
            await self._broadcast.stop()
        with contextlib.suppress(ServiceError):
            await room.leave_stage()  # refused where the host was quicker
        self._off_stage("")

    def _ended(self, reason: str) -> None:
        room = self._room
        if room is None or room.hosted or room.record.is_over:
            super()._ended(reason)
        elif reason == REMOVED:
            self._off_stage("The host took you off the stage.")
        else:
            # A co-host's leaving the air ends nothing: the way back stays open.
            with self.hold_sync():
                self.error = "" if reason == "stopped" else f"Left the air: {reason}."
                self.connection, self.live_since, self.phase = "", 0.0, "idle"

    def _off_stage(self, word: str) -> None:
        """No co-host of that room any more: an empty stage."""
        self._forget_company()
        with self.hold_sync():
            self.connection, self.live_since, self.role = "", 0.0, "host"
            self._clear()
            self.error = word

    def _clear(self) -> None:
        """Take the room off the stage."""
        self._room = None
        self.phase, self.title, self.status = "idle", "", "idle"

    def close(self) -> None:
        """Take the widget off the page; a broadcast it started ends."""
        self._forget_company()
        super().close()
