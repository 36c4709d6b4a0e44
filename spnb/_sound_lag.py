"""Sound that is played in real time behind a queue: what waits there is late, and its picture waits as long."""

from __future__ import annotations

import math

__all__ = ["SoundLag"]

MOST_SECONDS = 0.03
"""Sound may be so late; a piece comes in one go, and is played bit by bit."""
LOOK_SECONDS = 1.0
"""Over so long the least that waited is taken: the rest is pieces that come unevenly."""
PIECE_SECONDS = 0.01
"""What is left out is so long, or several times that."""
HEARD_SECONDS = 0.025
"""By how much sound is later than it is handed in where nothing waits: LiveKit takes it by 10 ms at a time, labels a
packet of 20 ms once it is full, and Opus looks 6.5 ms ahead. Measured: `spnb bench sound_and_picture`."""
QUIET_SECONDS = 1.0
"""A picture waits for no sound where there has been none for so long."""
MOST_HELD = 0.5
"""Nor longer than this."""


class SoundLag:
    """Finds how much too late sound is, and so how much of it is to be left out.

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
            self._excess = self._least if self._looked and self._least > MOST_SECONDS else 0.0
            self._least, self._looked = math.inf, now
        if self._excess >= seconds:
            self._excess -= seconds
            return True
        self._played = max(self._played, now) + seconds
        return False

    def kept(self, now: float, samples: bytes, second: int) -> bytes:
        """What of some sound is to be handed to the queue.

        Args:
            now: seconds of the monotonic clock.
            samples: whole pieces of 10 ms.
            second: bytes of a second.
        """
        piece = round(second * PIECE_SECONDS)
        pieces = [samples[at : at + piece] for at in range(0, len(samples), piece)]
        return b"".join(each for each in pieces if not self.leaves_out(now, PIECE_SECONDS))

    def shown_at(self, now: float) -> float:
        """When a picture is to be shown whose sound is handed in right now; never before an earlier one."""
        late = 0.0
        if now - self._played < QUIET_SECONDS:
            late = min(MOST_HELD, max(0.0, self._played - now) + HEARD_SECONDS)
        self._shown = max(self._shown + 1e-6, now + late)
        return self._shown
