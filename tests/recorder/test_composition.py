"""Several publishers in one recording: side by side while there are several, as they come while there is one."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any, Literal

import av
import pytest

from spnb.broadcast.sources import read_counter
from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder.layout import Arrangement, Place, arrangement_of, layout, places
from spnb.sandbox.recorder.writer import RoomWriter
from tests.recorder.test_recorder import (
    FPS,
    OPUS_SECONDS,
    Feeder,
    Studio,
    beeps_in,
    encoded_pictures,
    encoded_sound,
    numbers_in,
    studio,
)
from tests.recorder.viewer import served

__all__ = ["studio"]

WIDE = (1280, 720)
Codec = Literal["h264", "vp8"]


class Troupe:
    """Several publishers whose frames reach a recorder in the order they would arrive."""

    def __init__(self, tap: RoomWriter) -> None:
        self.tap = tap
        # A moment ahead of the clock, so that a slow machine is never behind.
        self.start = time.monotonic() + 30
        self.moments: list[tuple[float, int, TapTrack, EncodedFrame | None]] = []

    def enters(
        self,
        who: str,
        at: float,
        until: float,
        *,
        first: int = 0,
        codec: Codec = "h264",
        size: tuple[int, int] = (320, 180),
        sound: bool = False,
        source: str = "camera",
    ) -> Feeder:
        """A publisher is there for a while, with test cards from `first` on."""
        feeder = Feeder(self.tap, start=self.start, identity=who)
        pictures = encoded_pictures(until - at, codec, size, first=first)
        video = self._track(feeder, "video", codec, source)
        self._add(video, at, until, [(number / FPS, data, key) for number, (data, key) in enumerate(pictures)])
        if sound:
            audio = self._track(feeder, "audio", "opus", "microphone")
            packets = encoded_sound(until - at)
            self._add(audio, at, until, [(number * OPUS_SECONDS, data, True) for number, data in enumerate(packets)])
        return feeder

    def _track(self, feeder: Feeder, kind: Literal["audio", "video"], codec: Any, source: str) -> TapTrack:
        def asked() -> None:
            feeder.keyframes_asked += 1

        rate = 90_000 if kind == "video" else 48_000
        return TapTrack(
            f"{feeder.identity}-{source}", feeder.identity, kind, codec, rate, source, request_keyframe=asked
        )

    def _add(self, track: TapTrack, at: float, until: float, frames: list[tuple[float, bytes, bool]]) -> None:
        self.moments.append((at - 0.001, len(self.moments), track, None))
        for offset, data, key in frames:
            stamp = 5_000 + round(offset * track.clock_rate)
            frame = EncodedFrame(data, stamp, key, self.start + at + offset)
            self.moments.append((at + offset, len(self.moments), track, frame))
        self.moments.append((until - 0.001, len(self.moments), track, None))

    def play(self) -> None:
        there: set[str] = set()
        for _, _, track, frame in sorted(self.moments, key=lambda moment: moment[:2]):
            if frame is not None:
                self.tap.frame(track, frame)
            elif track.sid not in there:
                there.add(track.sid)
                self.tap.track_started(track)
            else:
                self.tap.track_ended(track)


def scenes_in(
    path: Path, layout: int, spots: list[Place] | None = None
) -> list[tuple[float, tuple[int, int], list[int | None]]]:
    """Time, size and the counters of every picture: one where it shows one publisher, else one for each place."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma = frame.reformat(format="gray").to_ndarray()
            size = (frame.width, frame.height)
            shown = (
                [Place(0, 0, *size)] if size != WIDE else [at.fit(320, 180) for at in spots or places(layout, *WIDE)]
            )
            numbers = [read_counter(luma[at.y : at.y + at.height, at.x : at.x + at.width]) for at in shown]
            found.append((float(frame.time or 0), size, numbers))
    return found


