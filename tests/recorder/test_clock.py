"""Live output runs by the clock, whatever publishers do: sound from zero, held pictures, even segments."""

from __future__ import annotations

import asyncio
import itertools
import math
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder import Recorder, RecorderSettings
from spnb.sandbox.recorder.h264 import Stream, nal_units, sample
from spnb.sandbox.recorder.playlist import media
from spnb.sandbox.recorder.sound import SoundMixer
from spnb.sandbox.recorder.subscriber import picture_planes
from spnb.sandbox.recorder.timeline import Timeline, TrackClock
from tests.conftest import ffmpeg
from tests.recorder.test_recorder import (
    FPS,
    OPUS_SECONDS,
    Feeder,
    Studio,
    beeps_in,
    changes_in,
    encoded_pictures,
    encoded_sound,
    numbers_in,
    studio,
)
from tests.recorder.viewer import Playlist, check, parse, served

__all__ = ["studio"]


async def live_of(studio: Studio, room: str = "room", *, segments: int) -> Playlist:
    async with served(studio, room) as viewer:
        return await viewer.until(lambda playlist: len(playlist.segments) >= segments)


def starts_in(path: Path) -> dict[str, float]:
    """Where FFmpeg finds the first packet of each kind, in seconds."""
    command = [
        ffmpeg("ffprobe"),
        "-v",
        "error",
        "-show_entries",
        "stream=codec_type,start_time",
        "-of",
        "csv=p=0",
        str(path),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {line.split(",")[0]: float(line.split(",")[1]) for line in told}


@pytest.mark.parametrize("late", [0.0, 0.4, 3.0, None])
async def test_sound_is_there_from_the_first_segment(studio: Studio, late: float | None, tmp_path: Path) -> None:
    tap = studio.recorder.start("room")
    feeder = Feeder(tap)
    pictures = encoded_pictures(7)
    if late is None:
        feeder.play(pictures=pictures)
    else:
        # The first packet of sound announces its track: it comes when it comes.
        split = int(late * FPS)
        if not split:
            feeder.play(pictures=pictures, sounds=encoded_sound(7))
        else:
            (video,) = feeder.play(pictures=pictures[:split])
            moments: list[tuple[float, TapTrack, EncodedFrame]] = []
            audio = TapTrack("late", "host", "audio", "opus", 48_000, "microphone")
            for number, (data, key) in enumerate(pictures[split:], start=split):
                moments.append(feeder._moment(video, number / FPS, 0, data, key, 7_000_000))
            for number, data in enumerate(encoded_sound(7 - late)):
                moments.append(feeder._moment(audio, late + number * OPUS_SECONDS, 0, data, True, 5))
            tap.track_started(audio)
            for _, track, frame in sorted(moments, key=lambda moment: moment[0]):
                tap.frame(track, frame)
    async with served(studio) as viewer:
        listed = await viewer.until(lambda playlist: len(playlist.segments) >= 3)
        check(listed)
        first = tmp_path / "first.mp4"
        first.write_bytes(
            (await viewer.get(listed.segments[0].map)).content + (await viewer.get(listed.segments[0].uri)).content
        )
    assert starts_in(first) == {"video": 0.0, "audio": 0.0}
    (file,) = await studio.recorder.finish("room")
    assert starts_in(file.path) == {"video": 0.0, "audio": 0.0}
    with av.open(str(file.path)) as made:
        times = [float(packet.pts * packet.time_base) for packet in made.demux(audio=0) if packet.pts is not None]
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.022, "a gap in the sound"
    if late is not None:
        beeps = beeps_in(file.path)
        assert abs(beeps[0] - late) < 0.04


async def test_a_camera_that_stops_holds_its_last_picture_and_segments_stay_even(studio: Studio) -> None:
    tap = studio.recorder.start("room", host="host")
    feeder = Feeder(tap)
    sound = encoded_sound(15)
    (video,) = feeder.play(pictures=encoded_pictures(3.3))
    audio = feeder.track("audio", "opus")
    back = encoded_pictures(4, first=300)
    moments = [feeder._moment(audio, number * OPUS_SECONDS, 0, data, True, 5) for number, data in enumerate(sound)]
    moments = [moment for moment in moments if moment[0] > 1003.3]
    moments += [feeder._moment(video, 10 + n / FPS, 0, data, key, 7_000_000) for n, (data, key) in enumerate(back)]
    for _, track, frame in sorted(moments, key=lambda moment: moment[0]):
        tap.frame(track, frame)
    listed = await live_of(studio, segments=6)
    check(listed)
    (file,) = await studio.recorder.finish("room")
    shown = changes_in(file.path)
    assert [number for _, number in shown][:99] == list(range(99))
    assert [number for _, number in shown][99:] == list(range(300, 420))
    assert abs(shown[99][0] - 10) < 0.05, "it is back at once"
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(numbers_in(file.path))]
    assert max(gaps) < 0.4, "every part has a picture"
    assert not studio.problems


