"""Watching a room: presence, and a watch session without pauses and buffering that survives a network gap."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4
from weakref import WeakSet

from spnb._arguments import checked_class
from spnb._lasting import kept_up
from spnb._loop import on_loop
from spnb._twins import Blocking
from spnb.errors import ConfigError, InvalidInput, ServiceError, Unreachable
from spnb.live.audience import Heartbeat
from spnb.live.followed import FollowedRoom
from spnb.live.outbox import LATER, Outbox
from spnb.models import Room, WatchSession

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["AsyncViewing", "WatchReports"]

log = logging.getLogger(__name__)

State = Literal["new", "watching", "paused", "buffering", "ended"]

REPORT_SECONDS = 10.0
"""How often a session that goes on is told to the service."""
END_SECONDS = 2.0
"""How long an ending waits for its report to go out; later it goes by itself."""
MOST_SESSIONS = 500
NO_KEY = "there is no key to sign them with (SOCIALPLUS_WATCH_KEY)"
TRIES = 3
"""The service's SDKs drop a session at its third refusal."""
FRESH_SECONDS = 25.0
"""A player that tells nothing for so long is gone: its page was closed hard."""


class WatchReports:
    """The watch sessions of one connection on their way to the service: the newest of each, sent together.

    Args:
        client: the connection.
    """

    @classmethod
    def of(cls, client: AsyncClient[Any]) -> WatchReports:
        """The one of this connection."""
        found: WatchReports | None = client.shared.get(("watch reports", ""))
        if found is None:
            found = client.shared["watch reports", ""] = cls(client)
        return found

    def __init__(self, client: AsyncClient[Any]) -> None:
        self._client = client
        self._open: set[AsyncViewing] = set()
        self._all = WeakSet[AsyncViewing]()
        client.at_close(self._end_all)
        self._outbox: Outbox[WatchSession] = Outbox(
            client, self._send, every=REPORT_SECONDS, most=MOST_SESSIONS, batch=50, refused=self._refused, tries=TRIES
        )

    def __len__(self) -> int:
        return len(self._outbox)

    def opened(self, viewing: AsyncViewing) -> None:
        """A session that is ended when the connection is closed."""
        self._open.add(viewing)
        self._all.add(viewing)

    def closed(self, viewing: AsyncViewing) -> None:
        """It has ended."""
        self._open.discard(viewing)

    def put(self, session: WatchSession, *, hurry: bool = False) -> None:
        """Have a session's newest state reported."""
        self._outbox.put(session.session_id, session, hurry=hurry)

    async def flush(self) -> None:
        """Send now what waits."""
        await self._outbox.flush()

    async def _send(self, sessions: list[WatchSession]) -> None:
        try:
            problem = None if await self._client.presence.report(sessions) else NO_KEY
        except ConfigError as error:
            problem = str(error)
        if problem:
            log.info("watch sessions are not reported: %s", problem)
        self._tell(sessions, f"watch sessions are not reported: {problem}" if problem else None)

    async def _end_all(self) -> None:
        for viewing in list(self._open):
            await viewing.end()

    def _refused(self, sessions: list[WatchSession], error: ServiceError) -> None:
        log.warning("%d watch sessions were refused: %s", len(sessions), error)
        self._tell(sessions, f"the service refused the watch session: {error}")

    def _tell(self, sessions: list[WatchSession], problem: str | None) -> None:
        """Tell the visits how it went with their reports."""
        told = {session.session_id for session in sessions}
        for viewing in [one for one in self._all if one.session_id in told]:
            viewing._unreported = problem


