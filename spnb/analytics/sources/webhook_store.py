"""What webhooks told: rooms, their status, and the messages and reactions that deliveries hold.

A delivery may carry the whole room (`room.startBroadcasting`) or no more than its id (`stream.started` of the
livestream guide); then the room's times are those of the events. Webhooks tell of no viewers and of no floating
reactions; what is missing is told in `Dataset.mended`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from spnb.analytics.dataset import Dataset
from spnb.analytics.frames import utc_now
from spnb.analytics.quality import Quality, Step
from spnb.analytics.sources.records import Row, message_row, reaction_row, room_row, status_rows
from spnb.errors import TableError
from spnb.live.reactions import reactors_of
from spnb.live.status import advance
from spnb.models import STATUS_LABELS, Message, Reactor, Room
from spnb.webhooks.delivery import Delivery, of_row

__all__ = ["dataset_of_deliveries", "read_deliveries"]

TIMES = ("created_at", "live_at", "ended_at", "at")
TIME_OF = {"live": "live_at", "ended": "ended_at", "terminated": "ended_at"}


def read_deliveries(path: Path) -> list[Delivery]:
    """All deliveries of a receiver that is closed, in the order they were stored.

    Raises:
        TableError: a receiver has it open, it is no such database, or it is damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            db.row_factory = sqlite3.Row
            return [of_row(row) for row in db.execute("SELECT * FROM deliveries ORDER BY number")]
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise TableError(f"a receiver has {path.name} open: load the receiver itself, or close it first") from error
        raise TableError(f"{path.name} holds no webhooks of a spnb receiver, or is damaged: {error}") from error


def dataset_of_deliveries(deliveries: Iterable[Delivery], *, text: bool = False) -> Dataset:
    """The dataset of deliveries, in whichever order they came; with `text` also what people wrote."""
    told = _Told(text=text)
    last: datetime | None = None
    for delivery in deliveries:
        last = max(filter(None, (last, delivery.received_at)))
        told.take(delivery)
    return told.dataset(last)