async def test_few_pictures_a_second_make_no_short_parts(studio: Studio) -> None:
    """Between two of them a part may have to end."""
    feeder = Feeder(studio.recorder.start("room"))
    video, pictures = feeder.track("video", "h264"), encoded_pictures(15)
    for number in range(15 * 4):
        data, key = pictures[number // 4 * FPS + number % 4]
        _, track, frame = feeder._moment(video, number / 4, 0, data, key, 7_000_000)
        feeder.tap.frame(track, frame)
    check(await live_of(studio, segments=6))
    await studio.recorder.finish("room")
    assert not studio.problems


async def test_a_talk_without_a_camera_is_heard_live(studio: Studio) -> None:
    Feeder(studio.recorder.start("room")).play(sounds=encoded_sound(9))
    listed = await live_of(studio, segments=3)
    check(listed)
    (file,) = await studio.recorder.finish("room")
    assert len(beeps_in(file.path)) == 9
    assert starts_in(file.path) == {"video": 0.0, "audio": 0.0}
    assert (file.width, file.height) == (640, 360)


@pytest.mark.parametrize(("step", "of"), [(2.0, "wall"), (-2.0, "wall"), (2.0, "media"), (-2.0, "media")])
async def test_a_publishers_clock_that_is_set_leaves_no_hole(studio: Studio, step: float, of: str) -> None:
    tap = studio.recorder.start("room", host="host")
    feeder = Feeder(tap)
    video, audio = feeder.track("video", "h264"), feeder.track("audio", "opus")
    moments = []
    for track, frames, distance in (
        (video, encoded_pictures(8), 1 / FPS),
        (audio, [(data, True) for data in encoded_sound(8)], OPUS_SECONDS),
    ):
        for number, (data, key) in enumerate(frames):
            at = number * distance
            moved = step if at >= 4 else 0.0
            stamp = 900_000 + round((at + (moved if of == "media" else 0)) * track.clock_rate)
            captured = 5_000.0 + at + (moved if of == "wall" else 0.0) if at > 0.5 else None
            moments.append((1000 + at, track, EncodedFrame(data, stamp, key, 1000 + at, captured)))
    for _, track, frame in sorted(moments, key=lambda moment: moment[0]):
        tap.frame(track, frame)
    (file,) = await studio.recorder.finish("room")
    pictures = changes_in(file.path)
    assert [number for _, number in pictures] == list(range(240))
    for at, number in pictures:
        assert number is not None
        assert abs(at - number / FPS) < 0.1
    assert [round(at) for at in beeps_in(file.path)] == list(range(8))
    assert abs(file.duration_seconds - 8) < 0.1


@pytest.mark.parametrize("told", [True, False])
def test_sound_and_picture_stay_together_for_an_hour(told: bool) -> None:
    """Clocks that run 100 millionths too fast and too slow; each is 0.36 s off after an hour where nobody minds."""
    timeline = Timeline()
    tracks = {
        "video": (TrackClock(timeline, TapTrack("v", "host", "video", "h264", 90_000)), FPS, 1 + 1e-4, 0.02),
        "audio": (TrackClock(timeline, TapTrack("a", "host", "audio", "opus", 48_000)), 50, 1 - 1e-4, 0.0),
    }
    jitter = np.random.default_rng(7)
    moments = sorted((number / rate, kind) for kind, (_, rate, _, _) in tracks.items() for number in range(3600 * rate))
    worst = 0.0
    apart: dict[str, float] = {}
    for at, kind in moments:
        clock, _, speed, delay = tracks[kind]
        stamp = round(at * speed * (90_000 if kind == "video" else 48_000))
        arrived = 100 + at + delay + float(jitter.exponential(0.004))
        captured = 9_000 + at if told and at > 2 else None
        placed = clock.place(EncodedFrame(b"", stamp, True, arrived, captured))
        apart[kind] = placed - at
        if at > 60 and len(apart) == 2:
            worst = max(worst, abs(apart["video"] - apart["audio"]))
    assert worst < 0.04
    assert math.isclose(apart["audio"], 0, abs_tol=0.06), "and with real time"


def test_the_mixer_follows_a_clock_that_drifts_without_a_gap() -> None:
    mixer = SoundMixer()
    packets = encoded_sound(60)
    worst = 0.0
    for number, data in enumerate(packets):
        position = number * OPUS_SECONDS * 1.001
        mixer.add("host", data, position)
        end = mixer._microphones["host"].end
        assert end is not None
        worst = max(worst, abs(end / 48_000 - position - OPUS_SECONDS))
    assert worst < 0.005, "after a minute it would be 60 ms"


async def test_playlists_wait_for_what_is_asked_for(studio: Studio) -> None:
    tap = studio.recorder.start("room")
    feeder = Feeder(tap)
    pictures, sounds = encoded_pictures(12), encoded_sound(12)
    (video, audio) = feeder.play(pictures=pictures[: 4 * FPS], sounds=sounds[:200])
    async with served(studio) as viewer:
        listed = await viewer.until(lambda playlist: playlist.end >= (2, 2))
        master = (await viewer.get("index.m3u8")).text
        assert 'CODECS="avc1.42' in master
        assert "RESOLUTION=320x180" in master
        segment, part = listed.end
        assert listed.hint == {"TYPE": "PART", "URI": f"part-{segment}-{part}.m4s"}
        waiting = asyncio.create_task(viewer.playlist(_HLS_msn=segment, _HLS_part=part))
        hinted = asyncio.create_task(viewer.get(listed.hint["URI"]))
        done, _ = await asyncio.wait([waiting, hinted], timeout=0.3)
        assert not done, "there is nothing new yet"
        moments = [
            feeder._moment(video, n / FPS, 0, data, key, 7_000_000)
            for n, (data, key) in enumerate(pictures[4 * FPS :], start=4 * FPS)
        ] + [feeder._moment(audio, n * OPUS_SECONDS, 0, data, True, 123) for n, data in enumerate(sounds[200:], 200)]
        for _, track, frame in sorted(moments, key=lambda moment: moment[0]):
            tap.frame(track, frame)
        answered = await asyncio.wait_for(waiting, 60)
        assert answered.end > listed.end
        check(answered)
        assert (await asyncio.wait_for(hinted, 60)).status_code == 200
        whole = await viewer.until(lambda playlist: len(playlist.segments) >= 5)
        joined = b"".join([(await viewer.get(one["URI"])).content for one in whole.segments[-1].parts])
        assert joined == (await viewer.get(whole.segments[-1].uri)).content, "parts are their segment"
        keys = [number for number, one in enumerate(whole.segments[-1].parts) if one.get("INDEPENDENT") == "YES"]
        assert keys == [0, 3], "key frames come once a second, parts are a third of one"
        delta = await viewer.playlist(_HLS_skip="YES")
        assert delta.skipped == 0, "nothing is left out of the last twelve seconds"
        assert (await viewer.get("main.m3u8", _HLS_msn=99)).status_code == 400
        assert (await viewer.get("main.m3u8", _HLS_part=1)).status_code == 400
        assert (await viewer.get("main.m3u8", _HLS_msn="x")).status_code == 400
        assert (await viewer.get("part-99-0.m4s")).status_code == 404
        assert (await viewer.get("part-0-99.m4s")).status_code == 404
        last = asyncio.create_task(viewer.get("main.m3u8", _HLS_msn=whole.end[0] + 1))
        await studio.recorder.finish("room")
        assert (await asyncio.wait_for(last, 60)).status_code in (200, 404), "the end answers those who wait"


async def test_a_long_playlist_is_told_in_what_changed(studio: Studio) -> None:
    Feeder(studio.recorder.start("room")).play(pictures=encoded_pictures(21), sounds=encoded_sound(21))
    async with served(studio) as viewer:
        whole = await viewer.until(lambda playlist: len(playlist.segments) >= 10)
        delta = await viewer.playlist(_HLS_skip="YES")
    assert delta.skipped == len(whole.segments) - 7
    assert [one.uri for one in delta.segments] == [one.uri for one in whole.segments[delta.skipped :]]
    files = studio.recorder.live_files("room")
    assert files is not None
    assert parse(media(files, files.listing)).segments[0].uri == "segment-000000-1.m4s", (
        "viewers may go back to the beginning"
    )


async def test_every_size_has_its_sample_entry(studio: Studio) -> None:
    sizes = [(320, 180), (640, 360), (322, 182), (320, 180)]
    parts = [encoded_pictures(2.7, size=size, first=81 * number) for number, size in enumerate(sizes)]
    Feeder(studio.recorder.start("room")).play(pictures=[one for part in parts for one in part])
    (file,) = await studio.recorder.finish("room")
    assert not studio.problems
    assert [number for _, number in changes_in(file.path)] == list(range(324))
    with av.open(str(file.path)) as made:
        seen = [(frame.width, frame.height) for frame in made.decode(video=0)]
    assert [size for size, _ in itertools.groupby(seen)] == sizes
    data = file.path.read_bytes()
    table = data.index(b"stsd")
    assert int.from_bytes(data[table + 8 : table + 12], "big") == 3, "one entry for each size"
    command = [ffmpeg(), "-v", "error", "-i", str(file.path), "-f", "null", "-"]
    found = await asyncio.to_thread(subprocess.run, command, capture_output=True)
    assert (found.returncode, found.stderr) == (0, b"")
    assert file.playlist is not None
    listed = parse(file.playlist.read_text())
    check(listed, steady=False)
    assert sum(one.changed for one in listed.segments) == 3, "players set their decoders up anew at each"


@pytest.mark.parametrize("size", [(321, 181), (33, 17), (15, 9), (2, 2)])
async def test_odd_and_tiny_sizes_end_nothing(studio: Studio, size: tuple[int, int]) -> None:
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    pictures = []
    for number in range(90):
        frame = av.VideoFrame(*size, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([(number * 3) % 200]) * plane.buffer_size)
        frame.pts = number
        pictures += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    pictures += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(None)]
    Feeder(studio.recorder.start("room")).play(pictures=pictures, sounds=encoded_sound(3), codec="vp8")
    (file,) = await studio.recorder.finish("room")
    assert not studio.problems
    assert file.width % 2 == file.height % 2 == 0
    assert len(beeps_in(file.path)) == 3
    # What a LiveKit deployment hands out has its odd planes one sample wider.
    width, height = size
    across, down = (width + 1) // 2, (height + 1) // 2
    picture = picture_planes(bytes(width * height + 2 * across * down), width, height)
    assert picture is None or (picture.width, picture.height) == (width // 2 * 2, height // 2 * 2)


async def test_what_is_too_much_is_left_out_and_told(tmp_path: Path) -> None:
    problems: list[str] = []
    gate = asyncio.Event()
    recorder = Recorder(
        tmp_path,
        on_ready=lambda _room: None,
        on_problem=lambda _room, text: (problems.append(text), gate.set())[1],
        settings=RecorderSettings(most_waiting=40),
        clock=lambda: 0.0,
    )
    tap = recorder.start("room")
    feeder = Feeder(tap)
    (video,) = feeder.play(pictures=encoded_pictures(20))
    await asyncio.wait_for(gate.wait(), 60)
    assert problems[0] == "the recorder is too slow for what arrives: frames are left out"
    async with asyncio.timeout(60):
        while tap._queue.qsize():
            await asyncio.sleep(0.01)
    assert feeder.keyframes_asked
    tap.frame(video, EncodedFrame(encoded_pictures(1)[0][0], 9_000_000, True, 1021.0))
    async with asyncio.timeout(60):
        while len(problems) < 2:
            await asyncio.sleep(0.01)
    assert "pictures were left out of the recording" in problems[1]
    await recorder.finish("room")
    await recorder.aclose()


def test_a_repeated_picture_shows_what_the_last_one_showed() -> None:
    stream, decoder = Stream(), av.CodecContext.create("h264", "r")
    for number, (data, _key) in enumerate(encoded_pictures(2)):
        stream.take(nal_units(data))
        (shown,) = decoder.decode(av.Packet(data))
        for _ in range(3 if number % 7 == 3 else 0):
            made = stream.repeated()
            assert made is not None
            length = int.from_bytes(made[:4], "big")
            assert length == len(made) - 4
            (again,) = decoder.decode(av.Packet(b"\0\0\0\1" + made[4:]))
            assert np.array_equal(again.to_ndarray(), shown.to_ndarray())
    assert sample(nal_units(b"")) == b""
    assert nal_units(b"no start code") == []
    broken = Stream()
    for noise in (b"\0\0\1\x67", b"\0\0\1\x67\x42", b"\0\0\1\x68\xff", b"\0\0\1\x65", b"\0\0\1" + bytes(40)):
        broken.take(nal_units(noise + noise))
    assert broken.repeated() is None


async def test_addresses_of_live_files_name_nothing_else(studio: Studio) -> None:
    Feeder(studio.recorder.start("room")).play(pictures=encoded_pictures(5))
    async with served(studio) as viewer:
        await viewer.until(lambda playlist: len(playlist.segments) >= 2)
        for name in ("began", "ballast", "segment-000002-1.m4s.part", "..%2Frecordings.json", "init-9.mp4"):
            assert (await viewer.get(name)).status_code in (403, 404)
        async with httpx.AsyncClient(trust_env=False, timeout=60) as other:
            ticket = viewer.url.split("/")[4]
            forged = ticket[:-8] + ("x" if ticket[-8] != "x" else "y") + ticket[-7:]
            assert (await other.get(viewer.url.replace(ticket, forged))).status_code == 403
    await studio.recorder.finish("room")
