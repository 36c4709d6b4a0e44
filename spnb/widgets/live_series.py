"""`LiveSeries`: what a live chart keeps of a stream, however long it lasts."""

from __future__ import annotations

import math

__all__ = ["MOST_BINS", "LiveSeries"]

MOST_BINS = 900
"""More than a chart has room for; an hour takes 900 bins of 4 s."""


class LiveSeries:
    """Seconds in bins: most viewers, messages and reactions of each. When there are too many bins, two become one, so
    that it stays small. The page keeps the same by the same rule (`liveBins.ts`).

    Args:
        most: bins at most.
    """

    def __init__(self, most: int = MOST_BINS) -> None:
        self._most = most
        self.width = 1
        """Seconds of a bin."""
        self.viewers: list[int | None] = []
        """The most of each bin; None where nobody looked."""
        self.messages: list[int] = []
        self.reactions: list[int] = []

    def add(self, second: float, viewers: int | None, messages: int = 0, reactions: int = 0) -> None:
        """What was seen in a second of the stream.

        Args:
            second: since the stream began.
            viewers: how many watched.
            messages, reactions: how many came since the second before.
        """
        place = math.floor(max(0.0, second) / self.width)
        while place >= self._most:
            self._halve()
            place = math.floor(max(0.0, second) / self.width)
        while len(self.viewers) <= place:
            self.viewers.append(None)
            self.messages.append(0)
            self.reactions.append(0)
        if viewers is not None:
            self.viewers[place] = max(viewers, self.viewers[place] or 0)
        self.messages[place] += messages
        self.reactions[place] += reactions

    def _halve(self) -> None:
        self.width *= 2
        pairs = range(0, len(self.viewers), 2)
        self.viewers = [
            max((count for count in self.viewers[at : at + 2] if count is not None), default=None) for at in pairs
        ]
        self.messages = [sum(self.messages[at : at + 2]) for at in pairs]
        self.reactions = [sum(self.reactions[at : at + 2]) for at in pairs]
