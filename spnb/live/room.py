"""`AsyncLiveRoom`: a room that knows its newest state and tells its observers.

A live object is a snapshot, kept up by events, corrected by reading the service again: after each event, at every
(re)connection, rarely to be safe, and with back-off while real time is away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from spnb._loop import aiterate, in_loop, on_loop
from spnb._twins import Blocking
from spnb.errors import InvalidInput, NotFound, RoomOver, ServiceError, Unreachable
from spnb.live import hooks
from spnb.live.chat import AsyncChat
from spnb.live.co_hosting import AsyncCoHosting
from spnb.live.engagement import AsyncEngagement
from spnb.live.followed import Observer, Same
from spnb.live.reading import Reader
from spnb.live.room_fields import RoomFields
from spnb.live.status import Knowledge, can_still_reach, room_of_event
from spnb.live.timeline import Origin, Timeline, TimelineLog
from spnb.models import FINAL_STATUSES, BroadcasterData, Channel, IngestAddress, Post, Room, asked_statuses
from spnb.observers import Observers
from spnb.realtime import Event

if TYPE_CHECKING:
    from spnb.broadcast import AsyncBroadcast, AudioOptions, BroadcastEvent, ReconnectOptions, VideoOptions
    from spnb.broadcast.sources import Source
    from spnb.client import AsyncClient
    from spnb.recordings import AsyncRecording, ProgressWish

__all__ = ["AsyncLiveRoom", "Observer"]

SETTLING_SECONDS = 10.0
"""How long the first read of a room that begins to be followed waits until its events come in, so that one read is
enough. That they cannot be had, or are away, is told at once and ends the wait."""

_broadcasts: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""What this process has put on air, by room and user."""


