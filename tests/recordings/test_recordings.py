"""Recordings of the real sandbox: waited for by event, told in order, fetched, cut, looked at."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import av
import pytest

import spnb
from spnb.errors import DownloadError, InvalidInput, RoomOver, Unreachable
from spnb.recordings import AsyncRecording, Progress, RecordedFile, probe
from spnb.recordings.progress import listener_of
from tests.conftest import RunningSandbox
from tests.recordings.conftest import Cdn
from tests.recordings.planted import counters, film


async def test_all_files_come_in_order_with_what_they_are(recorded_room: Any, films: list[Path]) -> None:
    recording = await recorded_room.recording()
    assert [file.number for file in recording.files] == [1, 2]
    assert [file.size_bytes for file in recording.files] == [path.stat().st_size for path in films]
    assert [round(file.duration_seconds or 0) for file in recording.files] == [4, 3]
    assert [(file.width, file.height, file.content_type) for file in recording.files] == [(320, 180, "video/mp4")] * 2
    assert all((file.thumbnail or b"").startswith(b"\xff\xd8") for file in recording.files)
    assert recording.duration_seconds == pytest.approx(7, abs=0.2)
    assert recording.expires_at is not None
    for shown in (repr(recording), recording._repr_html_(), repr(recording.files)):
        assert "/media/" not in shown
        assert "<b>" not in shown
    assert "4.0 s" in recording._repr_html_()
    assert "data:image/jpeg" in recording._repr_html_()
    quick = await recorded_room.recording(details=False)
    assert len(quick.urls) == 2
    assert quick.files[0].size_bytes is None
    assert "–" in quick._repr_html_()


async def test_downloads_are_named_after_the_room_and_done_once(
    recorded_room: Any, films: list[Path], tmp_path: Path
) -> None:
    told: list[Progress] = []
    paths = await recorded_room.download(tmp_path / "new" / "folder", progress=told.append)
    assert [path.read_bytes() for path in paths] == [film.read_bytes() for film in films]
    assert [path.name for path in paths] == [f"Two-b-parts-b-{recorded_room.room_id}-{number}.mp4" for number in (1, 2)]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(path.name for path in paths)
    assert told[-1].stage == "done"
    assert {"file 1 of 2" in step.text for step in told if step.stage == "downloading"} == {True, False}
    written = [path.stat().st_mtime_ns for path in paths]
    again = await (await recorded_room.recording()).download(tmp_path / "new" / "folder", progress=False)
    assert again == paths
    assert [path.stat().st_mtime_ns for path in paths] == written
    named = await (await recorded_room.recording()).download(tmp_path, name="talk")
    assert [path.name for path in named] == ["talk-1.mp4", "talk-2.mp4"]
    named[0].write_text("mine")
    with pytest.raises(InvalidInput, match="another file"):
        await recorded_room.download(tmp_path, name="talk")
    assert named[0].read_text() == "mine"
    await recorded_room.download(tmp_path, name="talk", overwrite=True)
    assert named[0].read_bytes() == films[0].read_bytes()


async def test_an_expired_address_is_replaced_once(
    sp: Any, recorded_room: Any, films: list[Path], tmp_path: Path
) -> None:
    good = await recorded_room.recording(details=False)
    stale = [file.url.replace("/media/", "/media/1") for file in good.files]
    old = AsyncRecording(
        sp, recorded_room.record, good._addresses, [RecordedFile(number, url) for number, url in enumerate(stale, 1)]
    )
    paths = await old.download(tmp_path)
    assert [path.read_bytes() for path in paths] == [film.read_bytes() for film in films]
    gone = AsyncRecording(sp, recorded_room.record, good._addresses, [RecordedFile(3, stale[0])])
    with pytest.raises(DownloadError, match="fewer files"):
        await gone.download(tmp_path / "other")


async def test_clips_are_cut_at_key_frames_or_to_the_frame(recorded_room: Any, tmp_path: Path) -> None:
    recording = await recorded_room.recording()
    path = await recording.clip(1.5, 3.0, tmp_path / "clip.mp4")
    pictures = counters(path)
    assert pictures[0] == (0.0, 25)
    assert [number for _, number in pictures] == list(range(25, 75))
    assert probe(path).has_audio
    exact = await recording.clip(1.52, 2.52, tmp_path / "exact.mp4", exact=True)
    assert [number for _, number in counters(exact)] == list(range(38, 63))
    across = await recording.clip(3.0, 5.0, tmp_path / "across.mp4")
    pictures = counters(across)
    assert [number for _, number in pictures] == [*range(75, 100), *range(100, 125)]
    times = [at for at, _ in pictures]
    assert times == sorted(times)
    assert probe(across).duration_seconds == pytest.approx(2, abs=0.15)
    both = await recording.clip(3.5, 4.5, tmp_path / "both.mp4", exact=True)
    numbers = [number for _, number in counters(both)]
    # Where one file ends and the next begins is known to a packet of sound, less than a picture.
    assert numbers in ([*range(88, 112)], [*range(88, 113)])
    with av.open(str(both)) as made:
        assert made.streams.audio
        assert (made.duration or 0) / 1e6 == pytest.approx(1, abs=0.15)
    for start, end in ((2, 1), (-1, 2), (9, 10)):
        with pytest.raises(InvalidInput):
            await recording.clip(start, end, tmp_path / "no.mp4")
    with pytest.raises(InvalidInput, match="overwrite"):
        await recording.clip(0, 1, path)
    assert await recording.clip(0, 1, path, overwrite=True) == path
    assert not list(tmp_path.glob("*.part"))


async def test_a_contact_sheet_shows_the_whole(recorded_room: Any, tmp_path: Path) -> None:
    recording = await recorded_room.recording()
    sheet = await recording.contact_sheet(columns=3, count=7, width=160)
    assert [round(still.at, 1) for still in sheet.stills] == [0, 1, 2, 3, 4, 5, 6]
    saved = sheet.save(tmp_path / "sheet.png")
    with av.open(str(saved)) as page:
        frame = next(page.decode(video=0))
        assert (frame.width, frame.height) == (6 + 3 * 166, 6 + 3 * 96)
    assert sheet._repr_html_().count("data:image/jpeg") == 7
    assert ">0:06<" in sheet._repr_html_()
    assert "7 pictures in 3 columns" in repr(sheet)
    with pytest.raises(InvalidInput):
        await recording.contact_sheet(columns=0)


async def test_files_of_different_kinds_are_joined_by_encoding_only(
    sp: Any, sandbox: RunningSandbox, films: list[Path], tmp_path: Path
) -> None:
    from tests.recordings.planted import plant

    room = await sp.rooms.create("Mixed")
    plant(sandbox, room.room_id, [films[0], film(tmp_path / "small.mp4", 2, size=(160, 90))])
    recording = await room.recording()
    with pytest.raises(InvalidInput, match="exact=True"):
        await recording.clip(3, 5, tmp_path / "clip.mp4")
    assert not list(tmp_path.glob("clip*"))
    made = await recording.clip(3, 5, tmp_path / "clip.mp4", exact=True)
    facts = probe(made)
    assert (facts.width, facts.height) == (320, 180)
    assert facts.duration_seconds == pytest.approx(2, abs=0.15)
    (await recording.contact_sheet(count=6)).save(tmp_path / "mixed.png")


async def test_a_server_without_ranges_still_lets_download(
    sp: Any, recorded_room: Any, cdn: Cdn, tmp_path: Path
) -> None:
    cdn.ranges = False
    good = await recorded_room.recording(details=False)
    elsewhere = AsyncRecording(sp, recorded_room.record, good._addresses, [RecordedFile(1, f"{cdn.url}/film")])
    assert (await elsewhere.download(tmp_path))[0].read_bytes() == cdn.content
    with pytest.raises(Unreachable, match=r"download\(\) it"):
        await elsewhere.contact_sheet()
    cdn.ranges, cdn.content = True, b"no film at all" * 1000
    with pytest.raises(Unreachable):
        await elsewhere.clip(0, 1, tmp_path / "x.mp4")
    nothing = AsyncRecording(sp, recorded_room.record, good._addresses, [])
    for work in (nothing.download(tmp_path), nothing.contact_sheet()):
        with pytest.raises(InvalidInput, match="nothing was recorded"):
            await work
    assert nothing.duration_seconds == 0


@pytest.mark.media
async def test_the_wait_is_told_and_ends_with_the_event(sp: Any) -> None:
    room = await sp.rooms.create("Waited for")
    told: list[Progress] = []
    show = await room.go_live(spnb.TestCard(320, 180, 10))
    await room.until("live", timeout=60)
    waiting = asyncio.create_task(room.recording(progress=told.append))
    async with asyncio.timeout(60):
        while not any("On air" in step.text for step in told):
            await asyncio.sleep(0.02)
    await show.stop()
    recording = await asyncio.wait_for(waiting, 60)
    assert told[-1] == Progress("done", "Recorded")
    assert len(recording.files) == 1
    assert recording.files[0].duration_seconds
    entries = [(entry.what, entry.source) for entry in room.timeline()]
    for expected in (
        ("go_live()", "call"),
        ("room.startBroadcasting", "event"),
        ("stop()", "call"),
        ("room.recordedAvailable", "event"),
    ):
        assert expected in entries
    with pytest.raises(TimeoutError):
        await (await sp.rooms.create("never")).recording(timeout=0.1)
    with pytest.raises(RoomOver):
        await room.until("live")


def test_the_blocking_face_does_the_same(sandbox: RunningSandbox, films: list[Path], tmp_path: Path) -> None:
    from tests.recordings.planted import plant

    with spnb.connect("blocking-recordist", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Blocking")
        plant(sandbox, room.room_id, films)
        recording = room.recording(timeout=60)
        assert len(recording.files) == len(recording.urls) == 2
        assert recording.duration_seconds == pytest.approx(7, abs=0.2)
        assert recording.expires_at is not None
        assert [path.stat().st_size for path in recording.download(tmp_path)] == [path.stat().st_size for path in films]
        assert len(room.download(tmp_path)) == 2
        assert recording.clip(0, 1, tmp_path / "clip.mp4").is_file()
        assert len(recording.contact_sheet(count=2).stills) == 2
        assert repr(recording).startswith("Recording(2 file(s)")
        assert "Blocking" in recording._repr_html_()
        assert isinstance(recording.asynchronous, AsyncRecording)


def test_progress_is_quiet_outside_of_notebooks() -> None:
    told: list[Progress] = []
    listener_of(told.append)(Progress("done", "x"))
    assert told
    for silent in (None, False, True):
        listener_of(silent)(Progress("waiting", "y"))


async def test_errors_tell_no_address(sp: Any, recorded_room: Any, cdn: Cdn, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level("INFO")
    cdn.redirect("http://10.0.0.1/secret-signature")
    good = await recorded_room.recording(details=False)
    elsewhere = AsyncRecording(
        sp, recorded_room.record, good._addresses, [RecordedFile(1, f"{cdn.url}/secret-path?sig=s")]
    )
    with pytest.raises(DownloadError) as caught:
        await elsewhere.download(tmp_path)
    await elsewhere.download(tmp_path)
    text = str(caught.value) + repr(elsewhere) + repr(elsewhere._address(elsewhere.files[0])) + caplog.text
    assert "secret-" not in text
    assert "sig=s" not in text
    assert json.dumps(repr(elsewhere.files))
