"""LiveKit Egress in the recorder's place: the deployment records, and the sandbox asks for it and takes the files in.

Egress is a service of its own beside a deployment with Redis. Its API is that of livekit-protocol's
`livekit_egress.proto`: StartRoomCompositeEgress, StopEgress, ListEgress; the webhook `egress_ended` makes it quicker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from google.protobuf.message import DecodeError, Message
from livekit.protocol import egress as protocol

from spnb.sandbox.media.frames import Tap

__all__ = ["Egress", "EgressFile"]

log = logging.getLogger(__name__)

ASK_SECONDS = 5.0
AGAIN_SECONDS = 5.0
PATIENCE_SECONDS = 600.0
"""How long a recording that was stopped may take until its file is there; then the room's is tried again later."""
OVER = frozenset(
    {
        protocol.EgressStatus.EGRESS_COMPLETE,
        protocol.EgressStatus.EGRESS_FAILED,
        protocol.EgressStatus.EGRESS_ABORTED,
        protocol.EgressStatus.EGRESS_LIMIT_REACHED,
    }
)
EgressFile = tuple[str, Path]
"""An egress's id, and the file it has made."""


class Egress:
    """Has a deployment record rooms as a whole, into one file each.

    Args:
        call: calls the server: name, request, room; None where what is named does not exist.
        folder: where Egress writes; the same folder under the same path there and here.
    """

    def __init__(self, call: Callable[[str, Message, str], Awaitable[bytes | None]], folder: Path) -> None:
        self._call = call
        self._folder = folder
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    def record(self, room_id: str, tap: Tap) -> Callable[[], None]:
        """Have a room recorded from now on; `tap` is told where it is not.

        Returns:
            A function that ends it.
        """
        over = asyncio.Event()
        task = asyncio.create_task(self._recorded(room_id, tap, over), name=f"egress {room_id}")
        self._at_work[room_id] = task
        task.add_done_callback(lambda done: self._at_work.pop(room_id, None) if not done.cancelled() else None)
        return over.set

    async def _recorded(self, room_id: str, tap: Tap, over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                # A sandbox that was restarted meanwhile goes on with the one there is.
                if not any(one.status not in OVER for one in await self._of(room_id)):
                    await self._start(room_id)
                break
            except (httpx.HTTPError, DecodeError) as error:
                reason = f"LiveKit Egress does not record the room: {_words(error)}"
                log.warning("%s", reason)
                tap.unreadable(reason)
                await _first(over, AGAIN_SECONDS)
        await over.wait()
        try:
            for one in await self._of(room_id):
                if one.status not in OVER:
                    await self._call("StopEgress", protocol.StopEgressRequest(egress_id=one.egress_id), room_id)
        except (httpx.HTTPError, DecodeError) as error:
            log.warning("LiveKit Egress could not be told to stop, which the end of the room does: %s", _words(error))

    async def _start(self, room_id: str) -> None:
        output = protocol.EncodedFileOutput(filepath=str(self._folder / f"{room_id}-{time.time_ns()}.mp4"))
        wish = protocol.RoomCompositeEgressRequest(room_name=room_id, layout="speaker", file_outputs=[output])
        await self._call("StartRoomCompositeEgress", wish, room_id)

    async def _of(self, room_id: str) -> list[protocol.EgressInfo]:
        answer = await self._call("ListEgress", protocol.ListEgressRequest(room_name=room_id), room_id)
        return list(protocol.ListEgressResponse.FromString(answer or b"").items)

    def heard(self) -> None:
        """A webhook told that an egress has ended."""
        self._news.set()

    async def files(self, room_id: str) -> list[EgressFile]:
        """What was made of a room that is over, once all of it is there.

        Raises:
            TimeoutError: it takes too long.
            httpx.HTTPError: the server cannot be asked.
        """
        working = self._at_work.get(room_id)
        if working is not None:
            await asyncio.wait([working])
        began = time.monotonic()
        while True:
            self._news.clear()
            found = await self._of(room_id)
            if all(one.status in OVER for one in found):
                break
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise TimeoutError("LiveKit Egress has not finished the room's recording")
            await _first(self._news, ASK_SECONDS)
        made: list[EgressFile] = []
        for one in found:
            if one.error:
                log.warning("an egress of room %s: %s", room_id, one.error)
            # Only what lies in the folder is taken, whatever path is told.
            made += [(one.egress_id, self._folder / Path(file.filename).name) for file in one.file_results]
        return made

    async def aclose(self) -> None:
        """Let go; what is being recorded is recorded on."""
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Until an event, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _words(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        try:
            return str(error.response.json().get("msg"))[:200]
        except (ValueError, AttributeError):
            return f"HTTP {error.response.status_code}"
    return type(error).__name__