class AsyncLiveRoom(RoomFields, AsyncCoHosting, AsyncEngagement, Same):
    """A room that follows the service while anybody looks at it. Two of one connection are equal where they are of one
    room; its records, where they say the same.

    Args:
        client: the connection it lives on.
        record: the room as it was read.
    """

    def __init__(self, client: AsyncClient[Any], record: Room) -> None:
        self._client = client
        self._knowledge = Knowledge(record)
        self._record = record
        self._observers = Observers[Room](f"room {record.room_id}", first=self._follow, last=self._unfollow)
        self._ends: list[Callable[[], None]] = []
        self._topic = ""
        self._reader: Reader | None = None
        self._chat: AsyncChat | None = None
        self._timeline_log = TimelineLog(record)
        hooks.attach(client)

    # -- the record

    @property
    def client(self) -> AsyncClient[Any]:
        """The connection it lives on."""
        return self._client

    @property
    def record(self) -> Room:
        """The newest that is known."""
        return self._record

    @property
    def room_id(self) -> str:
        """The room's id."""
        return self._record.room_id

    def _stands_for(self) -> tuple[object, str]:
        return self._client, self.room_id

    @property
    def user_id(self) -> str:
        """The public id of the user on whose connection it lives."""
        return self._client.user_id

    def timeline(self) -> Timeline:
        """All that happened to the room since this object's first sight of it: events heard, readings that found news,
        own calls, webhooks; each with the time on this machine's clocks and on the service's."""
        return self._timeline_log.timeline()

    # -- following

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with the record at every change.

        social.plus: `RoomRepository.getRoom`, `RoomRepository.onRoomDidUpdate`, `RoomRepository.onRoomStopped`,
        `RoomRepository.onRoomDeleted`.

        It is called on spnb's background loop and must be quick; it may be a coroutine function.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        self._client.check_open()
        return self._observers.add(observer)

    def watch(self) -> AsyncIterator[Room]:
        """The record now, then at each change of status; ends after a final one (recorded, terminated, error), and when
        the room is deleted (`is_deleted` of the last record).

        social.plus: `RoomRepository.onRoomUpdated`.
        """
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[Room]:
        changes: asyncio.Queue[Room] = asyncio.Queue()
        last = self._record
        end = self.observe(changes.put_nowait)
        try:
            yield last
            while last.status not in FINAL_STATUSES and not last.is_deleted:
                room = await changes.get()
                if room.status != last.status or room.is_deleted:
                    last = room
                    yield room
        finally:
            end()

    @on_loop
    async def until(self, *statuses: str, timeout: float | None = None) -> Room:
        """Wait until the room is in one of these states.

        social.plus: `RoomRepository.onRoomStartBroadcasting`.

        Args:
            statuses: e.g. `"live"`, or `"ended", "recorded"`.
            timeout: seconds; for ever without.

        Returns:
            The record in that state.

        Raises:
            RoomOver: it can never be in any of them any more, or was deleted.
            TimeoutError: it was not in time.
            InvalidInput: a state is unknown.
        """
        wanted = frozenset(asked_statuses(statuses))
        watched = self._watch()
        try:
            async with asyncio.timeout(timeout):
                # What is known may be old: read once before believing that it is too late.
                with contextlib.suppress(ServiceError, Unreachable):  # watching reads again
                    await self._reconcile_now()
                async for room in watched:
                    if room.status in wanted:
                        return room
                    if room.is_deleted:
                        raise RoomOver(f"the room was deleted while it was {room.status}", status="deleted")
                    if not any(can_still_reach(room.status, status) for status in wanted):
                        break
        except TimeoutError:
            raise TimeoutError(
                f"the room is still {self.status} after {timeout:g} s, not {' or '.join(statuses)}"
            ) from None
        finally:
            await watched.aclose()  # type: ignore[attr-defined]
        raise RoomOver(f"the room is {self.status}: it will not be {' or '.join(statuses)}", status=self.status)

    @on_loop
    async def refresh(self) -> Room:
        """Read the room again now.

        Raises:
            NotFound: it was deleted.
        """
        await self._ask()
        return self._record

    async def _ask(self) -> None:
        turn = self._knowledge.asked()
        try:
            found = await self._client.rooms.record(self.room_id)
        except NotFound:
            if self._knowledge.gone():
                self._take(self._knowledge.record)
            raise
        for record in self._knowledge.read(turn, found):
            self._take(record)

    def _follow(self) -> None:
        realtime = self._client.realtime
        self._reader = Reader(
            self._reconcile_now,
            lambda: bool(self._topic) and realtime.is_subscribed(self._topic) and not self._knowledge.in_doubt,
            over=lambda: self._record.status in FINAL_STATUSES or self._record.is_deleted,
            gate=self._client._reading,
            name=f"read {self.room_id}",
        )
        self._ends = [realtime.on_state(self._state_changed)]
        network = (self._record.path or "").split("/room/")[0] or self._client.network_id
        if network:
            self._topic = f"{network}/room/{self._record.id or self.room_id}"
            # What happened before the broker took the subscription is told by no event.
            self._ends.append(realtime.subscribe(self._topic, self._heard, settled=lambda _granted: self._reconcile()))
        self._reader.start(within=SETTLING_SECONDS if self._topic and realtime.state != "refused" else 0)

    @property
    def read_error(self) -> str | None:
        """Why the room, which is observed, could not be read last: what is known may be old. None where it could."""
        return self._reader.read_error if self._reader is not None else None

    def _state_changed(self, state: str) -> None:
        # Whether the topic is granted is told right after the connection, and is what leads to a read then.
        if state != "connected" or not self._topic:
            self._reconcile()

    def _unfollow(self) -> None:
        for end in self._ends:
            end()
        self._ends = []
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def hear(self, event: Event) -> None:
        """Take news that came another way than this object's own, a webhook. May be called from any thread."""
        in_loop(lambda: self._heard(event, "webhook"))

    def _heard(self, event: Event, source: Origin = "event") -> None:
        if not event.type.startswith("room."):
            return
        told = room_of_event(event, self.room_id)
        if told is not None:
            self._knowledge.hear(told)
            self._take(self._knowledge.record, source, event)
        self._reconcile()

    def _reconcile(self) -> None:
        if self._reader is not None:
            self._reader.soon()

    async def _reconcile_now(self) -> bool:
        """Read the room; whether anything was new."""
        before = self._record
        with contextlib.suppress(NotFound):
            await self._ask()
        return self._record is not before

    def _take(self, after: Room, source: Origin = "read", event: Event | None = None) -> None:
        before = self._record
        same, moved = after is before or after == before, after.status != before.status
        if event is not None or not same:
            at = event.sent_at if event is not None else after.updated_at
            what = event.type if event is not None else "new state" if moved else "changed"
            self._timeline_log.write(what, source, after.status, changed=moved, told_at=at)
        if same:
            return
        self._record = after
        if event is None:
            # What is done on hearing of a room is done on the service's word, not on anybody's.
            hooks.room_changed(self._client, before, after)
        self._observers.tell(after)

    # -- doing

    def _called(self, what: str) -> None:
        self._timeline_log.write(f"{what}()", "call", self.status, changed=False)

    @on_loop
    async def post(self, *, community_id: str | None = None, text: str | None = None, title: str | None = None) -> Post:
        """The room's livestream post, in a community or in your own feed. Where there is one already it is that one,
        changed to this text and title. social.plus: `PostRepository.createRoomPost`."""
        self._called("post")
        post = await self._client.rooms.publish(self.room_id, community_id=community_id, text=text, title=title)
        await self.refresh()
        return post

    @on_loop
    async def open_chat(self, *, community_id: str | None = None, name: str | None = None) -> AsyncChat:
        """The room's live chat; opened where it is not, with the post it needs before.

        social.plus: `room.getLiveChat`.

        Done again, or after a crash in between, it picks up what is there: nothing is doubled.

        Raises:
            ChatNotOpened: a step failed; says which, and how to go on.
        """
        self._called("open_chat")
        channel = await self._client.rooms.open_chat(self.room_id, community_id=community_id, name=name)
        await self.refresh()
        return self._chat_of(channel)

    @property
    def chat(self) -> AsyncChat:
        """The room's live chat, once it is open.

        Raises:
            InvalidInput: it is not; `open_chat()` opens it.
        """
        if not self._record.live_channel_id:
            raise InvalidInput("the room has no live chat yet: call open_chat() first")
        channel_id = self._record.live_channel_id
        network = (self._record.path or "").split("/room/")[0]
        # Topic and feed follow from the id (`{network}/chat/{id}`), so opening a chat again costs no request.
        return self._chat_of(Channel(channel_id=channel_id, path=f"{network}/chat/{channel_id}"))

    def _chat_of(self, channel: Channel) -> AsyncChat:
        if self._chat is None or self._chat.channel.channel_id != channel.channel_id:
            self._chat = AsyncChat(self._client, channel, host=self._record.created_by)
        return self._chat

    @on_loop
    async def go_live(
        self,
        source: Source | str | Path | None = None,
        *,
        video: VideoOptions | None = None,
        audio: AudioOptions | bool = True,
        reconnect: ReconnectOptions | None = None,
        auto_subscribe: bool = False,
        on_event: Callable[[BroadcastEvent], Any] | None = None,
    ) -> AsyncBroadcast:
        """Put the room on air with a source (a test card without), and hand out the running broadcast.

        Args:
            source: a source of `spnb.broadcast.sources`, the path of a media file, or the address of a live stream.
            video: how to send the picture: size, rates, codec, simulcast, what is kept when short of bandwidth.
            audio: how to send the sound: volume, stereo, bit rate; or only whether to send it.
            reconnect: how long and how often to try after the connection was lost.
            auto_subscribe: whether what others on stage send comes here too, told as `TrackSubscribed`; not to a page.
            on_event: called with each event, on the background loop.

        Raises:
            SourceError: the source cannot give media; nothing was published.
            BroadcastError: publishing could not start; the room is not left live.
        """
        from spnb.broadcast import go_live

        self._called("go_live")
        options: Any = {"video": video, "audio": audio, "reconnect": reconnect, "auto_subscribe": auto_subscribe}
        broadcast = await go_live(self, source, on_event=on_event, **options)
        _broadcasts[self.broadcast_key] = broadcast
        self.stage._follow_media(broadcast)
        return broadcast

    @on_loop
    async def broadcaster_data(self) -> BroadcasterData:
        """What a broadcaster needs to publish. Secret. social.plus: `RoomRepository.getBroadcasterData`."""
        return await self._client.rooms.broadcaster_data(self.room_id)

    @on_loop
    async def ingest(self) -> IngestAddress:
        """Server and stream key for OBS or ffmpeg, in a room of type `directStreaming`; a fresh key each time."""
        return (await self.broadcaster_data()).ingest

    @on_loop
    async def stop(self) -> Room:
        """End the room for good; what is on air from here leaves first. social.plus: `RoomRepository.stopRoom`."""
        broadcast = _broadcasts.get(self.broadcast_key)
        if broadcast is not None and broadcast.on_air:
            # The other way round is the guide's first mistake; the broadcast comes back here when it has left the air.
            await broadcast.stop()
        else:
            self._called("stop")
            await self._client.rooms.stop(self.room_id)
        return await self.refresh()

    @on_loop
    async def update(
        self,
        *,
        title: str | None = None,
        description: str | None = None,
        thumbnail: str | Path | bytes | None = None,
        metadata: Mapping[str, Any] | None = None,
        chat: bool | None = None,
    ) -> Room:
        """Change fields; see `rooms.update`. social.plus: `RoomRepository.updateRoom`."""
        self._called("update")
        await self._client.rooms.update(
            self.room_id, title=title, description=description, thumbnail=thumbnail, metadata=metadata, chat=chat
        )
        return await self.refresh()

    @on_loop
    async def delete(self) -> None:
        """Delete the room. social.plus: `RoomRepository.deleteRoom`."""
        self._called("delete")
        await self._client.rooms.delete(self.room_id)
        if self._knowledge.gone():
            self._take(self._knowledge.record)

    @on_loop
    async def recording(
        self, *, timeout: float | None = None, details: bool = True, progress: ProgressWish = None
    ) -> AsyncRecording:
        """Wait until the room is recorded, by its event, and hand out its files in order.

        social.plus: `RoomRepository.getRecordedUrl`.

        Args:
            timeout: seconds; for ever without.
            details: whether to ask the files' server for sizes, durations and thumbnails too.
            progress: a function that is told how the wait goes, or False for silence.

        Raises:
            RoomOver: the room was terminated or failed: there will be none.
            TimeoutError: it was not ready in time.
        """
        from spnb.live.waiting import recorded
        from spnb.recordings import AsyncRecording

        await recorded(self, timeout=timeout, progress=progress)
        return await AsyncRecording.of(self._client, self._record, details=details)

    @on_loop
    async def download(
        self,
        folder: str | Path,
        *,
        timeout: float | None = None,
        name: str | None = None,
        most_bytes: int | None = None,
        overwrite: bool = False,
        progress: ProgressWish = None,
    ) -> list[Path]:
        """Wait for the recording, at most `timeout` seconds, and fetch its files; see `AsyncRecording.download`."""
        recording = await self.recording(timeout=timeout, progress=progress)
        return await recording.download(
            folder, name=name, most_bytes=most_bytes, overwrite=overwrite, progress=progress
        )

    @on_loop
    async def clip_last(
        self, seconds: float, path: str | Path, *, exact: bool = False, overwrite: bool = False
    ) -> Path:
        """Write the last seconds of the stream into an MP4 file while it goes on.

        Args:
            seconds: how much; all there is where the stream is younger.
            path: the file to write.
            exact: False copies and begins at the keyframe at or before the wanted moment (up to a segment earlier).
                True encodes anew, from the very frame.
            overwrite: whether a file of this name may be replaced.

        Returns:
            The absolute path.

        Raises:
            InvalidInput: the room is not on air, no such length, the name is taken, or parts of different kinds
                without `exact`.
        """
        from spnb.recordings.recording import clip_last

        await self.refresh()
        url = self._record.live_playback_url
        if url is None:
            raise InvalidInput("there is nothing to cut: the room is not on air, or its first seconds are on their way")
        rest = self._client.endpoints.rest
        return await clip_last(rest, url, seconds, Path(path), exact=exact, overwrite=overwrite)

    @on_loop
    async def thumbnail(self) -> bytes | None:
        """The picture of the room: what is live now, or the host's own; None where there is none (yet)."""
        return await self._client.rooms.thumbnail(self._record)

    @on_loop
    async def post_text(self) -> str | None:
        """The text of the post that carries the room; None where there is no post. User content: show it as text."""
        if not self._record.reference_id:
            return None
        post = await self._client.posts.get(self._record.reference_id)
        if post.parent_post_id:
            post = await self._client.posts.get(post.parent_post_id)
        return str(post.data.get("text") or "") or None

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        status = "deleted" if self._record.is_deleted else self.status
        status += f", not read again: {self.read_error}" if self.read_error else ""
        return f"{type(self).__name__}({self.title!r}, {status}, {self.room_id})"

    def _repr_html_(self) -> str:
        return self._record._repr_html_().replace("<caption>Room<", "<caption>Live room<")
