"""Every odd file that people have met plays, as long and as large as it is, or is refused in words."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import av
import pytest

from spnb.broadcast.sources import MediaFile
from spnb.broadcast.sources.base import SAMPLE_RATE
from spnb.broadcast.sources.decoded import Sound
from spnb.errors import SourceError
from tests.broadcast.odd_files import PLAYED, REFUSED


@pytest.mark.parametrize("kind", PLAYED)
def test_what_can_be_played_is(kind: str, tmp_path: Path) -> None:
    wanted = PLAYED[kind]
    source = MediaFile(wanted.make(tmp_path / "odd"))
    source.open()
    assert (source.width, source.height) == wanted.size
    reader, fitter, sound = source._reader, source._fitter, Sound()
    assert reader is not None
    shown: list[float] = []
    heard, heard_at = 0, [0.0]
    while (found := reader.next()) is not None:
        due, frame = found
        if isinstance(frame, av.VideoFrame):
            assert fitter is not None
            planes: Any = fitter.fitted(frame)
            assert len(planes) == source.width * source.height * 3 // 2
            shown.append(due)
        else:
            heard += sum(len(samples) for samples in sound.converted(frame))
            heard_at.append(due)
    source.close()
    assert len(shown) >= wanted.pictures
    # Neither pushed all at once nor waited for: each is due a moment after the one before.
    assert all(-wanted.back <= later - earlier < 1.5 for earlier, later in itertools.pairwise(shown))
    assert max([*shown, *heard_at]) <= wanted.seconds + 0.6
    assert max(shown, default=wanted.seconds) >= 0.6 * wanted.seconds - 0.4
    assert abs(heard / 4 / SAMPLE_RATE - wanted.sound) <= 0.2 + 0.2 * wanted.sound
    assert source.has_audio == bool(wanted.sound)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_played_says_why(kind: str, tmp_path: Path) -> None:
    make, why = REFUSED[kind]
    source = MediaFile(make(tmp_path / "odd"))
    with pytest.raises(SourceError, match=why):
        source.open()
