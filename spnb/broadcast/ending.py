"""The end of a broadcast as the service has it: why it came, and that the room is over."""

from __future__ import annotations

import asyncio
import logging

from spnb.broadcast.credentials import BroadcastRoom
from spnb.broadcast.line import OVER, PUT_OUT
from spnb.errors import BadRequest, BroadcastError, ServiceError, Unreachable

__all__ = ["over_words", "stop_room", "why_put_out"]

log = logging.getLogger(__name__)

ASK_SECONDS = 10.0


def over_words(status: str) -> str | None:
    """What ended a broadcast whose room is in this state; None where the room is not over."""
    if status not in OVER:
        return None
    return f"the room was {'stopped elsewhere' if status != 'terminated' else 'terminated'}"


async def why_put_out(room: BroadcastRoom, reason: str) -> str:
    """Why the media server put us out. It knows only what it was told to do; the service knows what became of the room.

    Args:
        room: the room.
        reason: LiveKit's, one of `PUT_OUT`.
    """
    if reason == "participant removed" and not room.hosted:
        words = "the host took you off the stage"
    else:
        words = f"the media server put us out: {PUT_OUT[reason]}"
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return over_words((await room.refresh()).status) or words
    except (ServiceError, Unreachable, TimeoutError) as error:
        log.info("why we were put out could not be asked: %s", type(error).__name__)
        return words


async def stop_room(room: BroadcastRoom) -> None:
    """Tell the service that the room is over, where it is the user's own.

    Raises:
        BroadcastError: it could not be told.
    """
    if not room.hosted:
        return
    try:
        await room.stop()
    except BadRequest:
        # No media had arrived: the room is idle, there is nothing to stop.
        log.debug("room %s had not been live", room.room_id)
    except (ServiceError, Unreachable) as error:
        raise BroadcastError(
            f"left the air, but the service could not be told to stop the room ({error}): "
            "it ends the room by itself after its grace time"
        ) from error
