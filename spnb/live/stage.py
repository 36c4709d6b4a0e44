"""`AsyncStage`: who broadcasts in a room, and who of them is on the stage right now.

The room's record names its broadcasters. Whether one is on the stage no read of the service tells: it is pieced
together from stage events, from the room's status, and, best of all, from the media server, while this process is on
air there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from spnb._arguments import checked_class
from spnb._lasting import Pauses, kept_up
from spnb._loop import aiterate, on_loop
from spnb._stage_layout import LAYOUT, Shape, StageLayout, layout_of
from spnb._twins import Blocking
from spnb.errors import ClientClosed, InvalidInput, ServiceError, Unreachable
from spnb.live.followed import FollowedRoom
from spnb.models import Room
from spnb.observers import Observers
from spnb.realtime import Event, unheeded

if TYPE_CHECKING:
    from spnb.broadcast import AsyncBroadcast, BroadcastEvent

__all__ = ["AsyncStage", "Broadcaster", "StageLayout"]

log = logging.getLogger(__name__)

JOINED, LEFT = "room.participantStageJoined", "room.participantStageLeft"
ROLES = {"host": "host", "coHost": "co-host"}
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Broadcaster:
    """A broadcaster of a room: its host or a co-host."""

    user_id: str
    name: str
    """Display name, or the id where it is not known. User content: show it as text."""
    role: Literal["host", "coHost"]
    on_stage: bool | None
    """Whether media comes from them now; None where nothing has told yet."""
    can_manage_product_tags: bool = False


@checked_class
class AsyncStage:
    """The broadcasters of a room, kept up to date while anybody observes them.

    Args:
        room: the room.
    """

    def __init__(self, room: FollowedRoom) -> None:
        self._room = room
        self._heard_of: dict[str, tuple[datetime, bool]] = {}
        self._names: dict[str, str] = {}
        self._media: frozenset[str] | None = None
        self._told: list[Broadcaster] | None = None
        self._observers = Observers[list[Broadcaster]](
            "the stage", first=self._follow, last=self._unfollow, now=lambda: self.people
        )
        self._ends: list[Callable[[], None]] = []
        self._naming: asyncio.Task[None] | None = None

    @property
    def people(self) -> list[Broadcaster]:
        """The host and the co-hosts who accepted, in the order they came."""
        record = self._room.record
        return [
            Broadcaster(
                user_id=participant.user_id,
                name=self._names.get(participant.user_id, participant.user_id),
                role="host" if participant.type == "host" else "coHost",
                on_stage=self._on_stage(record, participant.user_id),
                can_manage_product_tags=participant.can_manage_product_tags,
            )
            for participant in record.participants
        ]

    def _on_stage(self, record: Room, user_id: str) -> bool | None:
        if record.status != "live":
            return False  # idle, over, or waiting for its last publisher to come back
        if self._media is not None:
            return user_id in self._media
        known = self._heard_of.get(user_id)
        if known is not None:
            return known[1]
        # A room is live by somebody's media.
        return True if len(record.participants) == 1 else None

    @property
    def layout(self) -> StageLayout:
        """How several are shown, as the host has chosen."""
        return layout_of(self._room.record.metadata)

    @on_loop
    async def arrange(self, shape: Shape, *, focus: str | None = None) -> StageLayout:
        """Choose how several broadcasters are shown, before or while they are on air; host only.

        Viewers and the recording follow at once where the sandbox composes the picture. The real service composes it by
        rules of its own: there Studios follow. A shared screen is the large picture, whatever was chosen.

        Args:
            shape: `side-by-side`; `spotlight`, one large and the others in a column; `picture-in-picture`, the others
                small upon the large one.
            focus: public id of whose picture is the large one, the host's or a co-host's; the host's without it.

        Raises:
            InvalidInput: `focus` is no broadcaster of the room.
            Forbidden: the room is somebody else's.
        """
        record = await self._room.refresh()
        if focus is not None and focus not in (known := [found.user_id for found in record.participants]):
            raise InvalidInput(f"{focus!r} is no broadcaster of this room: focus is one of {', '.join(known)}")
        told = {"shape": shape} | ({"focus": focus} if focus else {})
        await self._room.client.rooms.update(self._room.room_id, metadata={**(record.metadata or {}), LAYOUT: told})
        await self._room.refresh()
        return self.layout

    def observe(self, observer: Callable[[list[Broadcaster]], Any]) -> Callable[[], None]:
        """Have `observer` called with all broadcasters, first with what is known now, then at every change.

        It is called on spnb's background loop and must be quick.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._observers.add(observer)

    def watch(self) -> AsyncIterator[list[Broadcaster]]:
        """All broadcasters now, then at every change. Ends only when it is left.

        social.plus: `RoomRepository.onRoomParticipantJoined`, `RoomRepository.onRoomParticipantLeft`,
        `RoomRepository.onRoomParticipantRemoved`, `RoomRepository.onRoomParticipantStageJoined`,
        `RoomRepository.onRoomParticipantStageLeft`, `RoomRepository.onRoomLeft`,
        `RoomRepository.onRoomCoHostInviteAccepted`, `RoomRepository.onRoomCoHostInviteRejected`,
        `RoomRepository.onRoomCoHostInviteCanceled`.
        """
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[list[Broadcaster]]:
        changes: asyncio.Queue[list[Broadcaster]] = asyncio.Queue()
        end = self.observe(changes.put_nowait)
        try:
            while True:
                yield await changes.get()
        finally:
            end()

    def seen(self, user_ids: Iterable[str] | None) -> None:
        """Who the media server shows on the stage, you included; None when it is not known any more (you left)."""
        seen = None if user_ids is None else frozenset(user_ids)
        if seen is None and self._media is not None:
            # What was seen last is still the best guess, until events tell more.
            for participant in self._room.record.participants:
                at, _ = self._heard_of.get(participant.user_id, (LONG_AGO, False))
                self._heard_of[participant.user_id] = (at, participant.user_id in self._media)
        self._media = seen
        self._tell()

    def _follow_media(self, broadcast: AsyncBroadcast) -> None:
        """Take the media server's word while this process is on air there: it goes before what events tell."""
        from spnb.broadcast import Ended, OthersOnAir

        me = self._room.client.user_id

        def told(event: BroadcastEvent) -> None:
            if isinstance(event, OthersOnAir):
                self.seen({me, *event.others})
            elif isinstance(event, Ended):
                self.seen(broadcast.others)
                self.seen(None)

        broadcast.observe(told)
        self.seen({me, *broadcast.others})

    def _unfollow(self) -> None:
        for end in self._ends:
            end()
        self._ends = []
        if self._naming is not None:
            self._naming.cancel()

    def _follow(self) -> None:
        client, record = self._room.client, self._room.record
        network = (record.path or "").split("/room/")[0] or client.network_id
        self._told = self.people
        self._ends = [self._room.observe(lambda _record: self._changed())]
        if network:
            # Which of a room's two topics carries its stage events is not documented: both are followed.
            for topic in (f"{network}/room/{record.id or record.room_id}", f"{network}/room/{record.room_id}/streamer"):
                self._ends.append(client.realtime.subscribe(topic, self._heard, settled=unheeded))
        self._name_them()

    def _changed(self) -> None:
        self._name_them()
        self._tell()

    def _name_them(self) -> None:
        """Whoever is new is named by what is read, not by what an event says."""
        if self._unnamed() and (self._naming is None or self._naming.done()):
            self._naming = asyncio.create_task(
                kept_up(self._read_names, "names on the stage"), name=f"names {self._room.record.room_id}"
            )

    def _unnamed(self) -> list[str]:
        return [found.user_id for found in self._room.record.participants if found.user_id not in self._names]

    async def _read_names(self) -> None:
        self._tell()
        pauses = Pauses(1.0)
        while unknown := self._unnamed():
            try:
                found = await self._room.client.users.get_many(unknown)
            except ClientClosed:
                return
            except (ServiceError, Unreachable) as error:
                log.info("names on the stage could not be read: %s", type(error).__name__)
                await asyncio.sleep(pauses.next(followed=False))
                continue
            names = {one.user_id: one.display_name for one in found}
            self._names |= {user_id: names.get(user_id) or user_id for user_id in unknown}
            self._tell()

    def _heard(self, event: Event) -> None:
        if event.type in (JOINED, LEFT):
            who = self._actor(event)
            # No date in the future holds up what comes after it.
            now = self._room.client.clock.now()
            at = min(event.sent_at or now, now)
            # Delivery may be doubled and out of order: older news changes nothing.
            if who and at >= self._heard_of.get(who, (LONG_AGO, False))[0]:
                self._heard_of[who] = (at, event.type == JOINED)
        self._tell()

    def _actor(self, event: Event) -> str:
        actor = event.data.get("eventActor")
        if not isinstance(actor, dict):
            return ""
        if actor.get("userId"):
            return str(actor["userId"])
        internal = actor.get("userInternalId")
        participants = self._room.record.participants
        return next((found.user_id for found in participants if found.user_internal_id == internal), "")

    def _tell(self) -> None:
        people = self.people
        if not self._observers or people == self._told:
            return
        self._told = people
        self._observers.tell(people)

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{person.user_id} ({_word(person.on_stage)})" for person in self.people)
        return f"{type(self).__name__}({shown})"

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{escape(cell)}</td>"
                for cell in (person.name, ROLES[person.role], _word(person.on_stage))
            )
            + "</tr>"
            for person in self.people
        )
        return f"<table><caption>Stage of {escape(self._room.title)}</caption>{rows}</table>"


def _word(on_stage: bool | None) -> str:
    return {True: "on stage", False: "off stage", None: "unknown"}[on_stage]
