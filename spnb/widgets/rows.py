"""Lists of rooms on a page: all rows once, then only what changes; pictures and counts of what is in sight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, ClassVar

import traitlets

from spnb._lasting import kept_up
from spnb.client import AsyncClient, Client
from spnb.errors import ServiceError, Unreachable
from spnb.live import AsyncAudience, AsyncLiveRoom, AsyncLiveRooms, LiveRoom
from spnb.models import Room
from spnb.widgets.moderation import finding
from spnb.widgets.still import Still, named, still, table

__all__ = ["RoomRows"]

FRESH_SECONDS = 5.0
MOST_IN_SIGHT = 60
MOST_KEPT = 100
"""Rooms that a still lists."""


class RoomRows(Still):
    """A widget that lists rooms of some states.

    Rows travel as messages rather than in a trait: of a thousand rooms, one that changes sends one row.
    """

    selected = traitlets.Unicode("").tag(sync=True)
    """Id of the room that was chosen."""
    me = traitlets.Unicode("").tag(sync=True)
    """The user's own id: only own rooms can be changed."""
    complete = traitlets.Bool(True).tag(sync=True)
    """Whether all rooms in these states are listed; else the newest of them."""
    statuses: ClassVar[Sequence[str]] = ("live", "waitingReconnect")

    def __init__(self, client: Client[LiveRoom], *, most: int = 1000, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._client: AsyncClient[AsyncLiveRoom] = client.asynchronous
        self.me = client.user_id
        self._records: list[Room] = []
        self._counts: dict[str, int] = {}
        self._tagged: dict[str, int] = {}
        self._pictures: dict[str, bytes] = {}
        self._pictured: dict[str, str] = {}
        self._in_sight: list[str] = []
        self._told: dict[str, dict[str, Any]] = {}
        self._look = asyncio.Event()
        self._list_words = ""
        self._collection = AsyncLiveRooms(self._client, self.statuses, most=most)
        self._at_end(self._collection.observe(self._listed))
        self._ticker: asyncio.Task[None] | None = None
        self._spawn(kept_up(self._keep_fresh, "pictures and counts of rooms"))

    def to_html(self) -> str:
        """The newest rooms as a table with its moment; pictures are left out."""
        if not self._known():
            return still(self.plain, "<p>The rooms were not read yet.</p>")
        rows = self.rooms
        heads = ("Title", "Creator", "State", "Viewers", "On air since")
        lines = [
            (
                named(row["title"]),
                named(row["creator"]),
                escape(row["status"]),
                str(row["viewers"]) if row["viewers"] is not None and row["status"] == "live" else "–",
                f"{datetime.fromtimestamp(row['since'], UTC):%Y-%m-%d %H:%M} UTC" if row["since"] else "–",
            )
            for row in rows[:MOST_KEPT]
        ]
        more = f"<p>And {len(rows) - MOST_KEPT:,} more.</p>" if len(rows) > MOST_KEPT else ""
        return still(f"{self.plain} · {len(rows):,}", table(heads, lines) if lines else "<p>None.</p>", more)

    def _known(self) -> bool:
        """Whether the rooms were read; asked for now, if not."""
        if not self._collection.was_read and self.comm is not None:
            self._wait_for(self._collection.refresh())
        if self._collection.was_read:
            self._records = self._collection.rooms
        return self._collection.was_read

    @property
    def rooms(self) -> list[dict[str, Any]]:
        """The rows as the page gets them, newest first."""
        return [self._row(record) for record in self._records]

    def _row(self, record: Room) -> dict[str, Any]:
        return {
            "id": record.room_id,
            "title": record.title,
            "creator": record.created_by or "",
            "status": record.status,
            "type": record.type,
            "community": record.target_id if record.target_type == "community" else "",
            "since": record.live_at.timestamp() if record.live_at else 0,
            "created": record.created_at.timestamp() if record.created_at else 0,
            "seconds": record.duration_seconds or 0,
            "viewers": self._counts.get(record.room_id),
            "products": self._tagged.get(record.room_id, 0),
            "moderation": finding(record),
            "description": record.description or "",
            # On air by name, without anybody who sends: its owner can end it here.
            "ghost": record.status == "waitingReconnect",
        }

    def _listed(self, records: list[Room]) -> None:
        self._records = records
        self.complete = self._collection.complete
        problem, told = self._collection.read_error, self._list_words
        self._list_words = f"The list is not up to date: {problem}" if problem else ""
        if problem or (told and self.error == told):
            self.error = self._list_words
        self._tell()

    def _tell(self) -> None:
        rows = {row["id"]: row for row in self.rooms}
        changed = [row for room_id, row in rows.items() if self._told.get(room_id) != row]
        gone = [room_id for room_id in self._told if room_id not in rows]
        self._told = rows
        if changed or gone:
            self.send({"type": "rows", "rows": changed, "gone": gone})

    async def do_hello(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view has come: it gets all rows, and the pictures there are."""
        client = content.get("client")
        self.send({"type": "rows", "client": client, "all": True, "rows": self.rooms, "gone": []})
        listed = {record.room_id for record in self._records}
        self._pictures = {room: picture for room, picture in self._pictures.items() if room in listed}
        self._pictured = {room: status for room, status in self._pictured.items() if room in self._pictures}
        for room in self._in_sight:
            if room in self._pictures:
                self.send({"type": "thumbnail", "room": room, "client": client}, [self._pictures[room]])

    async def do_sight(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """These rooms are in sight: their pictures and counts are kept fresh."""
        rooms = content.get("rooms")
        if isinstance(rooms, list):
            self._in_sight = [str(room) for room in rooms[:MOST_IN_SIGHT]]
            for room in self._in_sight:
                if room in self._pictures:
                    self.send(
                        {"type": "thumbnail", "room": room, "client": content.get("client")}, [self._pictures[room]]
                    )
            self._look.set()

    async def do_select(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A room was chosen."""
        self.selected = str(content.get("room") or "")

    async def do_stop(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """End a room; the service lets only its creator."""
        await self._client.rooms.stop(str(content.get("room") or ""))
        await self._collection.refresh()

    async def _keep_fresh(self) -> None:
        self._ticker = asyncio.current_task()
        while self.comm is not None:
            by_id = {record.room_id: record for record in self._records}
            for room_id in self._in_sight or list(by_id)[:MOST_IN_SIGHT]:
                record = by_id.get(room_id)
                if record is None:
                    continue
                try:
                    if record.is_live:
                        audience = AsyncAudience.of(self._client, room_id)
                        self._counts[room_id] = await audience.read(max_age=FRESH_SECONDS - 1)
                    await self._fetch_picture(record)
                except (ServiceError, Unreachable):
                    continue  # the room may have ended meanwhile; the next round knows
            await self._look_closer([by_id[room_id] for room_id in self._in_sight if room_id in by_id])
            self._tell()
            self._look.clear()
            try:
                async with asyncio.timeout(FRESH_SECONDS if by_id else 1.0):
                    await self._look.wait()
            except TimeoutError:
                continue

    async def _look_closer(self, in_sight: list[Room]) -> None:
        """What else a list wants to know of the rooms that are in sight."""

    async def _fetch_picture(self, record: Room) -> None:
        # What is over has one picture for good: its recording's, which comes after the last live one.
        if not record.is_live and self._pictured.get(record.room_id) == record.status:
            return
        if record.live_thumbnail_url is None and record.thumbnail_file_id is None and record.status != "recorded":
            if not record.is_live:
                return
            record = await self._client.rooms.record(record.room_id)
        picture = await self._client.rooms.thumbnail(record)
        if picture is not None:
            self._pictured[record.room_id] = record.status
        if picture is not None and picture != self._pictures.get(record.room_id):
            self._pictures[record.room_id] = picture
            self.send({"type": "thumbnail", "room": record.room_id}, [picture])

    def close(self) -> None:
        """Take the widget off the page and stop refreshing."""
        ticker = self._ticker
        if ticker is not None:
            ticker.get_loop().call_soon_threadsafe(ticker.cancel)
        super().close()
