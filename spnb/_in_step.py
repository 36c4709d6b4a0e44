"""Sound that LiveKit plays in real time behind a queue, and pictures that wait as long as their sound does."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

__all__ = ["InStep", "SoundLag"]

RATE = 48_000
CUSHION_SECONDS = 0.04
"""Of silence go before sound where nothing waits: the next piece may come so late, and nothing breaks off."""
MOST_SECONDS = CUSHION_SECONDS + 0.03
"""Sound may be so late; a piece comes in one go, and is played bit by bit."""
LOOK_SECONDS = 1.0
"""Over so long the least that waited is taken: the rest is pieces that come unevenly."""
PIECE_SECONDS = 0.01
"""LiveKit takes whole pieces of so long; what is left out is several of them."""
HEARD_SECONDS = 0.032
"""By how much sound is later than it is played from the queue: LiveKit takes it by 10 ms at a time, labels a packet of
20 ms once it is full, and Opus looks 6.5 ms ahead. Measured: `spnb bench in-step`."""
QUIET_SECONDS = 1.0
"""A picture waits for no sound where there has been none for so long."""
MOST_HELD = 0.5
"""Nor longer than this."""
SURE_SECONDS, TRIES = 0.01, 4
"""Sound is played from when LiveKit has the first of it: asked for anew, so often, until that is known so well."""
MOST_WAITING = 1.0
"""Seconds of sound that may wait until LiveKit takes them: more would put sound behind the picture."""


class SoundLag:
    """Knows what waits in the queue: how late sound is, and so how much of it is to be left out.

    A machine that is busy for a moment gives sound late, and then all of it at once: what is played meanwhile is
    silence, and from then on everything would come later by as much.

    Until that is made good, and for the rest that keeps sound from breaking off, pictures are as late as it is.
    """

    def __init__(self) -> None:
        self._shown = 0.0
        self._played = 0.0
        self._least = math.inf
        self._looked = 0.0
        self._excess = 0.0

    def leaves_out(self, now: float, seconds: float) -> bool:
        """Whether the next piece is to be left out, rather than handed to the queue.

        Args:
            now: seconds of the monotonic clock.
            seconds: how long it sounds.
        """
        self._least = min(self._least, max(0.0, self._played - now))
        if now - self._looked >= LOOK_SECONDS:
            late = self._looked and self._least > MOST_SECONDS
            self._excess = self._least - CUSHION_SECONDS if late else 0.0
            self._least, self._looked = math.inf, now
        if self._excess >= seconds:
            self._excess -= seconds
            return True
        self._played = max(self._played, now) + seconds
        return False

    def kept(self, now: float, samples: bytes, second: int) -> bytes:
        """What of some sound is to be handed to the queue, with silence before it where nothing waits there.

        Args:
            now: seconds of the monotonic clock.
            samples: whole pieces of 10 ms.
            second: bytes of a second.
        """
        piece = round(second * PIECE_SECONDS)
        pieces = [samples[at : at + piece] for at in range(0, len(samples), piece)]
        if pieces and self.empty(now):
            pieces = [bytes(piece)] * round(CUSHION_SECONDS / PIECE_SECONDS) + pieces
        return b"".join(each for each in pieces if not self.leaves_out(now, PIECE_SECONDS))

    def empty(self, now: float) -> bool:
        """Whether nothing waits."""
        return self._played <= now

    def began(self, at: float, seconds: float) -> None:
        """So much sound is played from this moment on, and nothing else waits."""
        self._played = at + seconds

    def shown_at(self, now: float, waits: float = 0.0) -> float:
        """When a picture is to be shown whose sound is handed in right now; never before an earlier one.

        Args:
            now: seconds of the monotonic clock.
            waits: seconds of sound before it that are not in the queue yet.
        """
        late = 0.0
        if now - self._played < QUIET_SECONDS:
            late = min(MOST_HELD, max(0.0, self._played - now) + waits + HEARD_SECONDS)
        self._shown = max(self._shown + 1e-6, now + late)
        return self._shown


class InStep:
    """Sound and pictures on their way to LiveKit; used on the loop.

    Args:
        loop: that loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lag = SoundLag()
        self._sound: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
        self._waits = 0.0
        """Seconds of sound that LiveKit has not been given yet."""
        self._held: set[asyncio.TimerHandle] = set()

    def show(self, show: Callable[[int], None]) -> None:
        """Call this when the sound that comes now is heard, with that time in µs, so that a picture goes with it."""
        at = self._lag.shown_at(time.monotonic(), self._waits)

        def due() -> None:
            self._held.discard(timer)
            show(round(at * 1e6))

        timer = self._loop.call_at(at, due)
        self._held.add(timer)

    def let_go(self) -> None:
        """No picture that waits is shown."""
        for timer in self._held:
            timer.cancel()
        self._held.clear()

    def say(self, samples: bytes, channels: int) -> None:
        """Sound, interleaved, to be played as soon as may be."""
        while self._waits > MOST_WAITING and not self._sound.empty():
            self._next(*self._sound.get_nowait())
        self._sound.put_nowait((samples, channels))
        self._waits += len(samples) / 2 / channels / RATE

    def _next(self, samples: bytes, channels: int) -> None:
        self._waits = max(0.0, self._waits - len(samples) / 2 / channels / RATE)

    def hush(self, source: Any) -> None:
        """Nothing that waits is played.

        Args:
            source: LiveKit's, whose queue is emptied too.
        """
        self._drop()
        self._lag.began(time.monotonic(), 0.0)
        source.clear_queue()

    def _drop(self) -> None:
        while not self._sound.empty():
            self._sound.get_nowait()
        self._waits = 0.0

    async def play(self, source: Any, channels: int) -> None:
        """Hand sound to LiveKit, until called off; what was said before is not heard, as its pictures are not seen.

        Args:
            source: `rtc.AudioSource`, new.
            channels: of the source.
        """
        await self._begin(source, channels)
        waiting, piece = b"", round(RATE * PIECE_SECONDS) * 2 * channels
        while True:
            said = [await self._sound.get()]
            while not self._sound.empty():  # a busy machine has little time for each call
                said.append(self._sound.get_nowait())
            waiting += b"".join(_mixed(samples, given, channels) for samples, given in said)
            whole = len(waiting) // piece * piece
            kept, waiting = waiting[:whole], waiting[whole:]
            try:
                await self._hand(source, channels, kept)
            finally:
                for samples, given in said:
                    self._next(samples, given)

    async def _begin(self, source: Any, channels: int) -> None:
        """Find out from when on LiveKit plays, with silence."""
        silence = bytes(round(RATE * CUSHION_SECONDS) * 2 * channels)
        for _ in range(TRIES):
            source.clear_queue()
            asked = time.monotonic()
            await _capture(source, channels, silence)
            taken = time.monotonic()
            self._lag.began((asked + taken) / 2, CUSHION_SECONDS)
            if taken - asked <= SURE_SECONDS:
                break
        self._drop()

    async def _hand(self, source: Any, channels: int, samples: bytes) -> None:
        asked = time.monotonic()
        empty = self._lag.empty(asked)
        samples = self._lag.kept(asked, samples, RATE * 2 * channels)
        if not samples:
            return
        await _capture(source, channels, samples)
        if empty:
            # It is played from some moment in between on.
            self._lag.began((asked + time.monotonic()) / 2, len(samples) / 2 / channels / RATE)


async def _capture(source: Any, channels: int, samples: bytes) -> None:
    from livekit import rtc

    await source.capture_frame(rtc.AudioFrame(samples, RATE, channels, len(samples) // 2 // channels))


def _mixed(samples: bytes, given: int, wanted: int) -> bytes:
    if given == wanted:
        return samples
    import numpy as np

    sound = np.frombuffer(samples, np.int16)
    mixed: Any = np.repeat(sound, 2) if wanted == 2 else sound.reshape(-1, 2).mean(axis=1).astype(np.int16)
    return bytes(mixed.tobytes())
