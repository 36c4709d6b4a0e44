"""What files, cameras and addresses have in common: a container, decoded and pushed at the pace of its time stamps."""

from __future__ import annotations

import logging
import threading
from typing import Any

from spnb.broadcast.sources.base import SAMPLE_RATE, Pace, Sink, ThreadedSource
from spnb.broadcast.sources.notice import Notice
from spnb.broadcast.sources.picture import Fitter, aspect_of, display_size
from spnb.broadcast.sources.reading import Reader
from spnb.errors import SourceError

__all__ = ["Decoded", "Sound"]

log = logging.getLogger(__name__)

CARD_SIZE, CARD_FPS = (1280, 720), 5.0
LATE_SECONDS = 0.25
"""A picture that is later than this is left out where the one before was shown a moment ago."""
SHOWN_SECONDS = 0.5
FILE_AHEAD = 30.0
"""Seconds that streams of a file may be apart in it: writers put them side by side, within a few seconds."""
TEXT_FORMATS = {"tty"}
"""FFmpeg's demuxers that take a text for pictures of a terminal."""


class Sound:
    """Sound of any layout and rate made stereo at 48 kHz; either may change at any time."""

    def __init__(self) -> None:
        self._resampler: Any = None
        self._made_for: tuple[Any, ...] = ()

    def converted(self, frame: Any) -> list[bytes]:
        """A decoded frame as interleaved 16-bit samples, in pieces."""
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        pieces: list[Any] = []
        if kind != self._made_for:
            if self._resampler is not None:
                pieces += self._resampler.resample(None)
            self._resampler = av.AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
            self._made_for = kind
        frame.pts = None
        pieces += self._resampler.resample(frame)
        return [bytes(piece.planes[0])[: piece.samples * 4] for piece in pieces]


class Decoded(ThreadedSource):
    """Decodes a container and pushes its pictures and sound, each at the pace of its own time stamps."""

    threads = "AUTO"
    """How its decoder works: with threads for whole pictures, which is delay, or for parts of one."""
    ahead = FILE_AHEAD

    def __init__(self) -> None:
        super().__init__()
        self.width, self.height, self.fps = 0, 0, 0.0
        self._container: Any = None
        self._reader: Reader | None = None
        self._fitter: Fitter | None = None
        self._card: bytes | None = None

    def _open(self) -> Any:
        raise NotImplementedError

    def _name(self) -> str:
        return "the source"

    def open(self) -> None:
        """Open the container, and look what is in it by decoding its first picture."""
        self._release()
        try:
            self._look(self._open())
        except BaseException:
            self._release()
            raise

    def _look(self, container: Any) -> None:
        import av

        self._container = container
        if container.format.name in TEXT_FORMATS:
            raise SourceError(f"{self._name()} is a text, no picture or sound")
        video = next((one for one in container.streams.video if not _is_cover(one)), None)
        audio = next((one for one in container.streams.audio if one.codec_context is not None), None)
        if video is None and audio is None:
            raise SourceError(f"{self._name()} has neither picture nor sound")
        if video is not None and video.codec_context is None:
            raise SourceError(f"the picture of {self._name()} is of a kind that cannot be decoded here")
        self.has_audio = audio is not None
        rate = float((video.average_rate or video.guessed_rate or 30) if video is not None else CARD_FPS)
        self.fps = min(60.0, max(1.0, rate))
        streams = [stream for stream in (video, audio) if stream is not None]
        self._reader = Reader(container, streams, fps=self.fps, ahead=self.ahead, told=self._left_out)
        if video is not None:
            video.thread_type = self.threads
        try:
            first = self._reader.peek(streams[0])
        except av.FFmpegError as error:
            raise SourceError(f"{self._name()} cannot be read: {error.strerror}") from error
        if first is None:
            raise SourceError(f"nothing in {self._name()} can be decoded: is it damaged, or cut off?")
        if video is not None:
            try:
                self.width, self.height = display_size(first, aspect_of(video))
            except SourceError as error:
                raise SourceError(f"{self._name()} cannot be sent: {error}") from None
            self._fitter, self._card = Fitter(self.width, self.height, aspect_of(video)), None
        else:
            self.width, self.height = CARD_SIZE
            self._fitter, self._card = None, self._card or self._cover() or bytes(Notice("AUDIO", *CARD_SIZE).picture)

    def _cover(self) -> bytes | None:
        """The picture that lies beside sound: an album's cover."""
        import av

        try:
            with self._open() as container:
                cover = next((one for one in container.streams.video if _is_cover(one)), None)
                frame = next(container.decode(cover), None) if cover is not None else None
                return None if frame is None else bytes(Fitter(*CARD_SIZE).fitted(frame))
        except (av.FFmpegError, ValueError) as error:
            log.info("the cover of %s cannot be shown: %s", self._name(), error)
            return None

    def _left_out(self, what: str) -> None:
        log.warning("%s: %s", self._name(), what)

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Push one pass of the container."""
        if self._reader is None:
            self.open()
        self._push_all(sink, Pace(stop), 0.0)
        if not stop.is_set():
            sink.ended()

    def _push_all(self, sink: Sink, pace: Pace, offset: float) -> float:
        """Push everything, the first frame at `offset` seconds; returns where the last one ended.

        Raises:
            SourceError: nothing more can be read, or there was nothing to begin with.
        """
        import av

        reader, fitter, sound = self._reader, self._fitter, Sound()
        assert reader is not None  # noqa: S101 - opened before
        end, shown, card_due = offset, -1.0, offset
        try:
            while (found := reader.next()) is not None:
                due = offset + found[0]
                if not pace.until(due):
                    return end
                if isinstance(found[1], av.VideoFrame):
                    end = max(end, due + 1 / self.fps)
                    if pace.now - due > LATE_SECONDS and pace.now - shown < SHOWN_SECONDS:
                        continue
                    shown = pace.now
                    if fitter is not None:
                        sink.video(fitter.fitted(found[1]), self.width, self.height)
                    continue
                if self._card is not None and due >= card_due:
                    card_due = due + 1 / CARD_FPS
                    sink.video(bytearray(self._card), self.width, self.height)
                for samples in sound.converted(found[1]):
                    sink.audio(samples, 2)
                    end = max(end, due + len(samples) / 4 / SAMPLE_RATE)
        except av.FFmpegError as error:
            raise SourceError(f"{self._name()} gave no more media: {error.strerror}") from error
        if end == offset:
            raise SourceError(f"nothing in {self._name()} can be played")
        return end

    def close(self) -> None:
        """Stop pushing and close the container."""
        super().close()
        self._release()

    def _release(self) -> None:
        container, self._container, self._reader = self._container, None, None
        if container is not None:
            container.close()


def _is_cover(stream: Any) -> bool:
    import av.stream

    return bool(stream.disposition & av.stream.Disposition.attached_pic)
