"""`Studio`: a host's whole journey in one widget, from an idea for a title to the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from spnb.broadcast import is_running, prepare
from spnb.broadcast.signpost import signpost
from spnb.client import Client
from spnb.errors import NotFound, ServiceError, Unreachable
from spnb.live import AsyncLiveRoom, LiveRoom
from spnb.models import Room
from spnb.widgets.base import STATIC
from spnb.widgets.chat_part import ChatPart
from spnb.widgets.co_hosts import CoHosts
from spnb.widgets.companion import CompanionPart
from spnb.widgets.encoder_part import EncoderPart
from spnb.widgets.room_form import RoomForm
from spnb.widgets.stage import kernel_source

if TYPE_CHECKING:
    from spnb.broadcast.page import PageSource
    from spnb.broadcast.sources import Source

__all__ = ["Studio"]

MOST_LEFTOVERS = 5


class Studio(RoomForm, CompanionPart, EncoderPart, CoHosts, ChatPart):
    """Room form, preview, Go live, on-air controls, health, and afterwards the replay with the stream's numbers.

    A host invites co-hosts and sees who is on the stage; a user who is invited accepts here, and joins the stage. The
    room's chat stands beside the picture, before, on air and after.

    The page's camera is published by the page itself where LiveKit answers the page, and by the kernel otherwise, or
    where Python changes the pictures (`@studio.on_frame`); the Studio says which and why.

    Closing the widget, running its cell again, or ending the kernel ends the broadcast. A page that is reloaded on air
    offers to resume.

    Where the page around the notebook gives it no camera (VS Code, Colab), the Studio opens its part in a tab that has
    one, by a link for one use; the tab is one more page of the widget.

    Args:
        client: a client of `spnb.connect()`.
        room: a room to go live in; the form makes one without.
        path: `auto`, `browser` or `kernel`.
        countdown: seconds before going live; 0 goes at once.
    """

    _esm = STATIC / "studio.js"
    in_tab = "studio.js"
    path = traitlets.Enum(["auto", "browser", "kernel"], "auto").tag(sync=True)
    route = traitlets.Unicode("").tag(sync=True)
    """The path that was taken and why, in words."""
    has_room = traitlets.Bool(False).tag(sync=True)
    away = traitlets.Bool(False).tag(sync=True)
    """Whether the page that was on air has been closed or reloaded and none has resumed yet."""
    leftovers: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """The user's rooms that are still live from elsewhere: id, title, status."""
    plain = "the host's studio; in code: sp.rooms.create('title').go_live()."
    _page_source: PageSource | None = None

    def __init__(self, client: Client[LiveRoom], room: LiveRoom | None = None, **keywords: Any) -> None:
        super().__init__(ice_servers=client.ice_servers, **keywords)
        self._client = client.asynchronous
        if room is not None:
            self._use(room.asynchronous)
        else:
            self._spawn(self._read_communities())
        self._spawn(self._look_for_leftovers())
        self._follow_inbox()

    # -- the room

    def _made(self, room: AsyncLiveRoom) -> None:
        self._use(room)

    def _use(self, room: AsyncLiveRoom) -> None:
        self.summary = {}
        super()._use(room)
        self._engage(room)
        self._use_chat(room, self._client.user_id)
        self.has_room = True

    def _take(self, record: Room) -> None:
        # A room that has left this stage may go on elsewhere.
        if self._room is not None and record.room_id == self._room.room_id:
            EncoderPart._take(self, record)
            self._judge(record)

    async def do_new(self, _content: dict[str, Any], _buffers: list[Any]) -> None:
        """Another room, after one is over."""
        if self.phase == "ended":
            with self.hold_sync():
                self._clear()
                self.error = ""
            await self._read_communities()

    def _clear(self) -> None:
        super()._clear()
        self._disengage()
        self._leave_chat()
        self.moderation = ""
        self.has_room, self.summary, self.created, self.playable = False, {}, {}, False
        self.encoder = False

    async def _look_for_leftovers(self) -> None:
        found = []
        try:
            async for record in self._client.rooms.query(statuses=["live", "waitingReconnect"]):
                mine = record.created_by == self._client.user_id and not is_running(record.room_id)
                if mine and (self._room is None or record.room_id != self._room.room_id):
                    found.append({"id": record.room_id, "title": record.title, "status": record.status})
                if len(found) >= MOST_LEFTOVERS:
                    break
        except (ServiceError, Unreachable):
            return  # a courtesy
        self.leftovers = found

    async def do_adopt(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Resume a room that was left live."""
        room = await self._leftover(content)
        if room is not None and self.phase in ("idle", "ended"):
            self._use(room)

    async def do_end_leftover(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """End a room that was left live."""
        room = await self._leftover(content)
        if room is not None:
            await room.stop()

    async def _leftover(self, content: dict[str, Any]) -> AsyncLiveRoom | None:
        wanted = content.get("room")
        if wanted not in [row["id"] for row in self.leftovers]:
            return None
        self.leftovers = [row for row in self.leftovers if row["id"] != wanted]
        try:
            return await self._client.rooms.get(str(wanted))
        except NotFound:
            return None

    # -- going live

    async def do_route(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page asks where LiveKit is, to see whether it can be reached from there."""
        early = self.role == "coHost" and self.status == "idle"  # credentials are given once the room is live
        if self._room is not None and self.phase == "idle" and not early:
            url = await prepare(self._room)
            told = {"url": url, "signpost": await signpost(url) if url else None}
            self.send({"type": "route", "client": content.get("client"), **told})

    def _source_for(self, content: dict[str, Any]) -> Source:
        if content.get("source") != "page":
            self.route = "Sent by the kernel: the source is on its machine."
            return kernel_source(content)
        way = str(content.get("way") or "none")
        if self.path == "kernel" or self.filtered or (self.path == "auto" and way == "none"):
            self.route = (
                "Sent by the kernel, as was chosen."
                if self.path == "kernel"
                else "Sent by the kernel: Python changes the pictures."
                if self.filtered
                else "Sent by the kernel: LiveKit does not answer this page, and this browser cannot encode by itself."
            )
            return self.source
        from spnb.broadcast.page import PageSource

        width, height, fps = (int(content.get(name) or 0) for name in ("width", "height", "fps"))
        frames = self._frames if self.path == "auto" and content.get("encodes") else None
        page = self._page_source = PageSource(
            self._linked(),
            width or 1280,
            height or 720,
            fps or 30,
            frames=frames,
            fell=self._fell,
            by_port=self._by_port,
        )
        client = str(content.get("client") or "")
        self._linked().hold(client)
        here = "the camera's tab" if self._in_tab(client) else "this page"
        if self.path == "browser":
            self.route = f"Sent straight from {here}, as was chosen."
        elif way == "frames":
            page.fall(str(content.get("why") or "no media connection reaches this page")[:200])
        else:
            self.route = f"Sent straight from {here}: LiveKit answers {'there' if 'tab' in here else 'here'}."
        return page

    def _fell(self, reason: str) -> None:
        self.route = f"Sent through the notebook's own connection, as this page encodes it: {reason}."

    def _by_port(self) -> None:
        self.route = "Sent from this page through the notebook's port: no media connection reaches this page."

    def _take_sound(self, samples: bytes) -> None:
        super()._take_sound(samples)
        if self._page_source is not None:
            self._page_source.sound(samples)

    # -- the page on air

    async def do_on_air(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Something the page tells of its own connection."""
        if self._page_source is not None and str(content.get("client") or "") == self._linked().client:
            self._page_source.heard(content)

    async def do_camera_off(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """The page is left, or its camera was switched off."""
        by_page = (
            self._broadcast is not None
            and self._broadcast.source is self._page_source
            and self._page_source is not None
        )
        if by_page and str(content.get("client") or "") == self._linked().client and self.phase == "live":
            self._linked().release(str(content.get("client")))
            self.holder = ""
            self.away = True
            assert self._page_source is not None  # noqa: S101 - checked above
            self._page_source.page_closed()
            return
        await super().do_camera_off(content, buffers)

    async def do_resume(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page goes on where another has left."""
        if self.away:
            self.away = False
            self._take_over(str(content.get("client") or ""))

    def _take_over(self, client: str) -> None:
        self._linked().hold(client)
        self.holder = client

    def _ended(self, reason: str) -> None:
        self.away = False
        super()._ended(reason)
