"""The states of a room: their names, their labels, and what may be asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from spnb.errors import InvalidInput

__all__ = ["FINAL_STATUSES", "STATUS_LABELS", "RoomStatus", "asked_statuses", "normal_status"]

RoomStatus = Literal["idle", "live", "waitingReconnect", "ended", "recorded", "terminated", "error"]

FINAL_STATUSES: frozenset[str] = frozenset({"recorded", "terminated", "error"})
"""States that nothing follows."""

STATUS_LABELS: dict[str, str] = {
    "idle": "Not started",
    "live": "Live",
    "waitingReconnect": "Live (reconnecting)",
    "ended": "Finished (processing)",
    "recorded": "Finished",
    "terminated": "Terminated",
    "error": "Error",
}
"""The Console's words for each status, with its two double meanings kept apart."""


def normal_status(value: Any) -> Any:
    """The current spelling of a room status (`waiting_reconnect` → `waitingReconnect`); unknown ones unchanged."""
    return "waitingReconnect" if value == "waiting_reconnect" else value


def asked_statuses(statuses: str | Iterable[str]) -> tuple[str, ...]:
    """Statuses that somebody asks for, in their current spelling; one may be given by itself.

    Raises:
        InvalidInput: a room never has one of them, or none is named.
    """
    named = [statuses] if isinstance(statuses, str) else list(statuses)
    wanted = tuple(dict.fromkeys(normal_status(status) for status in named))
    if not wanted:
        raise InvalidInput(f"name at least one status: {', '.join(STATUS_LABELS)}")
    if unknown := [str(status) for status in wanted if status not in STATUS_LABELS]:
        raise InvalidInput(f"no room is ever {', '.join(unknown)}: known are {', '.join(STATUS_LABELS)}")
    return wanted