def test_places_fill_the_picture_and_distort_nothing() -> None:
    assert places(1, 1280, 720) == [Place(0, 0, 1280, 720)]
    assert places(2, 1280, 720) == [Place(0, 0, 640, 720), Place(640, 0, 640, 720)]
    assert len({(at.x, at.y) for at in places(6, 1280, 720)}) == 6
    assert places(4, 1280, 720)[3] == Place(640, 360, 640, 360)
    assert Place(640, 0, 640, 720).fit(1280, 720) == Place(640, 180, 640, 360)
    assert Place(0, 0, 640, 720).fit(720, 1280) == Place(118, 0, 404, 720)


async def test_two_are_side_by_side_and_one_is_full(studio: Studio) -> None:
    tap = studio.recorder.start("room", host="host")
    troupe = Troupe(tap)
    host = troupe.enters("host", 0, 7, sound=True)
    guest = troupe.enters("guest", 2.5, 4.5, first=500, sound=True)
    troupe.play()
    (file,) = await studio.recorder.finish("room")
    assert not studio.problems
    scenes = scenes_in(file.path, 2)

    # The host alone, as it came; side by side from where the next segment begins; full again two segments later.
    sizes = [size for size, _ in itertools.groupby(size for _, size, _ in scenes)]
    assert sizes == [(320, 180), WIDE, (320, 180)]
    composed = [at for at, size, _ in scenes if size == WIDE]
    began, ended = composed[0], composed[-1]
    assert 2.7 < began < 3.2
    alone = [numbers[0] for at, size, numbers in scenes if size != WIDE]
    assert alone == [number for number in range(210) if not began <= number / FPS + 0.001 < ended + 0.03]
    together = [(at, numbers) for at, size, numbers in scenes if size == WIDE and at < 4.4]
    assert [left for _, (left, _) in together] == list(range(together[0][1][0] or 0, 132)), "each of the host's"
    for at, (_, right) in together:
        assert right is not None
        assert abs((right - 500) / FPS - (at - 2.5)) < 0.1, "the guest is in step"
    gaps = [later - earlier for (earlier, *_), (later, *_) in itertools.pairwise(scenes)]
    assert max(gaps) < 0.05, "a gap in the timeline"
    assert abs(file.duration_seconds - 7) < 0.1

    beeps = beeps_in(file.path)
    assert [round(at, 1) for at in beeps] == [0, 1, 2, 2.5, 3, 3.5, 4, 5, 6], "both are heard, each in its time"
    assert host.keyframes_asked > 2
    assert guest.keyframes_asked


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_the_host_leaves_and_the_guests_go_on(studio: Studio, codec: Codec) -> None:
    tap = studio.recorder.start("room", host="host")
    troupe = Troupe(tap)
    troupe.enters("first guest", 0, 9, first=1000, codec=codec)
    troupe.enters("host", 1, 5, first=0, codec=codec)
    troupe.enters("second guest", 1, 5, first=2000)
    troupe.play()
    (file,) = await studio.recorder.finish("room")
    assert not studio.problems
    scenes = scenes_in(file.path, 3)
    three = [numbers for at, size, numbers in scenes if size == WIDE and 2.9 < at < 4.8]
    assert len(three) > 51
    for host, first, second in three:
        assert host is not None
        assert host < 120, "the host comes first"
        assert first is not None
        assert 1000 <= first < 1270
        assert second is not None
        assert 2000 <= second < 2120
    after = [numbers[0] for at, size, numbers in scenes if size == (320, 180) and at > 5]
    assert after == list(range(1270 - len(after), 1270))
    assert len(after) >= 25
    assert max(later - earlier for (earlier, *_), (later, *_) in itertools.pairwise(scenes)) < 0.12


def test_a_screen_is_large_and_cameras_are_inset() -> None:
    screen, camera, second = layout([True, False, False], 1280, 720)
    assert screen == Place(0, 0, 1280, 720)
    assert camera == Place(1280 - 16 - 256, 720 - 16 - 144, 256, 144)
    assert second.x + second.width < camera.x
    assert layout([False, False], 1280, 720) == places(2, 1280, 720)
    for count in range(1, 12):
        assert all(place.x >= 0 for place in layout([True, *[False] * count], 1280, 720))


