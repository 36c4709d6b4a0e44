"""Live objects: rooms that know their newest state and tell their observers."""

from __future__ import annotations

from spnb.live.chat import AsyncChat, Chat
from spnb.live.collection import AsyncLiveRooms
from spnb.live.invitation import AsyncLiveInvitation, LiveInvitation
from spnb.live.invitations import AsyncLiveInvitations, LiveInvitations
from spnb.live.room import AsyncLiveRoom, Opener, StatusChange
from spnb.live.stage import AsyncStage, Broadcaster, Stage
from spnb.live.sync import LiveRoom, LiveRooms, Watch

__all__ = [
    "AsyncChat",
    "AsyncLiveInvitation",
    "AsyncLiveInvitations",
    "AsyncLiveRoom",
    "AsyncLiveRooms",
    "AsyncStage",
    "Broadcaster",
    "Chat",
    "LiveInvitation",
    "LiveInvitations",
    "LiveRoom",
    "LiveRooms",
    "Opener",
    "Stage",
    "StatusChange",
    "Watch",
]
