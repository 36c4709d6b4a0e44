"""What is encoded anew: several pictures in one, a codec that HLS players do not take, a picture that stands still.

Costs what decoding each and encoding one picture costs, so it is done only where what a publisher sends cannot be taken
as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType

from spnb.sandbox.media.frames import TapTrack
from spnb.sandbox.recorder.layout import Arrangement, Place
from spnb.sandbox.recorder.picture import CLOCK, card, h264_encoder

__all__ = ["Composition"]

BACKGROUND = (24, 128, 128)
"""Dark grey, in Y, U and V."""


class _Tile:
    """One publisher: its decoder and newest picture."""

    def __init__(self, track: TapTrack) -> None:
        self.track = track
        self.picture: Any = None
        self.drawn = False
        self._waiting = True
        self._decoder: Any = av.CodecContext.create(track.codec, "r")
        self._decoder.thread_count = 1

    def add(self, data: bytes, *, keyframe: bool) -> bool:
        """Decode a frame; whether there is a new picture."""
        if self._waiting and not keyframe:
            return False
        self._waiting = False
        try:
            pictures = self._decoder.decode(av.Packet(data))
        except av.FFmpegError:
            self._waiting = True
            self.track.request_keyframe()
            return False
        if pictures:
            self.picture = pictures[-1]
            self.drawn = False
        return bool(pictures)


class Composition:
    """Decodes the tracks that are shown, and encodes H.264 of what they show.

    One publisher's picture keeps its size, made even; several share one of `several`; with none the last that was seen
    is held, or a card where nothing was.

    Args:
        several: width and height of a picture of several publishers.
    """

    def __init__(self, several: tuple[int, int] = (1280, 720)) -> None:
        self._several = several
        self._arrangement = Arrangement()
        self._tiles: dict[str, _Tile] = {}
        self._held: Any = None
        self._arranged: tuple[object, ...] = ()
        self._encoder: Any = None
        self._pts = -1
        self.size = (0, 0)

    def arrange(self, tracks: Sequence[TapTrack]) -> None:
        """Which tracks are shown, in their order; each new one is asked for a key frame."""
        before = self._shown()
        kept = {track.sid: self._tiles.get(track.sid) for track in tracks}
        if before and not any(tile is not None and tile.picture is not None for tile in kept.values()):
            self._held = before[0].picture
        for track in tracks:
            if kept[track.sid] is None:
                track.request_keyframe()
        self._tiles = {track.sid: kept[track.sid] or _Tile(track) for track in tracks}

    def lay_out(self, arrangement: Arrangement) -> None:
        """Show several publishers so, from the next picture on."""
        self._arrangement = arrangement
        self._arranged = ()

    def prime(self, sid: str, frames: Iterable[bytes]) -> None:
        """Give a track's frames since its last key frame, so that it shows at once."""
        tile = self._tiles.get(sid)
        if tile is not None and tile.picture is None:
            for number, data in enumerate(frames):
                tile.add(data, keyframe=number == 0)

    def add(self, sid: str, data: bytes, *, keyframe: bool) -> bool:
        """Take a frame; whether it makes a new picture."""
        tile = self._tiles.get(sid)
        return tile is not None and tile.add(data, keyframe=keyframe)

    def _shown(self) -> list[_Tile]:
        return [tile for tile in self._tiles.values() if tile.picture is not None]

    def __len__(self) -> int:
        """How many tracks have something to show."""
        return len(self._shown())

    def __contains__(self, sid: str) -> bool:
        return sid in self._tiles

    @property
    def lead(self) -> str | None:
        """The first track that shows something: its pictures set the pace."""
        return next((tile.track.sid for tile in self._shown()), None)

    @property
    def picture(self) -> Any:
        """The picture of the first publisher; the last one, or None, where there is none."""
        shown = self._shown()
        return shown[0].picture if shown else self._held

    def begin(self, position: float) -> bytes:
        """A key frame of what is shown now, of the size that suits it; the encoding may differ from before."""
        shown = self._shown()
        if len(shown) > 1:
            size = self._several
        else:
            picture = self.picture
            size = (picture.width // 2 * 2, picture.height // 2 * 2) if picture is not None else (0, 0)
            if min(size) < 16:
                size = CARD
        if size != self.size:
            self.size, self._encoder, self._arranged = size, None, ()
        return self._encode(position, PictureType.I)

    def next(self, position: float) -> bytes:
        """A picture of what is shown now, of the size that was begun with."""
        return self._encode(position, PictureType.NONE)

    def _encode(self, position: float, kind: PictureType) -> bytes:
        width, height = self.size
        if self._encoder is None:
            self._encoder = h264_encoder(width, height)
            self._canvas = np.empty((height * 3 // 2, width), np.uint8)
            flat = self._canvas.reshape(-1)
            quarter = width * height // 4
            self._planes = (
                flat[: quarter * 4].reshape(height, width),
                flat[quarter * 4 : quarter * 5].reshape(height // 2, width // 2),
                flat[quarter * 5 :].reshape(height // 2, width // 2),
            )
        self._draw()
        picture = av.VideoFrame.from_ndarray(self._canvas, format="yuv420p")
        self._pts = picture.pts = max(self._pts + 1, round(position * CLOCK))
        picture.time_base = Fraction(1, CLOCK)
        picture.pict_type = kind
        # Without look-ahead and B frames each picture comes out as it goes in.
        return b"".join(bytes(packet) for packet in self._encoder.encode(picture))

    def _draw(self) -> None:
        shown = self._shown()
        arranged = tuple((tile.track.sid, tile.picture.width, tile.picture.height) for tile in shown)
        anew = arranged != self._arranged or not shown
        if anew:
            self._arranged = arranged
            for plane, shade in zip(self._planes, BACKGROUND, strict=True):
                plane[:] = shade
        if not shown:
            picture = self._held if self._held is not None else card(*self.size)
            self._put(picture, Place(0, 0, *self.size).fit(picture.width, picture.height))
            return
        identities = [tile.track.identity for tile in shown]
        screens = [tile.track.source == "screen_share" for tile in shown]
        spots = self._arrangement.places(identities, screens, *self.size)
        # What lies above a large picture is drawn again with it.
        order = sorted(
            zip(shown, spots, self._arrangement.large(identities, screens), strict=True), key=lambda drawn: not drawn[2]
        )
        beneath = False
        for tile, place, large in order:
            if anew or beneath or not tile.drawn:
                tile.drawn = True
                beneath = beneath or large
                self._put(tile.picture, place.fit(tile.picture.width, tile.picture.height))

    def _put(self, picture: Any, place: Place) -> None:
        scaled = picture.reformat(place.width, place.height, format="yuv420p")
        for number, (plane, target) in enumerate(zip(scaled.planes, self._planes, strict=True)):
            half = 2 if number else 1
            wide, high = place.width // half, place.height // half
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:high, :wide]
            top, left = place.y // half, place.x // half
            target[top : top + high, left : left + wide] = rows


CARD = (640, 360)
"""Size of the picture while nobody has sent one."""