def test_a_host_chooses_how_several_are_shown() -> None:
    who, cameras = ["ann", "bo", "cy"], [False, False, False]
    assert Arrangement().places(who, cameras, *WIDE) == places(3, *WIDE)
    bo, ann, cy = (Arrangement("spotlight", "bo").places(who, cameras, *WIDE)[at] for at in (1, 0, 2))
    assert bo == Place(0, 0, 1024, 720)
    assert [(at.x, at.width, at.height) for at in (ann, cy)] == [(1024, 256, 144)] * 2
    assert cy.y == ann.y + 144
    assert ann.y + (cy.y + 144) == 720, "in the middle"
    over = Arrangement("picture-in-picture", "gone").places(who, cameras, *WIDE)
    assert over == layout([True, False, False], *WIDE), "who comes first, where the one who was wished is not there"
    # A shared screen is the large one whatever was wished, and who is alone has it all.
    for shape in ("spotlight", "picture-in-picture"):
        assert Arrangement(shape, "ann").places(["ann", "ann"], [False, True], *WIDE) == layout([False, True], *WIDE)
        assert Arrangement(shape, "ann").places(["ann"], [False], *WIDE) == [Place(0, 0, *WIDE)]
    for count in range(2, 12):
        for place in Arrangement("spotlight").places(["x"] * count, [False] * count, *WIDE):
            assert not any(side % 2 for side in (place.x, place.y, place.width, place.height))
            assert 0 <= place.y <= place.y + place.height <= 720
    told = {"shape": "spotlight", "focus": "bo"}
    assert arrangement_of({"stageLayout": told}) == Arrangement("spotlight", "bo")
    for odd in (None, {}, [], {"stageLayout": 7}, {"stageLayout": {"shape": ["x"], "focus": {}}}):
        assert arrangement_of(odd) == Arrangement()


async def test_a_screen_beside_a_camera_of_one_participant(studio: Studio) -> None:
    tap = studio.recorder.start("room", host="host")
    troupe = Troupe(tap)
    troupe.enters("host", 0, 6, sound=True)
    troupe.enters("host", 1, 6, first=500, source="screen_share", size=(480, 480))
    troupe.play()
    (file,) = await studio.recorder.finish("room")
    assert not studio.problems
    assert (file.width, file.height) == WIDE, "named by what is shown longest, not by what came first"
    large, small = layout([True, False], *WIDE)
    spots = large.fit(480, 480), small.fit(320, 180)
    seen = 0
    with av.open(str(file.path)) as container:
        for frame in container.decode(video=0):
            if (frame.width, frame.height) == WIDE and 2.5 < float(frame.time or 0) < 5.8:
                luma = frame.reformat(format="gray").to_ndarray()
                screen, camera = (luma[at.y : at.y + at.height, at.x : at.x + at.width] for at in spots)
                number, inset = read_counter(screen), read_counter(camera)
                assert inset is not None
                assert number is not None
                assert abs((number - 500 + FPS) - inset) <= 3, "both are of the same moment"
                seen += 1
    assert seen > 80


async def test_live_files_show_the_composition_too(studio: Studio) -> None:
    tap = studio.recorder.start("room", host="host")
    troupe = Troupe(tap)
    troupe.enters("host", 0, 11)
    troupe.enters("guest", 2, 5, first=500)
    troupe.play()
    async with served(studio) as viewer:
        listed = await viewer.until(lambda playlist: len(playlist.segments) > 4)
        assert [segment.changed for segment in listed.segments].count(True) == 2
        sizes = await viewer.decoded(240)
        assert [size for size, _ in itertools.groupby(sizes)] == [(320, 180), WIDE, (320, 180)]
    await studio.recorder.finish("room")


async def test_one_who_shows_nothing_changes_nothing(studio: Studio) -> None:
    tap = studio.recorder.start("room", host="host")
    silent = Feeder(tap, identity="silent").track("video", "h264")
    troupe = Troupe(tap)
    troupe.enters("host", 0, 2)
    troupe.play()
    tap.track_ended(silent)
    (file,) = await studio.recorder.finish("room")
    assert [number for _, number in numbers_in(file.path)] == list(range(60))
