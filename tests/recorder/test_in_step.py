"""Sound and picture stay together in what is written: over long times, and through a change of codec."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import pytest

from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder import Recorder, RecorderSettings
from tests.recorder.test_recorder import (
    FPS,
    OPUS_SECONDS,
    Feeder,
    Studio,
    beeps_in,
    changes_in,
    encoded_pictures,
    encoded_sound,
    studio,
)
from tests.recorder.viewer import check, served

__all__ = ["studio"]

LONG, DRIFT = 240, 1.5e-3
"""Four minutes of clocks that run fifteen times as wrong as bad ones do: as far off as after an hour, 0.36 s each."""


async def test_clocks_that_drift_as_in_an_hour_are_in_step_in_the_file(tmp_path: Path) -> None:
    problems: list[str] = []
    recorder = Recorder(
        tmp_path,
        on_ready=lambda _room: None,
        on_problem=lambda _room, text: problems.append(text),
        settings=RecorderSettings(most_waiting=1_000_000),
        clock=lambda: 0.0,
    )
    tap = recorder.start("room", host="host")
    feeder = Feeder(tap)
    video, audio = feeder.track("video", "h264"), feeder.track("audio", "opus")
    # A second of each, over and over: it begins with a key frame and with a beep.
    pictures, sounds = encoded_pictures(1, size=(160, 90))[::3], encoded_sound(1)
    moments: list[tuple[float, TapTrack, EncodedFrame]] = []
    for track, frames, speed, late in (
        (video, [p[0] for p in pictures], 1 + DRIFT, 0.02),
        (audio, sounds, 1 - DRIFT, 0.0),
    ):
        for number in range(LONG * len(frames)):
            at = number / len(frames)
            stamp = round(at * speed * track.clock_rate)
            key = track is audio or number % len(frames) == 0
            captured = 9_000 + at if at > 2 else None
            arrived = 1000 + at + late
            moments.append((arrived, track, EncodedFrame(frames[number % len(frames)], stamp, key, arrived, captured)))
    for _, track, frame in sorted(moments, key=lambda moment: moment[0]):
        tap.frame(track, frame)
    (file,) = await recorder.finish("room")
    await recorder.aclose()
    assert not problems
    with av.open(str(file.path)) as made:
        packets = [packet for packet in made.demux(video=0) if packet.is_keyframe]
    seconds = [float((packet.pts or 0) * packet.time_base) for packet in packets]
    beeps = beeps_in(file.path)
    assert len(seconds) == len(beeps) == LONG
    apart = [beep - second for beep, second in zip(beeps, seconds, strict=True)]
    assert max(map(abs, apart[10:])) < 0.04, apart
    assert abs(seconds[-1] - (LONG - 1)) < 0.1, "and with real time"


async def test_a_publisher_that_changes_its_codec_breaks_nothing(studio: Studio) -> None:
    tap = studio.recorder.start("room", host="host")
    feeder = Feeder(tap)
    audio = feeder.track("audio", "opus")
    sound = [(1000 + n * OPUS_SECONDS, n, data) for n, data in enumerate(encoded_sound(12))]
    stretches = [(0, 4, "h264"), (4, 8, "vp8"), (8, 12, "h264")]
    for begins, ends, codec in stretches:
        video = feeder.track("video", codec)
        made = encoded_pictures(ends - begins, "vp8" if codec == "vp8" else "h264", first=begins * FPS)
        moments = [feeder._moment(video, begins + n / FPS, 0, data, key, 7_000) for n, (data, key) in enumerate(made)]
        for at, number, data in sound:
            if 1000 + begins <= at < 1000 + ends:
                moments.append((at, audio, EncodedFrame(data, number * 960, True, at)))
        for _, track, frame in sorted(moments, key=lambda moment: moment[0]):
            tap.frame(track, frame)
        tap.track_ended(video)
    async with served(studio) as viewer:
        listed = await viewer.until(lambda playlist: len(playlist.segments) >= 5)
        check(listed)
        assert len({one.map for one in listed.segments}) > 1
        kinds = [one.map for one in listed.segments]
        assert [one.changed for one in listed.segments[1:]] == [a != b for a, b in itertools.pairwise(kinds)]
    (file,) = await studio.recorder.finish("room")
    assert not studio.problems
    beeps = beeps_in(file.path)
    assert [round(at) for at in beeps] == list(range(12))
    assert max(abs(at - round(at)) for at in beeps) < 0.04
    shown = [(at, number) for at, number in changes_in(file.path) if number is not None]
    assert [number for _, number in shown] == sorted(number for _, number in shown)
    assert len(shown) > 0.9 * 12 * FPS
    for at, number in shown:
        assert abs(at - number / FPS) < 0.1


@pytest.mark.parametrize("clock", [None, 5_000.0])
async def test_sound_that_leaves_and_returns_stays_with_its_picture(studio: Studio, clock: float | None) -> None:
    """Its track ends and another comes, which then says nothing for a second; the picture goes on all the while."""
    tap = studio.recorder.start("room", host="host")
    feeder = Feeder(tap, clock=clock)
    video = feeder.track("video", "h264")
    moments = [
        (*feeder._moment(video, number / FPS, 0.02, data, key, 7_000), False)
        for number, (data, key) in enumerate(encoded_pictures(12))
    ]
    sound = encoded_sound(12)
    first, second = feeder.track("audio", "opus"), feeder.track("audio", "opus")
    for track, begins, ends, base in ((first, 0, 3, 50), (second, 5, 8, 900_000), (second, 9, 12, 900_000)):
        told = range(round(begins / OPUS_SECONDS), round(ends / OPUS_SECONDS))
        moments += [
            (*feeder._moment(track, number * OPUS_SECONDS, 0, sound[number], True, base), number == told[-1])
            for number in told
        ]
    for _, track, frame, last in sorted(moments, key=lambda moment: moment[0]):
        tap.frame(track, frame)
        if last and track is first:
            tap.track_ended(track)
    async with served(studio) as viewer:
        listed = await viewer.until(lambda playlist: len(playlist.segments) >= 5)
        check(listed)
        assert len({one.map for one in listed.segments}) == 1, "one encoding throughout"
    (file,) = await studio.recorder.finish("room")
    assert not studio.problems
    beeps = beeps_in(file.path)
    assert [round(at) for at in beeps] == [0, 1, 2, 5, 6, 7, 9, 10, 11]
    shown = {number: at for at, number in reversed(changes_in(file.path))}
    assert sorted(number for number in shown if number is not None) == list(range(12 * FPS))
    apart = [beep - shown[round(beep) * FPS] for beep in beeps]
    assert max(map(abs, apart)) < 0.04, apart
    with av.open(str(file.path)) as made:
        times = [float(packet.pts * packet.time_base) for packet in made.demux(audio=0) if packet.pts is not None]
    assert times[0] == 0
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.022, "a gap in the sound"
