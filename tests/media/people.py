"""Who is in a room: joined by the official client, and told what happens there."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit import rtc

from tests.media.conftest import LiveKit

__all__ = ["Events", "Pictures", "camera", "joined"]


class Events:
    """What a room's client is told, to be waited for."""

    def __init__(self, room: rtc.Room, *names: str) -> None:
        self._told: asyncio.Queue[tuple[str, tuple[Any, ...]]] = asyncio.Queue()
        for name in names:
            room.on(name, lambda *words, name=name: self._told.put_nowait((name, words)))

    async def next(self, name: str, seconds: float = 20) -> tuple[Any, ...]:
        async with asyncio.timeout(seconds):
            while True:
                told, words = await self._told.get()
                if told == name:
                    return words

    @property
    def none(self) -> bool:
        return self._told.empty()


class Pictures:
    """Whether pictures of a track come."""

    def __init__(self, track: Any) -> None:
        self._stream = rtc.VideoStream(track)

    async def come(self) -> None:
        """Wait for the next picture."""
        async with asyncio.timeout(60):
            await anext(self._stream)

    async def stop(self) -> None:
        """Wait until none has come for two seconds."""
        async with asyncio.timeout(60):
            while True:
                try:
                    await asyncio.wait_for(anext(self._stream), 2)
                except (TimeoutError, StopAsyncIteration):
                    return

    async def aclose(self) -> None:
        await self._stream.aclose()


async def joined(livekit: LiveKit, room: str, identity: str, **grants: Any) -> rtc.Room:
    made = rtc.Room()
    await made.connect(livekit.url, livekit.token(room, identity, **grants), rtc.RoomOptions())
    return made


def camera() -> tuple[rtc.LocalVideoTrack, rtc.TrackPublishOptions]:
    track = rtc.LocalVideoTrack.create_video_track("x", rtc.VideoSource(64, 64))
    return track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA)
