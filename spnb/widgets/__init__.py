"""Widgets for a notebook: create a room, go live, see who is live, follow a room, watch it."""

from __future__ import annotations

from spnb.widgets.base import Hub, Widget
from spnb.widgets.camera_preview import CameraPreview
from spnb.widgets.chat import Chat
from spnb.widgets.create_room import CreateRoom
from spnb.widgets.go_live import GoLive
from spnb.widgets.live_now import LiveNow
from spnb.widgets.player import Player
from spnb.widgets.room_card import RoomCard
from spnb.widgets.room_status import RoomStatus
from spnb.widgets.room_table import RoomTable
from spnb.widgets.studio import Studio

__all__ = [
    "CameraPreview",
    "Chat",
    "CreateRoom",
    "GoLive",
    "Hub",
    "LiveNow",
    "Player",
    "RoomCard",
    "RoomStatus",
    "RoomTable",
    "Studio",
    "Widget",
]
