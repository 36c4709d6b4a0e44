"""VP8's running numbers and temporal layers (RFC 7741): numbers go on when layers change or pictures are left out."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MOST_TEMPORAL", "Place", "Vp8Shift", "place"]

MOST_TEMPORAL = 3
"""The highest temporal layer there can be: two bits."""


class _Numbers(NamedTuple):
    """Where a payload descriptor has its numbers, and what they are; a position of 0 means absent."""

    picture_at: int
    picture: int
    wide: bool
    base_at: int
    base: int


class Place(NamedTuple):
    """Where a packet's picture stands among the others."""

    temporal: int
    """Its temporal layer: pictures of lower ones do without it."""
    begins: bool
    """Whether the picture begins with this packet."""
    sync: bool
    """Whether it needs no picture but those of the lowest layer: from here on its layer can be shown."""


def place(payload: bytes) -> Place | None:
    """The temporal layer of a payload; None where it names none."""
    if len(payload) < 2 or not payload[0] & 0x80 or not payload[1] & 0x20:
        return None
    flags, at = payload[1], 2
    if flags & 0x80:
        at += 2 if len(payload) > at and payload[at] & 0x80 else 1
    if flags & 0x40:
        at += 1
    if len(payload) <= at:
        return None
    return Place(payload[at] >> 6, payload[0] & 0x17 == 0x10, bool(payload[at] & 0x20))


def _numbers(payload: bytes) -> _Numbers | None:
    if len(payload) < 2 or not payload[0] & 0x80:
        return None
    flags, at = payload[1], 2
    picture_at = picture = base_at = base = 0
    wide = False
    if flags & 0x80:
        if len(payload) <= at + 1:
            return None
        picture_at, wide = at, bool(payload[at] & 0x80)
        picture = (payload[at] & 0x7F) << 8 | payload[at + 1] if wide else payload[at]
        at += 2 if wide else 1
    if flags & 0x40:
        if len(payload) <= at:
            return None
        base_at, base = at, payload[at]
    return _Numbers(picture_at, picture, wide, base_at, base)


class Vp8Shift(NamedTuple):
    """What is added to the numbers of a layer so that they go on where another layer's ended."""

    picture: int
    base: int

    @classmethod
    def between(cls, ended: bytes, begins: bytes) -> Vp8Shift | None:
        """The shift that makes the payload `begins` follow on `ended`; None where they have no numbers."""
        before, after = _numbers(ended), _numbers(begins)
        if before is None or after is None:
            return None
        return cls((before.picture + 1 - after.picture) & 0x7FFF, (before.base + 1 - after.base) & 0xFF)

    def without_one(self) -> Vp8Shift:
        """The shift for what follows on a picture that was left out."""
        return Vp8Shift((self.picture - 1) & 0x7FFF, self.base)

    def applied(self, payload: bytes) -> bytes:
        """The payload with its numbers shifted, of the same length."""
        found = _numbers(payload)
        if found is None:
            return payload
        changed = bytearray(payload)
        if found.picture_at:
            picture = found.picture + self.picture
            if found.wide:
                changed[found.picture_at] = 0x80 | picture >> 8 & 0x7F
                changed[found.picture_at + 1] = picture & 0xFF
            else:
                changed[found.picture_at] = picture & 0x7F
        if found.base_at:
            changed[found.base_at] = found.base + self.base & 0xFF
        return bytes(changed)
