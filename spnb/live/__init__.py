"""Live objects: rooms that know their newest state and tell their observers."""

from __future__ import annotations

from spnb.live.chat import AsyncChat, Chat
from spnb.live.collection import AsyncLiveRooms
from spnb.live.room import AsyncLiveRoom, Opener, StatusChange
from spnb.live.sync import LiveRoom, LiveRooms, Watch

__all__ = [
    "AsyncChat",
    "AsyncLiveRoom",
    "AsyncLiveRooms",
    "Chat",
    "LiveRoom",
    "LiveRooms",
    "Opener",
    "StatusChange",
    "Watch",
]
