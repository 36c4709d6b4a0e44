"""The LiveKit side of a broadcast: one connection, a picture and a sound track, fed by a source.

Most sources hand their pictures to the `Publisher` here. A source that is published where it is made, as a camera of
the page is by the page itself, brings a publisher of its own: a `PublishesItself`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from spnb.broadcast.events import BroadcastStats
from spnb.broadcast.native_log import QuietEncoder
from spnb.broadcast.proxies import without_proxy
from spnb.broadcast.sources.base import SAMPLE_RATE, Sink
from spnb.errors import BroadcastError

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["Connection", "ConnectionRefused", "PublishOptions", "Publisher", "PublisherEvents", "PublishesItself"]

log = logging.getLogger(__name__)

CHUNK = SAMPLE_RATE // 100
"""Sound goes to LiveKit in pieces of 10 ms."""
ENCODER_TALK_SECONDS = 10.0
MOST_WAITING = 100
"""Pieces of sound that may wait, one second: more would put sound behind the picture."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How to encode.

    Attributes:
        codec: `h264` (recorded without encoding anew), or `vp8`.
        max_bitrate: bits per second of the picture; None derives it from size and frame rate.
        simulcast: whether to send smaller copies as well.
    """

    codec: Literal["h264", "vp8"] = "h264"
    max_bitrate: int | None = None
    simulcast: bool = False

    def bitrate(self, width: int, height: int, fps: float) -> int:
        """Bits per second for a picture: about 2.8 Mb/s at 720p30, between 0.3 and 8 Mb/s."""
        if self.max_bitrate is not None:
            return self.max_bitrate
        return int(min(8_000_000, max(300_000, width * height * fps * 0.1)))


class ConnectionRefused(BroadcastError):
    """LiveKit did not take the connection: it cannot be reached, or the token is dead."""


@dataclass(frozen=True, slots=True)
class PublisherEvents:
    """What a publisher tells, on the loop.

    Attributes:
        disconnected: called with a reason when the connection is over without our doing.
        reconnecting, reconnected: called around an interruption.
        source: called with a reason when the source is lost, with None at its end.
        restored: called when a lost source gives media again.
        others: called with who else publishes in the room, by identity, when that changes.
    """

    disconnected: Callable[[str], None]
    reconnecting: Callable[[], None]
    reconnected: Callable[[], None]
    source: Callable[[str | None], None]
    restored: Callable[[], None]
    others: Callable[[frozenset[str]], None] = lambda _others: None


class Connection(Sink, Protocol):
    """A connection that publishes, wherever it is made: what a broadcast needs of it."""

    async def connect(self, url: str, token: str) -> None:
        """Join the room; `ConnectionRefused` where that fails."""
        ...

    async def publish(self, width: int, height: int, fps: float, *, sound: bool) -> None:
        """Publish picture and, where wanted, sound."""
        ...

    async def encoding(self) -> None:
        """Wait until the encoder has settled."""
        ...

    def mute(self, what: Literal["audio", "video"], *, muted: bool) -> None:
        """Silence the sound or hold the picture."""
        ...

    async def stats(self) -> BroadcastStats | None:
        """How the last second went."""
        ...

    async def leave(self) -> None:
        """Leave the room."""
        ...


@runtime_checkable
class PublishesItself(Protocol):
    """A source that is published where it is made."""

    def publisher(self, options: PublishOptions, events: PublisherEvents) -> Connection:
        """A new connection for it."""
        ...


class Publisher:
    """A connection from this process. Its sink methods may be called from any thread.

    Args:
        options: how to encode.
        events: what is told.
    """

    def __init__(self, options: PublishOptions, events: PublisherEvents) -> None:
        self._options = options
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._room: rtc.Room | None = None
        self._video: Any = None
        self._audio: Any = None
        self._video_track: Any = None
        self._audio_track: Any = None
        self._size = (0, 0)
        self._sound: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue(MOST_WAITING)
        self._feeder: asyncio.Task[None] | None = None
        self._left = False
        self._closed = False
        self._video_muted = False
        self._quiet = False
        self._before: tuple[float, int, int, int] | None = None

    async def connect(self, url: str, token: str) -> None:
        """Join the room.

        Raises:
            ConnectionRefused: it was refused, or is not reachable.
        """
        from livekit import rtc

        # The SDK reports what it handles by itself as warnings: without a handler they would land in the notebook.
        logging.getLogger("livekit").addHandler(logging.NullHandler())
        room = rtc.Room()
        room.on("reconnecting", self._events.reconnecting)
        room.on("reconnected", self._events.reconnected)
        room.on("disconnected", self._disconnected)
        for change in ("participant_disconnected", "track_published", "track_unpublished"):
            room.on(change, self._others_changed)
        try:
            with without_proxy(url):
                await room.connect(url, token, rtc.RoomOptions(auto_subscribe=False, single_peer_connection=False))
        except rtc.ConnectError as error:
            raise ConnectionRefused(f"LiveKit refused the connection: {_shown(error)}") from None
        self._room = room
        self._others_changed()

    def _others_changed(self, *_what: Any) -> None:
        if self._room is not None:
            others = self._room.remote_participants.values()
            self._events.others(frozenset(other.identity for other in others if other.track_publications))

    def _disconnected(self, reason: Any) -> None:
        if not self._left:
            self._left = True
            self._events.disconnected(_reason(reason))

    async def publish(self, width: int, height: int, fps: float, *, sound: bool) -> None:
        """Publish the picture track and, where wanted, the sound track."""
        from livekit import rtc

        assert self._room is not None  # noqa: S101 - connected first
        self._size = (width, height)
        self._video = rtc.VideoSource(width, height)
        self._video_track = rtc.LocalVideoTrack.create_video_track("camera", self._video)
        codec = rtc.VideoCodec.H264 if self._options.codec == "h264" else rtc.VideoCodec.VP8
        encoding = rtc.VideoEncoding(max_bitrate=self._options.bitrate(width, height, fps), max_framerate=max(1.0, fps))
        participant = self._room.local_participant
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            video_codec=codec,
            simulcast=self._options.simulcast,
            video_encoding=encoding,
            # What a host sets up is what viewers and the recording get; with too little bandwidth the rate goes down.
            degradation_preference=rtc.DegradationPreference.MAINTAIN_RESOLUTION.value,
        )
        publishing = [participant.publish_track(self._video_track, options)]
        if sound:
            self._audio = rtc.AudioSource(SAMPLE_RATE, 2, loop=self._loop)
            self._audio_track = rtc.LocalAudioTrack.create_audio_track("microphone", self._audio)
            microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            publishing.append(participant.publish_track(self._audio_track, microphone))
            self._feeder = asyncio.create_task(self._feed(), name="spnb-sound")
        self._quiet = True
        QuietEncoder.begin()
        await asyncio.gather(*publishing)

    async def encoding(self) -> None:
        """Wait until the encoder is done talking about itself, which it does at its second or third key frame."""
        try:
            async with asyncio.timeout(ENCODER_TALK_SECONDS):
                keyframes = 0
                while keyframes < 4:
                    await asyncio.sleep(0.25)
                    keyframes = await self._encoded_keyframes()
        except (TimeoutError, RuntimeError):
            return
        finally:
            self._speak()

    async def _encoded_keyframes(self) -> int:
        reports = await self._video_track.get_stats()
        return sum(
            report.outbound_rtp.outbound.key_frames_encoded
            for report in reports
            if report.WhichOneof("stats") == "outbound_rtp"
        )

    def _speak(self) -> None:
        if self._quiet:
            self._quiet = False
            QuietEncoder.end()

    # -- the sink

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """Hand a picture to the encoder, as it is: I420."""
        from livekit import rtc

        video = self._video
        if video is None or self._closed or self._video_muted:
            return
        video.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, picture))

    def audio(self, samples: bytes, channels: int) -> None:
        """Hand sound to the encoder."""
        if self._audio is not None and not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue_sound, samples, channels)

    def lost(self, reason: str) -> None:
        """The source failed."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._events.source, reason)

    def restored(self) -> None:
        """The source gives media again."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._events.restored)

    def ended(self) -> None:
        """The source came to its end."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._events.source, None)

    def _queue_sound(self, samples: bytes, channels: int) -> None:
        if self._sound.full():
            self._sound.get_nowait()
        self._sound.put_nowait((samples, channels))

    async def _feed(self) -> None:
        import numpy as np
        from livekit import rtc

        waiting = b""
        piece = CHUNK * 4
        while True:
            samples, channels = await self._sound.get()
            if channels == 1:
                samples = np.repeat(np.frombuffer(samples, np.int16), 2).tobytes()
            waiting += samples
            while len(waiting) >= piece:
                frame = rtc.AudioFrame(waiting[:piece], SAMPLE_RATE, 2, CHUNK)
                waiting = waiting[piece:]
                await self._audio.capture_frame(frame)

    # -- while on air

    def mute(self, what: Literal["audio", "video"], *, muted: bool) -> None:
        """Silence the sound or hold the picture, and tell the others."""
        track = self._audio_track if what == "audio" else self._video_track
        if track is None:
            return
        if what == "video":
            self._video_muted = muted
        if muted:
            track.mute()
        else:
            track.unmute()

    async def stats(self) -> BroadcastStats | None:
        """How the picture is doing; None before there is anything to tell."""
        if self._room is None or self._left or self._video_track is None:
            return None
        reports = await self._video_track.get_stats()
        now = time.monotonic()
        sent = lost = packets = 0
        best: Any = None
        rtt = jitter = 0.0
        for report in reports:
            kind = report.WhichOneof("stats")
            if kind == "outbound_rtp":
                outbound = report.outbound_rtp
                sent += outbound.sent.bytes_sent
                packets += outbound.sent.packets_sent
                if best is None or outbound.outbound.frame_width > best.frame_width:
                    best = outbound.outbound
            elif kind == "remote_inbound_rtp":
                rtt = max(rtt, report.remote_inbound_rtp.remote_inbound.round_trip_time * 1000)
                jitter = max(jitter, report.remote_inbound_rtp.received.jitter * 1000)
                lost += report.remote_inbound_rtp.received.packets_lost
        if best is None:
            return None
        before, self._before = self._before, (now, sent, packets, lost)
        if before is None or sent < before[1]:
            return None  # counters begin anew after a reconnection
        seconds = max(1e-3, now - before[0])
        sent_packets, lost_packets = packets - before[2], max(0, lost - before[3])
        limited = type(best).DESCRIPTOR.fields_by_name["quality_limitation_reason"].enum_type
        return BroadcastStats(
            at=now,
            bitrate_kbps=(sent - before[1]) * 8 / 1000 / seconds,
            fps=best.frames_per_second,
            width=best.frame_width,
            height=best.frame_height,
            loss=min(1.0, lost_packets / sent_packets) if sent_packets > 0 else 0.0,
            rtt_ms=rtt,
            jitter_ms=jitter,
            limited_by=limited.values_by_number[best.quality_limitation_reason]
            .name.lower()
            .removeprefix("limitation_"),
            packets_sent=packets,
            packets_lost=max(0, lost),
        )

    async def leave(self) -> None:
        """Leave the room."""
        self._closed = True
        self._left = True
        self._speak()
        if self._feeder is not None:
            self._feeder.cancel()
            await asyncio.gather(self._feeder, return_exceptions=True)
        room, self._room = self._room, None
        if room is not None:
            await room.disconnect()


def _reason(reason: Any) -> str:
    from livekit.rtc import DisconnectReason

    try:
        return str(DisconnectReason.Name(reason)).lower().replace("_", " ")
    except (ValueError, TypeError):
        return "unknown reason"


def _shown(error: Exception) -> str:
    """An SDK's error without the address in it, which may carry a token."""
    return str(error).split("?")[0].split("access_token")[0][:200]
