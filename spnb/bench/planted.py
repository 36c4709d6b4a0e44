"""Recordings put into a running sandbox without waiting for a broadcast, and the films they are made of.

For benchmarks and tests.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import orjson

from spnb.broadcast.sources import TestCard
from spnb.sandbox.store import Store

__all__ = ["FPS", "film", "plant"]

FPS = 25
SIZE = (320, 180)


def film(path: Path, seconds: float, *, first: int = 0, size: tuple[int, int] = SIZE) -> Path:
    """An MP4 of test cards `first`, `first + 1`, … with a key frame each second and a tone."""
    width, height = size
    card = TestCard(width, height, FPS)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as made:
        video: Any = made.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"preset": "ultrafast", "g": str(FPS), "bf": "0"}
        audio: Any = made.add_stream("aac", rate=48_000)
        audio.layout = "stereo"
        samples = 0
        for number in range(round(seconds * FPS)):
            planes = np.frombuffer(card.picture(first + number), np.uint8).reshape(height * 3 // 2, width)
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            made.mux(video.encode(picture))
            while samples < (number + 1) * 48_000 / FPS:
                wave = (np.sin(np.arange(samples, samples + 1024) * 2 * np.pi * 440 / 48_000) / 4).astype(np.float32)
                sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
                sound.sample_rate, sound.pts, sound.time_base = 48_000, samples, Fraction(1, 48_000)
                made.mux(audio.encode(sound))
                samples += 1024
        made.mux(video.encode(None))
        made.mux(audio.encode(None))
    return path


def picture(path: Path) -> bytes:
    """A JPEG of a film's first picture."""
    with av.open(str(path)) as source:
        frame = next(source.decode(video=0)).reformat(format="yuvj420p")
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, FPS)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def plant(data_dir: Path, room_id: str, films: list[Path]) -> None:
    """Make a room recorded, with these films as its files, as if the sandbox had made them."""
    folder = data_dir / "recordings" / room_id
    folder.mkdir(parents=True)
    entries = []
    for number, source in enumerate(films, start=1):
        name = f"recording-{number}.mp4"
        (folder / name).write_bytes(source.read_bytes())
        (folder / f"thumbnail-{number}.jpg").write_bytes(picture(source))
        with av.open(str(source)) as probed:
            seconds = (probed.duration or 0) / 1e6
        entries.append(
            {
                "playback_id": f"play{number}",
                "path": name,
                "thumbnail": f"thumbnail-{number}.jpg",
                "duration_seconds": seconds,
                "width": SIZE[0],
                "height": SIZE[1],
            }
        )
    (folder / "recordings.json").write_bytes(orjson.dumps(entries))
    store = Store(data_dir / "sandbox.sqlite")
    for status in ("live", "ended", "recorded"):
        store.transition(room_id, status)
    store.close()
