"""A publisher that sends 4K at 60: taken as it is, whole, at the cost of copying it."""

from __future__ import annotations

import resource
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from spnb.sandbox.media.frames import EncodedFrame
from spnb.sandbox.recorder import Recorder, RecorderSettings
from tests.recorder.test_recorder import Feeder

WIDTH, HEIGHT, FPS, SECONDS = 3840, 2160, 60, 10
MEGABYTE = 1 << 20


def second_of_4k() -> list[bytes]:
    """A second at some 40 Mb/s, which begins with a key frame: of half the pictures nothing moves."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, FPS), Fraction(FPS), 40_000_000
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": str(FPS)}
    snow = np.random.default_rng(4).integers(96, 160, (4, HEIGHT // 8, WIDTH // 8)).astype(np.uint8)
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    found: list[bytes] = []
    for number in range(FPS):
        planes[: HEIGHT // 2] = snow[number // 15, : HEIGHT // 16].repeat(8, axis=0).repeat(8, axis=1)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return found


async def test_4k_at_60_is_recorded_whole(tmp_path: Path) -> None:
    problems: list[str] = []
    recorder = Recorder(
        tmp_path,
        on_ready=lambda _room: None,
        on_problem=lambda _room, text: problems.append(text),
        settings=RecorderSettings(),
        clock=lambda: 0.0,
    )
    tap = recorder.start("room", host="host")
    frames = second_of_4k()
    video = Feeder(tap).track("video", "h264")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    for number in range(SECONDS * FPS):
        at = 1000 + number / FPS
        data = frames[number % FPS]
        tap.frame(video, EncodedFrame(data, 9 + number * 1500, number % FPS == 0, at))
    (file,) = await recorder.finish("room")
    await recorder.aclose()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 - before < 200
    assert not problems
    assert (file.width, file.height) == (WIDTH, HEIGHT)
    assert abs(file.duration_seconds - SECONDS) < 0.1
    with av.open(str(file.path)) as made:
        sizes = [packet.size for packet in made.demux(video=0) if packet.size]
    # Between two pictures that lie further apart than a part lasts the one before is shown again: here none do.
    assert len(sizes) == SECONDS * FPS, "every picture"
    assert sum(sizes) > 0.98 * SECONDS * sum(map(len, frames)), "with all that was sent of it"
    assert sum(sizes) > 5 * MEGABYTE
