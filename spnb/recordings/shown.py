"""The size an MP4 of several sizes is shown in.

FFmpeg names the first size there is. A stage that fills up begins with one publisher's own picture, for seconds of
hours: the track's header has the size of the whole (ISO 14496-12, 8.3.2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["shown_size"]

MOST_BOXES = 64
MOST_BYTES = 64 * 2**20
"""Of the description of a film; what is larger is not looked into."""


def shown_size(file: Any) -> tuple[int, int] | None:
    """Width and height of an MP4 whose picture has several sizes; None for one size, and for what is no MP4.

    Args:
        file: an object with `read` and `seek`; its position is where it ends.
    """
    try:
        description = _description(file)
        for start, end in _inside(description, (0, len(description)), b"trak"):
            if (size := _of_track(description, (start, end))) is not None:
                return size
    except (struct.error, OSError, ValueError):
        return None
    return None


def _description(file: Any) -> bytes:
    """The contents of `moov`, wherever it lies; empty where there is none."""
    at = 0
    for _ in range(MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return b""
        size, kind = struct.unpack_from(">I4s", head)
        begins = 8
        if size == 1:
            size, begins = struct.unpack_from(">Q", head, 8)[0], 16
        if kind == b"moov":
            if not begins <= size <= MOST_BYTES:
                return b""
            file.seek(at + begins)
            return bytes(file.read(size - begins))
        if size < begins:
            return b""
        at += size
    return b""


def _inside(data: bytes, span: tuple[int, int], wanted: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of each box of a kind lie, of those directly in `span`."""
    at, end = span
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if not 8 <= size <= end - at:
            return
        if kind == wanted:
            yield at + 8, at + size
        at += size


def _of_track(data: bytes, track: tuple[int, int]) -> tuple[int, int] | None:
    described = [track]
    for kind in (b"mdia", b"minf", b"stbl", b"stsd"):
        described = [found for span in described for found in _inside(data, span, kind)]
    if not described or struct.unpack_from(">I", data, described[0][0] + 4)[0] < 2:
        return None
    for start, end in _inside(data, track, b"tkhd"):
        width, height = (side >> 16 for side in struct.unpack_from(">II", data, end - 8))
        if start < end and width and height:
            return width, height
    return None
