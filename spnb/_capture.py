"""`capture()`: puts the connection and the capture together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked
from spnb._faces import asynchronous
from spnb.errors import InvalidInput, SandboxError

if TYPE_CHECKING:
    from spnb.analytics.alerts import Alerts
    from spnb.analytics.capture import Capture
    from spnb.analytics.sources.records import Row
    from spnb.client import AsyncClient

__all__ = ["ALL_LIVE_ROOMS", "capture"]

ALL_LIVE_ROOMS = "all live rooms"


@checked
def capture(
    rooms: Any = ALL_LIVE_ROOMS,
    folder: str | Path = "capture",
    *,
    client: Any = None,
    exact: Any = None,
    alerts: Alerts | None = None,
    text: bool = False,
) -> Capture:
    """Record the audience of rooms to a folder: viewers, chat, reactions, status and, of a broadcast of this process,
    health.

        with spnb.capture(room, "tonight") as c:
            room.until("ended")
        c.dataset().kpis

    What it says is on disk survives a killed process. The same folder goes on: chat and reactions on posts are read
    again, what nobody can tell any more (viewers, floating reactions of that time) is a named gap in
    `Dataset.quality`.

    Args:
        rooms: a room, rooms, ids of rooms, or `"all live rooms"`: those on air now, and each that goes live later.
        folder: a new folder, or that of an earlier capture. `spnb.analytics.load(folder)` reads it at any time.
        client: the connection to use; the room's own without it, else a new one, which is closed with the capture.
        exact: who else has watch sessions, a sandbox (anything with `url` and `api_key`): the service has none to read.
            Your own sandbox needs not be named.
        alerts: looks at the rows as they come, and tells what to look at.
        text: keep what people write in the chat, for `spnb.analytics.words`; the folder's card says so. Without it
            only how long each message is. A capture goes on as it was begun.

    Returns:
        A capture that is not started yet: use it in `with` or `async with`, or call `start()` and `stop()`.

    Raises:
        InvalidInput: a room is none.
    """
    from spnb.analytics.capture import AsyncCapture
    from spnb.live import AsyncLiveRoom

    several = isinstance(rooms, Iterable) and not isinstance(rooms, str)
    wanted = None if rooms == ALL_LIVE_ROOMS else list(rooms) if several else [rooms]
    if wanted is not None and not wanted:
        raise InvalidInput(f"name at least one room, or {ALL_LIVE_ROOMS!r}")
    twins = [asynchronous(room) for room in wanted or ()]
    ids = None if wanted is None else [_id_of(twin) for twin in twins]
    given = asynchronous(client)
    if given is None:
        given = next((room.client for room in twins if isinstance(room, AsyncLiveRoom)), None)
    sessions = _Sessions(exact, given)
    made = AsyncCapture(given if given is not None else sessions.connected, ids, folder, views=sessions.read, text=text)
    if alerts is not None:
        from spnb.analytics.alerts import given_alerts  # not loaded where nobody asks for them

        made.observe(given_alerts(alerts).take)
    return made.sync


def _id_of(room: Any) -> str:
    room_id = room if isinstance(room, str) else getattr(room, "room_id", None)
    if not isinstance(room_id, str) or not room_id:
        raise InvalidInput(f"{type(room).__name__} is no room: give rooms, their ids, or {ALL_LIVE_ROOMS!r}")
    return room_id


class _Sessions:
    """Watch sessions from whoever has them: the one that was named, else this user's own sandbox."""

    def __init__(self, exact: Any, client: AsyncClient[Any] | None) -> None:
        self._exact = exact
        self._client = client
        self._looked = exact is not None

    async def connected(self) -> AsyncClient[Any]:
        from spnb._connect import connect_async

        self._client = await connect_async()
        return self._client

    async def read(self, room_id: str) -> Iterable[Row]:
        if not self._looked:
            self._looked = True
            self._exact = await asyncio.to_thread(self._own_sandbox)
        if self._exact is None:
            return ()
        from spnb.analytics.sources.exact import load_views

        return await load_views(self._exact.url, self._exact.api_key, room_id)

    def _own_sandbox(self) -> Any:
        from spnb.sandbox import running

        try:
            own = running()
        except SandboxError:
            return None
        return own if self._client is not None and self._client.endpoints.rest == own.url else None
