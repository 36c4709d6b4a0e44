"""One room being captured: its record, its status, its chat, its viewers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from spnb._lasting import kept_up
from spnb.analytics.capture.gaps import Gaps
from spnb.analytics.capture.reactions import ReactionCapture
from spnb.analytics.capture.writer import CaptureWriter
from spnb.analytics.sources.records import Row, message_row, room_row, status_rows
from spnb.client import AsyncClient
from spnb.errors import Forbidden, NotFound, RateLimited, ServiceError, SpnbError, Unreachable
from spnb.live import AsyncLiveRoom
from spnb.live.status import STATUS_OF_EVENT, room_of_event
from spnb.models import FINAL_STATUSES, Message, Room
from spnb.realtime import Event

__all__ = ["RoomCapture", "ViewsOf"]

log = logging.getLogger(__name__)

ViewsOf = Callable[[str], Awaitable[Iterable[Row]]]
"""Reads a room's watch sessions where somebody has them."""

ON_AIR = ("live", "waitingReconnect")
BY_REAL_TIME = ("reactions", "status")
"""Tables that miss rows while real time is away; messages are read again."""
TOLERATED = {"presence": 15.0, "reactions": 1.0, "status": 1.0}
"""Seconds a capture may take to begin with a table: viewers are counted every few seconds, to subscribe takes a moment.
A connection that was lost counts from its first moment."""
FILLED_BY = {
    "chat": "messages",
    "messages": "reactions",
    "post": "reactions",
    "count": "presence",
    "views": "views",
}
"""What a capture of a room does at a time → the table that lacks rows while it does not."""
SILENT_SECONDS = 45.0
"""A broken connection may go unnoticed for one and a half keep-alives."""
SWEEP_SECONDS = 20.0
AHEAD = timedelta(seconds=10)
"""How far an event may seem to be from the future, by clocks that are known to a second or two."""
VIEWS_SECONDS = 60.0
AGAIN_SECONDS, AGAIN_LONGEST = 1.0, 60.0


