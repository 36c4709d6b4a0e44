"""Equal bins over the live windows of many rooms, laid end to end, so that one count serves all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.windows import NEVER, Whole, Windows, moments_of
from spnb.errors import InvalidInput

__all__ = ["Bins", "bin_milliseconds"]

MOST_BINS = 50_000_000


def bin_milliseconds(seconds: float) -> int:
    """A bin's width in whole milliseconds.

    Raises:
        InvalidInput: it is not longer than a millisecond.
    """
    width = round(seconds * 1000) if np.isfinite(seconds) else 0
    if width < 1:
        raise InvalidInput(f"bins must last at least 0.001 s, not {seconds!r}")
    return width


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of `width` milliseconds from each room's beginning; the last one may reach beyond its end.

    Attributes:
        windows: the rooms.
        width: of a bin, in milliseconds.
        sizes: bins of each room.
        offsets: place of each room's first bin, and one more: the number of all bins.
    """

    windows: Windows
    width: int
    sizes: Whole
    offsets: Whole

    @classmethod
    def of(cls, windows: Windows, width: int) -> Bins:
        """Bins over these windows; rooms without a window have none, an empty window has one.

        Raises:
            InvalidInput: there would be too many.
        """
        known = (windows.begin != NEVER) & (windows.finish != NEVER)
        length = np.where(known, windows.finish - windows.begin, 0)
        sizes = np.where(known, np.maximum(1, -(-length // width)), 0)
        if sizes.sum() > MOST_BINS:
            raise InvalidInput(f"{sizes.sum()} bins of {width / 1000:g} s are too many: make them longer")
        return cls(windows, width, sizes, np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes))))

    def places(self, room: Whole, at: Whole) -> Whole:
        """The bin of each moment, -1 outside the live window. The very end of a window belongs to its last bin."""
        begin, finish = self.windows.begin[room], self.windows.finish[room]
        inside = (self.sizes[room] > 0) & (at >= begin) & (at <= finish)
        number = np.minimum((at - begin) // self.width, self.sizes[room] - 1)
        made: Whole = np.where(inside, self.offsets[room] + number, -1)
        return made

    def counted(self, room: Whole, at: Whole, weights: NDArray[Any] | None = None) -> Whole:
        """How many moments fall into each bin, or the sum of their weights."""
        places = self.places(room, at)
        kept = places >= 0
        total = int(self.offsets[-1])
        if weights is None:
            made: Whole = np.bincount(places[kept], minlength=total)
            return made
        return np.rint(np.bincount(places[kept], weights[kept], total)).astype(np.int64)

    @property
    def room(self) -> Whole:
        """The room of each bin."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def number(self) -> Whole:
        """Number of each bin within its room, from 0."""
        return np.arange(int(self.offsets[-1])) - self.offsets[self.room]

    def frame(self) -> pd.DataFrame:
        """`room_id, at, seconds` of each bin's beginning."""
        room, number = self.room, self.number
        return pd.DataFrame(
            {
                "room_id": self.windows.names[room],
                "at": moments_of(self.windows.begin[room] + number * self.width),
                "seconds": number * (self.width / 1000.0),
            }
        )
