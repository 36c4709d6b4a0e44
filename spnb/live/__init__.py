"""Live objects: rooms that know their newest state and tell their observers."""

from __future__ import annotations

from spnb.live.audience import AsyncAudience, Audience
from spnb.live.chat import Announcement, AsyncChat
from spnb.live.chat_sync import Chat
from spnb.live.collection import AsyncLiveRooms
from spnb.live.hooks import off, on
from spnb.live.invitation import AsyncLiveInvitation, LiveInvitation
from spnb.live.invitations import AsyncLiveInvitations, LiveInvitations
from spnb.live.message_log import ChatChange
from spnb.live.products import AsyncRoomProducts, RoomProducts
from spnb.live.reactions import AsyncLiveReactions, LiveReactions
from spnb.live.room import AsyncLiveRoom, Opener
from spnb.live.stage import AsyncStage, Broadcaster, Stage
from spnb.live.sync import LiveRoom, LiveRooms, Watch
from spnb.live.timeline import Timeline, TimelineEntry
from spnb.live.viewing import AsyncViewing, Viewing

__all__ = [
    "Announcement",
    "AsyncAudience",
    "AsyncChat",
    "AsyncLiveInvitation",
    "AsyncLiveInvitations",
    "AsyncLiveReactions",
    "AsyncLiveRoom",
    "AsyncLiveRooms",
    "AsyncRoomProducts",
    "AsyncStage",
    "AsyncViewing",
    "Audience",
    "Broadcaster",
    "Chat",
    "ChatChange",
    "LiveInvitation",
    "LiveInvitations",
    "LiveReactions",
    "LiveRoom",
    "LiveRooms",
    "Opener",
    "RoomProducts",
    "Stage",
    "Timeline",
    "TimelineEntry",
    "Viewing",
    "Watch",
    "off",
    "on",
]
