"""Tracks given to LiveKit's SDK: none is called off half-way, which the SDK does not bear.

Whoever stops waiting for `publish_track` takes away what the SDK knows a track by: as soon as the server has taken it,
the SDK fails with a `KeyError` that it writes to stderr, into a notebook.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Publishing"]


class Publishing:
    """What one connection publishes."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Future[Any]] = set()

    async def publish(self, room: Any, track: Any, options: Any) -> None:
        """Publish a track in an `rtc.Room`. Who is cancelled meanwhile waits no longer; the SDK goes on to its end.

        Raises:
            livekit.rtc.participant.PublishTrackError: the server did not take it.
        """
        publishing = asyncio.ensure_future(room.local_participant.publish_track(track, options))
        self._under_way.add(publishing)
        publishing.add_done_callback(self._under_way.discard)
        await asyncio.shield(publishing)

    async def leave(self, room: Any) -> None:
        """Leave the room; what is still being published is given up once nothing is heard of it any more."""
        try:
            if room is not None:
                await room.disconnect()
        finally:
            left = list(self._under_way)
            for publishing in left:
                publishing.cancel()
            await asyncio.gather(*left, return_exceptions=True)
