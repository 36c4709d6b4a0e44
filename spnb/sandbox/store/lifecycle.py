"""Which status of a room may follow which: one table, forward only.

The single way back is `waitingReconnect` → `live`, a publisher's return. Source: social.plus room guide and SDK 7.20.
"""

from __future__ import annotations

__all__ = ["TRANSITIONS", "may_follow"]

TRANSITIONS: dict[str, frozenset[str]] = {
    "idle": frozenset({"live", "error", "terminated"}),
    "live": frozenset({"waitingReconnect", "ended", "error", "terminated"}),
    "waitingReconnect": frozenset({"live", "ended", "error", "terminated"}),
    "ended": frozenset({"recorded", "error", "terminated"}),
    "recorded": frozenset({"terminated"}),
    "terminated": frozenset(),
    "error": frozenset(),
}


def may_follow(before: str, after: str) -> bool:
    """Whether a room in status `before` may move to `after`."""
    return after in TRANSITIONS.get(before, frozenset())
