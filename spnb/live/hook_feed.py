"""What the hooks of one connection hear: states of any room, and what is said in any room's chat."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from spnb._lasting import Pauses
from spnb._loop import spawn
from spnb.errors import NotFound, ServiceError, Unreachable
from spnb.live.reading import Reader
from spnb.live.status import DOUBT_SECONDS, RANK, STATUS_OF_EVENT
from spnb.models import Message, Room
from spnb.realtime import Event, unheeded

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["Feed", "Told"]

log = logging.getLogger(__name__)

MOST_KNOWN = 10_000
ASKED_AT_ONCE = 50
ASK_AGAIN, ASK_LONGEST = 1.0, 60.0
"""Seconds until messages that could not be read are asked for again: they double."""
UNFINISHED_SECONDS = 3600.0
"""How long a room that has ended is asked about until its recording is there. Later only an event tells of it."""
BEFORE = {"live": "idle", "waitingReconnect": "live", "recorded": "ended"}
"""What a room of which nothing was known has been before the state that an event tells of; else it was live."""


class Told(Protocol):
    """Who is told; the registry of the hooks."""

    def wants(self, name: str) -> bool:
        """Whether there is a hook for it."""

    def room_changed(self, client: AsyncClient[Any], before: Room | None, after: Room) -> None:
        """A room has changed."""

    def heard(self, client: AsyncClient[Any], message: Message, room: Room) -> None:
        """Somebody said something in the chat of a room."""


@dataclass(slots=True)
class _Asked:
    """A room that is to be read."""

    before: Room | None
    """As it was known; None where nothing was."""
    until: str | None
    """The state it shall have reached; None where its moderation is asked about."""
    since: float
    in_doubt: bool = False
    """Whether the last answer was behind what was heard."""


class Feed:
    """Follows the rooms of one connection's network, and their chats where messages are hooked.

    Rooms on air are a collection of their own, corrected by reading. Of all others an event tells, which has the room
    read; one that has ended is asked about until its recording is there.

    Args:
        client: the connection.
        told: who is told.
    """

    def __init__(self, client: AsyncClient[Any], told: Told) -> None:
        from spnb.live.collection import AsyncLiveRooms

        self._client = client
        self._told = told
        self._rooms = AsyncLiveRooms(client)
        self._on_air: dict[str, Room] = {}
        self._begun = self._unread = False
        self._moved = asyncio.Event()
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._reader = Reader(
            self._read_asked,
            self._is_followed,
            over=lambda: not self._asked,
            first=ASK_AGAIN,
            name="spnb-hooked-rooms",
        )
        self._ends: list[Callable[[], None]] = [client.realtime.on_state(self._state_changed), self._reader.close]
        self._all_chats: Callable[[], None] | None = None
        self._chats: dict[str, Callable[[], None]] = {}
        self._rooms_of: OrderedDict[str, Room | None] = OrderedDict()
        self._heard_of: list[str] = []
        self._asking = False
        self.closed = False
        spawn(self._begin())

    # -- in force

    async def in_force(self) -> bool:
        """Wait until whatever happens from then on is heard; False where the service cannot be read now."""
        while not (self.closed or self._hears()):
            if self._unread:
                return False
            self._moved.clear()
            await self._moved.wait()
        return True

    def _hears(self) -> bool:
        realtime = self._client.realtime
        if not self._begun or realtime.state == "refused":
            return self._begun
        topics = [self._room_topic, *([self._chat_topic] if self._all_chats is not None else [])]
        return all(realtime.is_subscribed(topic) or realtime.is_refused(topic) for topic in topics)

    @property
    def _room_topic(self) -> str:
        return f"{self._client.network_id}/room/+"

    @property
    def _chat_topic(self) -> str:
        return f"{self._client.network_id}/chat/#"

    async def _begin(self) -> None:
        # Who is on air already is no news; whatever a later reading finds is, whether its event was heard or lost.
        pauses = Pauses(ASK_AGAIN)
        while not self.closed:
            try:
                rooms = await self._rooms.refresh()
                break
            except (ServiceError, Unreachable) as error:
                log.info("rooms on air could not be read: %s", type(error).__name__)
                self._unread = True
                self._moved.set()
                await asyncio.sleep(pauses.next(followed=False))
        if self.closed:
            return
        self._on_air = {room.room_id: room for room in rooms}
        self._ends.append(self._rooms.observe(self._listed))
        subscribe = self._client.realtime.subscribe
        self._ends.append(subscribe(self._room_topic, self._room_event, settled=lambda _granted: self._settled()))
        self._reader.start()
        self._begun, self._unread = True, False
        self.update()

    def update(self) -> None:
        """The hooks are others now: follow the chats where messages are hooked, and not longer."""
        if self.closed or not self._begun:
            return
        wanted = self._told.wants("chat.message")
        if wanted and self._all_chats is None:
            subscribe = self._client.realtime.subscribe
            self._all_chats = subscribe(self._chat_topic, self._said, settled=self._chats_settled)
        elif not wanted and self._all_chats is not None:
            end, self._all_chats = self._all_chats, None
            end()
        self._follow_chats()
        self._moved.set()

    def _state_changed(self, state: str) -> None:
        if state == "closed":
            self.close()
        self._moved.set()

    def _settled(self) -> None:
        # What became of rooms that had ended before the connection was there is told by no event.
        self._reader.soon()
        self._moved.set()

    def _chats_settled(self, granted: bool) -> None:
        if not granted:
            log.warning("the service gives no messages of all chats: only those of rooms on air are hooked")
        self._follow_chats()
        self._moved.set()

    # -- rooms

    def _listed(self, rooms: list[Room]) -> None:
        before, self._on_air = self._on_air, {room.room_id: room for room in rooms}
        for room_id, room in self._on_air.items():
            self._told.room_changed(self._client, before.get(room_id), room)
        for room_id in before.keys() - self._on_air.keys():
            # How did it end? Its event has said so, as a rule.
            self._ask_about(room_id, before[room_id], "ended")
        self._follow_chats()

    def _room_event(self, event: Event) -> None:
        """An event is a hint: the room is read, and what is read is told."""
        bodies = event.data.get("rooms")
        for body in bodies if isinstance(bodies, list) else []:
            if not isinstance(body, dict) or not isinstance(body.get("roomId"), str):
                continue
            room_id = body["roomId"]
            status = STATUS_OF_EVENT.get(event.type) or ("error" if body.get("status") == "error" else None)
            # Other changes of rooms on air are found by the reading that follows.
            if status is not None or (body.get("moderation") and room_id not in self._on_air):
                self._ask_about(room_id, self._on_air.get(room_id), status)
            if isinstance(channel_id := body.get("liveChannelId"), str):
                self._rooms_of.pop(channel_id, None)

    def _ask_about(self, room_id: str, before: Room | None, status: str | None) -> None:
        asked = self._asked.setdefault(room_id, _Asked(before, status, time.monotonic()))
        asked.before = asked.before or before
        if status is not None and (asked.until is None or RANK[status] > RANK[asked.until]):
            asked.until, asked.since = status, time.monotonic()
        if len(self._asked) > MOST_KNOWN:
            self._asked.popitem(last=False)
        if before is not None and before.live_channel_id:
            self._rooms_of.pop(before.live_channel_id, None)
        self._reader.soon()

    def _is_followed(self) -> bool:
        in_doubt = any(asked.in_doubt for asked in self._asked.values())
        return self._client.realtime.is_subscribed(self._room_topic) and not in_doubt

    async def _read_asked(self) -> bool:
        """Read the rooms that something was heard of; whether anything was new."""
        news = False
        for room_id, asked in list(self._asked.items()):
            until = asked.until
            try:
                async with self._client._reading:
                    record = await self._client.rooms.record(room_id)
            except NotFound:
                record = None
            if record is None or record.is_deleted:
                self._asked.pop(room_id, None)
                continue
            before = asked.before
            if before is None and until is None:
                before = record.model_copy(update={"moderation": None})
            elif before is None:
                before = record.model_copy(update={"status": BEFORE.get(until or "", "live")})
            news |= before.status != record.status
            self._told.room_changed(self._client, before, record)
            asked.before = record
            age = time.monotonic() - asked.since
            # A service may answer with what was a moment ago; or what was heard is not so.
            asked.in_doubt = until is not None and RANK.get(record.status, 9) < RANK[until] and age < DOUBT_SECONDS
            waits = record.status == "ended" and until is not None and age < UNFINISHED_SECONDS
            if asked.until == until and not asked.in_doubt and not waits:
                self._asked.pop(room_id, None)
        return news

    # -- chats

    def _follow_chats(self) -> None:
        """Where the broker does not give the chats of all rooms at once, those of the rooms on air."""
        wanted: set[str] = set()
        if self._all_chats is not None and self._client.realtime.is_refused(self._chat_topic):
            wanted = {room.live_channel_id for room in self._on_air.values() if room.live_channel_id}
        for channel in self._chats.keys() - wanted:
            self._chats.pop(channel)()
        for channel in wanted - self._chats.keys():
            topic = f"{self._client.network_id}/chat/{channel}/#"
            self._chats[channel] = self._client.realtime.subscribe(topic, self._said, settled=unheeded)

    def _said(self, event: Event) -> None:
        if event.type != "message.created":
            return
        told = event.data.get("messages")
        bodies = [body for body in told if isinstance(body, dict)] if isinstance(told, list) else []
        self._heard_of += [str(body["messageId"]) for body in bodies if body.get("messageId")]
        del self._heard_of[:-MOST_KNOWN]
        if not self._asking and self._heard_of:
            self._asking = True
            spawn(self._ask())

    async def _ask(self) -> None:
        """Who hooks onto messages acts on them: each is read first, and its room with it."""
        pauses = Pauses(ASK_AGAIN)
        try:
            while self._heard_of and not self.closed:
                asked = self._heard_of[:ASKED_AT_ONCE]
                try:
                    found = {message.message_id: message for message in await self._client.messages.get_many(asked)}
                    rooms = {name: await self._room_of(found[name]) for name in asked if name in found}
                except (ServiceError, Unreachable) as error:
                    pause = min(ASK_LONGEST, pauses.next(followed=False))
                    log.info("messages could not be read, again in %.0f s: %s", pause, type(error).__name__)
                    await asyncio.sleep(pause)
                    continue
                pauses.anew()
                done = set(asked)
                self._heard_of = [name for name in self._heard_of if name not in done]
                for name in asked:
                    room = rooms.get(name)
                    if room is not None and not found[name].is_deleted:
                        self._told.heard(self._client, found[name], room)
        finally:
            self._asking = False

    async def _room_of(self, message: Message) -> Room | None:
        """The room that a message was said in, as it is known; None where its chat is no room's."""
        channel_id = message.channel_public_id or message.channel_id or ""
        on_air = next((room for room in self._on_air.values() if room.live_channel_id == channel_id), None)
        if on_air is not None:
            return on_air
        if channel_id not in self._rooms_of:
            self._rooms_of[channel_id] = await self._read_room_of(channel_id)
            if len(self._rooms_of) > MOST_KNOWN:
                self._rooms_of.popitem(last=False)
        return self._rooms_of[channel_id]

    async def _read_room_of(self, channel_id: str) -> Room | None:
        try:
            channel = await self._client.channels.get(channel_id)
        except NotFound:
            return None
        if channel.type != "live":
            return None
        room_id = (channel.attached_to or {}).get("roomId")
        if isinstance(room_id, str):
            try:
                return await self._client.rooms.record(room_id)
            except NotFound:
                return None
        # The channel does not tell: the room does.
        async for record in self._client.rooms._rooms(
            statuses=None, type=None, sort="lastCreated", deleted=False, page_size=100
        ):
            if record.live_channel_id == channel_id:
                return record
        return None

    def close(self) -> None:
        """Follow nothing any more."""
        self.closed = True
        ends, self._ends = self._ends, []
        if self._all_chats is not None:
            ends.append(self._all_chats)
            self._all_chats = None
        for end in [*ends, *self._chats.values()]:
            end()
        self._chats.clear()
        self._moved.set()
