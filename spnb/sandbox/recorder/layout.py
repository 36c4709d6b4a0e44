"""Where publishers' pictures go in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Place", "layout", "places"]

INSET_SHARE, INSET_MARGIN = 5, 16
"""A camera beside a shared screen is a fifth as wide as the picture, so many pixels from its edge."""


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the composed picture, in pixels, all even."""

    x: int
    y: int
    width: int
    height: int

    def fit(self, width: int, height: int) -> Place:
        """Where a picture of this size goes in it: as large as it can be, in the middle, not distorted."""
        scale = min(self.width / width, self.height / height)
        wide, high = (max(2, int(side * scale) // 2 * 2) for side in (width, height))
        return Place(
            self.x + (self.width - wide) // 4 * 2,
            self.y + (self.height - high) // 4 * 2,
            wide,
            high,
        )


def places(count: int, width: int, height: int) -> list[Place]:
    """Where `count` publishers go: two side by side, more in a grid, row by row."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    wide, high = width // columns // 2 * 2, height // rows // 2 * 2
    return [Place(number % columns * wide, number // columns * high, wide, high) for number in range(count)]


def layout(screens: Sequence[bool], width: int, height: int) -> list[Place]:
    """Where pictures go, of which some are shared screens: these large, cameras small in the corner below right.

    Args:
        screens: of each picture, whether it is a shared screen.
        width, height: of the whole, in pixels.
    """
    large = places(max(1, sum(screens)), width, height)
    if not any(screens):
        return places(len(screens), width, height)
    wide, high = width // INSET_SHARE // 2 * 2, height // INSET_SHARE // 2 * 2
    room = (width - 2 * INSET_MARGIN - wide) // max(1, len(screens) - len(large) - 1)
    step = min(wide + INSET_MARGIN, room // 2 * 2)
    found, shared, cameras = [], iter(large), 0
    for screen in screens:
        if screen:
            found.append(next(shared))
            continue
        found.append(Place(width - INSET_MARGIN - wide - cameras * step, height - INSET_MARGIN - high, wide, high))
        cameras += 1
    return found
