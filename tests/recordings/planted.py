"""Recorded rooms in the tests' sandbox, and the numbers in their pictures."""

from __future__ import annotations

from pathlib import Path

import av

from spnb.bench.planted import film
from spnb.bench.planted import plant as plant_in
from spnb.broadcast.sources import read_counter
from tests.conftest import RunningSandbox

__all__ = ["counters", "film", "plant"]


def plant(sandbox: RunningSandbox, room_id: str, films: list[Path]) -> None:
    """Make a room of this sandbox recorded, with these films as its files."""
    plant_in(sandbox.data_dir, room_id, films)


def counters(path: Path) -> list[tuple[float, int | None]]:
    """The time and number of each picture of a film."""
    found = []
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            found.append((float(frame.pts * frame.time_base), read_counter(luma)))
    return found
