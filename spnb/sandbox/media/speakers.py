"""Who speaks: from the loudness that publishers write beside each packet of sound (RFC 6464), as LiveKit reckons it."""

from __future__ import annotations

import time

__all__ = ["Loudness"]

ACTIVE_DECIBELS = 35
"""No more than this many decibels below full scale count as loud: LiveKit's `audio.active_level`."""
ACTIVE_SHARE = 0.4
"""Of the packets of an interval, so many must be loud: LiveKit's `min_percentile`."""
STALE_SECONDS = 1.0


class Loudness:
    """The loudness of one track over the last interval."""

    def __init__(self) -> None:
        self._loudest = 127
        self._loud = 0
        self._packets = 0
        self._heard_at = 0.0
        self._level = 0.0

    def packet(self, extension: bytes) -> None:
        """Take the extension of one packet: voice flag and level, in decibels below full scale."""
        below = extension[0] & 0x7F
        self._packets += 1
        if below <= ACTIVE_DECIBELS:
            self._loud += 1
            self._loudest = min(self._loudest, below)
        self._heard_at = time.monotonic()

    def level(self) -> float:
        """The level of the interval that ends now, 0 (silent) to 1; begins the next one."""
        if self._packets:
            speaks = self._loud / self._packets >= ACTIVE_SHARE
            # Rounded to eighths, so that a steady voice is not told anew each time.
            self._level = max(0.125, round(8 * 10 ** (-self._loudest / 20)) / 8) if speaks else 0.0
        elif time.monotonic() - self._heard_at > STALE_SECONDS:
            self._level = 0.0  # nothing is sent in silence
        self._loudest, self._loud, self._packets = 127, 0, 0
        return self._level
