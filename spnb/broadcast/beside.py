"""Where a broadcast goes beside its room: other services, which all get the packets of one encoder."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

from spnb.broadcast.events import BroadcastEvent, RestreamLost, RestreamReached
from spnb.broadcast.line import Line
from spnb.broadcast.options import Intent
from spnb.broadcast.outlet import Outlet
from spnb.broadcast.publisher import PublisherEvents
from spnb.broadcast.restream import Restream
from spnb.broadcast.rtmp import RtmpPublisher
from spnb.errors import BroadcastError

__all__ = ["Beside"]

FIRST_OUTCOME_SECONDS = 30.0


class Beside:
    """The other services of one broadcast. Belongs to the loop.

    In a room for direct streaming they get the packets that the room gets. LiveKit's SDK keeps its packets to itself:
    beside a LiveKit room one encoder works for all of them.

    Args:
        outlet, line: the broadcast's.
        intent: gives what the host wants now.
        tell: tells an event.
    """

    def __init__(
        self, outlet: Outlet, line: Line, intent: Callable[[], Intent], tell: Callable[[BroadcastEvent], None]
    ) -> None:
        self._outlet, self._line, self._intent, self._tell = outlet, line, intent, tell
        self._encoder: RtmpPublisher | None = None
        self._loop = asyncio.get_running_loop()
        self._removing: set[asyncio.Task[None]] = set()

    @property
    def all(self) -> tuple[Restream, ...]:
        """All there are."""
        return self._line.copies.all

    async def add(self, url: str) -> Restream:
        """One more, once it has reached its service.

        Raises:
            InvalidInput: it is no RTMP address.
            BroadcastError: the service cannot be reached, or refuses.
        """
        made = Restream(url, self._changed)
        self._line.copies.add(made)
        try:
            await self._encode()
            reached = await asyncio.to_thread(made.settled.wait, FIRST_OUTCOME_SECONDS)
            if not reached or made.problem:
                raise BroadcastError(made.problem or f"{made.to} did not answer within {FIRST_OUTCOME_SECONDS:g} s")
        except BaseException:
            await self.remove(made)
            raise
        return made

    async def _encode(self) -> None:
        if self._line.direct or self._encoder is not None:
            return
        nothing = PublisherEvents(*[lambda *_: None] * 5)
        encoder = self._encoder = RtmpPublisher(self._intent(), nothing, self._line.copies)
        encoder.write_to(_Nowhere())
        await encoder.publish(self._line.format())
        self._outlet.beside(encoder)

    def _changed(self, one: Restream) -> None:
        """Something has become of one; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._heard, one)

    def _heard(self, one: Restream) -> None:
        if one.state == "stopped":
            removing = asyncio.create_task(self.remove(one), name=f"restream to {one.to} ends")
            self._removing.add(removing)
            removing.add_done_callback(self._removing.discard)
        elif one in self.all:
            self._tell(RestreamLost(to=one.to, reason=one.problem) if one.problem else RestreamReached(to=one.to))

    async def remove(self, one: Restream) -> None:
        """End one."""
        if one not in self.all:
            return
        self._line.copies.remove(one)
        one.stop()
        if not self._line.copies.all:
            await self._idle()

    async def leave(self) -> None:
        """End all."""
        for one in self.all:
            await self.remove(one)
        await asyncio.gather(*self._removing)

    async def _idle(self) -> None:
        encoder, self._encoder = self._encoder, None
        self._outlet.beside(None)
        if encoder is not None:
            await encoder.leave()


class _Nowhere(io.RawIOBase):
    """A file for an encoder whose packets go elsewhere."""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: object) -> int:
        """Nothing is kept."""
        return len(memoryview(data))  # type: ignore[arg-type]  # any buffer
