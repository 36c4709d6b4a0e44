"""The page's camera where no media connection reaches the page: it encodes, and its frames come by other ways.

The page encodes (WebCodecs) and sends whole frames, over the widget's messages; here they are put on air as they are,
without a second encoding. The page slows down by what the way itself tells: what is on its way and not acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from spnb.broadcast.channel import PageChannel
from spnb.broadcast.options import Format, Intent
from spnb.broadcast.publisher import ConnectionRefused, Publisher, PublisherEvents
from spnb.errors import BroadcastError
from spnb.ice import IceServer

__all__ = ["PAGE_CLOSED", "Frame", "FramesPublisher", "PageFrames"]

log = logging.getLogger(__name__)

PAGE_CLOSED = "the page was closed"
ENCODE_SECONDS = 10.0
CODECS = {"vp8": ("vp8", "libvpx"), "h264": ("h264", "libx264")}
"""What a page may send: FFmpeg's names of decoder and encoder."""
PUBLISHED_AT_MOST = 4
AGREED_SECONDS = 5.0
AGREED_EVERY = 0.02
RECENT = 30
"""Frames that are kept for who takes them as they are from now on."""
LARGEST_FRAME = 4_000_000
LARGEST_SIDE = 4096


@dataclass(frozen=True, slots=True)
class Frame:
    """An encoded picture: one access unit, Annex B where it is H.264.

    Attributes:
        data: the picture.
        codec: `vp8` or `h264`.
        key: whether it can be read without the ones before it.
        width, height: pixels.
        at: when it was taken, microseconds of the page's clock.
    """

    data: bytes
    codec: str
    key: bool
    width: int
    height: int
    at: int

    @classmethod
    def read(cls, content: dict[str, Any], data: bytes) -> Frame | None:
        """From a page's message; None where it makes no sense."""
        codec, width, height, at = (content.get(name) for name in ("codec", "width", "height", "at"))
        sides = isinstance(width, int) and isinstance(height, int) and min(width, height) > 0
        if codec not in CODECS or not sides or not isinstance(at, int | float) or not 0 < len(data) <= LARGEST_FRAME:
            return None
        assert isinstance(width, int) and isinstance(height, int)  # noqa: S101, PT018 - seen above
        if max(width, height) > LARGEST_SIDE:
            return None
        return cls(data, codec, bool(content.get("key")), width, height, int(at))


class PageFrames:
    """The frames of one page as they come. Lives on the loop.

    Args:
        show: is given each picture, as an `av.VideoFrame` in yuv420p, while nothing is sent on as it is.
    """

    def __init__(self, show: Callable[[Any], None]) -> None:
        self._show = show
        self._decoder: Any = None
        self._decodes = ""
        self._starts = True
        self._recent: list[Frame] = []
        self.forward: Callable[[Frame], None] | None = None
        """Takes frames as they are; they are not decoded meanwhile."""
        self.count = 0
        """Frames so far."""
        self.want_key = True
        """Whether the page is to send a key frame; told with the next acknowledgement."""
        self.bits: int | None = None
        """Bits per second that the way onward bears; None where it does not say."""

    def take(self, frame: Frame) -> None:
        """The next frame of the page."""
        self.count += 1
        if frame.key:
            self.want_key = False
        if self.forward is not None:
            self._starts = True
            self.forward(frame)
            return
        if frame.key or len(self._recent) >= RECENT:
            self._recent.clear()
        if frame.key or self._recent:
            self._recent.append(frame)
        self._decode(frame)

    @property
    def begun(self) -> bool:
        """Whether `recent` has anything to tell."""
        return bool(self._recent)

    def recent(self) -> list[Frame]:
        """The newest key frame and all since, once: who begins now need not wait for another; empty where there is none
        so new."""
        recent, self._recent = self._recent, []
        return recent

    def _decode(self, frame: Frame) -> None:
        import av

        if self._starts and not frame.key:
            self.want_key = True
            return
        if self._decoder is None or self._decodes != frame.codec or self._starts:
            self._decoder, self._decodes = av.CodecContext.create(CODECS[frame.codec][0], "r"), frame.codec
        self._starts = False
        try:
            for picture in self._decoder.decode(av.Packet(frame.data)):
                self._show(picture.reformat(format="yuv420p"))
        except av.FFmpegError:
            log.debug("a frame of the page could not be read")
            self._starts = self.want_key = True


