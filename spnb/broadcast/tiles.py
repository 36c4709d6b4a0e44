"""The others on the stage as a host sees them whose connection is the kernel's: small pictures, a few a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spnb.broadcast.jpeg import Jpegs

if TYPE_CHECKING:
    from livekit import rtc

__all__ = ["Tiles", "tiles_of"]

log = logging.getLogger(__name__)

FPS = 8
EARLY = 0.25
"""How much of its time a picture may be early: those of a camera do not come like a clock's."""
WIDTH = 320
CHANGES: tuple[Any, ...] = (
    "track_published",
    "track_unpublished",
    "track_subscribed",
    "track_unsubscribed",
    "track_muted",
    "track_unmuted",
    "participant_disconnected",
)

Taken = Callable[[str, bytes | None], None]
"""Told whose picture it is, and the picture, as JPEG; None where there is none any more."""


class Few:
    """Which of many pictures are taken, so that there are at most `FPS` a second, and nearly all of as few."""

    def __init__(self) -> None:
        self._due = 0.0

    def take(self, now: float) -> bool:
        """Whether the picture of this moment is one; `now` are seconds of any clock that goes forward."""
        if now < self._due - EARLY / FPS:
            return False
        self._due = max(now, self._due) + 1 / FPS
        return True


class Tiles:
    """Takes the others' pictures while somebody looks; nothing before somebody does. Lives on the background loop."""

    def __init__(self) -> None:
        self._take: Taken | None = None
        self._room: rtc.Room | None = None
        self._small = True
        self._reading: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._asked: set[str] = set()
        """Publications that are subscribed to, and stay so: one that was given up does not always come again."""

    def show(self, take: Taken | None) -> None:
        """Hand pictures to `take` from now on; with None, take no more."""
        if (take is None) is not (self._take is None):
            self._take = take
            self._look()

    def follow(self, room: rtc.Room, *, small: bool = True) -> None:
        """The connection by which they come: a newer one takes the place of another.

        Args:
            room: it.
            small: ask for the smallest size there is; where others take what comes in too, it stays as it is.
        """
        self._forget()
        self._room, self._small = room, small
        for change in CHANGES:
            room.on(change, lambda *_: self._look() if self._room is room else None)
        self._look()

    def leave(self, room: rtc.Room | None) -> None:
        """That connection is over."""
        if room is not None and self._room is room:
            self._forget()
            self._room = None

    def _look(self) -> None:
        """Take what there is, and let go of what there is no more."""
        from livekit import rtc

        wanted: dict[str, tuple[str, Any]] = {}
        for who in self._room.remote_participants.values() if self._room is not None else ():
            pictures = [each for each in who.track_publications.values() if each.kind == rtc.TrackKind.KIND_VIDEO]
            # A shared screen is a second picture: the tile is the face's.
            pictures.sort(key=lambda each: each.source != rtc.TrackSource.SOURCE_CAMERA)
            for publication in pictures[:1]:
                if self._take is not None and publication.sid not in self._asked:
                    self._asked.add(publication.sid)
                    publication.set_subscribed(True)
                if publication.track is not None and not publication.muted and self._take is not None:
                    if self._small and publication.simulcasted:
                        publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
                    wanted[publication.sid] = who.identity, publication.track
        for sid in self._reading.keys() - wanted.keys():
            self._end(sid)
        for sid in wanted.keys() - self._reading.keys():
            who_it_is, track = wanted[sid]
            task = asyncio.create_task(self._read(who_it_is, track), name="spnb-tile")
            self._reading[sid] = who_it_is, task

    async def _read(self, who: str, track: Any) -> None:
        from livekit import rtc

        loop, jpegs, few = asyncio.get_running_loop(), Jpegs(WIDTH, FPS), Few()
        stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420, capacity=1)
        try:
            async for event in stream:
                if not few.take(loop.time()):
                    continue
                frame = event.frame
                picture = await asyncio.to_thread(jpegs.encode, frame.data, frame.width, frame.height)
                if self._take is not None:
                    self._take(who, picture)
        finally:
            await stream.aclose()

    def _end(self, sid: str) -> None:
        who, task = self._reading.pop(sid, ("", None))
        if task is None:
            return  # whom the last picture was told to has had enough
        task.cancel()
        if self._take is not None:
            self._take(who, None)

    def _forget(self) -> None:
        self._asked = set()
        for sid in list(self._reading):
            self._end(sid)


def tiles_of(broadcast: Any) -> Tiles:
    """The others' pictures, where the kernel is on the air itself; where a page is, none come."""
    found: Tiles = broadcast._line.tiles
    return found
