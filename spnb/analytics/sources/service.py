"""What the service gives by REST: rooms, the messages of their live chats, and the reactions on their posts.

It gives no watch sessions: who watched is only known to those who counted while the stream was on air. What is missing
is told in `Dataset.mended`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from spnb._loop import on_loop
from spnb.analytics.dataset import Dataset
from spnb.analytics.quality import Quality, Step
from spnb.client import AsyncClient
from spnb.errors import Forbidden, NotFound
from spnb.models import Message, Room

__all__ = ["frame_of", "load_service", "message_row", "room_row"]

Rows = list[dict[str, Any]]


@on_loop
async def load_service(client: AsyncClient[Any], *, most: int = 1000) -> Dataset:
    """The newest streams of the service with their chats and reactions.

    Args:
        client: logged in as anybody who may read the chats.
        most: rooms at most, newest first.
    """
    now = datetime.now(UTC)
    rooms: list[Room] = []
    async for handle in client.rooms.query(page_size=100):
        rooms.append(getattr(handle, "record", handle))
        if len(rooms) >= most:
            break
    messages: Rows = []
    reactions: Rows = []
    refused = 0
    for room in rooms:
        for read, rows in ((_messages, messages), (_reactions, reactions)):
            try:
                rows += await read(client, room)
            except (Forbidden, NotFound):
                refused += 1  # a chat or post that this user may not see, or that is gone
    made = Dataset.of(
        {
            "rooms": frame_of([room_row(room) for room in rooms], "room_id"),
            "messages": frame_of(messages, "message_id", "room_id", "user_id", "created_at"),
            "reactions": frame_of(reactions, "reaction_id", "room_id", "user_id", "name", "at"),
            "status": frame_of([row for room in rooms for row in _status(room)], "room_id", "status", "at"),
        },
        as_of=now,
    )
    told = Quality.of(
        [
            Step("without watch sessions", "rooms", len(rooms), "the service has none to read: viewers are not known"),
            Step("chat or post not readable", "rooms", refused, "its messages or reactions are missing"),
        ]
    )
    return Dataset(made.store, as_of=made.as_of, mended=made.mended + told)


def frame_of(rows: Rows, *columns: str) -> pd.DataFrame:
    """Rows as a frame; without any, an empty one with these columns."""
    return pd.DataFrame(rows) if rows else pd.DataFrame({column: pd.Series([], dtype=object) for column in columns})


def room_row(room: Room) -> dict[str, Any]:
    """A row of the rooms table."""
    return {
        "room_id": room.room_id,
        "title": room.title,
        "creator_id": room.created_by,
        "community_id": room.target_id if room.target_type == "community" else None,
        "channel_id": room.live_channel_id,
        "type": room.type,
        "status": room.status,
        "created_at": room.created_at,
        "live_at": room.live_at,
        "ended_at": room.ended_at,
    }


def _status(room: Room) -> Rows:
    moments: Sequence[tuple[str, datetime | None]] = (
        ("idle", room.created_at),
        ("live", room.live_at),
        ("ended", room.ended_at),
        ("recorded", room.recorded_at),
    )
    return [{"room_id": room.room_id, "status": status, "at": at} for status, at in moments if at is not None]


async def _messages(client: AsyncClient[Any], room: Room) -> Rows:
    if not room.live_channel_id:
        return []
    channel_id = room.live_channel_id
    return [
        message_row(message, room.room_id, channel_id)
        async for message in client.messages.query(channel_id, page_size=100, oldest_first=True)
    ]


def message_row(message: Message, room_id: str, channel_id: str | None) -> dict[str, Any]:
    """A row of the messages table."""
    return {
        "message_id": message.message_id,
        "room_id": room_id,
        "channel_id": channel_id,
        "user_id": message.creator_public_id or message.creator_id,
        "created_at": message.created_at,
        "deleted": message.is_deleted,
        "is_reply": message.parent_id is not None,
        "length": len(message.text),
    }


async def _reactions(client: AsyncClient[Any], room: Room) -> Rows:
    if room.reference_type != "post" or not room.reference_id:
        return []
    post = await client.posts.get(room.reference_id)  # the part that carries the room; people react to the whole
    return [
        {
            "reaction_id": reactor.reaction_id,
            "room_id": room.room_id,
            "user_id": reactor.user_id,
            "name": reactor.reaction_name,
            "at": reactor.created_at,
        }
        for post_id in dict.fromkeys((post.post_id, post.parent_post_id or post.post_id))
        async for reactor in client.reactions.query(post_id, "post", page_size=100)
    ]
