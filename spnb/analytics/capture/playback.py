"""Rows of the playback table out of what this process's players met."""

from __future__ import annotations

from collections.abc import Collection

from spnb.analytics.sources.records import Row
from spnb.live.played import played

__all__ = ["PlaybackRows"]


class PlaybackRows:
    """Takes the events of this process's players, each once."""

    def __init__(self) -> None:
        self._next = 0

    def fresh(self, room_ids: Collection[str]) -> list[Row]:
        """What was met in these rooms since it was asked last."""
        rows, self._next = played.since(self._next)
        return [row for row in rows if row["room_id"] in room_ids]
