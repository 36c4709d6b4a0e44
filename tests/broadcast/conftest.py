"""The wire that can be cut is the live tests' one; LiveKit servers are the media tests'."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.broadcast.booth import Line, Listener
from tests.live.conftest import wire
from tests.media.conftest import LiveKit, embedded, livekit, real

__all__ = ["embedded", "livekit", "real", "wire"]


@pytest_asyncio.fixture
async def line(livekit: LiveKit) -> AsyncIterator[Line]:
    """The way to the LiveKit server's signalling."""
    made = Line(int(livekit.url.rsplit(":", 1)[1]))
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def listener() -> AsyncIterator[Listener]:
    """One who hears and sees everything; connects when told."""
    made = Listener()
    yield made
    await made.leave()