class RoomCapture:
    """Captures a room until it is over for good. Lives on the background loop.

    Args:
        room: the room, a handle of the capture's own.
        client: the connection it lives on.
        writer, gaps: where rows and gaps go.
        views: reads watch sessions, where somebody has them.
    """

    def __init__(
        self,
        room: AsyncLiveRoom,
        client: AsyncClient[Any],
        writer: CaptureWriter,
        gaps: Gaps,
        *,
        views: ViewsOf | None = None,
    ) -> None:
        self.room = room
        self.room_id = room.room_id
        self._client = client
        self._writer = writer
        self._gaps = gaps
        self._views = views
        self._over = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: list[Callable[[], None]] = []
        self._status = ""
        self._paused_at: datetime | None = None
        self._heard_at = self._client.clock.now()
        self._counted_at: datetime | None = None
        self._count_again = 0.0
        self._count_wait = AGAIN_SECONDS
        self.reactions = ReactionCapture(client, self.room_id, writer, gaps, self._heard)

    @property
    def on_air(self) -> bool:
        """Whether it has viewers now."""
        return self.room.status in ON_AIR

    async def run(self) -> None:
        """Capture until the room is over for good; cancel it to end earlier, then `finish()`."""
        record = self.room.record
        try:
            record = await self.room.refresh()
        except (ServiceError, Unreachable) as error:
            log.info("room %s could not be read: %s", self.room_id, type(error).__name__)
        self._begin(record)
        topic = f"{(record.path or '').split('/room/')[0] or self._client.network_id}/room/{record.id or self.room_id}"
        self._ends.append(self._client.realtime.subscribe(topic, self._event, settled=self._settled))
        self._ends.append(self.room.observe(self._changed))
        self._changed(self.room.record)
        self._do("messages", self.reactions.settle_messages)
        if self._views is not None:
            self._do("views", self._read_views)
        await self._over.wait()
        await self.finish()

    def _do(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def missing(error: Exception) -> None:
            self._gaps.open(
                self.room_id, FILLED_BY[name], self._client.clock.now(), f"it failed: {type(error).__name__}"
            )

        keeping = kept_up(work, f"capture of room {self.room_id}: {name}", told=missing)
        self._tasks[name] = asyncio.create_task(keeping, name=f"capture {name} {self.room_id}")

    # -- record and status

    def _begin(self, record: Room) -> None:
        """What happened on air before nobody has seen who is asked now."""
        if record.live_at is None:
            return
        since, why = record.live_at, "on air before the capture"
        last = self._writer.last_pulse
        if last is not None and last > since and self._writer.knows(self.room_id, "rooms", self.room_id):
            since, why = last, "the capture did not run"
        ended = record.ended_at if record.is_over else None
        if ended is not None and ended <= since:
            return
        # Floating reactions belong to a post.
        tables = ("presence", *(name for name in BY_REAL_TIME if name != "reactions" or record.reference_id))
        for table in tables:
            if ended is not None:
                self._gaps.note(self.room_id, table, since, ended, why)
            else:
                self._gaps.open(self.room_id, table, since, why, tolerated=TOLERATED[table])

    def _changed(self, record: Room) -> None:
        self._writer.put("rooms", room_row(record))
        for row in status_rows(record):
            self._writer.put("status", row)
        if record.status != self._status:
            before, self._status = self._status, record.status
            self._turned(record)
            if record.status in ON_AIR and before not in ON_AIR:
                self._do("count", self.count)
        if record.live_channel_id and "chat" not in self._tasks:
            chat = self.room.chat
            self.reactions.follow_chat(str(chat.channel.path))
            self._do("chat", partial(self._follow_chat, record.live_channel_id))
        if record.reference_id and "post" not in self._tasks:
            self._do("post", partial(self.reactions.follow_post, record.reference_id))
        if record.status in FINAL_STATUSES or record.is_deleted:
            self._over.set()

    def _turned(self, told: Room) -> None:
        """Take a change that the room's own times do not tell of: a pause, the return from one, an end by force."""
        at = told.updated_at
        if at is None:
            return
        if told.status == "waitingReconnect":
            self._paused_at = at
        elif told.status == "live":
            if self._paused_at is None or at <= self._paused_at:
                return
            self._paused_at = None
        elif told.status not in ("terminated", "error"):
            return
        elif told.status == "terminated" and told.recorded_at is None and told.ended_at is not None:
            return  # its end is the room's own
        self._writer.put("status", {"room_id": self.room_id, "status": told.status, "at": at})

    # -- real time

    def _event(self, event: Event) -> None:
        """A pause may be told of when a reading has already told what came after it: then no record shows it."""
        self._heard()
        told = room_of_event(event, self.room_id) if event.type in STATUS_OF_EVENT else None
        # Only a reading tells of an end, and nothing happens in the future.
        if told is None or told.status not in ("live", "waitingReconnect") or told.status == self._status:
            return
        if told.updated_at is None or told.updated_at <= self._client.clock.now() + AHEAD:
            self._turned(told)

    def _heard(self) -> None:
        self._heard_at = self._client.clock.now()

    def away(self) -> None:
        """The real-time connection is gone: from the last sign of life on, something may be missing."""
        self.reactions.away()
        if not self.on_air:
            return
        since = max(self._heard_at, self._client.clock.now() - timedelta(seconds=SILENT_SECONDS))
        for table in BY_REAL_TIME:
            if table != "reactions" or self.room.record.reference_id:
                self._gaps.open(self.room_id, table, since, "real time was away")

    def _settled(self, granted: bool) -> None:
        self._heard()
        if granted:
            self._gaps.close(self.room_id, "status")

    # -- chat

    def _message(self, channel_id: str, message: Message, *, deleted: bool = False) -> Row:
        return message_row(self.room_id, channel_id, message, deleted=deleted, text=self._writer.text)

    async def _follow_chat(self, channel_id: str) -> None:
        wait = AGAIN_SECONDS
        while True:
            try:
                async with aclosing(self.room.chat.batches()) as batches:  # type: ignore[type-var]
                    async for batch in batches:
                        for change in batch:
                            if change.message is not None:
                                deleted = change.kind == "deleted"
                                row = self._message(channel_id, change.message, deleted=deleted)
                                self._writer.put("messages", row)
                                self.reactions.seen(change.message)
                        wait = AGAIN_SECONDS
                        self._gaps.close(self.room_id, "messages")
                        await asyncio.sleep(0)
                return  # the channel was closed
            except (Forbidden, NotFound):
                since = self.room.record.live_at or self._client.clock.now()
                self._gaps.open(self.room_id, "messages", since, "the chat may not be read")
                return
            except (ServiceError, Unreachable) as error:
                log.info("chat of room %s could not be read: %s", self.room_id, type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(AGAIN_LONGEST, wait * 2)

    # -- viewers

    async def count(self) -> None:
        """Ask how many watch now; after failures ever less often."""
        now = asyncio.get_running_loop().time()
        if now < self._count_again:
            return
        try:
            viewers = await self.room.audience.read(max_age=1.0)
        except NotFound:
            self._over.set()  # the room was deleted
            return
        except (ServiceError, Unreachable) as error:
            told = error.retry_after if isinstance(error, RateLimited) else None
            self._count_again = now + (told or self._count_wait)
            self._count_wait = min(AGAIN_LONGEST, self._count_wait * 2)
            since = self._counted_at or self._client.clock.now()
            tolerated = TOLERATED["presence"]
            self._gaps.open(self.room_id, "presence", since, "viewers could not be counted", tolerated=tolerated)
            return
        self._count_wait = AGAIN_SECONDS
        if self.on_air:
            self._counted_at = self._client.clock.now()
            self._writer.put("presence", {"room_id": self.room_id, "at": self._counted_at, "viewers": viewers})
            self._gaps.close(self.room_id, "presence", self._counted_at)

    async def _read_views(self) -> None:
        while True:
            await asyncio.sleep(VIEWS_SECONDS)
            await self._put_views()

    async def _put_views(self) -> None:
        if self._views is None:
            return
        try:
            for row in await self._views(self.room_id):
                self._writer.put("views", row)
            self._gaps.close(self.room_id, "views")
        except SpnbError as error:
            log.info("watch sessions of room %s could not be read: %s", self.room_id, type(error).__name__)
            since = self.room.record.live_at or self._client.clock.now()
            self._gaps.open(self.room_id, "views", since, "watch sessions could not be read")

    # -- the end

    async def finish(self) -> None:
        """Read once more what the service still has, and end."""
        for name in ("count", "views", "messages"):
            if (task := self._tasks.get(name)) is not None:
                task.cancel()
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._sweep()
        except (SpnbError, TimeoutError) as error:
            log.info("room %s could not be read at the end: %s", self.room_id, type(error).__name__)
            if self._client.realtime.state != "connected":
                self._gaps.open(self.room_id, "messages", self._heard_at, "the service was away at the end")
        self.close()
        record = self.room.record
        if record.is_over:
            self._gaps.close_all(self.room_id, record.ended_at)

    async def _sweep(self) -> None:
        try:
            await self.room.refresh()
        except NotFound:
            log.info("room %s is gone", self.room_id)
            return
        record = self.room.record
        self._changed(record)
        if record.live_channel_id:
            try:
                await self._read_chat(self.room.chat.channel.feed_id, record.live_channel_id)
            except (Forbidden, NotFound):
                self._gaps.open(
                    self.room_id, "messages", record.live_at or self._client.clock.now(), "the chat may not be read"
                )
        await self.reactions.read_posts()
        await self.reactions.read_doubtful()
        await self._put_views()

    async def _read_chat(self, feed_id: str, channel_id: str) -> None:
        """From the newest back to what is known, and all deleted ones: those nobody told of are in no event."""
        async for page in self._client.messages.pages(feed_id, page_size=100):
            new = 0
            for message in page:
                new += self._writer.put("messages", self._message(channel_id, message))
                self.reactions.seen(message)
            if not new:
                break
        async for page in self._client.messages.pages(feed_id, page_size=100, deleted=True):
            for message in page:
                self._writer.put("messages", self._message(channel_id, message, deleted=True))

    def close(self) -> None:
        """Follow no longer."""
        self.reactions.close()
        for end in self._ends:
            end()
        self._ends = []
        for task in self._tasks.values():
            task.cancel()
