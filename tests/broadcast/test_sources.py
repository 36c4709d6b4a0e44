"""Sources by themselves: what they push, at which pace, and what they say when they cannot."""

from __future__ import annotations

import itertools
import math
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spnb.broadcast.sources import Camera, Generator, MediaFile, Screen, TestCard, read_counter
from spnb.broadcast.sources.base import packed
from spnb.broadcast.sources.card import tone
from spnb.broadcast.sources.monitor import Monitor
from spnb.errors import InvalidInput, SourceError


class Taken:
    """A sink that keeps everything and can wait for it."""

    def __init__(self, pictures: int = 0) -> None:
        self.pictures: list[tuple[bytes, int, int]] = []
        self.sound = b""
        self.channels = 0
        self.reasons: list[str] = []
        self.over = threading.Event()
        self.enough = threading.Event()
        self._wanted = pictures

    def video(self, picture: bytearray, width: int, height: int) -> None:
        assert len(picture) == width * height * 3 // 2
        self.pictures.append((bytes(picture), width, height))
        if len(self.pictures) >= self._wanted:
            self.enough.set()

    def audio(self, samples: bytes, channels: int) -> None:
        self.sound += samples
        self.channels = channels

    def lost(self, reason: str) -> None:
        self.reasons.append(reason)
        self.over.set()

    def restored(self) -> None:
        self.reasons.append("restored")

    def ended(self) -> None:
        self.over.set()

    def counters(self) -> list[int | None]:
        return [
            read_counter(np.frombuffer(picture, np.uint8, width * height).reshape(height, width))
            for picture, width, height in self.pictures
        ]


@given(st.integers(0, 2**20 - 1), st.sampled_from([(1280, 720), (640, 360), (320, 180), (160, 90)]))
@settings(max_examples=40, deadline=None)
def test_the_counter_is_read_back_at_any_size(number: int, size: tuple[int, int]) -> None:
    card = TestCard(*size)
    luma = np.frombuffer(card.picture(number), np.uint8, size[0] * size[1]).reshape(size[1], size[0])
    assert read_counter(luma) == number


def test_what_is_no_card_has_no_counter() -> None:
    assert read_counter(np.zeros((180, 320), np.uint8)) is None
    assert read_counter(np.random.default_rng(1).integers(0, 255, (180, 320), np.uint8)) is None


def test_a_card_pushes_in_step_with_sound() -> None:
    card, taken = TestCard(160, 90, 30), Taken(30)
    card.open()
    card.start(taken)
    assert taken.enough.wait(60)
    card.close()
    numbers = taken.counters()
    assert numbers[0] == 0
    assert None not in numbers
    assert all(later > earlier for earlier, later in itertools.pairwise(numbers))  # type: ignore[operator]
    assert abs(len(taken.sound) / 2 / 48_000 - len(taken.pictures) / 30) < 0.2
    assert taken.channels == 1
    assert "160×90" in repr(card)
    count = len(taken.pictures)
    card.close()
    assert len(taken.pictures) == count


def test_the_tone_beeps_each_second_without_a_seam() -> None:
    whole = np.frombuffer(tone(0, 96_000), np.int16)
    parts = np.concatenate([np.frombuffer(tone(start, 1600), np.int16) for start in range(0, 96_000, 1600)])
    assert np.array_equal(whole, parts)
    assert np.abs(whole[:4000]).max() > 5 * np.abs(whole[10_000:40_000]).max()
    assert np.abs(whole[48_000:52_000]).max() > 10_000


