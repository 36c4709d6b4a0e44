"""Media files and cameras, both through FFmpeg (PyAV)."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spnb._arguments import checked_class
from spnb.broadcast.sources.base import Pace, Sink
from spnb.broadcast.sources.decoded import CARD_FPS, Decoded
from spnb.broadcast.sources.microphone import Microphone
from spnb.errors import InvalidInput, SourceError
from spnb.recordings.containers import open_local

__all__ = ["Camera", "MediaFile"]


@checked_class
class MediaFile(Decoded):
    """Pictures and sound of a media file, at their own pace, as a player shows them.

    A picture is turned upright and given square pixels; one that changes its size is fitted into that of the first. HDR
    is brought into the range of ordinary screens. Sound alone goes out with its cover, or a card. What is damaged is
    left out, and told in the log; time stamps that jump or are missing are made good.

    Args:
        path: the file; anything FFmpeg reads that is 16×16 or more.
        loop: begin again at the end instead of ending.
    """

    def __init__(self, path: str | Path, *, loop: bool = False) -> None:
        super().__init__()
        self.path = Path(path)
        self._told = str(path)
        self.loop = loop

    def _name(self) -> str:
        return str(self.path)

    def _open(self) -> Any:
        import av

        if "://" in self._told:
            raise SourceError("an address is no file: give spnb.LiveURL(address)")
        if not self.path.is_file():
            raise SourceError(f"there is no file {self.path}")
        try:
            return open_local(self.path)
        except (av.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceError(f"{self.path} is no media file that can be read: {reason}") from error

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Push the file once, or again and again."""
        if self._reader is None:
            self.open()
        pace, end, size = Pace(stop), 0.0, (self.width, self.height)
        while True:
            began, end = end, self._push_all(sink, pace, end)
            if stop.is_set():
                return
            if not self.loop:
                sink.ended()
                return
            if not self.has_audio and end - began < 1.5 / self.fps:
                end = began + 1 / CARD_FPS  # a still picture: often enough
            # Opened anew: a decoder that has seen the end would have to be reset stream by stream.
            self.open()
            if (self.width, self.height) != size:
                raise SourceError(f"{self.path} has become another file meanwhile")

    def __repr__(self) -> str:
        return f"MediaFile({self.path.name!r}, loop={self.loop})"


@checked_class
class Camera(Decoded):
    """A camera of the machine this Python runs on (the browser's camera is another matter).

    Args:
        device: e.g. `/dev/video0` on Linux, `0` on macOS, a camera's name on Windows; the first one without.
        width: pixels to ask the camera for.
        height: likewise.
        fps: pictures per second to ask it for.
        microphone: the one beside it: True for the system's own, or a device, e.g. `hw:1` (ALSA) on Linux, `0` on
            macOS, its name on Windows; no sound with None.
    """

    threads = "SLICE"
    ahead = 0.3

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
        if not (device is None or isinstance(device, str)):
            raise InvalidInput(f"a camera is named by a text, e.g. '/dev/video0', not by a {type(device).__name__}")
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