class _Told:
    """What is known from the deliveries so far."""

    def __init__(self, *, text: bool) -> None:
        self._text = text
        self._rooms: dict[str, Room] = {}
        self._bare: dict[str, Row] = {}
        self._status: dict[tuple[Any, ...], Row] = {}
        self._messages: dict[str, tuple[Message, str, bool]] = {}
        self._reactions: dict[tuple[str, bool], Row] = {}
        self._passed_over = 0

    def take(self, delivery: Delivery) -> None:
        kind, _, happened = delivery.name.partition(".")
        data, at = delivery.data, delivery.happened_at or delivery.received_at
        records = self._records(data)
        try:
            if delivery.source == "social.plus" and kind == "room" and delivery.room_id:
                self._room(delivery.room_id, records.get(delivery.room_id), happened, at)
            elif happened in ("reactionAdded", "reactionRemoved"):
                self._reaction(delivery.room_id, data, at, added=happened == "reactionAdded")
            elif kind == "message" and isinstance(data.get("messages"), list):
                for body in data["messages"]:
                    self._message(Message.model_validate(body), delivery.room_id, deleted=happened == "deleted")
            elif not records:
                self._passed_over += 1
        except ValidationError:
            self._passed_over += 1

    def _records(self, data: dict[str, Any]) -> dict[str, Room]:
        found = {}
        for body in data.get("rooms") or []:
            try:
                room = Room.model_validate(body)
            except ValidationError:
                continue
            known = self._rooms.get(room.room_id)
            self._rooms[room.room_id] = advance(known, room) if known is not None else room
            found[room.room_id] = room
        return found

    def _room(self, room_id: str, record: Room | None, happened: str, at: datetime) -> None:
        if record is not None:
            # Its own times tell the changes; but for pauses, and the return from one.
            if happened in ("live", "waitingReconnect") and record.updated_at is not None:
                self._changed(room_id, happened, record.updated_at)
        elif happened in STATUS_LABELS:
            bare = self._bare.setdefault(room_id, {"room_id": room_id})
            if happened in TIME_OF:
                bare.setdefault(TIME_OF[happened], at)
            bare.setdefault("statuses", []).append((happened, at))

    def _changed(self, room_id: str, status: str, at: datetime) -> None:
        self._status.setdefault((room_id, status, at), {"room_id": room_id, "status": status, "at": at})

    def _message(self, message: Message, room_id: str, *, deleted: bool) -> None:
        before = self._messages.get(message.message_id)
        gone = deleted or message.is_deleted or (before is not None and before[2])
        if before is not None and _updated(before[0]) > _updated(message):
            message = before[0]
        self._messages[message.message_id] = (message, room_id or (before[1] if before else ""), gone)

    def _reaction(self, room_id: str, data: dict[str, Any], at: datetime, *, added: bool) -> None:
        bodies = [body for _, body in reactors_of(data)]
        bodies += [data["reactor"]] if isinstance(data.get("reactor"), dict) else []
        channels = [body.get("messageFeedId") for body in data.get("messages") or [] if isinstance(body, dict)]
        for body in bodies:
            reactor = Reactor.model_validate(body)
            row = reaction_row(room_id, reactor, at=None if added else at)
            row["at"] = row["at"] or at
            row["channel_id"] = next(iter(channels), None)
            self._reactions.setdefault((reactor.reaction_id, added), row)

    def dataset(self, as_of: datetime | None) -> Dataset:
        rooms = {room_id: room_row(room) for room_id, room in self._rooms.items()}
        for room in self._rooms.values():
            for row in status_rows(room):
                self._changed(row["room_id"], row["status"], row["at"])
        only_ids = self._bare.keys() - rooms.keys()
        for room_id in only_ids:
            bare = self._bare[room_id]
            changes = sorted(bare.pop("statuses"), key=lambda change: change[1])
            bare["status"] = changes[-1][0]
            for status, at in changes:
                self._changed(room_id, status, at)
            rooms[room_id] = bare
        room_of = {row["channel_id"]: room_id for room_id, row in rooms.items() if row.get("channel_id")}
        messages, reactions, strays = [], [], 0
        for message, told, deleted in self._messages.values():
            channel = message.message_feed_id or message.channel_public_id or message.channel_id or ""
            if room_id := told or room_of.get(channel, ""):
                messages.append(message_row(room_id, channel, message, deleted=deleted, text=self._text))
            else:
                strays += 1
        for row in self._reactions.values():
            row["room_id"] = row["room_id"] or room_of.get(row.pop("channel_id"), "")
            if row["room_id"]:
                reactions.append(row)
            else:
                strays += 1
        tables = {"rooms": list(rooms.values()), "status": list(self._status.values())}
        tables |= {"messages": messages, "reactions": reactions}
        # What was delivered is not from the future: its times are of the service's clock, and ours may be behind it.
        stamps = [row[key] for rows in tables.values() for row in rows for key in TIMES if row.get(key)]
        now = max([utc_now(), *map(pd.Timestamp, stamps)])
        frames = {name: pd.DataFrame(rows) for name, rows in tables.items() if rows}
        made = Dataset.of(frames, as_of=as_of, now=now, text=self._text)
        steps = [
            Step("without watch sessions", "rooms", len(rooms), "webhooks tell of no viewers, no floating reactions"),
            Step("known by events only", "rooms", len(only_ids), "their times are those of the events"),
            Step("of no known stream", "webhooks", strays, "left out"),
            Step("delivery of another kind", "webhooks", self._passed_over, "not read"),
        ]
        return Dataset(made.store, as_of=made.as_of, mended=made.mended + Quality.of(steps))


def _updated(message: Message) -> float:
    at = message.updated_at or message.created_at
    return at.timestamp() if at is not None else 0.0