@pytest.mark.parametrize("options", [(100, 50), (161, 91), (1280, 720, 0), (1280, 720, 61)])
def test_impossible_cards_are_refused(options: Any) -> None:
    with pytest.raises(InvalidInput):
        TestCard(*options)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a test card with a tone, 322 pixels wide so that lines are padded when decoded."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    card = TestCard(320, 180, 30)
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        audio: Any = container.add_stream("aac", rate=44_100)
        for number in range(60):
            planes = np.frombuffer(card.picture(number), np.uint8).reshape(270, 320)
            container.mux(video.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        for number in range(88):
            wave = np.sin(2 * math.pi * 440 * (np.arange(1024) + number * 1024) / 44_100).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 44_100, number * 1024, Fraction(1, 44_100)
            container.mux(audio.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


@pytest.mark.media  # it keeps time
def test_a_file_is_played_once_and_ends(film: Path) -> None:
    source, taken = MediaFile(film), Taken()
    source.open()
    assert (source.width, source.height, source.has_audio) == (320, 180, True)
    source.start(taken)
    assert taken.over.wait(60)
    source.close()
    assert taken.counters() == list(range(60))
    assert 1.8 <= len(taken.sound) / 4 / 48_000 <= 2.2
    assert "film.mp4" in repr(source)


@pytest.mark.media
def test_a_file_can_be_played_again_and_again(film: Path) -> None:
    source, taken = MediaFile(film, loop=True), Taken(70)
    source.start(taken)
    assert taken.enough.wait(60)
    source.close()
    seen = taken.counters()[:70]
    again = next(at for at, (before, now) in enumerate(itertools.pairwise(seen), 1) if now < before)
    assert seen[:again] == sorted(set(seen[:again]))
    assert seen[again:] == sorted(set(seen[again:]))
    assert not taken.over.is_set()


def test_files_that_cannot_be_played_say_so(tmp_path: Path, film: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    for path, why in ((tmp_path / "none.mp4", "no file"), (text, "no media file")):
        with pytest.raises(SourceError, match=why):
            MediaFile(path).open()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.read_bytes()[: len(film.read_bytes()) // 2])
    with pytest.raises(SourceError):
        MediaFile(broken).open()


def test_an_absent_camera_says_what_to_do() -> None:
    with pytest.raises(SourceError, match=r"cannot be opened.*TestCard"):
        Camera("/dev/video99").open()


def test_a_microphone_beside_a_camera_is_heard(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ALSA library, with a device that reads a tone from a file; the camera's pictures come from a film."""
    wave = (9000 * np.sin(2 * math.pi * 440 * np.arange(480_000) / 48_000)).astype(np.int16)
    (tmp_path / "tone.raw").write_bytes(np.repeat(wave, 2).tobytes())
    device = f'type file slave.pcm null file /dev/null infile "{tmp_path}/tone.raw" format raw'
    (tmp_path / "asound.conf").write_text(f"pcm.tone {{ {device} }}\npcm.null {{ type null }}\n")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    monkeypatch.setattr("spnb.broadcast.sources.media._driver", lambda _device: ("mp4", str(film)))
    camera, taken = Camera(microphone="tone"), Taken(10)
    camera.open()
    assert camera.has_audio
    camera.start(taken)
    assert taken.enough.wait(60)
    camera.close()
    heard = np.frombuffer(taken.sound, np.int16).reshape(-1, 2)[:, 0].astype(float)
    assert len(heard) > 2000
    strongest = np.fft.rfftfreq(len(heard), 1 / 48_000)[np.abs(np.fft.rfft(heard * np.hanning(len(heard)))).argmax()]
    assert abs(strongest - 440) < 30
    with pytest.raises(SourceError, match=r"microphone nowhere cannot be opened.*microphone=None"):
        Camera(microphone="nowhere").open()
    without = Camera()
    without.open()
    without.close()


@pytest.mark.parametrize(
    ("system", "device", "driver"),
    [
        ("Linux", None, ("v4l2", "/dev/video0")),
        ("Darwin", None, ("avfoundation", "0:none")),
        ("Windows", "Cam", ("dshow", "video=Cam")),
    ],
)
def test_each_system_has_its_driver(monkeypatch: pytest.MonkeyPatch, system: str, device: Any, driver: Any) -> None:
    from spnb.broadcast.sources.media import _driver

    monkeypatch.setattr("platform.system", lambda: system)
    assert _driver(device) == driver
    monkeypatch.setattr("platform.system", lambda: "Windows" if system == "Windows" else "Plan9")
    with pytest.raises(SourceError):
        _driver(None)


def run_generator(function: Callable[[int, float], Any], pictures: int, size: tuple[int, int] = (64, 48)) -> Taken:
    source, taken = Generator(function, *size, fps=60), Taken(pictures)
    source.start(taken)
    assert taken.enough.wait(60) or taken.over.wait(1)
    source.close()
    return taken


def test_functions_give_rgb_or_planes() -> None:
    red = run_generator(lambda *_: np.full((48, 64, 3), (255, 0, 0), np.uint8), 3)
    assert 60 < red.pictures[0][0][0] < 100
    planes = run_generator(lambda *_: np.full((72, 64), 7, np.uint8), 3)
    assert planes.pictures[0][0] == bytes([7]) * 72 * 64

    def short(number: int, _second: float) -> Any:
        if number > 2:
            raise StopIteration
        return np.zeros((48, 64, 3), np.uint8)

    source, taken = Generator(short, 64, 48, fps=60), Taken()
    source.start(taken)
    assert taken.over.wait(60)
    assert taken.reasons == []


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda *_: np.zeros((10, 10, 3), np.uint8), r"shape \(10, 10, 3\)"),
        (lambda *_: np.zeros((48, 64, 3), float), "float64"),
        (lambda *_: 1 / 0, "ZeroDivisionError"),
        (lambda *_: sys.exit("enough"), "SystemExit: enough"),
        (lambda *_: [[1], [2, 3]], "no array"),
        (lambda *_: None, "object of shape"),
    ],
)
def test_a_function_that_fails_loses_the_source(function: Any, why: str) -> None:
    import re

    source, taken = Generator(function, 64, 48, fps=60), Taken()
    source.start(taken)
    assert taken.over.wait(60)
    assert re.search(why, taken.reasons[0])
    source.close()


@pytest.mark.parametrize("filtered", [False, True])
def test_what_a_page_had_under_way_is_no_sign_of_its_lost_camera(filtered: bool) -> None:
    """Pictures wait to be decoded, or changed, when the page says that its camera is gone."""
    monitor, taken, changed = Monitor(), Taken(), threading.Event()
    picture = av.VideoFrame.from_ndarray(np.zeros((270, 320), np.uint8), format="yuv420p")

    def slow(_pixels: Any) -> None:
        changed.wait(60)

    source = monitor.output()
    monitor.take(picture)
    source.open()
    source.start(taken)
    if filtered:
        monitor.set_filter(slow)
    monitor.take(picture)  # with a filter it is being changed until after the loss
    monitor.lost("the camera is gone")
    monitor.take(picture)
    changed.set()
    monitor.set_filter(None)
    assert taken.reasons == ["the camera is gone"]
    before = len(taken.pictures)
    monitor.found()
    monitor.take(picture)
    assert taken.reasons == ["the camera is gone", "restored"]
    assert len(taken.pictures) > before
    monitor.close()


def test_a_function_that_does_not_return_has_lost_its_source_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spnb.broadcast.sources.generator.LATE_SECONDS", 2.0)
    held, held_at = threading.Event(), list[int]()

    def late(number: int, _second: float) -> Any:
        if number >= 3 and not held_at:  # a busy machine leaves pictures out
            held_at.append(number)
            held.wait(60)
        return np.full((48, 64, 3), number % 256, np.uint8)

    source, taken = Generator(late, 64, 48, fps=60), Taken(3)
    source.start(taken)
    assert taken.over.wait(60)
    assert taken.reasons == [f"the function has not returned picture {held_at[0]} for 2 s"]
    count = len(taken.pictures)
    taken.enough.clear()
    held.set()
    assert taken.enough.wait(60)
    source.close()
    assert taken.reasons[1:] == ["restored"]
    assert len(taken.pictures) > count


def test_impossible_generators_are_refused() -> None:
    for options in ((63, 48, 30), (64, 48, 0), (2, 2, 30), (14, 64, 30), (9000, 64, 30), (64.0, 48, 30)):
        with pytest.raises(InvalidInput):
            Generator(lambda *_: None, *options)


def test_a_screen_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(SourceError, match="screen"):
        Screen().open()


def test_padding_of_decoded_lines_is_left_out() -> None:
    frame = av.VideoFrame(322, 182, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes([9]) * plane.buffer_size)
    assert packed(frame) == bytearray([9]) * (322 * 182 * 3 // 2)
