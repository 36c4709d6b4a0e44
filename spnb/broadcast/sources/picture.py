"""Decoded pictures as players show them: turned upright, with square pixels, in the range of colours a screen has."""

from __future__ import annotations

import functools
import struct
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from spnb.broadcast.sources.base import LEAST_SIDE, packed
from spnb.errors import SourceError

__all__ = ["Fitter", "aspect_of", "display_size"]

MOST_SIDE = 3840
"""Pixels; larger pictures are made smaller, for encoders take no more."""
TURNS = {
    (1, -1): ["transpose=clock"],
    (-1, 1): ["transpose=cclock"],
    (1, 1): ["transpose=cclock_flip"],
    (-1, -1): ["transpose=clock_flip"],
}
"""Filters of pictures that lie on their side, by where a display matrix leads the axes: the latter two mirror."""
PQ, HLG = 16, 18
"""FFmpeg's AVCOL_TRC_SMPTE2084 and AVCOL_TRC_ARIB_STD_B67: the two transfer functions of HDR."""
WHITE_NITS, PEAK_NITS = 203.0, 1000.0
"""Brightness of white that is no highlight, and of the brightest that is told apart (ITU-R BT.2408)."""
KNEE = 0.6
"""Share of white up to which HDR is left as it is; what is brighter is pressed together."""
LUT_SIDE = 33

Colours = np.ndarray[Any, np.dtype[np.float64]]


def _turns(frame: Any) -> list[str]:
    """Filters that show a picture as its display matrix says, if it has one: turned, mirrored, or both."""
    from av.sidedata.sidedata import Type

    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None or len(bytes(matrix)) < 20:
        return []
    across, aside, _, down, along = struct.unpack_from("=5i", bytes(matrix))
    if abs(aside) + abs(down) > abs(across) + abs(along):
        return TURNS[1 if aside > 0 else -1, 1 if down > 0 else -1]
    return [*["hflip"] * (across < 0), *["vflip"] * (along < 0)]


def _on_its_side(frame: Any) -> bool:
    return any(step.startswith("transpose") for step in _turns(frame))


def aspect_of(stream: Any) -> Fraction:
    """The shape of a stream's pixels: their width by their height; 1 where it says nothing that makes sense."""
    told = stream.sample_aspect_ratio
    return Fraction(told) if told and Fraction(1, 20) <= told <= 20 else Fraction(1)


def _upright(frame: Any, aspect: Fraction) -> tuple[Fraction, Fraction]:
    """Width and height as shown."""
    width, height = frame.width * aspect, Fraction(frame.height)
    return (height, width) if _on_its_side(frame) else (width, height)