@checked_class
class AsyncViewing:
    """One visit of a viewer to a room: says that they are there, and how long they have really watched.

    `async with room.watch_session() as viewing:` starts and ends it. A player tells it what happens (`pause()`,
    `buffering()`, `resume()`), or tells the seconds it measured itself (`tell()`). It ends by itself when the stream
    does, or when its user becomes a broadcaster of the room.

    Args:
        room: the room that is watched.
        clock: monotonic seconds.
    """

    def __init__(self, room: FollowedRoom, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._client = room.client
        self._clock = clock
        self._state: State = "new"
        self._flowing = False
        self._replay = False
        self._seconds = 0.0
        self._since: float | None = None
        self._told_at: float | None = None
        self._told_when: datetime | None = None
        self._started: datetime | None = None
        self._unfollow: Callable[[], None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._unreported: str | None = None
        self.session_id: str = ""
        """`room_…` for a stream, `room_playback_…` for a replay (SDK 7.20)."""

    # -- what is known

    @property
    def state(self) -> str:
        """`new`, `watching`, `paused`, `buffering` or `ended`."""
        return self._state

    @property
    def seconds(self) -> float:
        """Seconds watched, without pauses, buffering and the host's own absence."""
        running = 0.0 if self._since is None else self._clock() - self._since
        return self._seconds + max(0.0, running)

    @property
    def uncounted(self) -> str | None:
        """Why this visit counts nowhere, or not fully: the service refuses the viewer or the watch session, or there is
        no key to sign it with. None where nothing is known to be wrong."""
        if self._state == "new":
            return None
        here = None if self._state == "ended" else Heartbeat.of(self._client, self._room.room_id).refused
        return here or self._unreported

    @property
    def session(self) -> WatchSession:
        """The watch session so far.

        Raises:
            InvalidInput: it has not begun.
        """
        if self._started is None:
            raise InvalidInput("the watch session has not begun: call start()")
        return WatchSession(
            session_id=self.session_id,
            room_id=self._room.room_id,
            watch_seconds=round(self.seconds, 3),
            start_time=self._started,
            end_time=self._told_when or self._client.clock.now(),
        )

    # -- what happens

    @on_loop
    async def start(self) -> None:
        """Begin to watch.

        Raises:
            InvalidInput: the room is neither live nor recorded, or the user broadcasts in it: hosts and co-hosts are no
                viewers.
        """
        if self._state != "new":
            return
        record = self._room.record
        if not (record.is_live or record.status == "recorded"):
            record = await self._room.refresh()
        if not (record.is_live or record.status == "recorded"):
            raise InvalidInput(f"the room is {record.status}: only what is live or recorded can be watched")
        if self._broadcasts(record):
            raise InvalidInput("this user broadcasts in the room: hosts and co-hosts are no viewers")
        self._replay = record.status == "recorded"
        self.session_id = f"{'room_playback' if self._replay else 'room'}_{uuid4()}"
        self._started = self._client.clock.now()
        self._state = "watching"
        self._unfollow = self._room.observe(self._room_changed)
        WatchReports.of(self._client).opened(self)
        self._room_changed(record)
        self._ticker = asyncio.create_task(kept_up(self._tick, "a viewing"), name="spnb-viewing")

    @on_loop
    async def pause(self) -> None:
        """The viewer paused."""
        self._to("paused")

    @on_loop
    async def buffering(self) -> None:
        """The picture stands still because nothing comes."""
        if self._state == "watching":
            self._to("buffering")

    @on_loop
    async def resume(self) -> None:
        """It plays again."""
        self._to("watching")

    @on_loop
    async def tell(self, seconds: float, *, playing: bool = True) -> None:
        """A player that measures by itself says how much was watched.

        Args:
            seconds: in all since the session began; less than was told before changes nothing.
            playing: whether it plays now.
        """
        if self._state in ("new", "ended"):
            return
        self._told_at, self._told_when = self._clock(), self._client.clock.now()
        self._since = None
        self._seconds = max(self._seconds, seconds)
        self._state = "watching" if playing else "paused"
        self._present()
        self._report()

    @on_loop
    async def end(self) -> WatchSession | None:
        """Stop watching; what was watched is reported now, or as soon as the network is back.

        Returns:
            The session; None if it never began.
        """
        if self._state == "new":
            self._state = "ended"
        if self._started is None:
            return None
        if self._state != "ended":
            self._finish()
            try:
                async with asyncio.timeout(END_SECONDS):
                    await WatchReports.of(self._client).flush()
            except (*LATER, TimeoutError) as error:
                log.info("the watch session is reported later: %s", type(error).__name__)
        return self._last

    _last: WatchSession | None = None

    def _finish(self) -> None:
        self._count()
        self._since = None
        self._state = "ended"
        self._last = self.session
        Heartbeat.of(self._client, self._room.room_id).release(self)
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        WatchReports.of(self._client).closed(self)
        self._report(hurry=True)

    def _to(self, state: State) -> None:
        if self._state in ("new", "ended"):
            return
        self._count()
        self._state = state
        self._run()

    def _count(self) -> None:
        now = self._clock()
        if self._since is not None:
            self._seconds += max(0.0, now - self._since)
            self._since = now

    def _run(self) -> None:
        runs = self._state == "watching" and self._flowing and self._told_at is None
        if runs and self._since is None:
            self._since = self._clock()
        elif not runs:
            self._count()
            self._since = None

    def _room_changed(self, record: Room) -> None:
        if self._state in ("new", "ended"):
            return
        over = record.status != "recorded" if self._replay else record.is_over
        if over or self._broadcasts(record):
            self._finish()
            return
        self._flowing = record.status in ("live", "recorded")
        self._run()
        self._present()

    def _broadcasts(self, record: Room) -> bool:
        return any(person.user_id == self._client.user_id for person in record.participants)

    def _present(self) -> None:
        """A viewer is there also while the picture stands; a replay has no audience that is counted."""
        heart = Heartbeat.of(self._client, self._room.room_id)
        if self._replay or self._silent:
            heart.release(self)
        else:
            heart.hold(self)

    @property
    def _silent(self) -> bool:
        """Whether a player that measures by itself has told nothing for long."""
        return self._told_at is not None and self._clock() - self._told_at > FRESH_SECONDS

    def _report(self, *, hurry: bool = False) -> None:
        try:
            WatchReports.of(self._client).put(self._last or self.session, hurry=hurry)
        except Unreachable as error:  # as many as may wait do; the next report has all seconds in it
            self._unreported = str(error)

    async def _tick(self) -> None:
        while True:
            self._present()
            if not self._silent:
                self._report()
            await asyncio.sleep(REPORT_SECONDS)

    async def __aenter__(self) -> AsyncViewing:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        counted = f", not counted: {self.uncounted}" if self.uncounted else ""
        return f"{type(self).__name__}({self._state}, {self.seconds:.1f} s{counted})"
