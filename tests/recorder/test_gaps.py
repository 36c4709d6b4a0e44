"""What is missing in a recording is told with its own reason and its own time, however much goes wrong at once."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from pathlib import Path

import pytest

from spnb.sandbox.recorder import Gap, Recorder, RecorderSettings
from spnb.sandbox.recorder import room as room_recording
from tests.live.conftest import until
from tests.recorder.test_recorder import Feeder, encoded_pictures

SLOW = "the recorder is too slow for what arrives: frames are left out"
GONE = "nothing more can be recorded: No such file or directory"


async def test_each_trouble_is_told_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_recording, "RETRY_SECONDS", 0.05)
    told: list[list[Gap]] = [[]]
    recorder = Recorder(
        tmp_path,
        on_ready=lambda _room: None,
        on_problem=lambda _room, _problem: None,
        settings=RecorderSettings(most_waiting=100),
        clock=lambda: 0.0,
    )
    recorder.on_gaps = lambda _room, gaps: told.append(list(gaps))
    recording = recorder.record("room")
    recording.unreadable("a track of nobody")
    assert [(gap.reason, gap.ended == gap.started) for gap in told[-1]] == [("a track of nobody", True)]

    # The writer's thread is held up, as by a disk that does not answer, and then its folder goes away.
    held, gate, writer = threading.Event(), threading.Event(), recording._writer
    assert writer is not None

    def hold_up() -> None:
        held.set()
        gate.wait(300)

    writer._queue.put(hold_up)
    await until(held.is_set, 60)
    feeder = Feeder(recording)  # type: ignore[arg-type]
    feeder.play(pictures=encoded_pictures(5))
    await until(lambda: [gap.reason for gap in told[-1]] == ["a track of nobody", SLOW], 60)
    assert told[-1][-1].ended is None
    (tmp_path / "room").rename(tmp_path / "elsewhere")
    gate.set()
    await until(lambda: [gap.reason for gap in told[-1]] == ["a track of nobody", SLOW, GONE], 60)
    assert [gap.ended is None for gap in told[-1]] == [False, False, True], "what was before it is another matter"
    recording.unreadable("another track")
    assert len(told[-1]) == 3, "while nothing is recorded nothing else is told"

    await until(lambda: recording._writer is not None, 60)
    began = recording._began
    feeder.play(pictures=encoded_pictures(3), at=30)
    await until(lambda: told[-1][-1].ended is not None, 60)
    assert told[-1][-1].ended == max(began, told[-1][-1].started)
    assert [gap.reason for gap in told[-1]] == ["a track of nobody", SLOW, GONE]
    assert len({round(gap.started, 3) for gap in told[-1]}) == 3, "each has a start of its own on the wire"
    for before, after in itertools.pairwise(told[-1]):
        assert before.ended is not None
        assert before.ended <= after.started + 0.001
    shutil.rmtree(tmp_path / "elsewhere")
    await recorder.finish("room")
    await recorder.aclose()


async def test_an_end_that_cannot_be_written_is_missing(tmp_path: Path) -> None:
    told: list[Gap] = []
    recorder = Recorder(
        tmp_path, on_ready=lambda _room: None, on_problem=lambda _room, _problem: None, clock=lambda: 0.0
    )
    recorder.on_gaps = lambda _room, gaps: told.extend(gaps)
    recording = recorder.record("room")
    Feeder(recording).play(pictures=encoded_pictures(5))  # type: ignore[arg-type]
    await until(lambda: list(tmp_path.glob("room/part-1/segment-*")), 60)
    assert recorder.last_written("room") == pytest.approx(time.time(), abs=60)
    writer = recording._writer
    assert writer is not None
    written = threading.Event()
    writer._queue.put(written.set)
    await until(written.is_set, 60)
    shutil.rmtree(tmp_path / "room")
    await recorder.finish("room")
    await until(lambda: told, 30)
    assert [(gap.reason, (gap.ended or 0) - gap.started) for gap in told] == [(GONE, pytest.approx(2.0))]
    assert recorder.last_written("room") is None
    await recorder.aclose()
