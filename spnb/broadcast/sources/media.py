"""Media files and cameras, both through FFmpeg (PyAV)."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spnb.broadcast.sources.base import SAMPLE_RATE, Pace, Sink, ThreadedSource, packed
from spnb.broadcast.sources.microphone import Microphone
from spnb.errors import SourceError
from spnb.recordings.containers import open_local

__all__ = ["Camera", "MediaFile"]


class _Decoded(ThreadedSource):
    """Decodes a container and pushes its pictures and sound at the pace of their time stamps."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.height, self.fps = 0, 0, 0.0
        self._container: Any = None

    def _open(self) -> Any:
        raise NotImplementedError

    def open(self) -> None:
        """Open the container and look what is in it."""
        self._release()
        self._container = container = self._open()
        if not container.streams.video:
            self._release()
            raise SourceError(f"{self._name()} has no video")
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        self.width, self.height = video.width // 2 * 2, video.height // 2 * 2
        self.fps = float(video.average_rate or video.guessed_rate or 30)
        self.has_audio = bool(container.streams.audio)

    def _name(self) -> str:
        return "the source"

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Push one pass of the container."""
        if self._container is None:
            self.open()
        self._push_all(sink, Pace(stop), 0.0)
        if not stop.is_set():
            sink.ended()

    def _push_all(self, sink: Sink, pace: Pace, offset: float) -> float:
        """Push everything, the first frame at `offset` seconds; returns where the last one ended."""
        import av

        container = self._container
        video = container.streams.video[0]
        streams = [video, *container.streams.audio[:1]]
        resampler = av.AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
        first: float | None = None
        end = offset
        try:
            for frame in container.decode(*streams):
                if frame.pts is None:
                    continue
                at = float(frame.pts * frame.time_base)
                first = at if first is None else first
                due = offset + at - first
                if not pace.until(due):
                    return end
                if isinstance(frame, av.VideoFrame):
                    end = max(end, due + 1 / self.fps)
                    picture = frame.reformat(self.width, self.height, format="yuv420p")
                    sink.video(packed(picture), self.width, self.height)
                else:
                    for piece in resampler.resample(frame):
                        sink.audio(bytes(piece.planes[0])[: piece.samples * 4], 2)
                        end = max(end, due + piece.samples / SAMPLE_RATE)
        except av.FFmpegError as error:
            raise SourceError(f"{self._name()} gave no more media: {error.strerror}") from error
        return end

    def close(self) -> None:
        """Stop pushing and close the container."""
        super().close()
        self._release()

    def _release(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            container.close()


class MediaFile(_Decoded):
    """Pictures and sound of a media file, at their own pace.

    Args:
        path: the file; anything FFmpeg reads.
        loop: begin again at the end instead of ending.
    """

    def __init__(self, path: str | Path, *, loop: bool = False) -> None:
        super().__init__()
        self.path = Path(path)
        self.loop = loop

    def _name(self) -> str:
        return str(self.path)

    def _open(self) -> Any:
        import av

        if not self.path.is_file():
            raise SourceError(f"there is no file {self.path}")
        try:
            return open_local(self.path)
        except av.FFmpegError as error:
            raise SourceError(f"{self.path} is no media file that can be read: {error.strerror}") from error

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Push the file once, or again and again."""
        if self._container is None:
            self.open()
        pace, end = Pace(stop), 0.0
        while True:
            end = self._push_all(sink, pace, end)
            if stop.is_set():
                return
            if not self.loop:
                sink.ended()
                return
            # Opened anew: a decoder that has seen the end would have to be reset stream by stream.
            self._release()
            self._container = self._open()

    def __repr__(self) -> str:
        return f"MediaFile({self.path.name!r}, loop={self.loop})"


class Camera(_Decoded):
    """A camera of the machine this Python runs on (the browser's camera is another matter).

    Args:
        device: e.g. `/dev/video0` on Linux, `0` on macOS, a camera's name on Windows; the first one without.
        width, height, fps: what to ask the camera for.
        microphone: the one beside it: True for the system's own, or a device, e.g. `hw:1` (ALSA) on Linux, `0` on
            macOS, its name on Windows; no sound with None.
    """

    def __init__(
        self,
        device: str | None = None,
        *,
        width: int = 1280,
        height: int = 720,
        fps: float = 30,
        microphone: str | bool | None = None,
    ) -> None:
        super().__init__()
        self.device = device
        name = microphone if isinstance(microphone, str) else None
        self._microphone = Microphone(name) if microphone else None
        self._wish = (width, height, fps)
        self.width, self.height, self.fps = width, height, fps

    def open(self) -> None:
        """Open the camera, and the microphone where one was asked for."""
        super().open()
        if self._microphone is not None:
            try:
                self._microphone.open()
            except SourceError:
                self._release()
                raise
            self.has_audio = True

    def start(self, sink: Sink) -> None:
        """Begin to push into `sink`."""
        if self._microphone is not None:
            self._microphone.start(sink)
        super().start(sink)

    def close(self) -> None:
        """Let go of both."""
        if self._microphone is not None:
            self._microphone.close()
        super().close()

    def _name(self) -> str:
        return f"the camera {self.device or ''}".rstrip()

    def _open(self) -> Any:
        import av

        width, height, fps = self._wish
        options = {"video_size": f"{width}x{height}", "framerate": f"{fps:g}"}
        driver, device = _driver(self.device)
        try:
            return av.open(device, format=driver, options=options)
        except (av.FFmpegError, OSError) as error:
            reason = error.strerror or type(error).__name__
            raise SourceError(
                f"the camera {device} cannot be opened: {reason}. Is it there, and not in use by another program? "
                "A test card works everywhere: spnb.TestCard()"
            ) from error


def _driver(device: str | None) -> tuple[str, str]:
    drivers: dict[str, Callable[[], tuple[str, str]]] = {
        "Linux": lambda: ("v4l2", device or "/dev/video0"),
        "Darwin": lambda: ("avfoundation", f"{device or '0'}:none"),
        "Windows": lambda: ("dshow", f"video={device}" if device else ""),
    }
    found = drivers.get(platform.system())
    if found is None:
        raise SourceError(f"cameras are not supported on {platform.system()}")
    driver, name = found()
    if not name:
        raise SourceError("name the camera on Windows: spnb.Camera('Integrated Camera')")
    return driver, name
