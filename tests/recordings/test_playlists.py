"""Recordings that are playlists: of one file, of many, of segments that others made; fetched, cut, looked at."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest

import spnb
from spnb.errors import DownloadError, InvalidInput
from spnb.recordings import AsyncRecording, RecordedFile, download, probe
from tests.conftest import RunningSandbox, ffmpeg
from tests.recordings.planted import counters, film


@pytest.fixture(scope="module")
def hls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds as FFmpeg's own HLS muxer writes them: MPEG-TS, fragmented MP4, and byte ranges of one file."""
    folder = tmp_path_factory.mktemp("hls")
    source = film(folder / "film.mp4", 6)
    for name, options in {
        "ts": [],
        "fmp4": ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "fmp4-init.mp4"],
        "one": ["-hls_flags", "single_file", "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "one-init.mp4"],
    }.items():
        command = [ffmpeg(), "-v", "error", "-i", str(source), "-c", "copy", "-hls_time", "2", "-hls_list_size", "0"]
        command += [*options, "-hls_playlist_type", "vod", str(folder / f"{name}.m3u8")]
        subprocess.run(command, check=True, cwd=folder)
    best = "#EXT-X-STREAM-INF:BANDWIDTH=9,AVERAGE-BANDWIDTH=99999999\nnone.m3u8\n"
    (folder / "master.m3u8").write_text(f"#EXTM3U\n{best}#EXT-X-STREAM-INF:BANDWIDTH=900000\nts.m3u8\n")
    (folder / "live.m3u8").write_text((folder / "ts.m3u8").read_text().replace("#EXT-X-ENDLIST", ""))
    (folder / "locked.m3u8").write_text(
        (folder / "ts.m3u8").read_text().replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF', 1)
    )
    return folder


@pytest.fixture(scope="module")
def server(hls: Path) -> Any:
    """The folder over HTTP, with ranges."""
    import threading

    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    app = Starlette(routes=[Mount("/", StaticFiles(directory=hls))])
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    thread.join()


def recording_of(sp: Any, room: Any, addresses: Any, url: str) -> AsyncRecording:
    return AsyncRecording(sp, room.record, addresses, [RecordedFile(1, url)])


@pytest.mark.parametrize("kind", ["ts", "fmp4", "one", "master"])
async def test_playlists_of_others_are_fetched_cut_and_looked_at(
    sp: Any, recorded_room: Any, server: str, kind: str, tmp_path: Path
) -> None:
    good = await recorded_room.recording(details=False)
    recording = recording_of(sp, recorded_room, good._addresses, f"{server}/{kind}.m3u8")
    (path,) = await recording.download(tmp_path, name="whole", progress=False)
    assert [number for _, number in counters(path)] == list(range(150))
    assert probe(path).has_audio
    assert probe(path).duration_seconds == pytest.approx(6, abs=0.15)
    clip = await recording.clip(3.0, 4.0, tmp_path / "clip.mp4", exact=True)
    assert [number for _, number in counters(clip)] == list(range(75, 100))
    sheet = await recording.contact_sheet(count=3, columns=3, width=160)
    assert len(sheet.stills) == 3
    alone = await asyncio.to_thread(download, f"{server}/{kind}.m3u8", tmp_path / "alone.mp4")
    assert probe(alone).video_frames == 150


async def test_what_cannot_be_a_file_is_refused_in_words(
    sp: Any, recorded_room: Any, server: str, tmp_path: Path
) -> None:
    good = await recorded_room.recording(details=False)
    for kind, words in {"live": "still live", "locked": "encrypted"}.items():
        with pytest.raises(DownloadError, match=words):
            await recording_of(sp, recorded_room, good._addresses, f"{server}/{kind}.m3u8").download(tmp_path)


@pytest.mark.media
async def test_the_sandboxs_own_recording_is_a_playlist_of_the_file_beside_it(
    sp: Any, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    room = await sp.rooms.create("As HLS")
    show = await room.go_live(spnb.TestCard(640, 360))
    await room.until("live", timeout=60)
    playable = asyncio.Event()
    room.observe(lambda record: playable.set() if record.live_playback_url else None)
    await asyncio.wait_for(playable.wait(), 60)
    with pytest.raises(InvalidInput, match="length of time"):
        await room.clip_last(-1, tmp_path / "no.mp4")
    await show.wait_ended(4)

    # While it goes on: a clip of what was just there.
    early = await room.clip_last(2, tmp_path / "early.mp4", exact=True)
    assert probe(early).duration_seconds == pytest.approx(2, abs=0.3)
    assert probe(early).has_audio
    with pytest.raises(InvalidInput, match="overwrite"):
        await room.clip_last(2, early)
    whole = await room.clip_last(600, tmp_path / "all.mp4", exact=True)
    assert probe(whole).duration_seconds > 2
    numbers = [number for _, number in counters(early) if number is not None]
    assert numbers == sorted(numbers)
    await show.stop()
    with pytest.raises(InvalidInput, match="not on air"):
        await room.clip_last(2, tmp_path / "late.mp4")
    recording = await room.recording(timeout=60)
    (file,) = recording.files
    assert ".m3u8" in file.url
    assert file.size_bytes
    assert file.width
    (path,) = await recording.download(tmp_path, name="own", progress=False)
    assert path.stat().st_size == file.size_bytes
    clip = await recording.clip(1, 3, tmp_path / "clip.mp4", exact=True)
    assert probe(clip).duration_seconds == pytest.approx(2, abs=0.2)

    # FFmpeg plays the playlist, and hears it from the first moment on.
    def played() -> tuple[int, float]:
        with av.open(file.url) as playlist:
            heard = float(next(playlist.decode(audio=0)).time or 0)
        with av.open(file.url) as playlist:
            return sum(1 for packet in playlist.demux(video=0) if packet.size), heard

    pictures, first = await asyncio.to_thread(played)
    assert pictures == probe(path).video_frames
    assert first < 0.1
