"""Direct streaming: picture and sound are encoded here, once, and pushed to an RTMP address."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from spnb._proxies import through
from spnb._push import Push
from spnb.broadcast.events import BroadcastStats
from spnb.broadcast.options import Format, Intent
from spnb.broadcast.publisher import ConnectionRefused, PublisherEvents
from spnb.broadcast.restream import Copies, EncodedPacket, Manner, opened_flv, reach, reason_of
from spnb.broadcast.sources.base import SAMPLE_RATE
from spnb.broadcast.sources.picture import Fitter
from spnb.errors import BroadcastError
from spnb.ice import IceServer

__all__ = ["RtmpPublisher"]

log = logging.getLogger(__name__)

LEAVE_SECONDS = 5.0
MOST_WAITING = 60
"""Pictures and pieces of sound that may wait for the encoder; where it is too slow, the newest are left out."""
KEYFRAME_SECONDS = 2
AUDIO_BITS = 128_000
LATE_SECONDS = 0.15
"""Sound that is missing for so long is silence: services want a sound track that goes on."""


class RtmpPublisher:
    """A connection that pushes over RTMP(S). Its sink methods may be called from any thread.

    Args:
        intent: what the host wants.
        events: what is told.
        copies: what each packet goes to as well.
    """

    def __init__(self, intent: Intent, events: PublisherEvents, copies: Copies) -> None:
        self._intent = intent
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._copies = copies
        self._url = ""
        self._file: Any = None
        self._container: Any = None
        self._line: Push | None = None
        self._waiting: queue.Queue[tuple[float, str, Any] | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._left = False
        self._format: Format | None = None
        self._sent = [0, 0]
        """Bytes and pictures so far."""
        self._before: tuple[float, int, int] | None = None

    async def connect(self, url: str, _token: str, _ice: Sequence[IceServer] = ()) -> None:
        """Take the address. It holds the stream key, so it is told to nobody; a call is made once there is a format."""
        self._url = url

    def write_to(self, file: Any) -> None:
        """Take a file in place of an address."""
        self._file = file

    async def publish(self, wanted: Format) -> None:
        """Connect, and push in this format. A connection keeps the size it began with: what follows is fitted into it.

        Raises:
            ConnectionRefused: the address refused, or is not reachable.
            BroadcastError: the encoder does not take the format.
        """
        if self._thread is not None:
            return
        streams = await asyncio.to_thread(self._opened, wanted)
        self._format = wanted
        self._thread = threading.Thread(target=self._push, args=(streams,), name="spnb-rtmp", daemon=True)
        self._thread.start()

    def _opened(self, wanted: Format) -> tuple[Any, Any]:
        import av

        file = self._file
        if file is None:
            try:
                file = self._line = reach(self._url)
            except OSError as error:
                where = f"the RTMP address refused the connection{through(self._url)}"
                raise ConnectionRefused(f"{where}: {reason_of(error)}") from None
        try:
            self._container = opened_flv(file)
            streams = self._streams(wanted)
            self._container.start_encoding()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise BroadcastError(f"the encoder does not take this format: {type(error).__name__}") from None
        return streams

    def _streams(self, wanted: Format) -> tuple[Any, Any]:
        options = self._intent.video
        rate = Fraction(wanted.fps).limit_denominator(1001)
        bits = options.bits(wanted.width, wanted.height, wanted.fps)
        coding = {"preset": "veryfast", "tune": "zerolatency", "g": str(max(1, round(rate * KEYFRAME_SECONDS)))}
        coding |= {"maxrate": str(bits), "bufsize": str(bits)}
        video = self._container.add_stream("libx264", rate=rate, options=coding)
        video.width, video.height, video.pix_fmt, video.bit_rate = wanted.width, wanted.height, "yuv420p", bits
        video.codec_context.time_base = Fraction(1, 1000)
        audio = self._container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        audio.bit_rate = self._intent.audio.bitrate or AUDIO_BITS
        return video, audio

    async def encoding(self) -> None:
        """Nothing to wait for."""

    # -- the sink

    def video(self, picture: bytearray, width: int, height: int) -> None:
        """A picture, for the encoder."""
        self._put("video", (picture, width, height))

    def audio(self, samples: bytes, channels: int) -> None:
        """Sound, for the encoder."""
        self._put("audio", (samples, channels))

    def _put(self, what: str, content: Any) -> None:
        if self._thread is not None and not self._left:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait((time.monotonic(), what, content))

    def lost(self, reason: str) -> None:
        """The broadcast hears of its source by itself."""

    def restored(self) -> None:
        """The broadcast hears of its source by itself."""

    def ended(self) -> None:
        """The broadcast hears of its source by itself."""

    # -- in its thread

    def _push(self, streams: tuple[Any, Any]) -> None:
        import av

        encoding = _Encoding(self._container, *streams, sent=self._sent, copies=self._copies)
        try:
            while (item := self._waiting.get()) is not None:
                at, what, content = item
                if what == "video":
                    encoding.picture(at, *content)
                else:
                    encoding.sound(at, *content)
            encoding.end()
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = reason_of(error)
            log.info("an RTMP connection broke: %s", reason)
            if not self._left and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._broke, f"the RTMP connection broke: {reason}")

    def _broke(self, reason: str) -> None:
        if not self._left:
            self._left = True
            self._events.disconnected(reason)

    # -- the rest

    def heed(self, intent: Intent) -> None:
        """Mute and volume take effect before what is pushed here."""
        self._intent = intent

    async def stats(self) -> BroadcastStats | None:
        """How the last second went."""
        now, (sent, pictures) = time.monotonic(), self._sent
        before, self._before = self._before, (now, sent, pictures)
        if before is None or self._format is None:
            return None
        seconds = max(1e-3, now - before[0])
        return BroadcastStats(
            at=now,
            bitrate_kbps=(sent - before[1]) * 8 / 1000 / seconds,
            fps=(pictures - before[2]) / seconds,
            width=self._format.width,
            height=self._format.height,
            loss=0.0,
            rtt_ms=0.0,
            jitter_ms=0.0,
            limited_by="none",
            packets_sent=pictures,
            packets_lost=0,
        )

    async def leave(self) -> None:
        """Say good-bye and hang up."""
        self._left = True
        await asyncio.to_thread(self._hang_up)

    def _hang_up(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=LEAVE_SECONDS)
            thread.join(LEAVE_SECONDS)
        container, self._container = self._container, None
        line, self._line = self._line, None
        if line is not None and thread is not None and thread.is_alive():
            line.kill()
            thread.join(LEAVE_SECONDS)
        if container is not None and (thread is None or not thread.is_alive()):
            with contextlib.suppress(OSError, ValueError):
                container.close()
        if line is not None:
            line.close()


class _Encoding:
    """Encoders at work, and the container they write to."""

    def __init__(self, container: Any, video: Any, audio: Any, *, sent: list[int], copies: Copies) -> None:
        self._container, self._video, self._audio = container, video, audio
        self._copies, self._manner = copies, Manner(video, audio)
        self._fitter = Fitter(video.width, video.height)
        self._sent = sent
        self._began: float | None = None
        self._last = -1
        self._samples = 0

    def _since(self, at: float) -> float:
        if self._began is None:
            self._began = at
        return at - self._began

    def picture(self, at: float, picture: bytearray, width: int, height: int) -> None:
        """Encode a picture."""
        import av

        since = self._since(at)
        rows = np.frombuffer(picture, np.uint8).reshape(height * 3 // 2, width)
        frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
        if (width, height) != (self._video.width, self._video.height):
            planes = np.frombuffer(self._fitter.fitted(frame), np.uint8)
            frame = av.VideoFrame.from_ndarray(planes.reshape(-1, self._video.width), format="yuv420p")
        frame.pts, frame.time_base = max(self._last + 1, round(since * 1000)), Fraction(1, 1000)
        self._last = frame.pts
        self._mux("video", self._video.encode(frame))
        self._sent[1] += 1
        self._silence_until(since - LATE_SECONDS)

    def sound(self, at: float, samples: bytes, channels: int) -> None:
        """Encode sound."""
        self._silence_until(self._since(at) - LATE_SECONDS)
        wave = np.frombuffer(samples, np.int16)
        self._encode(np.repeat(wave, 2) if channels == 1 else wave)

    def _silence_until(self, seconds: float) -> None:
        missing = int(seconds * SAMPLE_RATE) - self._samples
        if missing > 0:
            self._encode(np.zeros(missing * 2, np.int16))

    def _encode(self, wave: Any) -> None:
        import av

        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._samples, Fraction(1, SAMPLE_RATE)
        self._samples += len(wave) // 2
        self._mux("audio", self._audio.encode(frame))

    def _mux(self, kind: Literal["video", "audio"], packets: list[Any]) -> None:
        for packet in packets:
            self._sent[0] += packet.size
            if self._copies.all:
                at = (self._began or 0.0) + float(packet.pts * packet.time_base)
                self._copies.put(EncodedPacket(kind, bytes(packet), at, packet.is_keyframe, self._manner))
            self._container.mux(packet)

    def end(self) -> None:
        """Write what the encoders hold back."""
        self._mux("video", self._video.encode(None))
        self._mux("audio", self._audio.encode(None))
