"""Live objects: rooms that know their newest state and tell their observers."""

from __future__ import annotations

from spnb.live.chat import Announcement, AsyncChat
from spnb.live.chat_sync import Chat
from spnb.live.collection import AsyncLiveRooms
from spnb.live.message_log import ChatChange
from spnb.live.room import AsyncLiveRoom, Opener, StatusChange
from spnb.live.sync import LiveRoom, LiveRooms, Watch

__all__ = [
    "Announcement",
    "AsyncChat",
    "AsyncLiveRoom",
    "AsyncLiveRooms",
    "Chat",
    "ChatChange",
    "LiveRoom",
    "LiveRooms",
    "Opener",
    "StatusChange",
    "Watch",
]
