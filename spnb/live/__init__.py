"""Live objects: rooms that know their newest state and tell their observers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Watch, late_names
from spnb.live.audience import AsyncAudience
from spnb.live.chat import Announcement, AsyncChat
from spnb.live.collection import AsyncLiveRooms
from spnb.live.hooks import off, on
from spnb.live.invitation import AsyncLiveInvitation
from spnb.live.invitations import AsyncLiveInvitations
from spnb.live.invite_link import AsyncInviteLink
from spnb.live.message_log import ChatChange
from spnb.live.on_screen import Placard
from spnb.live.products import AsyncRoomProducts
from spnb.live.reactions import AsyncLiveReactions
from spnb.live.room import AsyncLiveRoom
from spnb.live.stage import AsyncStage, Broadcaster, StageLayout
from spnb.live.timeline import Timeline, TimelineEntry
from spnb.live.viewing import AsyncViewing

if TYPE_CHECKING:
    from spnb.sync.live.audience import Audience
    from spnb.sync.live.chat import Chat
    from spnb.sync.live.collection import LiveRooms
    from spnb.sync.live.invitation import LiveInvitation
    from spnb.sync.live.invitations import LiveInvitations
    from spnb.sync.live.invite_link import InviteLink
    from spnb.sync.live.products import RoomProducts
    from spnb.sync.live.reactions import LiveReactions
    from spnb.sync.live.room import LiveRoom
    from spnb.sync.live.stage import Stage
    from spnb.sync.live.viewing import Viewing

__all__ = [
    "Announcement",
    "AsyncAudience",
    "AsyncChat",
    "AsyncInviteLink",
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
    "InviteLink",
    "LiveInvitation",
    "LiveInvitations",
    "LiveReactions",
    "LiveRoom",
    "LiveRooms",
    "Placard",
    "RoomProducts",
    "Stage",
    "StageLayout",
    "Timeline",
    "TimelineEntry",
    "Viewing",
    "Watch",
    "off",
    "on",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "Audience": "spnb.sync.live.audience",
        "Chat": "spnb.sync.live.chat",
        "InviteLink": "spnb.sync.live.invite_link",
        "LiveInvitation": "spnb.sync.live.invitation",
        "LiveInvitations": "spnb.sync.live.invitations",
        "LiveReactions": "spnb.sync.live.reactions",
        "LiveRoom": "spnb.sync.live.room",
        "LiveRooms": "spnb.sync.live.collection",
        "RoomProducts": "spnb.sync.live.products",
        "Stage": "spnb.sync.live.stage",
        "Viewing": "spnb.sync.live.viewing",
    },
)