async def negotiated(track: Any) -> str | None:
    """The codec that a published track is sent in, as in `CODECS`; None where nothing tells in time.

    Nothing but its statistics tells, and they tell only when asked.
    """
    until = time.monotonic() + AGREED_SECONDS
    while time.monotonic() < until:
        reports = await track.get_stats()
        sent = {each.outbound_rtp.stream.codec_id for each in reports if each.WhichOneof("stats") == "outbound_rtp"}
        for each in reports:
            if each.WhichOneof("stats") == "codec" and each.codec.rtc.id in sent:
                return str(each.codec.codec.mime_type).rpartition("/")[2].lower()
        await asyncio.sleep(AGREED_EVERY)
    return None


class FramesPublisher(Publisher):
    """A connection from here that sends a page's frames as they are.

    Args:
        channel: the way to the page.
        frames: what comes of it.
        intent: what the host wants.
        events: what is told.
        likely: what is going to be published: the page is asked for it while the connection is being made.
    """

    def __init__(
        self,
        channel: PageChannel,
        frames: PageFrames,
        intent: Intent,
        events: PublisherEvents,
        likely: tuple[int, int, float] | None = None,
    ) -> None:
        super().__init__(intent, events)
        self._likely = likely
        self._asked: asyncio.Task[str] | None = None
        self._channel = channel
        self._frames = frames
        self._codec = ""
        self._size = 0, 0
        self._sender = threading.Lock()
        self._offset: int | None = None
        self._last = 0
        self._waits = True
        self.passed = 0
        """Frames of the page that were sent on."""
        self._card: Any = None

    async def connect(self, url: str, token: str, ice: Sequence[IceServer] = ()) -> None:
        """Join the room, while the page begins to encode."""
        if self._likely is not None:
            self._asked = asyncio.create_task(self._encoder(*self._likely), name="spnb-encode")
        try:
            await super().connect(url, token, ice)
        except BaseException:
            await self._unask()
            raise

    async def _unask(self) -> None:
        """What was asked ahead is of no use any more."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _encoder(self, width: int, height: int, fps: float) -> str:
        """Have the page encode so; by which codec it does."""
        self._frames.recent()  # nothing of before goes out
        wish = {"width": width, "height": height, "fps": fps, "bitrate": self._intent.video.bits(width, height, fps)}
        try:
            answer = await self._channel.ask("encode", timeout=ENCODE_SECONDS, **wish)
        except TimeoutError:
            raise ConnectionRefused("no page with the camera answered: was it closed?") from None
        codec = str(answer.get("codec"))
        if not answer.get("ok") or codec not in CODECS:
            raise BroadcastError(f"the page could not encode: {str(answer.get('reason') or 'unknown reason')[:200]}")
        return codec

    async def _publish_video(self, wanted: Format) -> None:
        options, before = self._intent.video, self._video_track
        size = wanted.width, wanted.height, wanted.fps
        bits = options.bits(*size)
        if self._asked is None or self._likely != size:
            await self._unask()
            self._asked = asyncio.create_task(self._encoder(*size), name="spnb-encode")
        asked, self._asked = self._asked, None
        codec = await asked
        if not self._frames.begun:
            self._frames.want_key = True  # it comes while the track is being published
        source, track = await self._publish_frames(wanted, codec, bits)
        with self._sender:
            self._video, self._video_track, self._before = source, track, None
            self._codec, self._size, self._waits = codec, (wanted.width, wanted.height), True
        self._sent = wanted, options
        self._begin()
        self._heed_mute("video", track)
        await self._unpublish(before)

    async def _publish_frames(self, wanted: Format, codec: str, bits: int) -> tuple[Any, Any]:
        """A track for frames of this codec, and its source.

        The SDK offers a video track with every codec it knows where another negotiation, of the sound say, is under way
        just then; should the server choose another one, frames are taken and none is ever sent. A track that is
        published with nothing else under way gets what it asks for.
        """
        from livekit import rtc

        encoding = rtc.VideoEncoding(max_bitrate=bits, max_framerate=max(1.0, wanted.fps))
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            video_codec=rtc.VideoCodec.H264 if codec == "h264" else rtc.VideoCodec.VP8,
            video_encoder=rtc.VideoEncoderBackend.ENCODER_BACKEND_PRE_ENCODED,
            simulcast=False,
            video_encoding=encoding,
        )
        for _ in range(PUBLISHED_AT_MOST):
            source = rtc.EncodedVideoSource(wanted.width, wanted.height)
            track = rtc.LocalVideoTrack.create_video_track("camera", source)
            await self._publish_track("video", track, options)
            agreed = await negotiated(track)
            if agreed in (codec, None):
                return source, track
            log.debug("LiveKit's SDK and server agreed on %s, not %s: published anew", agreed, codec)
            await self._unpublish(track)
            await source.aclose()
        raise BroadcastError(f"the server takes no picture in {codec}, which the page encodes: it wants {agreed}")

    def _begin(self) -> None:
        """From now on the page's frames are sent, those since the newest key frame at once: what the page made of that
        is a moment old, and another one would take longer."""
        recent = [
            one for one in self._frames.recent() if one.codec == self._codec and (one.width, one.height) == self._size
        ]
        self._frames.forward, self._frames.want_key = self._pass_on, True
        if recent and recent[0].key:
            # The newest has just come; the others are as much older as they were taken earlier.
            self._offset = time.monotonic_ns() // 1000 - recent[-1].at
            for frame in recent:
                self._pass_on(frame)

    def _pass_on(self, frame: Frame) -> None:
        # The gate: what the host has muted is dropped here, whatever the page sends.
        if "video" in self._intent.muted or self._closed or frame.codec != self._codec:
            self._waits = True
            return
        if self._waits and not frame.key:
            self._frames.want_key = True
            return
        with self._sender:
            self._waits = False
            now = time.monotonic_ns() // 1000
            # In step with the page's clock, which is steadier than the way; set anew when the way has changed.
            if self._offset is None or not -1_000_000 < now - frame.at - self._offset < 1_000_000:
                self._offset = now - frame.at
            # Before it goes: who asks while a key frame is on its way may not have it.
            self._heed_feedback(key=frame.key)
            self._submit(frame.data, frame.width, frame.height, frame.at + self._offset, key=frame.key)
            self.passed += 1

    def _submit(self, data: bytes, width: int, height: int, at: int, *, key: bool) -> None:
        from livekit import rtc

        video = self._video
        if video is None or self._closed:
            return
        self._last = max(self._last + 1, at)
        frame_type = rtc.EncodedFrameType.ENCODED_FRAME_KEY if key else rtc.EncodedFrameType.ENCODED_FRAME_DELTA
        codec = rtc.VideoCodec.H264 if self._codec == "h264" else rtc.VideoCodec.VP8
        video.capture_frame(rtc.EncodedVideoFrame(data, width, height, codec, frame_type, self._last))

    def _heed_feedback(self, *, key: bool) -> None:
        feedback = self._video.take_feedback()
        # Whoever asked before this key frame has what they asked for.
        if feedback.keyframe_requested and not key:
            self._frames.want_key = True
        if feedback.rate_control is not None:
            self._frames.bits = int(feedback.rate_control.target_bitrate_bps)

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A card in place of the page's picture: encoded here, whole each time."""
        with self._sender:
            if self._video is None or self._closed or not self._codec:
                return
            for data in self._encoded(picture, width, height):
                self._submit(data, width, height, time.monotonic_ns() // 1000, key=True)
                self._waits = True

    def _encoded(self, picture: bytearray, width: int, height: int) -> list[bytes]:
        import av
        import numpy as np

        rows = np.frombuffer(picture, np.uint8).reshape(height * 3 // 2, width)
        frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
        encoder: Any = self._card
        if encoder is None or (encoder.width, encoder.height, encoder.name) != (width, height, CODECS[self._codec][1]):
            encoder = self._card = cast("Any", av.CodecContext.create(CODECS[self._codec][1], "w"))
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.bit_rate = Fraction(1, 1_000_000), 1_000_000
            still = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "1"}
            encoder.options = still if self._codec == "h264" else {"deadline": "realtime", "cpu-used": "8", "g": "0"}
        frame.pts, frame.time_base = time.monotonic_ns() // 1000, Fraction(1, 1_000_000)
        return [bytes(packet) for packet in encoder.encode(frame)]

    def page_closed(self) -> None:
        """Nothing comes any more: the connection is over, until a page comes back."""
        if not self._left:
            self._left = True
            self._events.disconnected(PAGE_CLOSED)

    async def leave(self) -> None:
        """Leave the room; the page goes on as before."""
        await self._unask()
        if self._frames.forward == self._pass_on:
            self._frames.forward = None
        await super().leave()
