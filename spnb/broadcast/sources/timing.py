"""Time stamps made one line that only goes forward: what restarts or jumps is put where the last of it ended."""

from __future__ import annotations

__all__ = ["Timeline"]

MOST_GAP = 10.0
"""Seconds that a stream may be silent by itself. A longer step is none of its content, but of its time stamps."""
MOST_BACK = 0.5
"""Seconds that a stamp may be behind the last one: decoding order and careless writers go back a little."""
NEAR = 3.0
"""Seconds within which streams that are written side by side carry the same stamps."""
STEP = 1 / 30
"""Seconds from the last stamp before a jump to the first behind it."""
REMEMBERED = 4


class Timeline:
    """Maps the time stamps of a container's streams, in the order in which they are read, to seconds since its start.

    Where stamps restart or jump (recordings that were joined, a sender that was started anew), each stream changes over
    at its own packet, and all of them by the same amount, so that sound and picture stay together.
    """

    def __init__(self) -> None:
        self._shifts: list[float] = []
        self._own: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self.reach = 0.0
        """The latest second that was given."""
        self.jumps = 0
        """How often stamps were found to have jumped."""

    def shift(self, stream: int, stamp: float) -> float:
        """Seconds to add to a packet's stamps.

        Args:
            stream: the stream's number.
            stamp: its decoding time stamp in seconds.
        """
        if not self._shifts:
            self._shifts.append(-stamp)
        own = self._own.get(stream)
        for shift in [*([own] if own is not None else []), *self._shifts]:
            if self._continues(stream, stamp + shift):
                break
        else:
            shift = self.reach + STEP - stamp
            self._shifts = [shift, *self._shifts][:REMEMBERED]
            self.jumps += 1
        self._own[stream], self._last[stream] = shift, stamp + shift
        self.reach = max(self.reach, stamp + shift)
        return shift

    def _continues(self, stream: int, at: float) -> bool:
        last = self._last.get(stream)
        if last is not None:
            if -MOST_BACK <= at - last <= MOST_GAP:
                return True
            if at < last:
                return False
        return abs(at - self.reach) <= NEAR
