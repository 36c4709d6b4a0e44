"""spnb: social.plus livestreaming in Jupyter.

    import spnb
    sp = spnb.connect()                      # the real service with credentials, else a local sandbox
    room = sp.rooms.create("Hello")
    with room.go_live():                     # a test card; or spnb.Camera(), spnb.MediaFile("talk.mp4"), …
        room.until("live")
    recording = room.recording()

Everything here loads on first use, so `import spnb` is quick and touches no network.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from spnb._version import __version__

if TYPE_CHECKING:
    from spnb import analytics, errors, models, sandbox, testing, webhooks, widgets
    from spnb._capture import capture
    from spnb._connect import connect_async
    from spnb.broadcast import AsyncBroadcast, Broadcast
    from spnb.broadcast.sources import Camera, Generator, LiveURL, MediaFile, Screen, TestCard
    from spnb.client import AsyncClient, Client
    from spnb.errors import SpnbError
    from spnb.live import (
        AsyncLiveInvitations,
        AsyncLiveRoom,
        AsyncLiveRooms,
        LiveInvitations,
        LiveRoom,
        LiveRooms,
        off,
        on,
    )
    from spnb.models import Room
    from spnb.sync._connect import connect
    from spnb.widgets import (
        CameraPreview,
        Chat,
        CreateRoom,
        Dashboard,
        Doctor,
        Faults,
        GoLive,
        LiveDashboard,
        LiveNow,
        Player,
        RecordingPlayer,
        RoomCard,
        RoomStatus,
        RoomTable,
        StreamReport,
        Studio,
        ViewerCount,
        WebhookInspector,
    )

# A notebook needs no command line of httpx's, which is an eighth of what a first cell loads (click, rich, pygments):
# where it is missing httpx goes without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

_HOMES = {
    "AsyncBroadcast": "spnb.broadcast",
    "AsyncClient": "spnb.client",
    "AsyncLiveInvitations": "spnb.live",
    "AsyncLiveRoom": "spnb.live",
    "AsyncLiveRooms": "spnb.live",
    "Broadcast": "spnb.broadcast",
    "Camera": "spnb.broadcast.sources",
    "CameraPreview": "spnb.widgets",
    "Chat": "spnb.widgets",
    "Client": "spnb.client",
    "CreateRoom": "spnb.widgets",
    "Dashboard": "spnb.widgets",
    "Doctor": "spnb.widgets",
    "Faults": "spnb.widgets",
    "Generator": "spnb.broadcast.sources",
    "GoLive": "spnb.widgets",
    "LiveDashboard": "spnb.widgets",
    "LiveNow": "spnb.widgets",
    "LiveInvitations": "spnb.live",
    "LiveRoom": "spnb.live",
    "LiveRooms": "spnb.live",
    "LiveURL": "spnb.broadcast.sources",
    "MediaFile": "spnb.broadcast.sources",
    "Player": "spnb.widgets",
    "RecordingPlayer": "spnb.widgets",
    "Room": "spnb.models",
    "RoomCard": "spnb.widgets",
    "RoomStatus": "spnb.widgets",
    "RoomTable": "spnb.widgets",
    "Screen": "spnb.broadcast.sources",
    "SpnbError": "spnb.errors",
    "StreamReport": "spnb.widgets",
    "Studio": "spnb.widgets",
    "TestCard": "spnb.broadcast.sources",
    "ViewerCount": "spnb.widgets",
    "off": "spnb.live.hooks",
    "on": "spnb.live.hooks",
    "WebhookInspector": "spnb.widgets",
    "capture": "spnb._capture",
    "connect": "spnb.sync._connect",
    "connect_async": "spnb._connect",
}
_MODULES = ("analytics", "broadcast", "client", "errors", "models", "sandbox", "testing", "webhooks", "widgets")

__all__ = [
    "AsyncBroadcast",
    "AsyncClient",
    "AsyncLiveInvitations",
    "AsyncLiveRoom",
    "AsyncLiveRooms",
    "Broadcast",
    "Camera",
    "CameraPreview",
    "Chat",
    "Client",
    "CreateRoom",
    "Dashboard",
    "Doctor",
    "Faults",
    "Generator",
    "GoLive",
    "LiveDashboard",
    "LiveInvitations",
    "LiveNow",
    "LiveRoom",
    "LiveRooms",
    "LiveURL",
    "MediaFile",
    "Player",
    "RecordingPlayer",
    "Room",
    "RoomCard",
    "RoomStatus",
    "RoomTable",
    "Screen",
    "SpnbError",
    "StreamReport",
    "Studio",
    "TestCard",
    "ViewerCount",
    "WebhookInspector",
    "__version__",
    "analytics",
    "capture",
    "connect",
    "connect_async",
    "errors",
    "models",
    "off",
    "on",
    "sandbox",
    "testing",
    "webhooks",
    "widgets",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"spnb.{name}")
    raise AttributeError(f"module 'spnb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
