"""What webhooks have told: a receiver's stored deliveries as rooms, changes of status, messages and reactions.

Webhooks come doubled, late and in any order; the receiver keeps each once, and a room's newest record wins. None tells
of watch sessions, and what was sent while the receiver was away is not there: `Dataset.mended` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from spnb._loop import on_loop
from spnb.analytics.dataset import Dataset
from spnb.analytics.quality import Quality, Step
from spnb.analytics.sources.service import frame_of, message_row, room_row
from spnb.live.status import advance
from spnb.models import Message, Room
from spnb.webhooks import AsyncReceiver, Delivery

__all__ = ["load_deliveries"]

Json = dict[str, Any]

STATUS = {
    f"room.{status}": status for status in ("live", "waitingReconnect", "ended", "recorded", "terminated", "error")
}
MOST = 1_000_000


@on_loop
async def load_deliveries(receiver: AsyncReceiver, *, most: int = MOST) -> Dataset:
    """The streams a receiver has heard of, with their chats and the reactions on their posts.

    Args:
        receiver: a receiver of `spnb.webhooks`.
        most: deliveries at most, the newest.
    """
    kept = [each for each in await receiver.deliveries(newest=most) if each.source == "social.plus"]
    rooms, channels, posts = _known(kept)
    status: dict[tuple[str, str, datetime], Json] = {}
    messages: dict[str, Json] = {}
    reactions: dict[tuple[str, bool], Json] = {}
    homeless = 0
    for delivery in kept:
        at = delivery.happened_at or delivery.received_at
        if delivery.name in STATUS and delivery.room_id:
            what = STATUS[delivery.name]
            status[delivery.room_id, what, at] = {"room_id": delivery.room_id, "status": what, "at": at}
        elif delivery.name in ("message.created", "message.updated", "message.deleted"):
            for message in map(Message.model_validate, _listed(delivery, "messages")):
                # A live channel's messages name it by its internal id too; its default feed bears the public one.
                channel_id = message.channel_public_id or message.message_feed_id or message.channel_id
                room_id = channels.get(channel_id or "")
                if room_id is None:
                    homeless += 1
                    continue
                row = message_row(message, room_id, channel_id)
                gone = delivery.name == "message.deleted" or messages.get(message.message_id, {}).get("deleted", False)
                messages[message.message_id] = {**row, "deleted": row["deleted"] or gone}
        elif delivery.name in ("post.reactionAdded", "post.reactionRemoved"):
            reactor, added = delivery.data.get("reactor"), delivery.name.endswith("Added")
            room_id = posts.get(delivery.subject_id)
            if room_id is None or not isinstance(reactor, dict):
                homeless += 1
                continue
            reactions[str(reactor.get("reactionId")), added] = {
                "reaction_id": reactor.get("reactionId"),
                "room_id": room_id,
                "user_id": reactor.get("userId"),
                "name": reactor.get("reactionName"),
                "at": at,
                "added": added,
            }
    made = Dataset.of(
        {
            "rooms": frame_of([_with_times(room_row(room), status.values()) for room in rooms.values()], "room_id"),
            "messages": frame_of([*messages.values()], "message_id", "room_id", "user_id", "created_at"),
            "reactions": frame_of([*reactions.values()], "reaction_id", "room_id", "user_id", "name", "at"),
            "status": frame_of([*status.values()], "room_id", "status", "at"),
        },
        as_of=datetime.now(UTC),
    )
    told = Quality.of(
        [
            Step("without watch sessions", "rooms", len(rooms), "no webhook tells of them: viewers are not known"),
            Step("of no known room", "messages", homeless, "nothing has told which stream they belong to: left out"),
        ]
    )
    return Dataset(made.store, as_of=made.as_of, mended=made.mended + told)


def _listed(delivery: Delivery, name: str) -> list[Json]:
    found = delivery.data.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _known(kept: Iterable[Delivery]) -> tuple[dict[str, Room], dict[str, str], dict[str, str]]:
    """Rooms by id, each at its newest; and which room a channel and a post belong to."""
    rooms: dict[str, Room] = {}
    posts: dict[str, str] = {}
    for delivery in kept:
        for body in _listed(delivery, "rooms"):
            room = Room.model_validate(body)
            rooms[room.room_id] = advance(rooms[room.room_id], room) if room.room_id in rooms else room
        if delivery.room_id:
            rooms.setdefault(delivery.room_id, Room(room_id=delivery.room_id))
        for body in (*_listed(delivery, "posts"), *_listed(delivery, "postChildren")):
            data = body.get("data")
            room_id = data.get("roomId") if isinstance(data, Mapping) else None
            if isinstance(room_id, str):
                for name in ("postId", "parentPostId"):
                    if isinstance(body.get(name), str):
                        posts[body[name]] = room_id
    channels = {room.live_channel_id: room.room_id for room in rooms.values() if room.live_channel_id}
    return rooms, channels, posts


def _with_times(row: Json, status: Iterable[Json]) -> Json:
    """The room's row with the times that only changes of status told: the guide's style sends no record of a room."""
    found = sorted((each["at"], each["status"]) for each in status if each["room_id"] == row["room_id"])
    began = next((at for at, what in found if what == "live"), None)
    over = next((at for at, what in found if what in ("ended", "terminated")), None)
    return {**row, "live_at": row["live_at"] or began, "ended_at": row["ended_at"] or over}
