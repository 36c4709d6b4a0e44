"""The blocking faces of live objects: the same words, the same objects underneath."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from spnb._loop import iterate, run
from spnb.client.records import Records
from spnb.live.chat_sync import Chat
from spnb.live.co_hosting import CoHosting
from spnb.live.collection import AsyncLiveRooms
from spnb.live.engagement import Engagement
from spnb.live.room import AsyncLiveRoom, Observer
from spnb.live.timeline import Timeline
from spnb.models import BroadcasterData, LiveReaction, Post, Room

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from spnb.realtime import Event
    from spnb.recordings import ProgressWish, Recording

__all__ = ["LiveRoom", "LiveRooms", "Watch"]

T = TypeVar("T")


class Watch(Generic[T]):
    """Changes one after the other, for a plain `for` as well as for `async for`."""

    def __init__(self, source: AsyncIterator[T]) -> None:
        self._source = source

    def __iter__(self) -> Iterator[T]:
        return iterate(self._source)

    def __aiter__(self) -> AsyncIterator[T]:
        return self._source


class LiveRoom(CoHosting, Engagement):
    """A room that follows the service while anybody looks at it: the blocking twin of `AsyncLiveRoom`.

    Args:
        twin: the async room it stands before.
    """

    def __init__(self, twin: AsyncLiveRoom) -> None:
        self._twin = twin

    @property
    def asynchronous(self) -> AsyncLiveRoom:
        """The async twin."""
        return self._twin

    @property
    def record(self) -> Room:
        """The newest that is known."""
        return self._twin.record

    @property
    def room_id(self) -> str:
        """The room's id."""
        return self._twin.room_id

    @property
    def status(self) -> str:
        """Its state: `idle`, `live`, `waitingReconnect`, `ended`, `recorded`, `terminated` or `error`."""
        return self._twin.status

    @property
    def title(self) -> str:
        """Its title. User content: show it as text."""
        return self._twin.title

    def timeline(self) -> Timeline:
        """All that happened to the room since this object's first sight of it, with sources and both clocks."""
        return self._twin.timeline()

    def hear(self, event: Event) -> None:
        """Take news that came another way than this object's own, a webhook."""
        self._twin.hear(event)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._twin.record, name)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with the record at every change, on spnb's background loop.

        Returns:
            A function that ends it.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[Room]:
        """The record now, then at each change of status; ends after a final one. For `for` and `async for`."""
        return Watch(self._twin.watch())

    def live_reactions(self) -> Watch[LiveReaction]:
        """Every floating reaction from now on, one's own too. For `for` and `async for`; ends only when it is left."""
        return Watch(self._twin.live_reactions())

    def until(self, *statuses: str, timeout: float | None = None) -> Room:
        """Wait until the room is in one of these states.

        Args:
            statuses: e.g. `"live"`, or `"ended", "recorded"`.
            timeout: seconds; for ever without.

        Raises:
            RoomOver: it can never be in any of them any more.
            TimeoutError: it was not in time.
        """
        return run(self._twin.until(*statuses, timeout=timeout))

    def refresh(self) -> Room:
        """Read the room again now."""
        return run(self._twin.refresh())

    def post(self, *, community_id: str | None = None, text: str | None = None, title: str | None = None) -> Post:
        """The room's livestream post, in a community or in your own feed. Where there is one already it is that one,
        changed to this text and title."""
        return run(self._twin.post(community_id=community_id, text=text, title=title))

    def open_chat(self, *, community_id: str | None = None, name: str | None = None) -> Chat:
        """The room's live chat; opened where it is not, with the post it needs before.

        Raises:
            ChatNotOpened: a step failed; says which, and how to go on.
        """
        return run(self._twin.open_chat(community_id=community_id, name=name)).sync

    @property
    def chat(self) -> Chat:
        """The room's live chat, once it is open."""
        return self._twin.chat.sync

    def go_live(self, source: Any = None, **options: Any) -> Any:
        """Put the room on air with a source (a test card without), and hand out the running `Broadcast`.

        Args:
            source: a source of `spnb.broadcast.sources`.
            options: see `spnb.broadcast.go_live`.
        """
        return run(self._twin.go_live(source, **options)).sync

    def broadcaster_data(self) -> BroadcasterData:
        """What a broadcaster needs to publish. Secret."""
        return run(self._twin.broadcaster_data())

    def stop(self) -> Room:
        """End the broadcast for good."""
        return run(self._twin.stop())

    def update(self, **changes: Any) -> Room:
        """Change fields; see `rooms.update`."""
        return run(self._twin.update(**changes))

    def delete(self) -> None:
        """Delete the room."""
        run(self._twin.delete())

    def recording(
        self, *, timeout: float | None = None, details: bool = True, progress: ProgressWish = None
    ) -> Recording:
        """Wait until the room is recorded and hand out its files in order; see `AsyncLiveRoom.recording`."""
        return run(self._twin.recording(timeout=timeout, details=details, progress=progress)).sync

    def download(self, folder: str | Path, *, timeout: float | None = None, **options: Any) -> list[Path]:
        """Wait for the recording and fetch its files; see `Recording.download`."""
        return run(self._twin.download(folder, timeout=timeout, **options))

    def viewers(self) -> int:
        """How many users watch now."""
        return run(self._twin.viewers())

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()


class LiveRooms:
    """Rooms in certain states, newest first: the blocking twin of `AsyncLiveRooms`."""

    def __init__(self, twin: AsyncLiveRooms) -> None:
        self._twin = twin

    @property
    def asynchronous(self) -> AsyncLiveRooms:
        """The async twin."""
        return self._twin

    @property
    def statuses(self) -> tuple[str, ...]:
        """Which states belong to the collection."""
        return self._twin.statuses

    @property
    def rooms(self) -> list[Room]:
        """The records known now, newest first."""
        return self._twin.rooms

    def refresh(self) -> list[Room]:
        """Read the collection now."""
        return run(self._twin.refresh())

    def observe(self, observer: Callable[[list[Room]], Any]) -> Callable[[], None]:
        """Have `observer` called with all rooms at every change, on spnb's background loop.

        Returns:
            A function that ends it.
        """
        return self._twin.observe(observer)

    def watch(self) -> Watch[list[Room]]:
        """All rooms now, then at every change. For `for` and `async for`."""
        return Watch(self._twin.watch())

    @property
    def df(self) -> pd.DataFrame:
        """One row per room; times are UTC."""
        return Records.of(self.rooms).df

    def __len__(self) -> int:
        return len(self._twin)

    def __iter__(self) -> Iterator[Room]:
        return iter(self.rooms)

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")

    def _repr_html_(self) -> str:
        return self._twin._repr_html_()
