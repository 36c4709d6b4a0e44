"""What viewers on bad lines see: the embedded server and an unmodified livekit-server, line by line."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spnb._loop import run
from spnb.bench.figures import Figure, at_least, at_most
from spnb.bench.forwarding import KEY, served_by_embedded, served_by_livekit
from spnb.bench.media import publishing
from spnb.bench.weather import Sky
from spnb.sandbox.livekit.choice import find_binary
from spnb.sandbox.media.tokens import Grants, mint

__all__ = ["bad_lines"]

SETTLE_SECONDS, SECONDS = 5.0, 15.0
FREEZE_SECONDS = 0.2
SMALL: dict[str, Any] = {}
LAYERED: dict[str, Any] = {"width": 1280, "height": 720, "bits": 1_500_000, "simulcast": True}
LINES: tuple[tuple[str, dict[str, float], dict[str, Any]], ...] = (
    ("clear", {}, SMALL),
    ("3 % lost, 50 ms", {"loss": 3, "delay": 50}, SMALL),
    ("10 % lost, 50 ms", {"loss": 10, "delay": 50}, SMALL),
    ("10 % lost, 200 ms", {"loss": 10, "delay": 200}, SMALL),
    ("50 ms and up to 50 more", {"delay": 50, "jitter": 50}, SMALL),
    ("600 kb/s, 50 ms, simulcast", {"rate": 600, "delay": 50}, LAYERED),
)
"""Loss and delay each way; the last publisher sends three layers, of which one fits."""


@dataclass(frozen=True)
class _Seen:
    """What a viewer saw."""

    pictures: float
    """Each second."""
    freezes: int
    """How often none came for more than 0.2 s."""
    longest: float
    """Seconds."""


def bad_lines() -> Iterator[Figure]:
    """Pictures shown per second and freezes over 200 ms, for an official subscriber on a bad line.

    The publisher sends 30 a second. Without a livekit-server (see `spnb sandbox --livekit`) only the embedded server is
    measured, against half of what is sent.
    """
    binary = find_binary(os.environ)
    for name, weather, media in LINES:
        ours = run(_watched(served_by_embedded(), weather, media))
        if binary is None:
            yield at_least(f"pictures a second, {name}: embedded", ours.pictures, 15, "fps", _told(ours))
            continue
        theirs = run(_watched(served_by_livekit(binary), weather, media))
        note = f"{_told(ours)}; livekit-server {theirs.pictures:.1f} fps, {_told(theirs)}"
        yield at_least(f"pictures a second, {name}: embedded", ours.pictures, 0.9 * theirs.pictures, "fps", note)
        bar = max(theirs.freezes * 1.25, theirs.freezes + 3)
        yield at_most(f"freezes over 200 ms in {SECONDS:.0f} s, {name}: embedded", ours.freezes, bar, "freezes", note)


def _told(seen: _Seen) -> str:
    return f"{seen.freezes} freezes, longest {seen.longest:.2f} s"


async def _watched(serving: Any, weather: dict[str, float], media: dict[str, Any]) -> _Seen:
    async with serving as (url, secret, _):

        def token(identity: str) -> str:
            return mint(KEY, secret, identity=identity, grants=Grants(room="bench", room_join=True), ttl=600)

        relay = await asyncio.to_thread(Sky, url, 1, **weather)
        try:
            async with publishing(url, token("host"), **media):
                return await _see(relay.url, token("viewer"))
        finally:
            await asyncio.to_thread(relay.close)


async def _see(url: str, token: str) -> _Seen:
    from livekit import rtc

    room = rtc.Room()
    found: asyncio.Queue[Any] = asyncio.Queue()
    room.on("track_subscribed", lambda track, *_: found.put_nowait(track))
    await room.connect(url, token)
    stream = rtc.VideoStream(await found.get())
    times: list[float] = []
    began = time.monotonic() + SETTLE_SECONDS
    try:
        async with asyncio.timeout(SETTLE_SECONDS + SECONDS):
            async for _ in stream:
                times.append(time.monotonic())
    except TimeoutError:
        pass
    finally:
        await stream.aclose()
        await room.disconnect()
    counted = [began, *(at for at in times if at > began), began + SECONDS]
    gaps = [later - earlier for earlier, later in itertools.pairwise(counted)]
    return _Seen((len(counted) - 2) / SECONDS, sum(gap > FREEZE_SECONDS for gap in gaps), max(gaps))
