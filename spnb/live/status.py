"""The order of a room's states: one table, and how news is merged so that no state ever moves backward."""

from __future__ import annotations

from datetime import UTC, datetime

from spnb.models import Room
from spnb.realtime import Event

__all__ = ["FOLLOWS", "STATUS_OF_EVENT", "advance", "can_still_reach", "room_of_event"]

FOLLOWS: dict[str, frozenset[str]] = {
    "idle": frozenset({"live", "error", "terminated"}),
    "live": frozenset({"waitingReconnect", "ended", "error", "terminated"}),
    "waitingReconnect": frozenset({"live", "ended", "error", "terminated"}),
    "ended": frozenset({"recorded", "error", "terminated"}),
    "recorded": frozenset({"terminated"}),
    "terminated": frozenset(),
    "error": frozenset(),
}
"""Which states may come right after which (social.plus room guide; SDK 7.20)."""

RANK = {"idle": 0, "live": 1, "waitingReconnect": 1, "ended": 2, "recorded": 3, "error": 4, "terminated": 5}
"""Higher is later. Only `live` and `waitingReconnect` share a rank: between them the newer word counts."""

STATUS_OF_EVENT = {
    "room.startBroadcasting": "live",
    "room.waitingReconnect": "waitingReconnect",
    "room.endBroadcasting": "ended",
    "room.recordedAvailable": "recorded",
    "room.recordingAvailable": "recorded",
    "room.terminated": "terminated",
}
"""What an event says about the status, whatever the room inside it says: a start event may still carry `idle`."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)


def room_of_event(event: Event, room_id: str) -> Room | None:
    """The room an event tells of, with the status the event stands for; None where it tells of another room."""
    for body in event.data.get("rooms") or []:
        if not isinstance(body, dict) or room_id not in (body.get("roomId"), body.get("_id")):
            continue
        room = Room.model_validate(body)
        implied = STATUS_OF_EVENT.get(event.type)
        changes: dict[str, object] = {}
        if implied is not None and room.status != implied:
            changes["status"] = implied
        if room.updated_at is None and event.sent_at is not None:
            changes["updated_at"] = event.sent_at
        return room.model_copy(update=changes) if changes else room
    return None


def advance(current: Room, incoming: Room) -> Room:
    """Merge news about a room.

    The later state wins by rank; in a tie the later `updated_at`. News that is older than what is known changes
    nothing, except that a later state is always believed.

    Returns:
        The room as it is best known now; `current` itself where nothing is new.
    """
    known, told = RANK.get(current.status), RANK.get(incoming.status)
    before, after = current.updated_at or LONG_AGO, incoming.updated_at or LONG_AGO
    if known is None or told is None:
        # A state of a newer service has no place in our table: time decides, but never away from the final ones.
        if known is not None and known >= RANK["recorded"]:
            return current
        return incoming if after >= before else current
    if told > known:
        return incoming
    if told < known or after < before:
        return current
    return incoming


def can_still_reach(status: str, wanted: str) -> bool:
    """Whether a room in `status` can ever be in `wanted` again. Unknown states are given the benefit of the doubt."""
    if status == wanted or status not in FOLLOWS or wanted not in FOLLOWS:
        return True
    seen: set[str] = set()
    ahead = set(FOLLOWS[status])
    while ahead:
        state = ahead.pop()
        if state == wanted:
            return True
        seen.add(state)
        ahead |= FOLLOWS[state] - seen
    return False
