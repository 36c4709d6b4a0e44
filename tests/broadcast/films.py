"""Media files of every kind, made here."""

from __future__ import annotations

import math
import struct
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from spnb.broadcast.sources import TestCard, read_counter

__all__ = ["Taken", "film", "planes", "turned"]

RATE = 48_000


class Taken:
    """A sink that keeps what it is given, and when."""

    def __init__(self) -> None:
        self.pictures: list[tuple[float, Any]] = []
        """Monotonic seconds and brightness of each pixel."""
        self.sound: list[tuple[float, Any]] = []
        """Monotonic seconds and the left channel's samples."""
        self.reasons: list[str] = []
        self.ends = 0
        self.news = threading.Condition()

    def video(self, picture: bytearray, width: int, height: int) -> None:
        assert len(picture) == width * height * 3 // 2
        luma = np.frombuffer(bytes(picture), np.uint8, width * height).reshape(height, width)
        self._told(lambda: self.pictures.append((time.monotonic(), luma)))

    def audio(self, samples: bytes, channels: int) -> None:
        assert channels == 2
        wave = np.frombuffer(samples, np.int16).reshape(-1, 2)[:, 0]
        self._told(lambda: self.sound.append((time.monotonic(), wave)))

    def lost(self, reason: str) -> None:
        self._told(lambda: self.reasons.append(reason))

    def restored(self) -> None:
        self._told(lambda: self.reasons.append("restored"))

    def ended(self) -> None:
        def count() -> None:
            self.ends += 1

        self._told(count)

    def _told(self, change: Callable[[], None]) -> None:
        with self.news:
            change()
            self.news.notify_all()

    def until(self, true: Callable[[], Any], seconds: float = 60) -> None:
        with self.news:
            assert self.news.wait_for(true, seconds), (self.reasons, len(self.pictures), len(self.sound))

    def over(self) -> bool:
        return bool(self.ends or self.reasons)

    @property
    def numbers(self) -> list[int | None]:
        return [read_counter(luma) for _, luma in self.pictures]

    @property
    def seconds_of_sound(self) -> float:
        return sum(len(wave) for _, wave in self.sound) / RATE


def planes(number: int, width: int = 320, height: int = 180, second: float | None = None) -> Any:
    """A picture of a test card with its number; all white where a second is given and it has just begun."""
    picture = np.frombuffer(TestCard(width, height).picture(number), np.uint8).reshape(height * 3 // 2, width).copy()
    if second is not None and second % 1 < 0.1:
        picture[: height // 2] = 235
    return av.VideoFrame.from_ndarray(picture, format="yuv420p")


def tone(first: int, count: int, rate: int = RATE) -> Any:
    """A beep of a tenth of a second at each full second."""
    at = (np.arange(count) + first) / rate
    return np.where(at % 1 < 0.1, 0.5 * np.sin(2 * math.pi * 1000 * at), 0).astype(np.float32)


def film(
    path: Path,
    *,
    seconds: float = 2,
    fps: Fraction | int = 25,
    size: tuple[int, int] = (320, 180),
    sound: bool = True,
    pictures: Callable[[int], Any] | None = None,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    set_up: Callable[[Any], None] = lambda _stream: None,
) -> Path:
    """A film whose pictures are numbered and which flashes and beeps at each full second."""
    draw = pictures or (lambda number: planes(number, *size, second=float(number / fps)))
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=fps, options=options or {})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        set_up(video)
        audio: Any = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        heard = 0
        for number in range(round(seconds * fps)):
            picture = draw(number)
            picture.pts, picture.time_base = number, 1 / Fraction(fps)
            container.mux(video.encode(picture))
            while audio is not None and heard < (number + 1) / fps * RATE:
                frame = av.AudioFrame.from_ndarray(tone(heard, 1024)[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, heard, Fraction(1, RATE)
                container.mux(audio.encode(frame))
                heard += 1024
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return path


def turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """The same MP4 with a display matrix in its first track, as phones write it."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 0x10000 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(data)
    return path


def flashes(taken: Taken) -> Iterator[float]:
    """When a second's white picture was shown first."""
    before = False
    for at, luma in taken.pictures:
        white = float(luma[: luma.shape[0] // 2].mean()) > 220
        if white and not before:
            yield at
        before = white


def beeps(taken: Taken) -> Iterator[float]:
    """When a second's beep was given first: the moment its piece was due, and the sample within it."""
    before = False
    for at, wave in taken.sound:
        loud = np.abs(wave.astype(int)) > 3000
        if loud.any() and not before:
            yield at + int(loud.argmax()) / RATE
        before = bool(loud.any())
