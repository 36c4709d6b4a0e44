"""Widgets for a notebook: create a room, go live, see who is live, follow a room, watch it."""

from __future__ import annotations

from spnb.widgets.base import Charts, Hub, Widget
from spnb.widgets.camera_preview import CameraPreview
from spnb.widgets.chat import Chat
from spnb.widgets.create_room import CreateRoom
from spnb.widgets.dashboard import Dashboard
from spnb.widgets.doctor import Doctor
from spnb.widgets.faults import Faults
from spnb.widgets.go_live import GoLive
from spnb.widgets.live_dashboard import LiveDashboard
from spnb.widgets.live_now import LiveNow
from spnb.widgets.player import Player
from spnb.widgets.recording_player import RecordingPlayer
from spnb.widgets.room_card import RoomCard
from spnb.widgets.room_status import RoomStatus
from spnb.widgets.room_table import RoomTable
from spnb.widgets.stream_report import StreamReport
from spnb.widgets.studio import Studio
from spnb.widgets.viewer_count import ViewerCount
from spnb.widgets.webhook_inspector import WebhookInspector

__all__ = [
    "CameraPreview",
    "Charts",
    "Chat",
    "CreateRoom",
    "Dashboard",
    "Doctor",
    "Faults",
    "GoLive",
    "Hub",
    "LiveDashboard",
    "LiveNow",
    "Player",
    "RecordingPlayer",
    "RoomCard",
    "RoomStatus",
    "RoomTable",
    "StreamReport",
    "Studio",
    "ViewerCount",
    "WebhookInspector",
    "Widget",
]
