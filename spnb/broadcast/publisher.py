"""The LiveKit side of a broadcast: one connection, a picture and a sound track, fed by a source.

Most sources hand their pictures to the `Publisher` here. A source that is published where it is made, as a camera of
the page is by the page itself, brings a publisher of its own: a `PublishesItself`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from spnb._in_step import InStep
from spnb._lasting import kept_up
from spnb._proxies import enter, through
from spnb._publishing import Publishing
from spnb.broadcast.events import BroadcastStats, TrackSubscribed
from spnb.broadcast.native_log import QuietEncoder
from spnb.broadcast.options import Format, Intent, Kind, VideoOptions
from spnb.broadcast.sources.base import SAMPLE_RATE, Sink
from spnb.broadcast.tiles import Tiles
from spnb.errors import BroadcastError, InvalidInput
from spnb.ice import IceServer

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["Connection", "ConnectionRefused", "Publisher", "PublisherEvents", "PublishesItself"]

log = logging.getLogger(__name__)

ENCODER_TALK_SECONDS = 10.0


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
        muted: called with what a moderator has muted at the media server.
        taken: called with media of others that comes in.
        tiles: takes the others' pictures, where this process joins the room itself.
    """

    disconnected: Callable[[str], None]
    reconnecting: Callable[[], None]
    reconnected: Callable[[], None]
    source: Callable[[str | None], None]
    restored: Callable[[], None]
    others: Callable[[frozenset[str]], None] = lambda _others: None
    muted: Callable[[Kind], None] = lambda _what: None
    taken: Callable[[TrackSubscribed], None] = lambda _media: None
    tiles: Tiles = field(default_factory=Tiles, kw_only=True)


def _options(ice: Sequence[IceServer], *, auto_subscribe: bool) -> rtc.RoomOptions:
    from livekit import rtc

    options = rtc.RoomOptions(auto_subscribe=auto_subscribe)
    if ice:
        servers = [
            rtc.IceServer(urls=each.urls, username=each.username or "", password=each.credential or "") for each in ice
        ]
        options.rtc_config = rtc.RtcConfiguration(ice_servers=servers)
    return options


class Connection(Sink, Protocol):
    """A connection that publishes, wherever it is made: what a broadcast needs of it."""

    async def connect(self, url: str, token: str, ice: Sequence[IceServer] = ()) -> None:
        """Join the room, with these STUN and TURN servers if any; `ConnectionRefused` where that fails."""
        ...

    async def publish(self, wanted: Format) -> None:
        """Have picture and, where wanted, sound published in this format; called again, what is published is changed.

        Raises:
            BroadcastError: LiveKit did not take a track.
        """
        ...

    async def encoding(self) -> None:
        """Wait until the encoder has settled."""
        ...

    def heed(self, intent: Intent) -> None:
        """The host wants something else: mute and volume take effect now, the rest when it publishes next."""
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

    def publisher(self, intent: Intent, events: PublisherEvents) -> Connection:
        """A new connection for it, which knows from the start what the host wants."""
        ...


