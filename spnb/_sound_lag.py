"""Sound that is played in real time behind a queue: what waits there for good is late against the picture."""

from __future__ import annotations

import math

__all__ = ["SoundLag"]

MOST_SECONDS = 0.03
"""Sound may be so late; a piece comes in one go, and is played bit by bit."""
LOOK_SECONDS = 1.0
"""Over so long the least that waited is taken: the rest is pieces that come unevenly."""


class SoundLag:
    """Finds how much too late sound is, and so how much of it is to be left out.

    A machine that is busy for a moment gives sound late, and then all of it at once: what is played meanwhile is
    silence, and from then on everything would come later by as much.
    """

    def __init__(self) -> None:
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
