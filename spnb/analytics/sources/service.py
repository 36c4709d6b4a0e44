"""What the service gives by REST: rooms, the messages of their live chats, and the reactions on their posts.

It gives no watch sessions: who watched is only known to those who counted while the stream was on air. What is missing
is told in `Dataset.mended`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from spnb._loop import on_loop
from spnb.analytics.dataset import Dataset
from spnb.analytics.quality import Quality, Step
from spnb.analytics.sources.records import Row, message_row, reaction_row, room_row, status_rows
from spnb.client import AsyncClient
from spnb.errors import Forbidden, NotFound
from spnb.models import Room

__all__ = ["MOST_ROOMS", "OLDER", "load_service"]

MOST_ROOMS = 1000
OLDER = "older than those asked for"

Rows = list[Row]


@on_loop
async def load_service(
    client: AsyncClient[Any],
    *,
    most: int = MOST_ROOMS,
    room_ids: Sequence[str] | None = None,
    began: tuple[Any, Any] = (None, None),
    text: bool = False,
) -> Dataset:
    """The newest streams of the service with their chats and reactions.

    Args:
        client: logged in as anybody who may read the chats.
        most: rooms at most, newest first. How many older ones there are is told in `mended`.
        room_ids: these rooms instead of the newest.
        began: only rooms that went on air, or were created, from the first time on and before the second.
        text: keep what people wrote.
    """
    now = client.clock.now()
    rooms: list[Room] = []
    older = 0
    if room_ids is not None:
        rooms = [await client.rooms.record(room_id) for room_id in room_ids]
    else:
        async for handle in client.rooms.query(page_size=100):
            room = getattr(handle, "record", handle)
            at = room.live_at or room.created_at
            if at is not None and ((began[0] and at < began[0]) or (began[1] and at >= began[1])):
                continue
            if len(rooms) < most:
                rooms.append(room)
            else:
                older += 1
    messages: Rows = []
    reactions: Rows = []
    refused = 0
    for room in rooms:
        for read, rows in ((_messages, messages), (_reactions, reactions)):
            try:
                rows += await read(client, room, text)
            except (Forbidden, NotFound):
                refused += 1  # a chat or post that this user may not see, or that is gone
    made = Dataset.of(
        {
            "rooms": _frame([room_row(room) for room in rooms], "room_id"),
            "messages": _frame(messages, "message_id", "room_id", "user_id", "created_at"),
            "reactions": _frame(reactions, "reaction_id", "room_id", "user_id", "name", "at"),
            "status": _frame([row for room in rooms for row in status_rows(room)], "room_id", "status", "at"),
        },
        as_of=now,
        now=pd.Timestamp(now),
        text=text,
    )
    told = Quality.of(
        [
            Step(OLDER, "rooms", older, "left out: a larger most loads them"),
            Step("without watch sessions", "rooms", len(rooms), "the service has none to read: viewers are not known"),
            Step("chat or post not readable", "rooms", refused, "its messages or reactions are missing"),
        ]
    )
    return Dataset(made.store, as_of=made.as_of, mended=made.mended + told)


def _frame(rows: Rows, *columns: str) -> pd.DataFrame:
    return pd.DataFrame(rows) if rows else pd.DataFrame({column: pd.Series([], dtype=object) for column in columns})


async def _messages(client: AsyncClient[Any], room: Room, text: bool) -> Rows:
    if not room.live_channel_id:
        return []
    return [
        message_row(room.room_id, room.live_channel_id, message, text=text)
        async for message in client.messages.query(room.live_channel_id, page_size=100, oldest_first=True)
    ]


async def _reactions(client: AsyncClient[Any], room: Room, _: bool) -> Rows:
    if room.reference_type != "post" or not room.reference_id:
        return []
    post = await client.posts.get(room.reference_id)  # the part that carries the room; people react to the whole
    return [
        reaction_row(room.room_id, reactor)
        for post_id in dict.fromkeys((post.post_id, post.parent_post_id or post.post_id))
        async for reactor in client.reactions.query(post_id, "post", page_size=100)
    ]
