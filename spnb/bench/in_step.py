"""How far sound and picture are apart in what is recorded: over an hour of clocks that drift, and under load."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from spnb._loop import run
from spnb.bench.figures import Figure, at_most, quantile
from spnb.bench.sandboxed import own_sandbox

__all__ = ["sound_and_picture"]

FPS, HOUR = 10, 3600
DRIFT = 1e-4
"""Of a bad clock; the sound's runs wrong the other way: an hour takes them 0.72 s apart."""
SECONDS = 20.0
LOUD = 0.15
"""Between a test card's tone and its beep."""


def _beeps(path: Path) -> list[float]:
    """When each beep of a test card begins in a file, in seconds."""
    found: list[float] = []
    last = -1.0
    with av.open(str(path)) as made:
        for frame in made.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > LOUD)
            if loud.size:
                at = float(frame.time or 0) + float(loud[0]) / frame.sample_rate
                if at - last > 0.5:
                    found.append(at)
                last = float(frame.time or 0) + float(loud[-1]) / frame.sample_rate
    return found


def _second() -> tuple[list[bytes], list[bytes]]:
    """A test card's second, encoded: pictures, which begin with a key frame, and sound."""
    from spnb.broadcast.sources import TestCard
    from spnb.broadcast.sources.card import tone

    card = TestCard(160, 90, FPS)
    video = av.CodecContext.create("libx264", "w")
    video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
    video.time_base, video.framerate = Fraction(1, FPS), Fraction(FPS)
    video.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": str(FPS)}
    pictures = []
    for number in range(FPS):
        planes = np.frombuffer(card.picture(number), np.uint8).reshape(135, 160)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        pictures += [bytes(packet) for packet in video.encode(frame)]
    audio = av.CodecContext.create("libopus", "w")
    audio.sample_rate, audio.layout, audio.format = 48_000, "mono", "s16"
    sounds = []
    for number in range(50):
        samples = np.frombuffer(tone(number * 960, 960), np.int16).reshape(1, -1)
        heard = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = 48_000, number * 960, Fraction(1, 48_000)
        sounds += [bytes(packet) for packet in audio.encode(heard)]
    return pictures, sounds


async def _hour(folder: Path) -> list[float]:
    """How far each beep of an hour is from its picture, by a clock that does not wait, in seconds."""
    from spnb.sandbox.media.frames import EncodedFrame, TapTrack
    from spnb.sandbox.recorder import Recorder, RecorderSettings

    troubles: list[str] = []
    recorder = Recorder(
        folder,
        on_ready=lambda _room: None,
        on_problem=lambda _room, text: troubles.append(text),
        settings=RecorderSettings(most_waiting=HOUR * (FPS + 50)),
        clock=lambda: 0.0,
    )
    tap = recorder.start("room", host="host")
    video = TapTrack("v", "host", "video", "h264", 90_000, "camera")
    audio = TapTrack("a", "host", "audio", "opus", 48_000, "microphone")
    moments: list[tuple[float, TapTrack, EncodedFrame]] = []
    for track, frames, speed in zip((video, audio), _second(), (1 + DRIFT, 1 - DRIFT), strict=True):
        tap.track_started(track)
        for number in range(HOUR * len(frames)):
            at = number / len(frames)
            stamp, key = round(at * speed * track.clock_rate), track is audio or number % FPS == 0
            captured = 9_000 + at if at > 2 else None
            moments.append((at, track, EncodedFrame(frames[number % len(frames)], stamp, key, 1000 + at, captured)))
    for _, track, frame in sorted(moments, key=lambda moment: moment[0]):
        tap.frame(track, frame)
    (file,) = await recorder.finish("room")
    await recorder.aclose()
    if troubles:
        raise RuntimeError(troubles[0])
    with av.open(str(file.path)) as made:
        seconds = [float((packet.pts or 0) * packet.time_base) for packet in made.demux(video=0) if packet.is_keyframe]
    return [beep - second for beep, second in zip(_beeps(file.path), seconds, strict=True)]


def _burn(until: float) -> None:
    while time.time() < until:
        pass


async def _recorded(room: Any, folder: Path, *, loaded: bool) -> list[float]:
    """The same of a broadcast from this process, as its recording has it."""
    from spnb.broadcast.sources import TestCard, read_counter

    show = await room.go_live(TestCard(640, 360, 30))
    await room.until("live", timeout=60)
    context = multiprocessing.get_context("spawn")
    until = time.time() + SECONDS
    busy = [context.Process(target=_burn, args=(until,)) for _ in range(os.cpu_count() or 2)] if loaded else []
    for one in busy:
        one.start()
    await asyncio.sleep(until - time.time())
    for one in busy:
        await asyncio.to_thread(one.join)
    await show.stop()
    path = (await room.download(folder, timeout=120, progress=False))[0]
    shown: list[tuple[float, int]] = []
    with av.open(str(path)) as made:
        for frame in made.decode(video=0):
            number = read_counter(np.asarray(frame.reformat(format="gray").to_ndarray(), np.uint8))
            if number is not None and (not shown or number > shown[-1][1]):
                shown.append((float(frame.time or 0), number))
    apart = []
    for beep in _beeps(path):
        for (before, low), (after, high) in itertools.pairwise(shown):
            if before <= beep < after and high - low <= 6:
                second = (low + (beep - before) / (after - before) * (high - low)) / 30
                # A beep begins with its second; what was cut off in front of the first one begins with the file.
                if abs(second - round(second)) < 0.4:
                    apart.append(second - round(second))
    return apart


def sound_and_picture() -> Iterator[Figure]:
    """The recorder alone, for an hour; a broadcast with its recording, on a machine at rest and on one at its limit."""
    with tempfile.TemporaryDirectory(prefix="spnb-bench-") as folder:
        apart = [abs(each) for each in run(_hour(Path(folder)))]
    told = f"{len(apart)} beeps; median {quantile(apart, 0.5) * 1000:.0f} ms; clocks that part by 0.72 s"
    # The first seconds pass before a publisher has told how its clocks stand.
    yield at_most("sound/picture offset over an hour", max(apart[10:]) * 1000, 40, "ms", told)
    with own_sandbox() as sandbox, sandbox.connect() as client, tempfile.TemporaryDirectory() as place:
        for loaded in (False, True):
            name = "sound/picture offset, all cores busy" if loaded else "sound/picture offset"
            room = client.rooms.create(name).asynchronous
            live = [abs(each) for each in run(_recorded(room, Path(place, str(loaded)), loaded=loaded))]
            told = f"95 % of {len(live)} beeps, in the recording; at most {max(live) * 1000:.0f} ms"
            yield at_most(name, quantile(live, 0.95) * 1000, 40, "ms", told)
