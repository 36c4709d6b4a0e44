"""What happens to a broadcast, as typed events, and how it is doing, as statistics."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from livekit.rtc import RemoteAudioTrack, RemoteVideoTrack

__all__ = [
    "BroadcastEvent",
    "BroadcastStats",
    "Connected",
    "Disconnected",
    "Ended",
    "MuteChanged",
    "OthersOnAir",
    "Reconnected",
    "Reconnecting",
    "RecordingInterrupted",
    "RecordingResumed",
    "RestreamLost",
    "RestreamReached",
    "SourceLost",
    "SourceRestored",
    "TrackSubscribed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastEvent:
    """Base of all events. `at` is `time.monotonic()` seconds."""

    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Connected(BroadcastEvent):
    """On the media server; media is flowing."""


@dataclass(frozen=True, slots=True)
class Reconnecting(BroadcastEvent):
    """The connection is gone and being restored; nothing to do."""


@dataclass(frozen=True, slots=True)
class Reconnected(BroadcastEvent):
    """The connection is back."""


@dataclass(frozen=True, slots=True)
class Disconnected(BroadcastEvent):
    """The connection is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class OthersOnAir(BroadcastEvent):
    """Who else publishes in the room has changed."""

    others: frozenset[str]
    """User ids."""


@dataclass(frozen=True, slots=True)
class TrackSubscribed(BroadcastEvent):
    """Picture or sound of somebody else on stage comes in, as `go_live(auto_subscribe=True)` asks for; after each
    reconnection anew. livekit-client: `RoomEvent.TrackSubscribed`."""

    user_id: str
    what: Literal["audio", "video"]
    track: RemoteVideoTrack | RemoteAudioTrack = field(repr=False)
    """LiveKit's own: `livekit.rtc.VideoStream(track)` and `AudioStream(track)` iterate over what comes."""


@dataclass(frozen=True, slots=True)
class SourceLost(BroadcastEvent):
    """The source gives nothing more; viewers see a card that says so, and the room stays on air."""

    reason: str


@dataclass(frozen=True, slots=True)
class SourceRestored(BroadcastEvent):
    """A source gives media again."""


@dataclass(frozen=True, slots=True)
class RecordingInterrupted(BroadcastEvent):
    """Something of the stream is not recorded, while the room stays on air; see `room.recording_gaps`."""

    reason: str


@dataclass(frozen=True, slots=True)
class RecordingResumed(BroadcastEvent):
    """The stream is recorded again."""


@dataclass(frozen=True, slots=True)
class RestreamReached(BroadcastEvent):
    """Another service gets the stream, see `also_to`: for the first time, or again."""

    to: str
    """Its host."""


@dataclass(frozen=True, slots=True)
class RestreamLost(BroadcastEvent):
    """Another service does not get the stream. It is tried again and again; the room is not touched by it."""

    to: str
    """Its host."""
    reason: str


@dataclass(frozen=True, slots=True)
class MuteChanged(BroadcastEvent):
    """Sound or picture was muted, or let through again."""

    what: Literal["audio", "video"]
    muted: bool
    by_moderator: bool = False
    """Whether it was muted at the media server and not by the host; only the host lets it through again."""


@dataclass(frozen=True, slots=True)
class Ended(BroadcastEvent):
    """The broadcast has left the air."""

    reason: str


@dataclass(frozen=True, slots=True)
class BroadcastStats:
    """One second of a broadcast, from the WebRTC statistics of its video."""

    at: float
    """`time.monotonic()` seconds."""
    bitrate_kbps: float
    fps: float
    width: int
    height: int
    loss: float
    """Share of packets lost on the way, 0 to 1."""
    rtt_ms: float
    jitter_ms: float
    limited_by: str
    """What keeps the encoder below its wish: `none`, `cpu`, `bandwidth` or `other`."""
    packets_sent: int | None = None
    """Counted since the connection began; None where it is not told."""
    packets_lost: int | None = None
