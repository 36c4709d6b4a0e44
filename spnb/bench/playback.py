"""How far behind what is on air a viewer is, by the way the stream reaches them."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

import httpx

from spnb._loop import run
from spnb.bench.figures import Figure, at_most, quantile
from spnb.bench.media import publishing, viewer_token
from spnb.bench.sandboxed import OwnSandbox, own_sandbox

__all__ = ["live_delay"]

READINGS = 30


async def _ages(url: str) -> tuple[list[float], list[float], dict[str, float]]:
    """How old the end of the newest part, and of the newest segment, is when it can be fetched, and how far back from
    there players begin, as the playlist tells; all in seconds."""
    parts: list[float] = []
    segments: list[float] = []
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        # Waits for the stream to begin.
        (await client.get(url)).raise_for_status()
        address = urljoin(url, "main.m3u8")
        text = (await client.get(address)).raise_for_status().text
        while len(parts) < READINGS:
            number, part = text.count("#EXTINF"), text[text.rfind("#EXTINF") :].count("#EXT-X-PART:")
            text = (await client.get(address, params={"_HLS_msn": number, "_HLS_part": part})).raise_for_status().text
            now = time.time()
            last = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", text)[-1]
            began = datetime.fromisoformat(last.replace("Z", "+00:00")).timestamp()
            open_ = text[text.rfind("#EXT-X-PROGRAM-DATE-TIME") :]
            if "#EXTINF" in open_:
                continue
            lengths = [float(length) for length in re.findall(r"#EXT-X-PART:DURATION=([\d.]+)", open_)]
            parts.append(now - began - sum(lengths))
            if len(lengths) == 1:
                segments.append(now - began)
        told = re.search(r"#EXT-X-SERVER-CONTROL:(\S+)", text)
        control = {name: float(value) for name, value in re.findall(r"([A-Z-]+)=([\d.]+)", told[1] if told else "")}
    return parts, segments, control


async def _by_webrtc(url: str, token: str, captured: list[float]) -> list[float]:
    """How old each picture is when the official SDK hands it out, in seconds."""
    import numpy as np
    from livekit import rtc

    from spnb.broadcast.sources import read_counter

    room, found = rtc.Room(), asyncio.Queue[Any]()
    room.on("track_subscribed", lambda track, *_: found.put_nowait(track))
    await room.connect(url, token)
    stream = rtc.VideoStream(await found.get(), format=rtc.VideoBufferType.I420)
    ages: list[float] = []
    async for event in stream:
        now, frame = time.monotonic(), event.frame
        luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height).reshape(frame.height, frame.width)
        number = read_counter(luma)
        if number is not None and number < len(captured):
            ages.append(now - captured[number])
        if len(ages) >= 10 * READINGS:
            break
    await stream.aclose()
    await room.disconnect()
    return ages


def live_delay() -> Iterator[Figure]:
    """From a picture's capture until a player that keeps the playlist's distance shows it, for each player path."""
    captured: list[float] = []

    async def measure(sandbox: OwnSandbox, room: Any) -> tuple[list[float], list[float], list[float], dict[str, float]]:
        data = await room.broadcaster_data()
        async with publishing(str(data.co_host_url), str(data.co_host_token), captured=captured):
            await room.until("live", timeout=20)
            ages = await _by_webrtc(*viewer_token(sandbox, room.room_id, "viewer"), captured)
            while room.record.live_playback_url is None:
                await asyncio.sleep(0.2)
                await room.refresh()
            parts, segments, control = await _ages(str(room.record.live_playback_url))
        await room.stop()
        return ages, parts, segments, control

    with own_sandbox() as sandbox, sandbox.connect() as client:
        ages, parts, segments, control = run(measure(sandbox, client.rooms.create("delay").asynchronous))
    part, segment = statistics.median(parts), statistics.median(segments)
    close, usual = control["PART-HOLD-BACK"], control["HOLD-BACK"]
    told = f"median of {len(ages)} pictures; 95 % within {quantile(ages, 0.95):.2f} s"
    yield at_most("live delay, WebRTC", statistics.median(ages), 0.3, "s", told)
    yield at_most(
        "live delay, LL-HLS", part + close, 2.0, "s", f"{part:.2f} s until a part is there, {close:g} s held back"
    )
    yield at_most(
        "live delay, HLS",
        segment + usual,
        10.0,
        "s",
        f"{segment:.2f} s until one is there, {usual:g} s held back",
    )
