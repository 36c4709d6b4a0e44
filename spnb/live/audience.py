"""Who watches a room now: one reader for all who want to know, and the heartbeats that make one a viewer."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb._loop import aiterate, on_loop
from spnb._twins import Blocking
from spnb.errors import Forbidden, InvalidInput, NotFound, RateLimited, ServiceError, Unreachable, words_of
from spnb.models import User, Viewer
from spnb.observers import Observers

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["AsyncAudience", "Heartbeat"]

log = logging.getLogger(__name__)

READ_SECONDS, QUIET_SECONDS, AWAY_SECONDS = 3.0, 12.0, 60.0
"""A count that changes is read every 3 s, one that stands ever less often, down to every 12 s; after failures, 60 s."""
BEAT_SECONDS = 30.0
"""Where the presence settings cannot be read; it is what SDKs begin with."""
BEAT_AGAIN_SECONDS = 5.0


@checked_class
class AsyncAudience:
    """How many watch a room, read for everybody who asks on this connection. `room.audience` hands it out.

    No event carries the count, so it is polled (every 3 s while it changes, with back-off), and only while somebody
    observes it.

    Args:
        client: the connection.
        room_id: the room.
    """

    @classmethod
    def of(cls, client: AsyncClient[Any], room_id: str) -> AsyncAudience:
        """The one of this room on this connection."""
        found: AsyncAudience = client.shared.setdefault(("audience", room_id), cls(client, room_id))
        return found

    def __init__(self, client: AsyncClient[Any], room_id: str) -> None:
        self._client = client
        self.room_id = room_id
        """The room."""
        self._count: int | None = None
        self._peak = 0
        self.read_error: str | None = None
        """Why the count, which is observed, could not be read last; None where it could."""
        self._read_at = float("-inf")
        self._observers = Observers[int]("an audience", first=self._follow, last=self._unfollow)
        self._poller: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[int] | None = None

    @property
    def count(self) -> int:
        """How many watched when it was read last.

        Raises:
            InvalidInput: it has not been read yet.
        """
        if self._count is None:
            raise InvalidInput("the viewers of this room have not been counted yet: read() or observe() them")
        return self._count

    @property
    def peak(self) -> int:
        """The most that were seen here at once.

        Raises:
            InvalidInput: they have not been counted yet.
        """
        return max(self._peak, self.count)

    @property
    def was_read(self) -> bool:
        """Whether they have been counted yet."""
        return self._count is not None

    @on_loop
    async def read(self, *, max_age: float = 0.0) -> int:
        """How many watch now.

        Args:
            max_age: seconds; a count that was read since is good enough.

        Raises:
            ServiceError, Unreachable: it could not be read.
        """
        if time.monotonic() - self._read_at <= max_age:
            return self.count
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return await asyncio.shield(self._reading)

    async def _read(self) -> int:
        count = await self._client.presence.count(self.room_id)
        self._read_at = time.monotonic()
        self.read_error = None
        before, self._count = self._count, count
        self._peak = max(self._peak, count)
        if count != before:
            self._observers.tell(count)
        return count

    @on_loop
    async def viewers(self) -> list[Viewer]:
        """Who watches now; the service lists at most 200."""
        return await self._client.presence.viewers(self.room_id)

    @on_loop
    async def people(self, *, most: int = 100) -> list[User]:
        """Who watches now, with their names, who was heard last first.

        Args:
            most: how many at most; the service tells of 200.
        """
        ids = [viewer.user_id for viewer in await self.viewers()][:most]
        known = {user.user_id: user for user in await self._client.users.get_many(ids)} if ids else {}
        return [known.get(user_id) or User(user_id=user_id) for user_id in ids]

    def observe(self, observer: Callable[[int], Any]) -> Callable[[], None]:
        """Have `observer` called with the count at every change, on spnb's background loop.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        return self._observers.add(observer)

    def watch(self) -> AsyncIterator[int]:
        """The count now, then at every change. Ends only when it is left."""
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[int]:
        changes: asyncio.Queue[int] = asyncio.Queue()
        first = await self.read()
        end = self.observe(changes.put_nowait)
        try:
            yield first
            while True:
                yield await changes.get()
        finally:
            end()

    def _follow(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name=f"count viewers {self.room_id}")

    def _unfollow(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
            self._poller = None

    async def _poll(self) -> None:
        wait = READ_SECONDS
        while self._client.realtime.state != "closed":
            before = self._count
            try:
                async with self._client._reading:
                    await self.read(max_age=READ_SECONDS / 2)
                wait = READ_SECONDS if self._count != before else min(QUIET_SECONDS, wait * 1.5)
            except NotFound as error:
                self.read_error = words_of(error)
                return
            except (ServiceError, Unreachable) as error:
                wait = min(AWAY_SECONDS, wait * 2)
                self.read_error = words_of(error)
                log.info("viewers could not be counted: %s", type(error).__name__)
            except Exception as error:
                wait = AWAY_SECONDS
                self.read_error = words_of(error)
                log.exception("viewers could not be counted")
            await asyncio.sleep(wait * random.uniform(0.9, 1.1))

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        told = f"{self.count} watching, at most {self.peak}" if self.was_read else "not counted yet: read()"
        told += f", not read again: {self.read_error}" if self.read_error else ""
        return f"{type(self).__name__}({told})"


class Heartbeat:
    """Says that a user watches a room, at once and then as often as the presence settings ask, while anybody holds it.

    A user counts once however many players are open: all of them hold the same heartbeat.
    """

    @classmethod
    def of(cls, client: AsyncClient[Any], room_id: str) -> Heartbeat:
        """The one of this room on this connection."""
        found: Heartbeat = client.shared.setdefault(("heartbeat", room_id), cls(client, room_id))
        return found

    def __init__(self, client: AsyncClient[Any], room_id: str) -> None:
        self._client = client
        self._room_id = room_id
        self._holders: set[object] = set()
        self._every: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.refused: str | None = None
        """Why the service does not count this user among the viewers; None where it does."""

    def hold(self, holder: object) -> None:
        """Beat for this holder too."""
        self._holders.add(holder)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._beat(), name=f"heartbeat {self._room_id}")

    def release(self, holder: object) -> None:
        """Beat no longer for this holder; with the last one it ends, and the service forgets the user by itself."""
        self._holders.discard(holder)
        if not self._holders and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _beat(self) -> None:
        while True:
            wait = BEAT_AGAIN_SECONDS
            try:
                async with self._client._reading:
                    await self._client.presence.heartbeat(self._room_id)
                self.refused = None
                wait = await self._interval()
            except RateLimited as error:
                wait = error.retry_after or BEAT_AGAIN_SECONDS
            except (Forbidden, NotFound) as error:
                # Banned, or presence is off in this network: watching goes on, uncounted.
                log.info("this viewer is not counted: %s", type(error).__name__)
                self.refused = str(error)
                return
            except (ServiceError, Unreachable) as error:
                log.info("a heartbeat was lost: %s", type(error).__name__)
            await asyncio.sleep(wait)

    async def _interval(self) -> float:
        """Seconds between heartbeats. The unit is disputed: read as minutes, a viewer would be gone between two."""
        if self._every is None:
            settings = await self._client.presence.settings()
            network = settings.get("network")
            told = network.get("heartbeatInterval") if isinstance(network, dict) else None
            self._every = float(told) if isinstance(told, int | float) and told > 0 else BEAT_SECONDS
        return self._every
