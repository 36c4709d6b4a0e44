"""The seams inside the sandbox: what its parts may ask of each other.

REST answers requests from the store and asks the `Stage` for anything that touches media. The lifecycle implements
the stage: it moves rooms on media events, starts and finishes recordings, and announces every change through `Events`,
which the MQTT broker implements. So REST, media, recorder and broker never know each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Events", "Json", "Stage"]

Json = dict[str, Any]


class Events(Protocol):
    """Announces a change to all who follow it in real time."""

    def publish(
        self,
        topics: Sequence[str],
        event_type: str,
        data: Mapping[str, Any],
        *,
        subject_id: str = "",
        sender_id: str = "",
    ) -> None:
        """Send one event on each topic, wrapped in the service's envelope. Returns at once; safe on the event loop.

        Args:
            topics: full topic names, e.g. `{networkId}/room/{_id}`.
            event_type: e.g. `room.startBroadcasting`.
            data: the event's `data` object, in wire names.
            subject_id: the envelope's `id`.
            sender_id: the envelope's `senderId`, an internal user id.
        """
        ...


class Stage(Protocol):
    """The media side of rooms. Rooms and users are wire-shaped dicts from the store."""

    def broadcaster_data(self, room: Json, user: Json) -> Json:
        """`{coHostUrl, coHostToken}` for a coHosts room, `{directStreamUrl}` for a direct one."""
        ...

    def subscriber_data(self, room: Json, user: Json) -> Json:
        """`{url, token}`: a LiveKit token that lets one viewer see and hear a room, unseen; a call of ours."""
        ...

    def lay_out(self, room: Json) -> None:
        """Show a room's publishers to its viewers as its metadata says."""
        ...

    async def put_viewer_out(self, room_id: str, user_id: str) -> None:
        """Take a viewer who is watching by such tokens off the media server."""
        ...

    async def revoke_keys(self, room_id: str) -> None:
        """No stream key of a room lets anybody in any more."""
        ...

    async def stop(self, room_id: str, *, by: str) -> Json:
        """End a live room: close its media, move it to `ended`, let the recording finish. Returns the room.

        An idle room is refused with a `Refused(400000)`; an ended or recorded one is returned unchanged.
        """
        ...

    async def remove(self, room_id: str, user_id: str) -> None:
        """Take a broadcaster off the media server."""
        ...

    def live_urls(self, room_id: str) -> Json:
        """`{livePlaybackUrl, liveThumbnailUrl, liveResolution}` for a room on air; absent keys are not ready yet."""
        ...

    def recordings(self, room_id: str) -> list[Json]:
        """The finished files: `[{playbackId, url, thumbnailUrl, durationSeconds, width, height}]`, freshly signed."""
        ...
