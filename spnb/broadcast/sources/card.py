"""A test card with a running clock and a tone, and a frame counter that machines can read."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime
from typing import Any

import numpy as np

from spnb._arguments import checked_class
from spnb.broadcast.sources.base import SAMPLE_RATE, Pace, Sink, ThreadedSource
from spnb.broadcast.sources.glyphs import text_mask
from spnb.errors import InvalidInput

__all__ = ["TestCard", "draw_counter", "read_counter"]

BITS = 20
CHECK_BITS = 4
BLOCKS = BITS + CHECK_BITS + 4
"""The counter's row: white, black, 20 bits of the number, 4 of its check, white, black."""
BLACK, WHITE = 16, 235
BARS = ((235, 128, 128), (210, 16, 146), (170, 166, 16), (145, 54, 34), (106, 202, 222), (81, 90, 240), (41, 240, 110))
"""White, yellow, cyan, green, magenta, red, blue in studio-range YUV (BT.601)."""
TONE_HZ, BEEP_HZ = 440.0, 1000.0
BEEP_SECONDS = 0.1

Plane = np.ndarray[Any, np.dtype[np.uint8]]


@checked_class
class TestCard(ThreadedSource):
    """Colour bars, clock, sweep, and a soft tone that beeps with a flash every second.

    Args:
        width: pixels, even, at least 160.
        height: pixels, even, at least 90.
        fps: pictures per second.
        tone: whether there is sound.
    """

    __test__ = False  # its name looks like a test class to test runners

    def __init__(self, width: int = 1280, height: int = 720, fps: float = 30, *, tone: bool = True) -> None:
        super().__init__()
        if width < 160 or height < 90 or width % 2 or height % 2:
            raise InvalidInput(f"a test card is at least 160×90 with even sides, not {width}×{height}")
        if not 1 <= fps <= 60:
            raise InvalidInput(f"a test card has 1 to 60 pictures a second, not {fps:g}")
        self.width, self.height, self.fps = width, height, float(fps)
        self.has_audio = tone
        self._base = self._drawn()
        self._scale = max(1, height // 90)
        self._digits: dict[str, np.ndarray[Any, np.dtype[np.bool_]]] = {}

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Draw and push, in step with the clock."""
        pace = Pace(stop)
        number = 0
        sent_samples = 0
        while pace.until(number / self.fps):
            sink.video(self.picture(number), self.width, self.height)
            if self.has_audio:
                wanted = int((number + 1) / self.fps * SAMPLE_RATE)
                sink.audio(tone(sent_samples, wanted - sent_samples), 1)
                sent_samples = wanted
            number += 1
            late = int(pace.now * self.fps) - number
            if late > 0:
                number += late  # drop what is late rather than drift
                sent_samples = int(number / self.fps * SAMPLE_RATE)

    def picture(self, number: int, at: datetime | None = None) -> bytearray:
        """Picture `number` as I420; `at` is what its clock shows (now, without)."""
        frame = bytearray(self._base)
        luma = np.frombuffer(frame, np.uint8, self.width * self.height).reshape(self.height, self.width)
        second = number / self.fps
        self._draw_clock(luma, at or datetime.now().astimezone())
        self._draw_sweep(luma, second)
        if second % 1.0 < BEEP_SECONDS:
            side = self.height // 10
            luma[side : 2 * side, -2 * side : -side] = WHITE
        draw_counter(luma, number)
        return frame

    def _draw_clock(self, luma: Plane, at: datetime) -> None:
        text = at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"
        scale = self._scale
        top, left = self.height * 46 // 100, (self.width - (len(text) * 6 - 1) * scale) // 2
        for letter in text:
            mask = self._digits.get(letter)
            if mask is None:
                mask = self._digits[letter] = text_mask(letter, scale)
            luma[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = WHITE
            left += 6 * scale

    def _draw_sweep(self, luma: Plane, second: float) -> None:
        top, bottom = self.height * 62 // 100, self.height * 70 // 100
        wide = max(4, self.width // 40)
        left = int((self.width - wide) * (0.5 - 0.5 * np.cos(second * np.pi / 2)))
        luma[top:bottom, left : left + wide] = WHITE

    def _drawn(self) -> bytes:
        """Everything that does not move, drawn once."""
        width, height = self.width, self.height
        luma = np.full((height, width), 32, np.uint8)
        blue = np.full((height // 2, width // 2), 138, np.uint8)
        red = np.full((height // 2, width // 2), 122, np.uint8)
        edges = np.linspace(0, width // 2, len(BARS) + 1).astype(int)
        bars = height * 38 // 100 // 2
        for (y, u, v), left, right in zip(BARS, edges[:-1], edges[1:], strict=True):
            luma[: 2 * bars, 2 * left : 2 * right] = y
            blue[:bars, left:right] = u
            red[:bars, left:right] = v
        ramp = np.linspace(BLACK, WHITE, width).astype(np.uint8)
        luma[height * 74 // 100 : height * 82 // 100, :] = ramp
        luma[height * 62 // 100 : height * 70 // 100, :] = 56
        scale = max(1, height // 240)
        label = text_mask(f"SPNB TEST CARD · {width} X {height}", scale)
        top, left = height * 57 // 100, (width - label.shape[1]) // 2
        if left > 0:
            luma[top : top + label.shape[0], left : left + label.shape[1]][label] = 180
        return luma.tobytes() + blue.tobytes() + red.tobytes()


def tone(start: int, count: int) -> bytes:
    """`count` samples of the card's sound from sample number `start` on: a soft tone, each second a beep."""
    index = np.arange(start, start + count)
    second = index / SAMPLE_RATE
    beeping = (second % 1.0) < BEEP_SECONDS
    wave = np.where(beeping, 0.35 * np.sin(2 * np.pi * BEEP_HZ * second), 0.04 * np.sin(2 * np.pi * TONE_HZ * second))
    return bytes((wave * 32767).astype(np.int16).tobytes())


def _bits(number: int) -> list[int]:
    value = number % (1 << BITS)
    check = _check(value)
    bits = [value >> shift & 1 for shift in range(BITS - 1, -1, -1)]
    return [1, 0, *bits, *(check >> shift & 1 for shift in range(CHECK_BITS - 1, -1, -1)), 1, 0]


def _check(value: int) -> int:
    return (value ^ value >> 4 ^ value >> 8 ^ value >> 12 ^ value >> 16 ^ 0b1010) & 0b1111


def draw_counter(luma: Plane, number: int) -> None:
    """Write `number` into the bottom of a luma plane, where `read_counter` finds it."""
    height, width = luma.shape
    edges = np.linspace(0, width, BLOCKS + 1).astype(int)
    for index, bit in enumerate(_bits(number)):
        luma[-height // 12 :, edges[index] : edges[index + 1]] = WHITE if bit else BLACK


def read_counter(luma: Plane) -> int | None:
    """The number of a test card's picture, read back from its luma plane, of any size and after lossy coding.

    Args:
        luma: brightness of the picture, shape (height, width).

    Returns:
        The number modulo 2**20, or None where the picture shows no (readable) counter.
    """
    height, width = luma.shape
    row = luma[height - height // 24 - 1, :].astype(int)
    edges = np.linspace(0, width, BLOCKS + 1)
    values = [
        float(row[int(a + (b - a) * 0.3) : int(a + (b - a) * 0.7) + 1].mean()) for a, b in itertools.pairwise(edges)
    ]
    if min(values[0], values[-2]) - max(values[1], values[-1]) < 80:
        return None
    middle = (values[0] + values[1]) / 2
    bits = [int(value > middle) for value in values[2:-2]]
    number = int("".join(map(str, bits[:BITS])), 2)
    return number if int("".join(map(str, bits[BITS:])), 2) == _check(number) else None
