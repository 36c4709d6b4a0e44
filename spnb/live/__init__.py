"""Live objects: rooms that know their newest state and tell their observers."""

from __future__ import annotations

from spnb.live.chat import AsyncChat, Chat
from spnb.live.collection import AsyncLiveRooms
from spnb.live.hooks import off, on
from spnb.live.room import AsyncLiveRoom, Opener
from spnb.live.sync import LiveRoom, LiveRooms, Watch
from spnb.live.timeline import Timeline, TimelineEntry

__all__ = [
    "AsyncChat",
    "AsyncLiveRoom",
    "AsyncLiveRooms",
    "Chat",
    "LiveRoom",
    "LiveRooms",
    "Opener",
    "Timeline",
    "TimelineEntry",
    "Watch",
    "off",
    "on",
]
