"""What a viewer gets: how far behind by WebRTC, and sound against picture in the recording."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from spnb._loop import run
from spnb.bench.figures import Figure, at_most
from spnb.bench.sandboxed import own_sandbox
from spnb.broadcast.sources import TestCard, read_counter
from spnb.client.subscriber import subscriber_data

__all__ = ["viewing"]

WIDTH, HEIGHT, FPS = 640, 360, 25
READINGS = 250
LOUD = 0.15


class _Timed(TestCard):
    """A test card that remembers when each picture was drawn."""

    def __init__(self) -> None:
        super().__init__(WIDTH, HEIGHT, FPS)
        self.drawn: dict[int, float] = {}

    def picture(self, number: int, at: datetime | None = None) -> bytearray:
        """Picture `number`."""
        self.drawn[number] = time.monotonic()
        return super().picture(number, at)


async def _watched(room: Any, card: _Timed) -> list[float]:
    """Seconds from the drawing of a picture until a viewer has it decoded, one for each of some pictures."""
    import numpy as np
    from livekit import rtc

    data = await subscriber_data(room.client, room.room_id)
    assert data is not None  # noqa: S101 - a sandbox gives it
    viewer, tracks = rtc.Room(), asyncio.Queue[Any]()
    viewer.on("track_subscribed", lambda track, *_: tracks.put_nowait(track))
    await viewer.connect(data.url, data.token)
    while (track := await tracks.get()).kind != rtc.TrackKind.KIND_VIDEO:
        continue
    delays: list[float] = []
    async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.I420):
        now, frame = time.monotonic(), event.frame
        if (frame.width, frame.height) != (WIDTH, HEIGHT):
            continue
        luma = np.frombuffer(frame.data, np.uint8, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
        number = read_counter(luma)
        if number in card.drawn:
            delays.append(now - card.drawn[number])
        if len(delays) == READINGS:
            break
    await viewer.disconnect()
    return delays


def _offsets(path: Path) -> list[float]:
    """Sound against picture at each beep, in seconds; positive where the sound is late."""
    import av
    import numpy as np

    shown: dict[int, float] = {}
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            gray: Any = frame.reformat(format="gray").to_ndarray()
            number = read_counter(gray)
            if number is not None and frame.time is not None:
                shown.setdefault(number, frame.time)
    waves, rate, begins = [], 48_000, None
    with av.open(str(path)) as file:
        for sound in file.decode(audio=0):
            begins = sound.time if begins is None else begins
            rate = sound.sample_rate
            waves.append(sound.to_ndarray()[0])
    loud = np.flatnonzero(np.abs(np.concatenate(waves)) > LOUD)
    firsts = [at for before, at in itertools.pairwise([-rate, *loud.tolist()]) if at - before > rate // 2]
    beeps = [(begins or 0.0) + at / rate for at in firsts]
    flashes = [at for number, at in shown.items() if number % FPS == 0]
    nearest = [min((beep - flash for flash in flashes), key=abs) for beep in beeps if flashes]
    return [offset for offset in nearest if abs(offset) < 0.5]


async def _measure(room: Any) -> tuple[list[float], list[float]]:
    card = _Timed()
    show = await room.go_live(card)
    await room.until("live", timeout=60)
    delays = await _watched(room, card)
    await show.stop()
    with tempfile.TemporaryDirectory(prefix="spnb-bench-") as folder:
        recording = await room.recording(timeout=60)
        path = Path(folder) / "show.mp4"
        await recording.download(path)
        return delays, await asyncio.to_thread(_offsets, path)


def viewing() -> Iterator[Figure]:
    """A broadcast from the kernel, watched by LiveKit's SDK with a viewer's own token, and its recording."""
    with own_sandbox() as sandbox, sandbox.connect() as client:
        delays, offsets = run(_measure(client.rooms.create("watched").asynchronous))
    late = statistics.quantiles(delays, n=20)[-1]
    how = f"drawn → decoded at a viewer, half of {len(delays)} pictures; p95 {late:.2f} s"
    yield at_most("live delay, WebRTC", statistics.median(delays), 0.3, "s", how)
    usual = statistics.median(offsets)
    how = f"half of {len(offsets)} beeps of a recording; {max(offsets, key=abs) * 1000:+.0f} ms at the worst"
    yield at_most("sound against picture", abs(usual) * 1000, 40, "ms", how)
