"""The order of a room's states: one table, and what is known of a room from what was read of it and heard since.

Events are hints, the service is the word: anybody might say that a show is over. So an event about an end only has the
room read, and what is read takes the place of all that was heard before it was asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from spnb.errors import InvalidInput
from spnb.models import Room
from spnb.realtime import Event

__all__ = ["FOLLOWS", "OVER", "STATUS_OF_EVENT", "Knowledge", "advance", "can_still_reach", "room_of_event"]

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

OVER = frozenset({"ended", "recorded", "error", "terminated"})
"""States that no event alone can bring about."""
MOST_HINTS = 100
DOUBT_SECONDS = 30.0
"""How long an end that was heard of, and not yet read, has the room read again and again: a service may answer with
what was a moment ago."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)


def room_of_event(event: Event, room_id: str) -> Room | None:
    """The room an event tells of, with the status the event stands for; None where it tells of another room."""
    bodies = event.data.get("rooms")
    for body in bodies if isinstance(bodies, list) else []:
        if not isinstance(body, dict) or room_id not in (body.get("roomId"), body.get("_id")):
            continue
        try:
            room = Room.model_validate(body)
        except ValueError:
            return None  # an event is a hint: that it came has the room read
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


class Knowledge:
    """What is known of one room: the last read, and what was heard after it was asked for.

    Args:
        read: the room as it was read first.
        clock: monotonic seconds.
    """

    def __init__(self, read: Room, *, clock: Callable[[], float] = time.monotonic) -> None:
        if not isinstance(read, Room):
            raise InvalidInput(
                f"a live room is made of a room's record, not of a {type(read).__name__}: sp.rooms.get()"
            )
        self._read = read
        self._hints: list[tuple[int, Room]] = []
        self._turn = self._answered = 0
        self._clock = clock
        self._ends: list[Room] = []
        self._doubted = float("-inf")
        self.record = read
        """The room as it is best known."""

    @property
    def in_doubt(self) -> bool:
        """Whether an end was heard of a short while ago that no read has confirmed."""
        return bool(self._ends) and self._clock() - self._doubted < DOUBT_SECONDS

    def asked(self) -> int:
        """A read begins now: its turn, to be given with its answer."""
        self._turn += 1
        return self._turn

    def read(self, turn: int, room: Room) -> list[Room]:
        """A read has been answered. An answer that a later read has overtaken changes nothing.

        Returns:
            The room as it was on the way to the state read, as far as that was heard of, then as it is.
        """
        if turn < self._answered:
            return []
        before = self.record
        self._answered, self._read = turn, room
        # What was heard before the read was asked for is in it, or was never so.
        self._hints = [(heard, hint) for heard, hint in self._hints if heard >= turn]
        self._conclude()
        steps: list[Room] = []
        if room.status in OVER:
            least, most = RANK.get(before.status, 0), RANK[room.status]
            steps = [end for end in self._ends if least < RANK[end.status] < most]
            self._ends = []
        return [*steps[:1], self.record]

    def gone(self) -> bool:
        """A read found the room no more; whether that is news. Nothing that is heard of it later brings it back."""
        if self.record.is_deleted:
            return False
        self._read = self.record = self.record.model_copy(update={"is_deleted": True})
        self._hints, self._ends = [], []
        return True

    def hear(self, room: Room) -> None:
        """An event told of the room."""
        if self.record.is_deleted:
            return
        if room.status in OVER:
            if RANK[room.status] > RANK.get(self.record.status, 0):
                self._ends = [*self._ends[1 - MOST_HINTS :], room]
                self._doubted = self._clock()
        else:
            self._hints = [*self._hints[1 - MOST_HINTS :], (self._turn, room)]
            self._conclude()

    def _conclude(self) -> None:
        record = self._read
        for _, hint in self._hints:
            record = advance(record, hint)
        if record != self.record:
            self.record = record


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
