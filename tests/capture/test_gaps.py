"""What is not known of a capture, whatever the clocks have told."""

from __future__ import annotations

import pandas as pd
import pytest

from spnb.analytics.capture.reading import _unknown
from spnb.analytics.frames import TIME

BEGAN = pd.Timestamp("2026-03-01T18:00:00Z")


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fraction", ["0ms", "1us", "1ns"])
def test_a_gap_without_an_end_lasts_until_the_end_or_until_now(fraction: str) -> None:
    gaps = pd.DataFrame({"room_id": ["over", "live", "once"], "table": "status", "why": "not there"})
    gaps["start"] = pd.Series([BEGAN] * 3, dtype=TIME)
    gaps["end"] = pd.Series([pd.NaT, pd.NaT, BEGAN + pd.Timedelta("1s")], dtype=TIME)
    ended = pd.Series([BEGAN + pd.Timedelta("5s"), pd.NaT], dtype=TIME)
    rooms = pd.DataFrame({"room_id": ["over", "live"], "ended_at": ended})
    (step,) = _unknown(gaps, rooms, BEGAN + pd.Timedelta("10s") + pd.Timedelta(fraction))
    assert (step.table, step.rows) == ("status", 3)
    assert step.action == "not there: nothing known of 16.0 s in 3 streams"
    (step,) = _unknown(gaps, rooms, None)
    assert step.action == "not there: nothing known of 6.0 s in 2 streams"
