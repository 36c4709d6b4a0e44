"""Going live from Python: sources, the LiveKit publisher, and the owner of order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import late_names
from spnb.broadcast.broadcast import AsyncBroadcast, go_live
from spnb.broadcast.credentials import prepare
from spnb.broadcast.events import (
    BroadcastEvent,
    BroadcastStats,
    Connected,
    Disconnected,
    Ended,
    MuteChanged,
    OthersOnAir,
    Reconnected,
    Reconnecting,
    RecordingInterrupted,
    RecordingResumed,
    RestreamLost,
    RestreamReached,
    SourceLost,
    SourceRestored,
    TrackSubscribed,
)
from spnb.broadcast.options import AudioOptions, ReconnectOptions, VideoOptions
from spnb.broadcast.restream import Restream
from spnb.broadcast.running import is_running

if TYPE_CHECKING:
    from spnb.sync.broadcast.broadcast import Broadcast

__all__ = [
    "AsyncBroadcast",
    "AudioOptions",
    "Broadcast",
    "BroadcastEvent",
    "BroadcastStats",
    "Connected",
    "Disconnected",
    "Ended",
    "MuteChanged",
    "OthersOnAir",
    "ReconnectOptions",
    "Reconnected",
    "Reconnecting",
    "RecordingInterrupted",
    "RecordingResumed",
    "Restream",
    "RestreamLost",
    "RestreamReached",
    "SourceLost",
    "SourceRestored",
    "TrackSubscribed",
    "VideoOptions",
    "go_live",
    "is_running",
    "prepare",
]

__getattr__, __dir__ = late_names(__name__, {"Broadcast": "spnb.sync.broadcast.broadcast"})
