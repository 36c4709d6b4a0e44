"""Waiting for a recording: by its event, telling how the wait goes."""

from __future__ import annotations

import asyncio
import time

from spnb.live.followed import FollowedRoom
from spnb.recordings.progress import Listener, Progress, ProgressWish, listener_of

__all__ = ["recorded"]

TELL_SECONDS = 0.5

WORDS = {
    "idle": "The broadcast has not begun",
    "live": "On air: the recording is made after the end",
    "waitingReconnect": "On air, waiting for the host: the recording is made after the end",
    "ended": "The recording is being made",
    "recorded": "Recorded",
}


async def recorded(room: FollowedRoom, *, timeout: float | None, progress: ProgressWish) -> None:
    """Wait until a room is recorded; see `AsyncLiveRoom.recording`."""
    told = listener_of(progress)
    telling = asyncio.create_task(_tell(room, told), name=f"wait {room.room_id}")
    try:
        await room.until("recorded", timeout=timeout)
    except TimeoutError as error:
        problem = room.record.recording_problem
        raise TimeoutError(f"{error}: {problem}" if problem else str(error)) from None
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        told(Progress("done", WORDS.get(room.status, room.status)))


async def _tell(room: FollowedRoom, told: Listener) -> None:
    began = time.monotonic()
    while True:
        words = WORDS.get(room.status, f"The room is {room.status}")
        if room.record.recording_problem:
            words = f"{words}: {room.record.recording_problem}"
        told(Progress("waiting", f"{words} ({time.monotonic() - began:.0f} s)"))
        await asyncio.sleep(TELL_SECONDS)
