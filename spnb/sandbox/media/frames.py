"""What crosses the seam between the media server and whoever listens to it.

The media server knows rooms, participants and tracks; it knows nothing of social.plus. It reports what happened
as `MediaEvent`s (the lifecycle moves on them) and hands every encoded frame of a published track to the taps of its
room (the recorder is one). Frames are never decoded on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = ["EncodedFrame", "MediaEvent", "MediaEventKind", "Tap", "TapTrack"]

MediaEventKind = Literal["participant_joined", "participant_left", "track_published", "track_unpublished"]


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """One change in a media room, in LiveKit's words (they match its webhook events).

    `track_published` is sent when the first media packet of the track has arrived, not when it was announced.
    `participant_left` follows the `track_unpublished` of each of its tracks, also when the participant vanished.
    """

    kind: MediaEventKind
    room: str
    identity: str
    participant_sid: str
    can_publish: bool = True
    hidden: bool = False
    track_sid: str | None = None
    track_kind: Literal["audio", "video"] | None = None
    at: float = 0.0
    """Wall clock, seconds since the epoch (UTC)."""


@dataclass(frozen=True, slots=True)
class TapTrack:
    """A published track as a tap sees it."""

    sid: str
    identity: str
    kind: Literal["audio", "video"]
    codec: Literal["h264", "vp8", "opus"]
    clock_rate: int
    """RTP ticks per second: 90000 for video, 48000 for Opus."""
    source: str = "unknown"
    """LiveKit's TrackSource in lower case: camera, microphone, screen_share, screen_share_audio, unknown."""
    channels: int = 2
    request_keyframe: Callable[[], None] = field(default=lambda: None, compare=False)
    """Asks the publisher for a key frame. Safe to call from any thread; limited to two a second per track."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One complete encoded frame: an Annex B access unit (H.264), a VP8 frame, or one Opus packet."""

    data: bytes
    timestamp: int
    """RTP time in ticks of the track's clock, unwrapped: it grows past 2**32 and never jumps back by a wrap."""
    keyframe: bool
    arrived: float
    """time.monotonic() seconds at which the last packet of the frame arrived."""
    captured: float | None = None
    """The publisher's own clock for this frame in seconds (NTP of its RTCP sender report), once one has arrived.
    Comparable between the tracks of one participant: this is what aligns sound with picture."""


class Tap(Protocol):
    """Receives the frames of all tracks of one room. Called on the media server's event loop: must return at once."""

    def track_started(self, track: TapTrack) -> None: ...

    def frame(self, track: TapTrack, frame: EncodedFrame) -> None: ...

    def copy(self, track: TapTrack, rank: int, frame: EncodedFrame) -> None:
        """A frame of a layer of lower rank (LiveKit's: 1 low, 2 medium) than the one that `frame` has."""
        ...

    def track_ended(self, track: TapTrack) -> None: ...

    def unreadable(self, reason: str) -> None:
        """There is a track whose frames cannot be handed on."""
        ...
