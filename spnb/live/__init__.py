"""Live objects: rooms that know their newest state and tell their observers."""

from __future__ import annotations

from spnb.live.audience import AsyncAudience, Audience
from spnb.live.chat import Announcement, AsyncChat
from spnb.live.chat_sync import Chat
from spnb.live.collection import AsyncLiveRooms
from spnb.live.hooks import off, on
from spnb.live.message_log import ChatChange
from spnb.live.products import AsyncRoomProducts, RoomProducts
from spnb.live.reactions import AsyncLiveReactions, LiveReactions
from spnb.live.room import AsyncLiveRoom, Opener
from spnb.live.sync import LiveRoom, LiveRooms, Watch
from spnb.live.timeline import Timeline, TimelineEntry
from spnb.live.viewing import AsyncViewing, Viewing

__all__ = [
    "Announcement",
    "AsyncAudience",
    "AsyncChat",
    "AsyncLiveReactions",
    "AsyncLiveRoom",
    "AsyncLiveRooms",
    "AsyncRoomProducts",
    "AsyncViewing",
    "Audience",
    "Chat",
    "ChatChange",
    "LiveReactions",
    "LiveRoom",
    "LiveRooms",
    "Opener",
    "RoomProducts",
    "Timeline",
    "TimelineEntry",
    "Viewing",
    "Watch",
    "off",
    "on",
]
