"""Going live from Python: sources, the LiveKit publisher, and the owner of order."""

from __future__ import annotations

from spnb.broadcast.broadcast import AsyncBroadcast, go_live, is_running
from spnb.broadcast.credentials import prepare
from spnb.broadcast.events import (
    BroadcastEvent,
    BroadcastStats,
    Connected,
    Disconnected,
    Ended,
    OthersOnAir,
    Reconnected,
    Reconnecting,
    SourceLost,
    SourceRestored,
)
from spnb.broadcast.publisher import PublishOptions
from spnb.broadcast.sync import Broadcast

__all__ = [
    "AsyncBroadcast",
    "Broadcast",
    "BroadcastEvent",
    "BroadcastStats",
    "Connected",
    "Disconnected",
    "Ended",
    "OthersOnAir",
    "PublishOptions",
    "Reconnected",
    "Reconnecting",
    "SourceLost",
    "SourceRestored",
    "go_live",
    "is_running",
    "prepare",
]
