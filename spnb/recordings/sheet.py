"""A contact sheet: pictures of a recording at even distances, on one page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from spnb.errors import InvalidInput
from spnb.recordings.containers import open_recording
from spnb.recordings.pieces import Source

__all__ = ["ContactSheet", "Still", "contact_sheet"]

GAP = 6
PAPER = 24
JPEG_QUALITY = 4
"""ffmpeg's scale: 2 is best, 31 worst."""


@dataclass(frozen=True, slots=True)
class Still:
    """One picture and its moment in the recording, in seconds."""

    at: float
    jpeg: bytes = field(repr=False)
    pixels: Any = field(repr=False, compare=False)


@dataclass(frozen=True)
class ContactSheet:
    """Pictures in rows. Shows itself in a notebook, with the time below each; `png` is the page as one picture."""

    stills: tuple[Still, ...]
    columns: int

    @property
    def png(self) -> bytes:
        """The page as a PNG picture."""
        height, width = self.stills[0].pixels.shape[:2]
        rows = -(-len(self.stills) // self.columns)
        page = np.full((GAP + rows * (height + GAP), GAP + self.columns * (width + GAP), 3), PAPER, np.uint8)
        for number, still in enumerate(self.stills):
            row, column = divmod(number, self.columns)
            top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
            page[top : top + height, left : left + width] = still.pixels
        return _encoded("png", page, "rgb24")

    def save(self, path: str | Path) -> Path:
        """Write the page as a PNG file."""
        target = Path(path)
        target.write_bytes(self.png)
        return target.resolve()

    def _repr_html_(self) -> str:
        shown = "".join(
            "<figure style='margin:0'>"
            f"<img alt='at {_clock(still.at)}' style='width:100%;display:block;border-radius:4px;margin:0'"
            f" src='data:image/jpeg;base64,{base64.b64encode(still.jpeg).decode()}'>"
            f"<figcaption style='font-size:0.85em;opacity:0.75;text-align:center'>{_clock(still.at)}</figcaption>"
            "</figure>"
            for still in self.stills
        )
        width = self.stills[0].pixels.shape[1]
        style = f"display:grid;grid-template-columns:repeat({self.columns},minmax(0,{width}px));gap:{GAP}px"
        return f"<div style='{style}'>{shown}</div>"

    def __repr__(self) -> str:
        return f"ContactSheet({len(self.stills)} pictures in {self.columns} columns)"


def contact_sheet(sources: Sequence[Source], *, columns: int, count: int, width: int) -> ContactSheet:
    """Pictures at the middles of `count` equal spans of all files together. Blocks; runs on a thread of its own.

    Each is the keyframe at or before its moment: of a remote file only those are fetched.

    Raises:
        InvalidInput: nothing can be shown of it.
    """
    if not (1 <= columns <= 20 and 1 <= count <= 400 and 16 <= width <= 1920):
        raise InvalidInput("a contact sheet has 1 to 20 columns, 1 to 400 pictures, each 16 to 1920 pixels wide")
    length = sum(source.duration_seconds for source in sources)
    moments = [(number + 0.5) * length / count for number in range(count)]
    stills: list[Still] = []
    height = 0
    for index, source in enumerate(sources):
        offset = sum(other.duration_seconds for other in sources[:index])
        mine = [at - offset for at in moments if offset <= at < offset + source.duration_seconds]
        if not mine:
            continue
        try:
            with open_recording(source.file) as container:
                for still in _stills(container, mine, width, height):
                    height = still.pixels.shape[0]
                    stills.append(Still(still.at + offset, still.jpeg, still.pixels))
        except av.FFmpegError as error:
            raise InvalidInput(f"a file of the recording cannot be read: {error.strerror}") from error
    if not stills:
        raise InvalidInput("the recording has no pictures to show")
    return ContactSheet(tuple(stills), min(columns, len(stills)))


def _stills(container: Any, moments: Sequence[float], width: int, height: int) -> list[Still]:
    if not container.streams.video:
        return []
    stream = container.streams.video[0]
    stream.codec_context.skip_frame = "NONKEY"
    begin = (container.start_time or 0) / av.time_base
    found = []
    for at in moments:
        container.seek(round((begin + at) * av.time_base), backward=True)
        frame = next(container.decode(stream), None)
        if frame is None:
            continue
        tall = height or max(2, round(width * frame.height / max(1, frame.width) / 2) * 2)
        pixels = frame.reformat(width // 2 * 2, tall, "rgb24").to_ndarray()
        shown = float((frame.pts or 0) * frame.time_base) - begin
        found.append(Still(max(0.0, shown), _encoded("mjpeg", pixels, "yuvj420p"), pixels))
        height = tall
    return found


def _encoded(codec: str, pixels: Any, layout: str) -> bytes:
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=layout)
    context = av.CodecContext.create(codec, "w")
    context.width, context.height = frame.width, frame.height  # type: ignore[attr-defined]
    context.pix_fmt = layout  # type: ignore[attr-defined]
    context.time_base = Fraction(1, 1)
    if codec == "mjpeg":
        context.options = {"qmin": str(JPEG_QUALITY), "qmax": str(JPEG_QUALITY)}
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]  # type: ignore[attr-defined]
    return b"".join(bytes(packet) for packet in packets)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    tail = f"{rest // 60:0{2 if hours else 1}d}:{rest % 60:02d}"
    return f"{hours}:{tail}" if hours else tail
