"""From a webhook to the real-time event it stands for, so that live objects hear of it when real time is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spnb.realtime import Event
from spnb.webhooks.delivery import Delivery

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["tell"]

REALTIME: dict[str, str] = {
    "room.live": "room.startBroadcasting",
    "room.ended": "room.endBroadcasting",
    "room.recorded": "room.recordedAvailable",
    "room.updated": "room.didUpdate",
}
"""What real time calls it, where that is another name."""
SUBJECTS = {"message": "messages", "post": "posts"}


def tell(client: AsyncClient[Any], delivery: Delivery) -> None:
    """Hand a delivery to a client's live objects. It is news: each reads the service again."""
    kind = delivery.name.partition(".")[0]
    data = delivery.data
    if kind in SUBJECTS:
        listed = data.get(SUBJECTS[kind])
        first = listed[0] if isinstance(listed, list) and listed else None
        path = first.get("path") if isinstance(first, dict) else None
        if isinstance(path, str):
            client.realtime.tell(Event(delivery.name, data, path, delivery.subject_id, delivery.happened_at))
        return
    if not delivery.room_id or not client.network_id:
        return
    # Whatever else tells of a room, LiveKit's own news too, is a reason to read it again.
    event_type = REALTIME.get(delivery.name, delivery.name if kind == "room" else "room.didUpdate")
    if not isinstance(data.get("rooms"), list):
        data = {"rooms": []}  # the service's guide gives only the id of a stream that has started
    topic = f"{client.network_id}/room/{_internal_id(data, delivery.room_id)}"
    client.realtime.tell(Event(event_type, data, topic, delivery.room_id, delivery.happened_at))


def _internal_id(data: dict[str, Any], room_id: str) -> str:
    for room in data["rooms"]:
        if isinstance(room, dict) and room.get("roomId") == room_id and isinstance(room.get("_id"), str):
            return str(room["_id"])
    return room_id