class Publisher:
    """A connection from this process. Its sink methods may be called from any thread.

    Args:
        intent: what the host wants.
        events: what is told.
    """

    def __init__(self, intent: Intent, events: PublisherEvents) -> None:
        _check(intent.video)
        self._intent = intent
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._room: rtc.Room | None = None
        self._publishing = Publishing()
        self._video: Any = None
        self._audio: Any = None
        self._video_track: Any = None
        self._audio_track: Any = None
        self._sent: tuple[Format, VideoOptions] | None = None
        self._channels = 2
        self._own: dict[Kind, deque[bool]] = {"audio": deque(), "video": deque()}
        self._in_step = InStep(self._loop)
        self._feeder: asyncio.Task[None] | None = None
        self._left = False
        self._closed = False
        self._quiet = False
        self._spoke = asyncio.Event()
        self._before: tuple[float, int, int, int] | None = None

    async def connect(self, url: str, token: str, ice: Sequence[IceServer] = ()) -> None:
        """Join the room.

        Args:
            url: LiveKit's address.
            token: the right to publish. Secret.
            ice: STUN and TURN servers in place of those that LiveKit names.

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
        room.on("track_muted", lambda who, publication: self._mute_told(room, who, publication, muted=True))
        room.on("track_unmuted", lambda who, publication: self._mute_told(room, who, publication, muted=False))
        room.on("local_track_republished", lambda *_: self._own_forgotten())
        room.on("track_subscribed", self._taken)
        for change in ("participant_disconnected", "track_published", "track_unpublished"):
            room.on(change, self._others_changed)
        try:
            await enter(room, url, token, _options(ice, auto_subscribe=self._intent.auto_subscribe))
        except rtc.ConnectError as error:
            raise ConnectionRefused(f"LiveKit refused the connection{through(url)}: {_shown(error)}") from None
        self._room = room
        self._events.tiles.follow(room, small=not self._intent.auto_subscribe)
        self._others_changed()

    def _others_changed(self, *_what: Any) -> None:
        if self._room is not None:
            others = self._room.remote_participants.values()
            self._events.others(frozenset(other.identity for other in others if other.track_publications))

    def _taken(self, track: Any, _publication: Any, who: Any) -> None:
        from livekit.rtc import TrackKind

        what: Kind = "audio" if track.kind == TrackKind.KIND_AUDIO else "video"
        self._events.taken(TrackSubscribed(user_id=who.identity, what=what, track=track))

    def _disconnected(self, reason: Any) -> None:
        if not self._left:
            self._left = True
            self._events.disconnected(_reason(reason))

    async def publish(self, wanted: Format) -> None:
        """Have picture and, where wanted, sound published in this format.

        A track's encoding is settled when it is published: where another is wanted, a new track takes over before the
        old one goes.
        """
        _check(self._intent.video)
        publishing = []
        if self._sent != (wanted, self._intent.video):
            publishing.append(self._publish_video(wanted))
        channels = 2 if self._intent.audio.stereo else 1
        if wanted.sound and (self._audio is None or channels != self._channels):
            publishing.append(self._publish_audio(channels))
        if not publishing:
            return
        if not self._quiet:
            self._quiet = True
            self._spoke.clear()
            QuietEncoder.begin(lambda: self._loop.call_soon_threadsafe(self._spoke.set))
        failed = [error for error in await asyncio.gather(*publishing, return_exceptions=True) if error is not None]
        if failed:
            self._speak()
            raise BroadcastError(f"LiveKit did not take a track: {_shown(failed[0])}") from failed[0]

    async def _publish_video(self, wanted: Format) -> None:
        from livekit import rtc

        options, before = self._intent.video, self._video_track
        source = rtc.VideoSource(wanted.width, wanted.height, is_screencast=wanted.screen)
        track = rtc.LocalVideoTrack.create_video_track("screen" if wanted.screen else "camera", source)
        encoding = rtc.VideoEncoding(
            max_bitrate=options.bits(wanted.width, wanted.height, wanted.fps), max_framerate=max(1.0, wanted.fps)
        )
        kept = f"MAINTAIN_{options.degradation.upper()}" if options.degradation != "balanced" else "BALANCED"
        await self._publish_track(
            "video",
            track,
            rtc.TrackPublishOptions(
                source=rtc.TrackSource.SOURCE_SCREENSHARE if wanted.screen else rtc.TrackSource.SOURCE_CAMERA,
                video_codec=rtc.VideoCodec.H264 if options.codec == "h264" else rtc.VideoCodec.VP8,
                simulcast=bool(options.simulcast),
                video_encoding=encoding,
                # What a host sets up is what viewers and the recording get; unless told otherwise, the rate goes down.
                degradation_preference=rtc.DegradationPreference[kept].value,
            ),
        )
        self._video, self._video_track, self._before = source, track, None
        self._sent = wanted, options
        self._heed_mute("video", track)
        await self._unpublish(before)

    async def _publish_audio(self, channels: int) -> None:
        from livekit import rtc

        before = self._audio_track
        source = rtc.AudioSource(SAMPLE_RATE, channels, loop=self._loop)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        bits = self._intent.audio.bitrate
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        if bits is not None:
            options.audio_encoding.max_bitrate = bits
        await self._publish_track("audio", track, options)
        self._audio, self._audio_track, self._channels = source, track, channels
        self._heed_mute("audio", track)
        # Each source has a feeder of its own: what is cut for one does not fit another.
        await self._end_feeder()
        feeding = kept_up(functools.partial(self._in_step.play, source, channels), "the sound of a broadcast")
        self._feeder = asyncio.create_task(feeding, name="spnb-sound")
        await self._unpublish(before)

    async def _end_feeder(self) -> None:
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.cancel()
            await asyncio.gather(feeder, return_exceptions=True)

    async def _publish_track(self, what: Kind, track: Any, options: Any) -> None:
        if self._room is None:
            raise BroadcastError("the connection is closed")
        if what in self._intent.muted:
            # Announced as muted from its first moment on; nobody has heard of the track yet.
            track.mute()
        await self._publishing.publish(self._room, track, options)

    async def _unpublish(self, track: Any) -> None:
        if track is not None and self._room is not None:
            await self._room.local_participant.unpublish_track(track.sid)

    async def encoding(self) -> None:
        """Wait until the encoder has said what it says once it has settled; not every one says it."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENCODER_TALK_SECONDS):
                    await self._spoke.wait()
        finally:
            self._speak()

    def _speak(self) -> None:
        if self._quiet:
            self._quiet = False
            QuietEncoder.end()

    # -- the sink

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """Hand a picture to the encoder, as it is: I420; a moment later, when its sound is heard."""
        if self._video is not None and not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hold, picture, width, height)

    def _hold(self, picture: bytearray, width: int, height: int) -> None:
        def show(timestamp: int) -> None:
            from livekit import rtc

            if self._video is not None and not self._closed:
                frame = rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, picture)
                self._video.capture_frame(frame, timestamp_us=timestamp)

        self._in_step.show(show)

    def audio(self, samples: bytes, channels: int) -> None:
        """Hand sound to the encoder."""
        if self._audio is not None and not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._say, samples, channels)

    def lost(self, reason: str) -> None:
        """The broadcast hears of its source by itself."""

    def restored(self) -> None:
        """The broadcast hears of its source by itself."""

    def ended(self) -> None:
        """The broadcast hears of its source by itself."""

    def _say(self, samples: bytes, channels: int) -> None:
        if "audio" not in self._intent.muted:  # said before the mute, and not out yet
            self._in_step.say(samples, channels)

    # -- what the host wants

    def heed(self, intent: Intent) -> None:
        """Mute or unmute, and tell the others."""
        if "video" in intent.muted and "video" not in self._intent.muted:
            self._in_step.let_go()
        self._intent = intent
        if "audio" in intent.muted and self._audio is not None:
            self._in_step.hush(self._audio)
        for what, track in self._tracks():
            self._heed_mute(what, track)

    def _tracks(self) -> tuple[tuple[Kind, Any], ...]:
        return ("audio", self._audio_track), ("video", self._video_track)

    def _heed_mute(self, what: Kind, track: Any) -> None:
        muted = what in self._intent.muted
        if track is None or track.muted == muted:
            return
        self._own[what].append(muted)
        if muted:
            track.mute()
        else:
            track.unmute()

    def _mute_told(self, room: rtc.Room, who: Any, publication: Any, *, muted: bool) -> None:
        """A track of ours was muted or unmuted: by ourselves, or at the server by a moderator."""
        if who.identity != room.local_participant.identity or self._left:
            return
        for what, track in self._tracks():
            if track is not None and track.sid == publication.sid:
                if self._own[what] and self._own[what][0] == muted:
                    self._own[what].popleft()
                elif muted and what not in self._intent.muted:
                    self._events.muted(what)
                elif not muted:
                    self._heed_mute(what, track)  # nobody unmutes a host but the host

    def _own_forgotten(self) -> None:
        for own in self._own.values():
            own.clear()

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
        if best is None or not (best.frame_width or "video" in self._intent.muted):
            return None  # not a picture has been encoded yet: that is no rate of zero
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
        self._in_step.let_go()
        await self._end_feeder()
        room, self._room = self._room, None
        self._events.tiles.leave(room)
        await self._publishing.leave(room)


def _check(options: VideoOptions) -> None:
    if options.simulcast not in (None, True, False):
        raise InvalidInput("the kernel's SDK chooses the sizes of simulcast by itself: give simulcast=True")


def _reason(reason: Any) -> str:
    from livekit.rtc import DisconnectReason

    try:
        return str(DisconnectReason.Name(reason)).lower().replace("_", " ")
    except (ValueError, TypeError):
        return "unknown reason"


def _shown(error: BaseException) -> str:
    """An SDK's error without the address in it, which may carry a token."""
    return str(error).split("?")[0].split("access_token")[0][:200]
