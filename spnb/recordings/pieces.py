"""Several files, one after the other, as one time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spnb.errors import InvalidInput

__all__ = ["Piece", "Source", "pieces"]


@dataclass(frozen=True, slots=True)
class Source:
    """A media file in its place: a path or file object, and how long it is."""

    file: Any
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one file, in seconds of that file."""

    file: Any
    start: float
    end: float
    offset: float
    """Where this file begins in the whole recording."""


def pieces(sources: Sequence[Source], start: float, end: float) -> Iterator[Piece]:
    """The parts that make up `start` to `end` seconds of all files together.

    Raises:
        InvalidInput: the times are no span, or lie beyond the recording.
    """
    length = sum(source.duration_seconds for source in sources)
    if not 0 <= start < end:
        raise InvalidInput(f"{start:g} to {end:g} is no span of time: give seconds, the start before the end")
    if start >= length:
        raise InvalidInput(f"the recording is {length:.1f} s long: nothing of it begins at {start:g} s")
    offset = 0.0
    for source in sources:
        begin, finish = max(start, offset), min(end, offset + source.duration_seconds)
        if begin < finish:
            yield Piece(source.file, begin - offset, finish - offset, offset)
        offset += source.duration_seconds
