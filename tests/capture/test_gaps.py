"""What is not known of a capture, whatever the clocks have told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from spnb.analytics.capture import AsyncCapture, following
from spnb.analytics.capture.reading import _unknown
from spnb.analytics.frames import TIME
from tests.live.conftest import until

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


async def test_what_nobody_foresaw_ends_no_part_of_a_capture(
    sp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of watch sessions that breaks: a gap is open until it is read again, and the rest goes on."""
    monkeypatch.setattr(following, "VIEWS_SECONDS", 0.01)
    room = await sp.rooms.create("Broken reader")
    gaps: list[int] = []

    async def views(_room_id: str) -> list[dict[str, Any]]:
        gaps.append(capture.gaps)
        if len(gaps) == 1:
            raise KeyError("a field that nobody foresaw")
        return []

    capture = AsyncCapture(sp, [room.room_id], tmp_path / "c", views=views)
    await capture.start()
    await until(lambda: len(gaps) >= 3)
    assert gaps[:3] == [0, 1, 0]
    await capture.stop()
    steps = [step.action for step in (await capture.dataset()).quality if step.name == "gap in the capture"]
    assert any(action.startswith("it failed: KeyError") for action in steps)
