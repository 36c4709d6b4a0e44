"""A sandbox that was killed under long streams: it listens at once, and makes their recordings in the background."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

import spnb
from spnb.errors import SandboxError
from spnb.sandbox import start
from spnb.sandbox.control import launch
from spnb.sandbox.recorder import Interrupted
from spnb.sandbox.recorder.files import finalise
from spnb.sandbox.store import Store
from tests.conftest import start_sandbox
from tests.live.conftest import until
from tests.recorder.test_recorder import Feeder, Studio, encoded_pictures, encoded_sound, numbers_in

ROOMS = 40


async def left_behind(root: Path, room: str = "room", seconds: float = 8) -> Path:
    """The segments of a room whose recorder ended before it made a file of them."""
    studio = Studio(root)
    feeder = Feeder(studio.recorder.start(room, host="host"))
    feeder.play(pictures=encoded_pictures(seconds), sounds=encoded_sound(seconds))
    await studio.recorder.aclose()
    return root / room / "part-1"


async def planted(data_dir: Path, many: int = ROOMS) -> list[str]:
    """A data folder as a killed sandbox leaves it: rooms on air, each with a part that is no file yet."""
    running = start_sandbox(data_dir, "--no-rate-limit")
    sp = await spnb.connect_async("host", url=running.url, api_key=running.api_key)
    rooms = [(await sp.rooms.create(f"Stream {number}")).room_id for number in range(many)]
    await sp.aclose()
    running.stop()
    part = await left_behind(data_dir / "made")
    store = Store(data_dir / "sandbox.sqlite")
    for room_id in rooms:
        shutil.copytree(part, data_dir / "recordings" / room_id / "part-1", copy_function=os.link)
        store.transition(room_id, "live")
        store.transition(room_id, "ended")
    store.close()
    return rooms


async def test_it_listens_at_once_and_what_is_made_stays_made_when_it_is_killed_again(tmp_path: Path) -> None:
    rooms = await planted(tmp_path)
    first = start_sandbox(tmp_path)
    sp = await spnb.connect_async("host", url=first.url, api_key=first.api_key)
    assert (await sp.rooms.record(rooms[-1])).status == "ended", "it made all recordings before it listened"
    oldest = await sp.rooms.get(rooms[0])
    await oldest.until("recorded", timeout=60)
    await sp.aclose()
    first.stop(kill=True)
    made = {path.parent.name: path.stat().st_ino for path in (tmp_path / "recordings").glob("*/recording-1.mp4")}
    assert rooms[0] in made
    second = start_sandbox(tmp_path)
    assert second.url == first.url, "it is where it was"
    sp = await spnb.connect_async("host", url=second.url, api_key=second.api_key)
    for room_id in reversed(rooms):
        await (await sp.rooms.get(room_id)).until("recorded", timeout=60)
    await sp.aclose()
    second.stop()
    files = list((tmp_path / "recordings").glob("*/recording-*.mp4"))
    assert len(files) == ROOMS, "one recording of each room, none twice"
    for path in files:
        listed_before_the_kill = (path.parent / "recordings.json").stat().st_mtime_ns
        assert listed_before_the_kill
        if path.parent.name == rooms[0]:
            assert path.stat().st_ino == made[rooms[0]], "what was made was made again"
    assert not list((tmp_path / "recordings").glob("*/part-*"))


async def test_why_there_is_no_recording_yet_is_told_and_it_is_made_all_the_same(tmp_path: Path) -> None:
    (room_id,) = await planted(tmp_path, 1)
    # Something lies where the file is to be: nothing that can be foreseen, and it passes.
    in_the_way = tmp_path / "recordings" / room_id / "recording-1.part"
    in_the_way.mkdir()
    running = start_sandbox(tmp_path)
    sp = await spnb.connect_async("viewer", url=running.url, api_key=running.api_key)
    room = await sp.rooms.get(room_id)
    told: list[str | None] = []
    room.observe(lambda record: told.append(record.recording_problem))
    await until(lambda: told and told[-1], 60)
    assert "Is a directory" in str(told[-1])
    assert "tried again" in str(room.record.recording_problem)
    assert room.status == "ended"
    assert "Is a directory" in room._repr_html_()
    with pytest.raises(TimeoutError, match="Is a directory"):
        await room.recording(timeout=0.5, progress=False)
    in_the_way.rmdir()
    recording = await room.recording(timeout=90, progress=False)
    assert len(recording.files) == 1
    assert room.record.recording_problem is None
    assert told[-1] is None
    await sp.aclose()
    running.stop()


async def test_an_end_in_the_middle_is_quick_and_loses_nothing(tmp_path: Path) -> None:
    part = await left_behind(tmp_path)
    studio = Studio(tmp_path)
    studio.recorder.interrupt()
    with pytest.raises(Interrupted):
        await studio.recorder.finish("room", left_over=True)
    await studio.recorder.aclose()
    before = sorted(part.iterdir())

    with pytest.raises(Interrupted):
        finalise(part.parent, part, over=lambda: True)
    assert sorted(part.iterdir()) == before
    assert not list(part.parent.glob("recording-*"))


@pytest.mark.parametrize("left", [0, 100])
async def test_a_last_segment_that_was_cut_off_costs_only_itself(tmp_path: Path, left: int) -> None:
    part = await left_behind(tmp_path)
    last = sorted(part.glob("segment-*"))[-1]
    os.truncate(last, left)
    told: list[tuple[Path, str]] = []
    (made,) = finalise(part.parent, part, damaged=lambda path, reason: told.append((path, reason)))
    assert [path for path, _ in told] == [last], "whoever wants the recording is told"
    assert made.path.suffix == ".mp4", "browsers do not play MPEG-TS"
    numbers = [number for _, number in numbers_in(made.path)]
    assert len(numbers) >= 150
    assert numbers == list(range(len(numbers)))


def test_a_database_that_takes_long_to_open_says_so(tmp_path: Path) -> None:
    Store(tmp_path / "sandbox.sqlite").close()
    database = sqlite3.connect(tmp_path / "sandbox.sqlite")
    database.executemany(
        "INSERT INTO messages (id, doc, messageFeedId) VALUES (?, '{}', ?)",
        ((str(number), str(number % 97)) for number in range(300_000)),
    )
    database.execute("DROP INDEX messages_messageFeedId")  # as if a newer version asked for it
    database.commit()
    database.close()
    told: list[int] = []
    Store(tmp_path / "sandbox.sqlite", on_work=lambda: told.append(1)).close()
    assert len(told) >= 3


LONG_START = """
import hashlib, os, sys, threading, time
if "--tell-progress" in sys.argv:
    def tell():
        while True:
            os.write(1, b'{"starting": "database"}\\n')
            time.sleep(0.1)
    threading.Thread(target=tell, daemon=True).start()
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        hashlib.sha256(bytes(1 << 20))
"""
"""What the interpreter of a sandbox does first: work that lasts, as that on a large database does, and is told of."""


def beginning_with(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    """Have each interpreter that is started from now on begin with this."""
    (folder / "sitecustomize.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_one_that_starts_for_longer_than_is_waited_is_waited_for_while_it_tells_how_it_goes_on(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "START_SECONDS", 4.0)
    program = LONG_START.replace("SECONDS", str(2 * launch.START_SECONDS))
    beginning_with(monkeypatch, tmp_path_factory.mktemp("long"), program)
    running = start(tmp_path)
    monkeypatch.delenv("PYTHONPATH")
    with spnb.connect("host", url=running.url, api_key=running.api_key) as sp:
        assert sp.rooms.create("After a long start").status == "idle"
    running.stop()


def test_one_that_says_nothing_for_too_long_is_ended(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "START_SECONDS", 0.5)
    folder = tmp_path_factory.mktemp("silent")
    os.mkfifo(folder / "never")
    beginning_with(
        monkeypatch, folder, f"import sys\nif '--tell-progress' in sys.argv:\n    open({str(folder / 'never')!r})\n"
    )
    with pytest.raises(SandboxError, match=r"said nothing for 0\.5 s, and was ended"):
        start(tmp_path)


def test_one_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    running = start(tmp_path)
    with pytest.raises(SandboxError, match="another sandbox is using"):
        start(tmp_path)
    running.stop()
    again = start(tmp_path)
    assert again.url == running.url, "it is where it was"
    again.stop()
