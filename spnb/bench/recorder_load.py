"""Feeds a recorder with 720p30 in real time and prints what it cost.

`python -m spnb.bench.recorder_load CODEC SECONDS DIR [PUBLISHERS]` is a process of its own, so that nothing but
the recorder is counted; encoding the test pictures is done before.
"""

from __future__ import annotations

import asyncio
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import orjson

from spnb.broadcast.sources import TestCard
from spnb.sandbox.media.frames import EncodedFrame, TapTrack
from spnb.sandbox.recorder import Recorder

WIDTH, HEIGHT, FPS = 1280, 720, 30


def pictures(codec: str, seconds: int) -> list[tuple[bytes, bool]]:
    """Encoded test cards: data, and whether it is a key frame."""
    card = TestCard(WIDTH, HEIGHT, FPS)
    encoder = av.CodecContext.create("libx264" if codec == "h264" else "libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, FPS), Fraction(FPS), 2_500_000
    if codec == "h264":
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "60"}
    else:
        encoder.options = {"deadline": "realtime", "cpu-used": "8", "g": "60", "lag-in-frames": "0"}
    found = []
    for number in range(FPS * seconds):
        planes = np.frombuffer(card.picture(number), np.uint8).reshape(HEIGHT * 3 // 2, WIDTH)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        found += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    return found


def sounds(seconds: int) -> list[bytes]:
    """Opus packets of 20 ms of silence."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "stereo", "s16"
    found = []
    for number in range(50 * seconds):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, Fraction(1, 48000)
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return found


def _complain(_room: str, problem: str) -> None:
    raise SystemExit(problem)


async def feed(codec: Literal["h264", "vp8"], seconds: int, folder: Path, publishers: int = 1) -> dict[str, float]:
    """Record in real time; the share of a core, frames sent and frames kept."""
    video_frames, audio_frames = pictures(codec, seconds), sounds(seconds)
    recorder = Recorder(folder, on_ready=lambda _room: None, on_problem=_complain)
    tap = recorder.start("bench")
    names = [f"host {number}" for number in range(publishers)]
    videos = [TapTrack(f"v {name}", name, "video", codec, 90000, "camera") for name in names]
    audios = [TapTrack(f"a {name}", name, "audio", "opus", 48000, "microphone") for name in names]
    for track in (*videos, *audios):
        tap.track_started(track)
    spent, began, heard = time.process_time(), time.monotonic(), 0
    for number, (data, keyframe) in enumerate(video_frames):
        await asyncio.sleep(max(0.0, began + number / FPS - time.monotonic()))
        now = time.monotonic()
        for video in videos:
            tap.frame(video, EncodedFrame(data, number * 3000, keyframe, now))
        while heard < len(audio_frames) and heard / 50 <= number / FPS:
            for audio in audios:
                tap.frame(audio, EncodedFrame(audio_frames[heard], heard * 960, True, now))
            heard += 1
    share = (time.process_time() - spent) / (time.monotonic() - began)
    files = await recorder.finish("bench")
    with av.open(str(files[0].path)) as made:
        kept = sum(1 for packet in made.demux(made.streams.video[0]) if packet.size)
    await recorder.aclose()
    return {"share": share, "sent": len(video_frames), "kept": kept}


if __name__ == "__main__":
    chosen: Literal["h264", "vp8"] = "h264" if sys.argv[1] == "h264" else "vp8"
    together = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    told = asyncio.run(feed(chosen, int(sys.argv[2]), Path(sys.argv[3]), together))
    sys.stdout.write(orjson.dumps(told).decode() + "\n")
