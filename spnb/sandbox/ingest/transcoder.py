"""From an encoder's packets to LiveKit: decoded, and encoded anew as WebRTC needs it.

WebRTC has no pictures that refer to later ones, no AAC, and viewers that ask for a key frame when they join; what
encoders send over RTMP has the first two and knows nothing of the third. LiveKit's own ingress does the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from fractions import Fraction
from typing import Any

from spnb._in_step import InStep
from spnb._proxies import enter
from spnb._publishing import Publishing
from spnb.sandbox.ingest.flv import Coded

__all__ = ["Transcoder"]

log = logging.getLogger(__name__)

RATE = 48_000
MOST_PACKETS = 240
"""That may wait: some three seconds. A machine too slow for what comes leaves out pictures up to a key frame."""
MOST_WIDTH, MOST_HEIGHT = 1920, 1080
LEAST_SIDE = 16


class Transcoder:
    """One encoder's picture and sound in a LiveKit room.

    Args:
        url, token: LiveKit's address, and a token that may publish.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._loop = asyncio.get_running_loop()
        self._packets: queue.Queue[Coded | None] = queue.Queue(MOST_PACKETS)
        self._room: Any = None
        self._publishing = Publishing()
        self._video: Any = None
        self._size = (0, 0)
        self._audio: Any = None
        self._in_step = InStep(self._loop)
        self._works: set[asyncio.Future[Any]] = set()
        self._needs_keyframe = True
        self.problem = ""
        """Why its pictures cannot be sent, in words."""
        self.gone = asyncio.Event()
        """Set once LiveKit has put it out."""
        self._thread = threading.Thread(target=self._decode_all, name="spnb-ingest", daemon=True)

    async def start(self) -> None:
        """Join the room.

        Raises:
            livekit.rtc.ConnectError: LiveKit refused.
        """
        from livekit import rtc

        self._room = room = rtc.Room()
        room.on("disconnected", lambda *_: self.gone.set())
        await enter(room, self._url, self._token, rtc.RoomOptions(auto_subscribe=False))
        self._thread.start()

    def take(self, packet: Coded) -> None:
        """A packet of the encoder's; never waits."""
        if packet.kind == "video" and not packet.configures:
            if self._packets.qsize() > MOST_PACKETS * 3 // 4:
                self._needs_keyframe = True
            if self._needs_keyframe and not packet.keyframe:
                return
            if packet.keyframe:
                self._needs_keyframe = self._packets.full()
        with contextlib.suppress(queue.Full):
            self._packets.put_nowait(packet)

    # -- in its thread

    def _decode_all(self) -> None:
        decoders: dict[str, _Decoder] = {}
        while (packet := self._packets.get()) is not None:
            decoder = decoders.get(packet.kind)
            if decoder is None or decoder.codec != packet.codec or packet.configures:
                if decoder is not None and decoder.configuration == packet.data:
                    continue
                decoder = decoders[packet.kind] = _Decoder(packet)
                if packet.configures:
                    continue
            for frame in decoder.decoded(packet):
                try:
                    if packet.kind == "video":
                        self._picture(frame)
                    else:
                        self._hear(decoder.samples(frame))
                except RuntimeError:  # the loop has ended
                    return

    def _picture(self, frame: Any) -> None:
        scale = min(1.0, MOST_WIDTH / frame.width, MOST_HEIGHT / frame.height)
        width, height = int(frame.width * scale) // 2 * 2, int(frame.height * scale) // 2 * 2
        if min(width, height) < LEAST_SIDE:
            self.problem = f"its picture is {frame.width}×{frame.height}, the least is {LEAST_SIDE}×{LEAST_SIDE}"
            return
        planes = frame.reformat(width, height, format="yuv420p")
        data = b"".join(_plane(plane) for plane in planes.planes)
        self._loop.call_soon_threadsafe(self._show, data, width, height)

    def _hear(self, samples: bytes) -> None:
        if samples:
            self._loop.call_soon_threadsafe(self._queue_sound, samples)

    # -- on the loop

    def _show(self, data: bytes, width: int, height: int) -> None:
        from livekit import rtc

        if self._room is None:
            return
        if (width, height) != self._size:
            self._size = (width, height)
            before, self._video = self._video, None
            self._spawn(self._publish_video(width, height, before))

        def show(timestamp: int) -> None:
            # One of another size would be stretched by what is published meanwhile.
            if self._video is not None and self._room is not None and (width, height) == self._size:
                frame = rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, data)
                self._video[0].capture_frame(frame, timestamp_us=timestamp)

        self._in_step.show(show)

    async def _publish_video(self, width: int, height: int, before: Any) -> None:
        from livekit import rtc

        source = rtc.VideoSource(width, height)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            video_codec=rtc.VideoCodec.H264,
            simulcast=False,
            video_encoding=rtc.VideoEncoding(max_bitrate=int(max(1e6, width * height * 3)), max_framerate=30),
        )
        await self._publishing.publish(self._room, track, options)
        if (width, height) == self._size:
            self._video = (source, track)
        if before is not None:
            await self._room.local_participant.unpublish_track(before[1].sid)

    def _queue_sound(self, samples: bytes) -> None:
        if self._audio is None:
            from livekit import rtc

            self._audio = rtc.AudioSource(RATE, 2, loop=self._loop)
            self._spawn(self._publish_audio())
        self._in_step.say(samples, 2)

    async def _publish_audio(self) -> None:
        from livekit import rtc

        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._audio)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self._publishing.publish(self._room, track, options)
        await self._in_step.play(self._audio, 2)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._works.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._works.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("an encoder's track could not be published: %s", type(task.exception()).__name__)
            self.gone.set()

    async def aclose(self) -> None:
        """Leave the room."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._packets.get_nowait()
        self._packets.put_nowait(None)
        for work in list(self._works):
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
        self._in_step.let_go()
        room, self._room = self._room, None
        await self._publishing.leave(room)


class _Decoder:
    """A codec at work."""

    def __init__(self, first: Coded) -> None:
        import av

        self.codec = first.codec
        self.configuration = first.data if first.configures else b""
        self._context: Any = av.CodecContext.create(first.codec, "r")
        if self.configuration:
            self._context.extradata = self.configuration
        if first.kind == "video":
            self._context.thread_type = "SLICE"  # threads for whole pictures would be delay
        self._resampler: Any = None
        self._made_for: tuple[Any, ...] = ()

    def decoded(self, coded: Coded) -> list[Any]:
        """The frames that a packet gives; none of one that is damaged."""
        import av

        packet = av.Packet(coded.data)
        packet.time_base = Fraction(1, 1000)
        packet.dts, packet.pts = coded.time, coded.time + coded.shown_after
        try:
            return list(self._context.decode(packet))
        except (av.FFmpegError, ValueError) as error:
            log.info("an encoder's %s could not be decoded: %s", coded.kind, error)
            return []

    def samples(self, frame: Any) -> bytes:
        """Sound as interleaved stereo at 48 kHz, whatever it was."""
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._made_for:
            self._resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE)
            self._made_for = kind
        frame.pts = None
        return b"".join(bytes(piece.planes[0])[: piece.samples * 4] for piece in self._resampler.resample(frame))


def _plane(plane: Any) -> bytes:
    data = memoryview(plane)
    if plane.line_size == plane.width:
        return bytes(data[: plane.width * plane.height])
    return b"".join(
        bytes(data[row * plane.line_size : row * plane.line_size + plane.width]) for row in range(plane.height)
    )
