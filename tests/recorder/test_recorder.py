"""The recorder by itself: real encoded frames in, files out that hold every picture and the sound in step."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import httpx
import numpy as np
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from spnb.broadcast.sources import TestCard, read_counter
from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder import Delivery, RecordedFile, Recorder, RecorderSettings
from spnb.sandbox.recorder.writer import RoomWriter
from tests.recorder.viewer import check, parse, served

FPS = 30
OPUS_SECONDS = 0.02


def encoded_pictures(
    seconds: float, codec: Literal["h264", "vp8"] = "h264", size: tuple[int, int] = (320, 180), first: int = 0
) -> list[tuple[bytes, bool]]:
    """Test cards `first`, `first + 1`, …: encoded frames, and whether each is a key frame (one a second)."""
    width, height = size
    card = TestCard(width, height, FPS)
    encoder: Any = av.CodecContext.create("libx264" if codec == "h264" else "libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, FPS), Fraction(FPS), 600_000
    encoder.options = (
        {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "30"}
        if codec == "h264"
        else {"deadline": "realtime", "cpu-used": "8", "g": "30", "lag-in-frames": "0"}
    )
    found = []
    for number in range(int(seconds * FPS)):
        planes = np.frombuffer(card.picture(first + number), np.uint8).reshape(height * 3 // 2, width)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        found += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    return found


def encoded_sound(seconds: float) -> list[bytes]:
    """Opus packets of 20 ms: silence, with a beep in the first tenth of each second."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "stereo", "s16"
    found = []
    for number in range(int(seconds / OPUS_SECONDS)):
        at = (np.arange(960) + number * 960) / 48_000
        wave = np.where(at % 1.0 < 0.1, np.sin(2 * np.pi * 1000 * at) * 14_000, 0).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 960, Fraction(1, 48_000)
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return found


class Feeder:
    """Plays a publisher: gives frames to a tap with the times a media server would give them, without waiting."""

    def __init__(self, tap: RoomWriter, *, start: float = 1000.0, identity: str = "host", clock: float | None = None):
        self.tap = tap
        self.start = start
        self.clock = clock
        self.identity = identity
        self.keyframes_asked = 0
        self._number = itertools.count()

    def track(self, kind: Literal["audio", "video"], codec: Any) -> TapTrack:
        def asked() -> None:
            self.keyframes_asked += 1

        made = TapTrack(
            f"{self.identity}-{kind}-{next(self._number)}",
            self.identity,
            kind,
            codec,
            90_000 if kind == "video" else 48_000,
            "camera" if kind == "video" else "microphone",
            request_keyframe=asked,
        )
        self.tap.track_started(made)
        return made

    def play(
        self,
        *,
        pictures: list[tuple[bytes, bool]] | None = None,
        sounds: list[bytes] | None = None,
        codec: Literal["h264", "vp8"] = "h264",
        at: float = 0.0,
        delay: float = 0.0,
    ) -> list[TapTrack]:
        """Give everything; `delay` is how late the pictures arrive after the sound of the same moment."""
        moments: list[tuple[float, TapTrack, EncodedFrame]] = []
        tracks = []
        if pictures is not None:
            video = self.track("video", codec)
            tracks.append(video)
            for number, (data, key) in enumerate(pictures):
                moments.append(self._moment(video, at + number / FPS, delay, data, key, 7_000_000))
        if sounds is not None:
            audio = self.track("audio", "opus")
            tracks.append(audio)
            for number, data in enumerate(sounds):
                moments.append(self._moment(audio, at + number * OPUS_SECONDS, 0.0, data, True, 123))
        for _, track, frame in sorted(moments, key=lambda moment: moment[0]):
            self.tap.frame(track, frame)
        return tracks

    def _moment(
        self, track: TapTrack, at: float, delay: float, data: bytes, key: bool, base: int
    ) -> tuple[float, TapTrack, EncodedFrame]:
        arrived = self.start + at + delay
        captured = self.clock + at if self.clock is not None and at > 0.5 else None
        stamp = base + round(at * track.clock_rate)
        return arrived, track, EncodedFrame(data, stamp, key, arrived, captured)


