"""Sound that was held up is brought back to its picture; sound that comes unevenly is left as it is."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from spnb._sound_lag import SoundLag

PIECE = 0.01


def lag_at_end(pieces: Iterable[tuple[float, float]]) -> tuple[float, int]:
    """How late the last piece is played, and how many were left out, of pieces that were made and given so."""
    lag, played, late, left_out = SoundLag(), 0.0, 0.0, 0
    for came, taken in pieces:
        if lag.leaves_out(taken, PIECE):
            left_out += 1
            continue
        played = max(played, taken) + PIECE
        late = played - PIECE - came
    return late, left_out


@pytest.mark.parametrize("size", [1, 2, 4, 10])
def test_pieces_in_their_time_are_all_played(size: int) -> None:
    times = [(number // size * size * PIECE,) * 2 for number in range(1000)]
    assert lag_at_end(times) == (pytest.approx((size - 1) * PIECE), 0)


def test_what_a_busy_moment_held_up_is_late_no_more() -> None:
    held = [
        (number * PIECE, max(number * PIECE, 3.0) if 2.0 < number * PIECE < 3.0 else number * PIECE)
        for number in range(1000)
    ]
    late, left_out = lag_at_end(held)
    assert late <= 0.03
    assert 0.9 <= left_out * PIECE <= 1.1
