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

AGAIN_SECONDS = 2.0
"""Until a microphone that was lost, unplugged perhaps, is opened again."""


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
        self.close()
        self._container = self._opened()

    def _opened(self) -> Any:
        import av

        driver, name = _driver(self.device)
        try:
            container = av.open(name, format=driver)
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise SourceError(
                f"the microphone {self.device or name} cannot be opened: {reason}. Is it there, and not in use by "
                "another program? Without one: spnb.Camera(microphone=None)"
            ) from error
        if not container.streams.audio:
            container.close()
            raise SourceError(f"{name} gives no sound")
        return container

    def start(self, sink: Sink) -> None:
        """Begin to push into `sink`."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(sink, self._stop), name="spnb-microphone", daemon=True)
        self._thread.start()

    def _run(self, sink: Sink, stop: threading.Event) -> None:
        while True:
            why = self._push(sink, stop)
            if stop.is_set():
                return
            told = "the microphone gives no more sound (%s), the picture goes on; it is tried again every %g s"
            log.warning(told, why, AGAIN_SECONDS)
            self._container.close()
            while True:
                if stop.wait(AGAIN_SECONDS):
                    return
                try:
                    self._container = self._opened()
                except SourceError as error:
                    log.debug("%s", error)
                else:
                    log.info("the microphone gives sound again")
                    break

    def _push(self, sink: Sink, stop: threading.Event) -> str:
        """Push until there is no more, or no more is wanted; why there is no more."""
        import av

        resampler = av.AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
        try:
            for frame in self._container.decode(audio=0):
                if stop.is_set():
                    return ""
                for piece in resampler.resample(frame):
                    sink.audio(bytes(piece.planes[0])[: piece.samples * 4], 2)
        except av.FFmpegError as error:
            return str(error.strerror)
        return "it has come to its end"

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