class Studio:
    """A recorder with what it said."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ready: list[str] = []
        self.problems: list[tuple[str, str]] = []
        self.told = asyncio.Event()
        # Time is what arrivals tell.
        self.recorder = Recorder(
            root, on_ready=self._ready, on_problem=self._problem, settings=RecorderSettings(), clock=lambda: 0.0
        )

    def _ready(self, room: str) -> None:
        self.ready.append(room)
        self.told.set()

    def _problem(self, room: str, text: str) -> None:
        self.problems.append((room, text))
        self.told.set()


@pytest_asyncio.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    made = Studio(tmp_path / "recordings")
    yield made
    await made.recorder.aclose()


def numbers_in(path: Path) -> list[tuple[float, int | None]]:
    """Time and counter of every picture."""
    with av.open(str(path)) as container:
        found = []
        for frame in container.decode(video=0):
            luma = frame.reformat(format="gray").to_ndarray()
            found.append((float(frame.time or 0), read_counter(luma)))
        return found


def changes_in(path: Path) -> list[tuple[float, int | None]]:
    """Time and counter of every picture that is another than the one before."""
    found = numbers_in(path)
    return [now for now, before in zip(found, [(0.0, -1), *found], strict=False) if now[1] != before[1]]


def beeps_in(path: Path) -> list[float]:
    """When each beep begins, in seconds."""
    with av.open(str(path)) as container:
        parts, first = [], None
        for frame in container.decode(audio=0):
            first = float(frame.time or 0) if first is None else first
            parts.append(frame.to_ndarray()[0])
        wave = np.abs(np.concatenate(parts))
    window = 240
    level = wave[: len(wave) // window * window].reshape(-1, window).max(axis=1)
    loud = np.flatnonzero(level > 0.1)
    starts = [loud[0], *(b for a, b in itertools.pairwise(loud) if b - a > 20)]
    return [float(first or 0) + index * window / 48_000 for index in starts]


async def recorded(studio: Studio, play: Callable[[Feeder], None], **feeder: Any) -> RecordedFile:
    tap = studio.recorder.start("room", host="host")
    play(Feeder(tap, **feeder))
    files = await studio.recorder.finish("room")
    assert not studio.problems
    assert len(files) == 1
    return files[0]


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_every_picture_is_there_and_sound_in_step(studio: Studio, codec: Literal["h264", "vp8"]) -> None:
    def play(feeder: Feeder) -> None:
        feeder.play(pictures=encoded_pictures(6, codec), sounds=encoded_sound(6), codec=codec)

    file = await recorded(studio, play)
    assert (file.width, file.height) == (320, 180)
    assert abs(file.duration_seconds - 6) <= 0.1
    pictures = numbers_in(file.path)
    assert [number for _, number in pictures] == list(range(180))
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(pictures)]
    assert max(gaps) < 0.05, "a gap in the timeline"
    for beep, second in zip(beeps_in(file.path), range(6), strict=True):
        shown = next(at for at, number in pictures if number == second * FPS)
        assert abs(beep - shown) < 0.06
    assert studio.ready == ["room"]
    assert file.thumbnail is not None
    with av.open(str(file.thumbnail)) as thumbnail:
        assert thumbnail.streams.video[0].width == 320


async def test_the_publishers_clock_puts_sound_to_its_picture(studio: Studio) -> None:
    def play(feeder: Feeder) -> None:
        feeder.play(pictures=encoded_pictures(6), sounds=encoded_sound(6), delay=0.3)

    file = await recorded(studio, play, clock=5_000.0)
    pictures = numbers_in(file.path)
    beeps = beeps_in(file.path)
    for second in range(2, 6):
        shown = next(at for at, number in pictures if number == second * FPS)
        assert min(abs(beep - shown) for beep in beeps) < 0.1


async def test_another_size_in_the_middle_is_recorded_on(studio: Studio) -> None:
    def play(feeder: Feeder) -> None:
        small, large = encoded_pictures(2, size=(320, 180)), encoded_pictures(2, size=(640, 360), first=60)
        feeder.play(pictures=small + large)

    file = await recorded(studio, play)
    assert [number for _, number in numbers_in(file.path)] == list(range(120))


async def test_a_publisher_that_comes_back_leaves_a_pause_not_a_second_file(studio: Studio) -> None:
    tap = studio.recorder.start("room", host="host")
    feeder = Feeder(tap)
    for track in feeder.play(pictures=encoded_pictures(2), sounds=encoded_sound(2)):
        tap.track_ended(track)
    assert studio.recorder.start("room", host="host") is tap
    feeder.play(pictures=encoded_pictures(2, first=60), sounds=encoded_sound(2), at=5.0)
    (file,) = await studio.recorder.finish("room")
    pictures = changes_in(file.path)
    assert [number for _, number in pictures] == list(range(120))
    assert abs(file.duration_seconds - 7) < 0.1
    assert abs(pictures[60][0] - 5.0) < 0.06
    assert len(beeps_in(file.path)) == 4


async def test_sound_alone_and_picture_alone_are_recorded(studio: Studio) -> None:
    Feeder(studio.recorder.start("sound")).play(sounds=encoded_sound(5))
    Feeder(studio.recorder.start("picture")).play(pictures=encoded_pictures(3))
    Feeder(studio.recorder.start("nothing"))
    (sound,) = await studio.recorder.finish("sound")
    (picture,) = await studio.recorder.finish("picture")
    assert len(beeps_in(sound.path)) == 5
    assert abs(sound.duration_seconds - 5) < 0.1
    assert len(numbers_in(picture.path)) == 90
    assert await studio.recorder.finish("nothing") == []
    assert studio.recorder.recorded("sound") == [sound]


async def test_the_hosts_picture_is_preferred_and_a_guests_takes_over(studio: Studio) -> None:
    tap = studio.recorder.start("room", host="host")
    guest, host = Feeder(tap, identity="guest"), Feeder(tap)
    for track in guest.play(pictures=encoded_pictures(1, first=1000)):
        tap.track_ended(track)
    hosts = host.play(pictures=encoded_pictures(2), at=1.0)
    guest_track = guest.track("video", "h264")
    for track in hosts:
        tap.track_ended(track)
    for number, (data, key) in enumerate(encoded_pictures(3, first=2000)):
        arrived = 1003.0 + number / FPS
        tap.frame(guest_track, EncodedFrame(data, number * 3000, key, arrived))
    (file,) = await studio.recorder.finish("room")
    numbers = [number for _, number in changes_in(file.path)]
    # The picture before is held until a segment can begin with the next one's.
    assert numbers[:30] == list(range(1000, 1030))
    assert numbers[-1] == 2089
    hosts = [number for number in numbers[30:] if number is not None and number < 100]
    assert hosts == list(range(hosts[0], 60))
    assert hosts[0] <= 30


async def test_live_files_can_be_played_while_they_grow(studio: Studio) -> None:
    tap = studio.recorder.start("room")
    assert studio.recorder.live_files("room") is None
    Feeder(tap).play(pictures=encoded_pictures(7), sounds=encoded_sound(7))
    await asyncio.wait_for(studio.told.wait(), 60)
    async with served(studio) as viewer:
        listed = await viewer.until(lambda playlist: len(playlist.segments) >= 3)
        assert not listed.ended
        check(listed)
        assert len(await viewer.decoded(100)) == 100
    files = studio.recorder.live_files("room")
    assert files is not None
    assert files.thumbnail is not None
    assert (files.width, files.height) == (320, 180)
    await studio.recorder.finish("room")


PROGRAM = """
import asyncio, sys, time
from pathlib import Path
from tests.recorder.test_recorder import Feeder, Studio, encoded_pictures, encoded_sound
async def main():
    studio = Studio(Path(sys.argv[1]))
    tap = studio.recorder.start("room", host="host")
    Feeder(tap).play(pictures=encoded_pictures(7), sounds=encoded_sound(7))
    while tap.frames < 200:
        await asyncio.sleep(0.01)
    print("recording", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_what_a_killed_recorder_wrote_is_recovered(tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "recording\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    studio = Studio(root)
    assert studio.recorder.unfinished() == ["room"]
    (file,) = await studio.recorder.finish("room", left_over=True)
    numbers = [number for _, number in numbers_in(file.path)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 180, "more than the last, unfinished segment is missing"
    assert studio.recorder.unfinished() == []
    # What comes after a restart is a second file, in order.
    Feeder(studio.recorder.start("room")).play(pictures=encoded_pictures(2))
    assert len(await studio.recorder.finish("room")) == 2
    await studio.recorder.discard("room")
    assert not (root / "room").exists()
    await studio.recorder.aclose()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk to fill needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_costs_only_what_comes_after(small_disk: Path) -> None:
    studio = Studio(small_disk)
    tap = studio.recorder.start("room", host="host")
    feeder = Feeder(tap)
    tracks = feeder.play(pictures=encoded_pictures(4))
    async with asyncio.timeout(60):
        while tap.frames < 120:
            await asyncio.sleep(0.01)
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    tap.track_ended(tracks[0])
    feeder.play(pictures=encoded_pictures(4, size=(1280, 720), first=120), at=4.0)
    await asyncio.wait_for(studio.told.wait(), 60)
    async with asyncio.timeout(60):
        while not studio.problems:
            await asyncio.sleep(0.02)
    assert studio.problems == [("room", "nothing more can be recorded: No space left on device")]
    (made,) = await studio.recorder.finish("room")
    numbers = [number for _, number in numbers_in(made.path)]
    assert numbers[:60] == list(range(60))
    assert len(studio.problems) == 1
    await studio.recorder.aclose()


async def test_signed_addresses_serve_ranges_and_nothing_else(studio: Studio) -> None:
    Feeder(studio.recorder.start("room")).play(pictures=encoded_pictures(2))
    (file,) = await studio.recorder.finish("room")
    now = [time.time()]
    delivery = Delivery(studio.recorder, "secret", lifetime=600, clock=lambda: now[0])
    transport = httpx.ASGITransport(Starlette(routes=delivery.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
        listed = await client.get(delivery.recording_url("room", file))
        assert listed.headers["content-type"] == "application/vnd.apple.mpegurl"
        check(parse(listed.text))
        url = listed.url.path.removesuffix("index.m3u8") + "recording.mp4"
        whole = await client.get(url)
        assert whole.status_code == 200
        assert whole.headers["content-type"] == "video/mp4"
        assert whole.content == file.path.read_bytes()
        part = await client.get(url, headers={"Range": "bytes=100-199"})
        assert part.status_code == 206
        assert part.content == whole.content[100:200]
        thumbnail = await client.get(delivery.recording_thumbnail_url("room", file.playback_id))
        assert thumbnail.headers["content-type"] == "image/jpeg"
        assert (await client.get(delivery.live_url("room"))).status_code == 404
        other_room, other_file = url.replace("room", "other"), url.replace(file.playback_id, "x")
        for changed in (other_room, other_file, url.replace(".", ".x", 1), "/media/x/room/y/z"):
            answer = await client.get(changed)
            assert answer.status_code == 403
            assert answer.json()["status"] == "error"
        for escape in ("..%2F..%2Fsandbox.sqlite", "%2e%2e", "recordings.json", "segment-1.ts%00.jpg"):
            ticket = delivery.live_url("room").removesuffix("index.m3u8")
            assert (await client.get(ticket + escape)).status_code in (400, 403, 404)
        now[0] += 10_000
        assert (await client.get(url)).status_code == 403
    with pytest.raises(ValueError, match="letters"):
        studio.recorder.folder("../../etc")
