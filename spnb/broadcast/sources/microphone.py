"""A microphone of the machine this Python runs on, beside a camera of it."""

from __future__ import annotations

import logging
import platform
import threading
from typing import Any

from spnb.broadcast.sources.base import SAMPLE_RATE, Sink
from spnb.errors import SourceError

__all__ = ["Microphone"]

log = logging.getLogger(__name__)


class Microphone:
    """Pushes a microphone's sound into a sink, from a thread of its own.

    Args:
        device: e.g. `hw:1` on Linux (ALSA; a sound server stands behind `default`), `0` on macOS, a microphone's
            name on Windows; the system's own without, but not on Windows.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device
        self._container: Any = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Open the device.

        Raises:
            SourceError: it cannot be opened; the message says what to do.
        """
        import av

        self.close()
        driver, name = _driver(self.device)
        try:
            self._container = av.open(name, format=driver)
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise SourceError(
                f"the microphone {self.device or name} cannot be opened: {reason}. Is it there, and not in use by "
                "another program? Without one: spnb.Camera(microphone=None)"
            ) from error
        if not self._container.streams.audio:
            self.close()
            raise SourceError(f"{name} gives no sound")

    def start(self, sink: Sink) -> None:
        """Begin to push into `sink`."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(sink, self._stop), name="spnb-microphone", daemon=True)
        self._thread.start()

    def _run(self, sink: Sink, stop: threading.Event) -> None:
        import av

        resampler = av.AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
        try:
            for frame in self._container.decode(audio=0):
                if stop.is_set():
                    return
                for piece in resampler.resample(frame):
                    sink.audio(bytes(piece.planes[0])[: piece.samples * 4], 2)
        except av.FFmpegError as error:
            if not stop.is_set():
                log.warning("the microphone gave no more sound, the picture goes on: %s", error.strerror)

    def close(self) -> None:
        """Stop pushing and let go of the device."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)
        container, self._container = self._container, None
        if container is not None:
            container.close()


def _driver(device: str | None) -> tuple[str, str]:
    system = platform.system()
    if system == "Linux":
        return "alsa", device or "default"
    if system == "Darwin":
        return "avfoundation", f":{device or '0'}"
    if system == "Windows" and device:
        return "dshow", f"audio={device}"
    if system == "Windows":
        raise SourceError("name the microphone on Windows: spnb.Camera('Integrated Camera', microphone='Microphone')")
    raise SourceError(f"microphones are not supported on {system}")
