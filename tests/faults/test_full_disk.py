"""A disk that is full for a while: everybody is told at once, and the recording goes on in a new part."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import spnb
from spnb.broadcast import BroadcastEvent, RecordingInterrupted, RecordingResumed
from spnb.broadcast.sources import TestCard
from spnb.gaps import RecordingGap
from spnb.models import Room
from spnb.recordings import AsyncRecording
from tests.conftest import start_sandbox
from tests.live.conftest import until

pytestmark = pytest.mark.media


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose recordings lie on a disk of 24 megabytes."""
    folder = tmp_path / "data"
    recordings = folder / "recordings"
    recordings.mkdir(parents=True)
    mounting = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(recordings)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk to fill needs root")
    yield folder
    subprocess.run(["umount", "-l", str(recordings)], check=True)


def full(room: Room) -> list[RecordingGap]:
    """The gaps of the full disk; a machine that is too slow has others beside them."""
    return [gap for gap in room.recording_gaps if gap.reason == "nothing more can be recorded: No space left on device"]


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


async def test_host_and_viewers_are_told_and_the_recording_goes_on(data_dir: Path) -> None:
    running = start_sandbox(data_dir, "--no-rate-limit")
    host = await spnb.connect_async("host", url=running.url, api_key=running.api_key)
    viewer = await spnb.connect_async("viewer", url=running.url, api_key=running.api_key)
    room = await host.rooms.create("Long night")
    theirs = await viewer.rooms.get(room.room_id)
    told: dict[str, Room] = {}
    room.observe(lambda record: told.update(host=record))
    theirs.observe(lambda record: told.update(viewer=record))
    events: list[BroadcastEvent] = []
    show = await room.go_live(TestCard(640, 360, 15), on_event=events.append)
    folder = data_dir / "recordings" / room.room_id
    await until(lambda: len(list(folder.glob("part-1/segment-*"))) >= 3, 60)
    filler = fill(folder.parent)
    await until(lambda: all(full(told[who]) for who in ("host", "viewer")), 60)
    (gap,) = full(told["viewer"])
    assert gap.ended_at is None
    assert told["viewer"].recording_gaps[-1] == gap, "nothing else is told while nothing is recorded"
    assert "missing in the recording" in told["host"]._repr_html_()
    assert told["host"].status == "live", "the broadcast does not suffer"
    await until(lambda: any(isinstance(event, RecordingInterrupted) for event in events))
    filler.unlink()
    await until(lambda: all(full(told[who])[0].ended_at for who in ("host", "viewer")), 60)
    await until(lambda: any(isinstance(event, RecordingResumed) for event in events))
    await until(lambda: len(list(folder.glob("part-2/segment-*"))) >= 3, 60)
    await show.stop()
    recording: AsyncRecording = await room.recording(timeout=120)
    assert len(recording.files) == 2
    (gap,) = full(recording._room)
    assert gap in recording.gaps
    assert gap.seconds is not None
    assert gap.seconds > 0
    assert "missing" in repr(recording)
    for client in (host, viewer):
        await client.aclose()
    running.stop()
