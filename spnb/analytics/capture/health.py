"""Rows of the health table out of what this process has on air."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spnb.analytics.sources.records import Row

if TYPE_CHECKING:
    from spnb.broadcast import AsyncBroadcast, BroadcastStats

__all__ = ["HealthRows"]


class HealthRows:
    """Takes the statistics of broadcasts of this process, each once."""

    def __init__(self) -> None:
        self._broadcasts: dict[int, tuple[AsyncBroadcast, float]] = {}

    def fresh(self, room_ids: Iterable[str], now: datetime) -> list[Row]:
        """What was measured of these rooms since it was asked last; `now` is the service's time."""
        module = sys.modules.get("spnb.broadcast.running")
        if module is None:
            return []  # nothing was ever put on air here
        for room_id in room_ids:
            for broadcast in module.running(room_id):
                self._broadcasts.setdefault(id(broadcast), (broadcast, 0.0))
        rows: list[Row] = []
        for key, (broadcast, last) in list(self._broadcasts.items()):
            fresh = [stats for stats in broadcast.history if stats.at > last]
            rows += [_health_row(broadcast, stats, now) for stats in fresh]
            if fresh:
                self._broadcasts[key] = (broadcast, fresh[-1].at)
            elif not broadcast.on_air:
                del self._broadcasts[key]
        return rows


def _health_row(broadcast: AsyncBroadcast, stats: BroadcastStats, now: datetime) -> Row:
    at = now - timedelta(seconds=time.monotonic() - stats.at)
    sent, lost = stats.packets_sent, stats.packets_lost
    return {
        "room_id": broadcast.room.room_id,
        "at": at,
        "bitrate_kbps": stats.bitrate_kbps,
        "fps": stats.fps,
        "target_fps": broadcast.source.fps,
        "packets_lost": lost,
        "packets_received": sent - lost if sent is not None and lost is not None else None,
        "jitter_ms": stats.jitter_ms,
        "rtt_ms": stats.rtt_ms,
    }
