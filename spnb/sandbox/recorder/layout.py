"""Where publishers' pictures go in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spnb._stage_layout import Shape, layout_of

__all__ = ["Arrangement", "Place", "arrangement_of", "layout", "places"]

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


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a host wants several publishers shown: in which shape, and whose picture is the large one of it."""

    shape: Shape = "side-by-side"
    focus: str = ""
    """An identity; whoever comes first where it is not there."""

    def places(self, identities: Sequence[str], screens: Sequence[bool], width: int, height: int) -> list[Place]:
        """Where pictures go. A shared screen is the large one, whatever was wished."""
        large = self.large(identities, screens)
        if any(screens) or self.shape == "picture-in-picture":
            return layout(large, width, height)
        if self.shape == "spotlight" and len(identities) > 1:
            return spotlight(large.index(True), len(identities), width, height)
        return places(len(identities), width, height)

    def large(self, identities: Sequence[str], screens: Sequence[bool]) -> list[bool]:
        """Of each picture, whether it lies large beneath others, or beside them."""
        if any(screens) or self.shape == "side-by-side":
            return list(screens)
        first = identities.index(self.focus) if self.focus in identities else 0
        return [number == first for number in range(len(identities))]


def arrangement_of(metadata: object) -> Arrangement:
    """What a room's metadata tells of it; see `layout_of`."""
    told = layout_of(metadata)
    return Arrangement(told.shape, told.focus or "")


def spotlight(large: int, count: int, width: int, height: int) -> list[Place]:
    """One picture large, the others in a column on its right."""
    wide = width // INSET_SHARE // 2 * 2
    high = min(wide * height // width, height // (count - 1)) // 2 * 2
    first = (height - high * (count - 1)) // 4 * 2
    column = [Place(width - wide, first + number * high, wide, high) for number in range(count - 1)]
    return [*column[:large], Place(0, 0, width - wide, height), *column[large:]]


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
