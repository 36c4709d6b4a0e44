"""What a host wants to go out: how to encode, how loud, what is muted. It outlives every connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from spnb._arguments import checked_class
from spnb.broadcast.sources.base import LEAST_SIDE
from spnb.errors import InvalidInput

__all__ = ["AudioOptions", "Format", "Intent", "Kind", "ReconnectOptions", "VideoOptions"]

Kind = Literal["audio", "video"]
LEAST_BITRATE, MOST_BITRATE = 300_000, 8_000_000
MOST_VOLUME = 4.0
REJOIN_SECONDS, MOST_REJOIN_SECONDS = 300.0, 3600.0
LEAST_WAIT, FIRST_WAIT, LONGEST_WAIT = 0.05, 0.25, 5.0
MOST = {"width": 8192, "height": 8192, "fps": 240, "bitrate": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Format:
    """What is sent.

    Attributes:
        width, height: pixels, both even.
        fps: pictures per second.
        sound: whether there is sound.
        screen: whether the picture is a screen's.
    """

    width: int
    height: int
    fps: float
    sound: bool
    screen: bool = False


@checked_class
@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOptions:
    """How the picture is sent.

    Attributes:
        width, height: pixels at most; a larger picture is made smaller and keeps its shape. None leaves it.
        fps: pictures per second at most; None sends each one.
        bitrate: bits per second at most; None derives it from size and frame rate.
        codec: `h264` (recorded without encoding anew) or `vp8` (copes better with restless pictures at low bit rates).
            A page sends H.264 where server and browser take it, as the sandbox's own server does, else VP8: then live
            HLS has the one quality that is encoded anew, however many copies are sent.
        simulcast: whether to send smaller copies too, for viewers with little bandwidth; heights in pixels choose which
            ones, where the page publishes (through the Jupyter port it sends one copy, the largest of them). None
            leaves it to the path: a page does, the kernel does not.
        degradation: what is kept when bandwidth or processor are short: `resolution`, `framerate`, or `balanced`.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    bitrate: int | None = None
    codec: Literal["h264", "vp8"] = "h264"
    simulcast: bool | Sequence[int] | None = None
    degradation: Literal["resolution", "framerate", "balanced"] = "resolution"

    def __post_init__(self) -> None:
        for name, least in (("width", 16), ("height", 16), ("fps", 1), ("bitrate", 10_000)):
            value = getattr(self, name)
            most = MOST[name]
            if value is not None and not least <= value <= most:
                raise InvalidInput(f"{name} of a picture is {least} to {most}, not {value}")
        if self.codec not in ("h264", "vp8"):
            raise InvalidInput(f"codec is 'h264' or 'vp8', not {self.codec!r}")
        if self.degradation not in ("resolution", "framerate", "balanced"):
            raise InvalidInput(f"degradation is 'resolution', 'framerate' or 'balanced', not {self.degradation!r}")

    def fit(self, width: int, height: int, fps: float) -> tuple[int, int, float]:
        """The size and frame rate in which a source's picture is sent: never more than it has, sides even."""
        scale = min(1.0, (self.width or width) / width, (self.height or height) / height)
        even = [max(LEAST_SIDE, round(side * scale) // 2 * 2) for side in (width, height)]
        return even[0], even[1], min(fps, self.fps or fps)

    def bits(self, width: int, height: int, fps: float) -> int:
        """Bits per second at most: about 2.8 Mb/s at 720p30, between 0.3 and 8 Mb/s."""
        if self.bitrate is not None:
            return self.bitrate
        return int(min(MOST_BITRATE, max(LEAST_BITRATE, width * height * fps * 0.1)))


@checked_class
@dataclass(frozen=True, slots=True, kw_only=True)
class AudioOptions:
    """How the sound is sent.

    Attributes:
        enabled: whether the source's sound is sent at all.
        volume: 1 leaves it as it is, 0 is silence, at most 4.
        stereo: whether both channels are sent where the source has two.
        bitrate: bits per second at most; None leaves it to LiveKit.
    """

    enabled: bool = True
    volume: float = 1.0
    stereo: bool = True
    bitrate: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.volume <= MOST_VOLUME:
            raise InvalidInput(f"volume is 0 to {MOST_VOLUME:g}, not {self.volume}")
        if self.bitrate is not None and not 6000 <= self.bitrate <= MOST["bitrate"]:
            raise InvalidInput(f"sound has at least 6000 bits a second, not {self.bitrate}")


@checked_class
@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectOptions:
    """How a connection to LiveKit that is lost for good is made anew, as LiveKit's `reconnectPolicy` says in a page.

    Attributes:
        seconds: how long it is tried; then the broadcast ends, and the room with it. As a rule the room's grace time
            is over before, and its record says so.
        first_wait, longest_wait: seconds before the second try, and at most between two; each pause is twice the one
            before, give or take a quarter.
    """

    seconds: float = REJOIN_SECONDS
    first_wait: float = FIRST_WAIT
    longest_wait: float = LONGEST_WAIT

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= MOST_REJOIN_SECONDS:
            raise InvalidInput(f"reconnecting is tried for 0 to {MOST_REJOIN_SECONDS:g} s, not {self.seconds}")
        if not LEAST_WAIT <= self.first_wait <= self.longest_wait <= MOST_REJOIN_SECONDS:
            raise InvalidInput(
                f"pauses between tries are {LEAST_WAIT:g} s or more, the first no longer than the longest, "
                f"not {self.first_wait} and {self.longest_wait}"
            )


@dataclass(frozen=True, slots=True)
class Intent:
    """Everything a host wants of a broadcast but its source.

    Attributes:
        muted: what must not go out.
        video, audio: how to send.
        reconnect: how to go on after the connection was lost.
        auto_subscribe: whether media of others on stage is taken.
    """

    muted: frozenset[Kind] = frozenset()
    video: VideoOptions = field(default_factory=VideoOptions)
    audio: AudioOptions = field(default_factory=AudioOptions)
    reconnect: ReconnectOptions = field(default_factory=ReconnectOptions)
    auto_subscribe: bool = False

    @classmethod
    def of(
        cls,
        video: VideoOptions | None,
        audio: AudioOptions | bool,
        reconnect: ReconnectOptions | None,
        auto_subscribe: bool = False,
    ) -> Intent:
        """What a host begins with; of the sound perhaps only whether there is one."""
        sound = audio if isinstance(audio, AudioOptions) else AudioOptions(enabled=audio)
        return cls(frozenset(), video or VideoOptions(), sound, reconnect or ReconnectOptions(), auto_subscribe)

    def with_muted(self, what: Kind, *, muted: bool) -> Intent:
        """The same with `what` muted, or not."""
        return replace(self, muted=self.muted | {what} if muted else self.muted - {what})