def display_size(frame: Any, aspect: Fraction) -> tuple[int, int]:
    """Pixels in which a decoded picture is shown: width and height, both even.

    Raises:
        SourceError: it is too small to be encoded.
    """
    width, height = _upright(frame, aspect)
    scale = min(Fraction(1), MOST_SIDE / max(width, height))
    size = int(width * scale) // 2 * 2, int(height * scale) // 2 * 2
    if min(size) < LEAST_SIDE:
        told = f"{frame.width}×{frame.height}"
        if size != (frame.width // 2 * 2, frame.height // 2 * 2):
            told += f", shown as {size[0]}×{size[1]}"
        raise SourceError(f"its picture is {told}: encoders take no less than {LEAST_SIDE}×{LEAST_SIDE}")
    return size


class Fitter:
    """Makes decoded pictures, whatever they are, I420 of one size; where the shape differs, on black.

    Args:
        width, height: pixels of what it gives, both even.
        aspect: the shape of the pixels of what it takes, width by height.
    """

    def __init__(self, width: int, height: int, aspect: Fraction = Fraction(1)) -> None:
        self.width, self.height = width, height
        self._aspect = aspect
        self._made_for: tuple[Any, ...] = ()
        self._graph: Any = None

    def fitted(self, frame: Any) -> bytearray:
        """The planes of a picture."""
        turned, aspect, bright = tuple(_turns(frame)), self._aspect, int(frame.color_trc) in (PQ, HLG)
        if (
            not turned
            and not bright
            and aspect == 1
            and (frame.width // 2, frame.height // 2)
            == (
                self.width // 2,
                self.height // 2,
            )
        ):
            return packed(frame.reformat(self.width, self.height, format="yuv420p"))
        kind = (frame.width, frame.height, frame.format.name, turned, int(frame.color_trc))
        if kind != self._made_for:
            self._graph, self._made_for = self._graph_for(frame), kind
        frame.pts = None
        self._graph.push(frame)
        return packed(self._graph.pull())

    def _graph_for(self, frame: Any) -> Any:
        import av.filter

        width, height = _upright(frame, self._aspect)
        scale = min(self.width / width, self.height / height)
        inner = max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)
        left, top = (self.width - inner[0]) // 4 * 2, (self.height - inner[1]) // 4 * 2
        steps = _turns(frame)[:]
        steps.append(f"scale={inner[0]}:{inner[1]}")
        if int(frame.color_trc) in (PQ, HLG):
            steps += ["scale=in_color_matrix=bt2020:out_range=full", "format=gbrp10le", "lut3d", "format=gbrp"]
            steps.append("scale=out_color_matrix=bt709:out_range=limited")
        steps += ["format=yuv420p", f"pad={self.width}:{self.height}:{left}:{top}:black", "setsar=1"]
        graph = av.filter.Graph()
        node = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 90_000)
        )
        with tempfile.TemporaryDirectory(prefix="spnb-") as folder:
            for step in steps:
                name, _, arguments = step.partition("=")
                if name == "lut3d":
                    table = Path(folder) / "sdr.cube"
                    table.write_text(_cube(int(frame.color_trc)))
                    made = graph.add(name, file=str(table))
                else:
                    made = graph.add(name, arguments or None)
                node.link_to(made)
                node = made
            node.link_to(graph.add("buffersink"))
            graph.configure()
        return graph


@functools.cache
def _cube(transfer: int) -> str:
    """A table from HDR colours (BT.2020) to what an ordinary screen shows (BT.709), as FFmpeg's `lut3d` reads it."""
    axis = np.linspace(0, 1, LUT_SIDE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")  # red runs fastest in the file
    sdr = _to_sdr(np.stack([red, green, blue], axis=-1).reshape(-1, 3), transfer)
    lines = [f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in sdr]
    return "\n".join([f"LUT_3D_SIZE {LUT_SIDE}", *lines, ""])


def _to_sdr(coded: Colours, transfer: int) -> Colours:
    light = (_pq_nits(coded) if transfer == PQ else _hlg_nits(coded)) / WHITE_NITS
    # From BT.2020's primaries to BT.709's (ITU-R BT.2407).
    to_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
    light = np.maximum(light @ to_709.T, 0)
    brightest = light.max(axis=1, keepdims=True)
    peak = (PEAK_NITS / WHITE_NITS - KNEE) / (1 - KNEE)
    over = np.maximum(brightest - KNEE, 0) / (1 - KNEE)
    pressed = KNEE + (1 - KNEE) * over * (1 + over / peak**2) / (1 + over)
    light = np.where(brightest > KNEE, light * pressed / np.maximum(brightest, 1e-9), light)
    shown: Colours = np.clip(light, 0, 1) ** (1 / 2.4)
    return shown


def _pq_nits(coded: Colours) -> Colours:
    """SMPTE ST 2084."""
    power = coded ** (1 / 78.84375)
    nits: Colours = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
        1 / 0.1593017578125
    )
    return nits


def _hlg_nits(coded: Colours) -> Colours:
    """ITU-R BT.2100, on a screen of 1000 cd/m²."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    nits: Colours = PEAK_NITS * scene * np.maximum(luminance, 1e-9)[:, None] ** 0.2
    return nits
