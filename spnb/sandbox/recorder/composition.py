"""Several publishers in one picture: decoded, put side by side, encoded anew.

Costs what decoding each and encoding one 720p picture costs, so it is done only while there are several.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType

from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder.picture import CLOCK, KEYFRAME_SECONDS, h264_encoder

__all__ = ["Composition", "Place", "places"]

STALL_SECONDS = 0.1
"""When the first publisher has given no picture for so long, another's moves the composition on."""
BEHIND_SECONDS, SPARE_SECONDS = 1.0, 0.1
"""When this far behind, a picture is composed only so often: a machine that is too slow gives fewer, not later ones."""
BACKGROUND = (24, 128, 128)
"""Dark grey, in Y, U and V."""


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


class _Tile:
    """One publisher: its decoder and newest picture."""

    def __init__(self, track: TapTrack) -> None:
        self.track = track
        self.picture: Any = None
        self.drawn = False
        self._waiting = True
        self._decoder: Any = av.CodecContext.create(track.codec, "r")
        self._decoder.thread_count = 1
        track.request_keyframe()

    def add(self, frame: EncodedFrame) -> bool:
        """Decode a frame; whether there is a new picture."""
        if self._waiting and not frame.keyframe:
            return False
        self._waiting = False
        try:
            pictures = self._decoder.decode(av.Packet(frame.data))
        except av.FFmpegError:
            self._waiting = True
            self.track.request_keyframe()
            return False
        if pictures:
            self.picture = pictures[-1]
            self.drawn = False
        return bool(pictures)


class Composition:
    """Composes H.264 from the frames of several tracks, with a key frame every two seconds.

    Args:
        size: of the composed picture.
    """

    def __init__(self, size: tuple[int, int] = (1280, 720)) -> None:
        self.size = width, height = size
        self._tiles: dict[str, _Tile] = {}
        self._arranged: tuple[tuple[str, int, int], ...] = ()
        self._canvas = np.empty((height * 3 // 2, width), np.uint8)
        flat = self._canvas.reshape(-1)
        quarter = width * height // 4
        self._planes = (
            flat[: quarter * 4].reshape(height, width),
            flat[quarter * 4 : quarter * 5].reshape(height // 2, width // 2),
            flat[quarter * 5 :].reshape(height // 2, width // 2),
        )
        self._encoder = h264_encoder(width, height)
        self._begun = False
        self._last = self._last_key = -math.inf

    def arrange(self, tracks: Sequence[TapTrack]) -> None:
        """Which tracks are shown, in their order; each new one is asked for a key frame."""
        self._tiles = {track.sid: self._tiles.get(track.sid) or _Tile(track) for track in tracks}

    def __contains__(self, sid: str) -> bool:
        return sid in self._tiles

    def __len__(self) -> int:
        return len(self._tiles)

    def picture_size(self, sid: str) -> tuple[int, int]:
        """Width and height of a publisher's own picture."""
        picture = self._tiles[sid].picture
        return (picture.width, picture.height) if picture is not None else (0, 0)

    def add(self, sid: str, frame: EncodedFrame, position: float) -> Iterator[tuple[bytes, float, bool]]:
        """Take a frame that belongs at `position`; yields `(access unit, seconds, key frame)` once two show."""
        if not self._tiles[sid].add(frame):
            return
        shown = {known: tile for known, tile in self._tiles.items() if tile.picture is not None}
        self._begun = self._begun or len(shown) > 1
        leads = sid == next(iter(shown))
        if not self._begun or not (leads or position - self._last > STALL_SECONDS):
            return
        if time.monotonic() - frame.arrived > BEHIND_SECONDS and position - self._last < SPARE_SECONDS:
            return
        self._draw(list(shown.values()))
        yield from self._encode(max(position, self._last + 1 / CLOCK))

    def _draw(self, shown: list[_Tile]) -> None:
        arranged = tuple((tile.track.sid, tile.picture.width, tile.picture.height) for tile in shown)
        if arranged != self._arranged:
            self._arranged = arranged
            for plane, shade in zip(self._planes, BACKGROUND, strict=True):
                plane[:] = shade
            for tile in shown:
                tile.drawn = False
        for tile, place in zip(shown, places(len(shown), *self.size), strict=True):
            if not tile.drawn:
                tile.drawn = True
                self._put(tile.picture, place.fit(tile.picture.width, tile.picture.height))

    def _put(self, picture: Any, place: Place) -> None:
        scaled = picture.reformat(place.width, place.height, format="yuv420p")
        for number, (plane, target) in enumerate(zip(scaled.planes, self._planes, strict=True)):
            half = 2 if number else 1
            wide, high = place.width // half, place.height // half
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:high, :wide]
            top, left = place.y // half, place.x // half
            target[top : top + high, left : left + wide] = rows

    def _encode(self, position: float) -> Iterator[tuple[bytes, float, bool]]:
        picture = av.VideoFrame.from_ndarray(self._canvas, format="yuv420p")
        picture.pts = round(position * CLOCK)
        picture.time_base = Fraction(1, CLOCK)
        picture.pict_type = PictureType.NONE
        if position - self._last_key >= KEYFRAME_SECONDS:
            self._last_key = position
            picture.pict_type = PictureType.I
        self._last = position
        for packet in self._encoder.encode(picture):
            yield bytes(packet), position, packet.is_keyframe
