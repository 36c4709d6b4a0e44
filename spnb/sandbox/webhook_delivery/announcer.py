"""One announcement, several ways out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spnb.sandbox.rooms.ports import Events

__all__ = ["Announcer"]


class Announcer:
    """Implements `ports.Events` by telling each of several ways (real time, webhooks)."""

    def __init__(self, *ways: Events) -> None:
        self._ways = ways

    def publish(
        self,
        topics: Sequence[str],
        event_type: str,
        data: Mapping[str, Any],
        *,
        subject_id: str = "",
        sender_id: str = "",
    ) -> None:
        """Announce on all ways."""
        for way in self._ways:
            way.publish(topics, event_type, data, subject_id=subject_id, sender_id=sender_id)
