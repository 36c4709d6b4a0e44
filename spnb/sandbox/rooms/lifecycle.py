"""A room's life: media events move its status, every move is announced, recordings follow.

    first track of a publisher → live          last publisher gone → waitingReconnect
    publisher back → live                      grace time over, or stop → ended
    recording finalised → recorded             nothing was recorded → recorded, without files

A room never stays live for ever: grace times run on the event loop's monotonic clock, and what a killed sandbox left
behind is taken up at the next start.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

from spnb.sandbox.clock import stamp
from spnb.sandbox.media.frames import MediaEvent, Tap
from spnb.sandbox.media.tokens import Grants, mint
from spnb.sandbox.realtime import topics
from spnb.sandbox.recorder import Delivery, Gap, Interrupted, RecordedFile, Recorder
from spnb.sandbox.recorder.layout import arrangement_of
from spnb.sandbox.rest import Refused, room_payload
from spnb.sandbox.rooms.ports import Events, Json
from spnb.sandbox.rooms.viewers import Viewers
from spnb.sandbox.server.settings import SandboxSettings
from spnb.sandbox.store import Store

__all__ = ["Lifecycle", "MediaPlane", "is_over"]

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds until a recording that could not be made into files is tried again: they double."""
MOST_GAPS = 200
CLOSE_SECONDS = 3.0
"""How long the end of the process waits for recordings: what takes longer is made at the next start."""


class MediaPlane(Protocol):
    """The media server as the lifecycle sees it: the embedded one, or a LiveKit deployment."""

    api_key: str
    api_secret: str
    url: str

    def record(self, room_id: str, tap: Tap) -> Callable[[], None]:
        """Hand the room's frames to `tap`; the result ends that."""
        ...

    def follow(self, room_id: str) -> None:
        """Somebody is about to join this room."""
        ...

    async def catch_up(self, room_ids: Iterable[str]) -> None:
        """Tell what has happened unseen in these rooms."""
        ...

    async def close_room(self, room_id: str) -> bool:
        """Put everybody out."""
        ...

    async def remove_participant(self, room_id: str, identity: str) -> bool:
        """Put one participant out."""
        ...


def is_over(store: Store, room_id: str) -> bool:
    """Whether a room has ended, one way or another, so that nobody goes live in it any more."""
    room = store.rooms.get(room_id)
    return room is not None and room["status"] not in ("idle", "live", "waitingReconnect")


def is_on_air(store: Store, room_id: str) -> bool:
    """Whether a room is on air, be it for a moment without its host."""
    room = store.rooms.get(room_id)
    return room is not None and room["status"] in ("live", "waitingReconnect")


class Lifecycle:
    """Owns the status of rooms. Implements `ports.Stage`."""

    def __init__(
        self,
        store: Store,
        events: Events,
        media: MediaPlane,
        recorder: Recorder,
        delivery: Delivery,
        settings: SandboxSettings,
    ) -> None:
        self._store = store
        self._events = events
        self._media = media
        self._recorder = recorder
        recorder.on_gaps = self._gaps_changed
        self._delivery = delivery
        self._settings = settings
        self._publishing: dict[str, set[str]] = {}
        self._taps: dict[str, Callable[[], None]] = {}
        self._grace: dict[str, asyncio.TimerHandle] = {}
        self._finishing: dict[str, asyncio.Task[None]] = {}
        self._putting_out: dict[str, asyncio.Task[bool]] = {}
        self._again: dict[str, asyncio.TimerHandle] = {}
        self.viewers = Viewers(media)
        """Who watches by WebRTC."""

    # -- what REST asks

    def broadcaster_data(self, room: Json, user: Json) -> Json:
        """LiveKit address and token, or for direct streaming an ingest address with a fresh stream key."""
        if room["type"] == "directStreaming":
            return {"directStreamUrl": self.ingest_address(room["roomId"])}
        token = mint(
            self._media.api_key,
            self._media.api_secret,
            identity=user["userId"],
            name=user["displayName"],
            grants=Grants(room=room["roomId"], room_join=True),
            ttl=self._settings.livekit_token_seconds,
        )
        self._media.follow(room["roomId"])
        return {"coHostUrl": self._media.url, "coHostToken": token}

    def subscriber_data(self, room: Json, user: Json) -> Json:
        """LiveKit address and a token to watch by."""
        return self.viewers.let_in(room["roomId"], user)

    def lay_out(self, room: Json) -> None:
        """Show the publishers of a room on air as its metadata says; see `arrangement_of`."""
        if room["status"] in ("live", "waitingReconnect"):
            self._recorder.lay_out(room["roomId"], arrangement_of(room.get("metadata")))

    async def put_viewer_out(self, room_id: str, user_id: str) -> None:
        """Take a viewer off the media server."""
        await self.viewers.put_out(room_id, user_id)

    async def revoke_keys(self, room_id: str) -> None:
        """End all stream keys of a room."""
        await self.end_keys(room_id)

    async def stop(self, room_id: str, *, by: str) -> Json:
        """End a live room; an idle one is refused, one that is over is returned as it is (a choice)."""
        room = self._store.rooms.get(room_id)
        if room is None:
            raise Refused.not_found(f"Room {room_id!r}")
        if room["status"] == "idle":
            raise Refused.bad_request("The room has not been live: there is nothing to stop")
        if room["status"] not in ("live", "waitingReconnect"):
            return room
        ended = self._end(room_id, sender=by)
        await self._media.close_room(room_id)
        return ended or room

    async def remove(self, room_id: str, user_id: str) -> None:
        """Take a broadcaster off the media server."""
        await self._media.remove_participant(room_id, user_id)

    def live_urls(self, room_id: str) -> Json:
        """Signed addresses for a room on air: of its playlist, which waits for the stream, and of its thumbnail once it
        is there."""
        urls: Json = {"livePlaybackUrl": self._delivery.live_url(room_id)}
        files = self._recorder.live_files(room_id)
        if files is None:
            return urls
        if files.thumbnail is not None:
            urls["liveThumbnailUrl"] = self._delivery.live_thumbnail_url(room_id)
        if files.width and files.height:
            urls["liveResolution"] = {"width": files.width, "height": files.height}
        return urls

    def recordings(self, room_id: str) -> list[Json]:
        """The finished files with fresh signed addresses."""
        expires = stamp(datetime.fromtimestamp(self._delivery.expiry(), UTC))
        return [
            {
                "playbackId": file.playback_id,
                "url": self._delivery.recording_url(room_id, file),
                "thumbnailUrl": self._delivery.recording_thumbnail_url(room_id, file.playback_id),
                "durationSeconds": file.duration_seconds,
                "width": file.width,
                "height": file.height,
                "expiresAt": expires,
            }
            for file in self._recorder.recorded(room_id)
        ]

    # -- what media tells

    def on_media(self, event: MediaEvent) -> None:
        """Take a media event; called on the event loop."""
        if event.hidden:
            return
        if event.kind in ("participant_joined", "track_published") and is_over(self._store, event.room):
            self._put_out(event.room)  # a LiveKit token outlives its room
        elif event.kind == "track_published":
            self._publishing.setdefault(event.room, set()).add(event.track_sid or "")
            self._went_live(event)
        elif event.kind == "track_unpublished":
            tracks = self._publishing.get(event.room, set())
            tracks.discard(event.track_sid or "")
            if not tracks:
                self._publisher_gone(event.room)

    def _put_out(self, room_id: str) -> None:
        """Have everybody leave a room that is over."""
        if room_id in self._putting_out:
            return
        task = asyncio.create_task(self._media.close_room(room_id), name=f"close {room_id}")
        self._putting_out[room_id] = task
        task.add_done_callback(lambda _: self._putting_out.pop(room_id, None))

    def _went_live(self, event: MediaEvent) -> None:
        self._stop_waiting(event.room)
        at = datetime.fromtimestamp(event.at, UTC)
        room = self._store.transition(event.room, "live", at=at)
        if room is not None:
            self._announce("room.startBroadcasting", room)
        current = self._store.rooms.get(event.room)
        if current is not None and current["status"] == "live" and event.room not in self._taps:
            host = str(current["createdBy"])
            self.lay_out(current)
            self._taps[event.room] = self._media.record(event.room, self._recorder.record(event.room, host=host))

    def _publisher_gone(self, room_id: str) -> None:
        room = self._store.transition(room_id, "waitingReconnect")
        if room is None:
            return
        self._announce("room.waitingReconnect", room)
        self._wait_for_return(room_id)

    def _wait_for_return(self, room_id: str) -> None:
        self._stop_waiting(room_id)
        loop = asyncio.get_running_loop()
        self._grace[room_id] = loop.call_later(self._settings.grace_seconds, self._grace_over, room_id)

    def _stop_waiting(self, room_id: str) -> None:
        timer = self._grace.pop(room_id, None)
        if timer is not None:
            timer.cancel()

    def _grace_over(self, room_id: str) -> None:
        self._grace.pop(room_id, None)
        if self._end(room_id) is not None:
            self._put_out(room_id)

    # -- endings

    def flag(self, room_id: str, moderation: Json) -> Json | None:
        """Write what the moderation found; the stream goes on."""
        room = self._store.update_room(room_id, moderation=moderation)
        if room is not None:
            self._announce("room.didUpdate", room)
        return room

    async def terminate(self, room_id: str, moderation: Json) -> Json | None:
        """End a stream for what the moderation found. What was recorded stays on disk and is given to nobody."""
        room = self._end(room_id, "terminated", "room.terminated", moderation=moderation)
        await self._media.close_room(room_id)
        return room

    def _end(
        self,
        room_id: str,
        status: str = "ended",
        event_type: str = "room.endBroadcasting",
        *,
        sender: str = "",
        **changes: Any,
    ) -> Json | None:
        self._stop_waiting(room_id)
        self._publishing.pop(room_id, None)
        self.viewers.forget(room_id)
        room = self._store.transition(room_id, status, **changes)
        if room is None:
            return None
        self._announce(event_type, room, sender=sender)
        end_tap = self._taps.pop(room_id, None)
        if end_tap is not None:
            end_tap()
        self._finish(room_id)
        return room

    def _finish(self, room_id: str, *, left_over: bool = False, failures: int = 0) -> None:
        self._again.pop(room_id, None)
        finishing = self._finalise(room_id, left_over=left_over, failures=failures)
        task = asyncio.create_task(finishing, name=f"recording {room_id}")
        self._finishing[room_id] = task
        task.add_done_callback(lambda _: self._finishing.pop(room_id, None))

    async def _finalise(self, room_id: str, *, left_over: bool, failures: int) -> None:
        try:
            files = await self._recorder.finish(room_id, left_over=left_over)
        except Interrupted:
            return
        except Exception as error:
            # What was written stays on disk. The room tells that it is not done, and another try follows.
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures)
            log.exception("the recording of room %s could not be finished; again in %g s", room_id, pause)
            again = functools.partial(self._finish, room_id, left_over=left_over, failures=failures + 1)
            self._again[room_id] = asyncio.get_running_loop().call_later(pause, again)
            self._tell_problem(room_id, f"{_words(error)}; tried again every {pause:g} s or less often")
            return
        self._tell_problem(room_id, None)
        self._recorded(room_id, files)

    def _tell_problem(self, room_id: str, problem: str | None) -> None:
        room = self._store.rooms.get(room_id)
        if room is None or room.get("recordingProblem") == problem:
            return
        changed = self._store.update_room(room_id, recordingProblem=problem)
        if changed is not None:
            self._announce("room.didUpdate", changed)

    def _recorded(self, room_id: str, files: list[RecordedFile]) -> None:
        changes: dict[str, Any] = {}
        if files:
            changes["recordedResolution"] = {"width": files[0].width, "height": files[0].height}
        room = self._store.transition(room_id, "recorded", **changes)
        if room is not None:
            self._announce("room.recordedAvailable", room)

    # -- what the recorder tells

    def on_playable(self, room_id: str) -> None:
        """The live playlist of a room has come into being."""
        room = self._store.rooms.get(room_id)
        if room is not None and is_on_air(self._store, room_id):
            self._announce("room.didUpdate", room)

    def on_recorder_problem(self, room_id: str, problem: str) -> None:
        """The recorder cannot go on; the broadcast does. Who follows the room is told by its gaps."""
        log.warning("recording of room %s: %s", room_id, problem)

    def _gaps_changed(self, room_id: str, gaps: list[Gap]) -> None:
        told = [
            {
                "startedAt": stamp(datetime.fromtimestamp(gap.started, UTC)),
                "endedAt": None if gap.ended is None else stamp(datetime.fromtimestamp(gap.ended, UTC)),
                "reason": gap.reason,
            }
            for gap in gaps
        ]
        room = self._store.rooms.get(room_id)
        by_start = {gap["startedAt"]: gap for gap in [*((room or {}).get("recordingGaps") or []), *told]}
        newest = [by_start[at] for at in sorted(by_start)][-MOST_GAPS:]
        changed = self._store.update_room(room_id, recordingGaps=newest)
        if changed is not None:
            self._announce("room.didUpdate", changed)

    def _announce(self, event_type: str, room: Json, *, sender: str = "") -> None:
        data = room_payload(self._store, self, room, base_url=self.base_url)
        self._events.publish(
            topics.room(self._store.network_id, room), event_type, data, subject_id=room["roomId"], sender_id=sender
        )

    base_url = ""
    """Where REST is reached, for addresses in events; set once the port is known."""

    ingest_address: Callable[[str], str] = staticmethod(lambda _room_id: "")
    """Gives the address encoders publish at, with a key; set by whoever takes them."""

    end_keys: Callable[[str], Awaitable[None]]
    """Ends a room's stream keys; set with it."""

    # -- start and end of the process

    async def recover(self) -> None:
        """Take up what an earlier process left: no room stays live without its host, no recording is lost.

        A host who is on air on a LiveKit server elsewhere has not noticed that the sandbox was away: the room goes on.
        Recordings are made into files in the background, one after the other; their rooms stay `ended` meanwhile.
        """
        on_air = [*self._store.rooms_with_status("live"), *self._store.rooms_with_status("waitingReconnect")]
        for room in (*on_air, *self._store.rooms_with_status("ended")):
            self._tell_absence(room)
        await self._media.catch_up([room["roomId"] for room in on_air])
        for room in self._store.rooms_with_status("live"):
            if self._publishing.get(room["roomId"]):
                continue
            moved = self._store.transition(room["roomId"], "waitingReconnect")
            if moved is not None:
                self._announce("room.waitingReconnect", moved)
        waiting = [room["roomId"] for room in self._store.rooms_with_status("waitingReconnect")]
        for room_id in waiting:
            self._wait_for_return(room_id)
        ended = [room["roomId"] for room in self._store.rooms_with_status("ended")]
        # What was recorded of a room that may go on becomes files with the rest of it.
        for room_id in dict.fromkeys([*ended, *self._recorder.unfinished()]):
            if room_id not in waiting and room_id not in self._taps:
                self._finish(room_id, left_over=True)

    def _tell_absence(self, room: Json) -> None:
        """Gaps that an earlier process left open end here; of who was on air, nothing was recorded since it ended."""
        gaps: list[Json] = room.get("recordingGaps") or []
        now = stamp(self._store.clock())
        if any(gap.get("endedAt") is None for gap in gaps):
            over = room.get("endedAt") or now
            gaps = [{**gap, "endedAt": gap.get("endedAt") or max(over, gap["startedAt"])} for gap in gaps]
        elif room["status"] == "live" and (last := self._recorder.last_written(room["roomId"])) is not None:
            since = stamp(datetime.fromtimestamp(last, UTC))
            gaps = [*gaps, {"startedAt": since, "endedAt": max(now, since), "reason": "the sandbox was away"}]
        else:
            return
        self._store.update_room(room["roomId"], recordingGaps=gaps[-MOST_GAPS:])

    @property
    def busy(self) -> bool:
        """Whether a room is on air or a recording is being finished."""
        return bool(self._taps or self._grace or self._finishing)

    async def aclose(self) -> None:
        """Stop timers, finish what is recorded as far as that is quick; the rest is taken up at the next start."""
        for room_id in list(self._grace):
            self._stop_waiting(room_id)
        for timer in self._again.values():
            timer.cancel()
        self._again.clear()
        for end_tap in self._taps.values():
            end_tap()
        self._taps.clear()
        await asyncio.gather(*self._putting_out.values(), return_exceptions=True)
        if self._finishing:
            await asyncio.wait(list(self._finishing.values()), timeout=CLOSE_SECONDS)
        self._recorder.interrupt()
        await asyncio.gather(*self._finishing.values(), return_exceptions=True)


def _words(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) else None
    return f"the recording cannot be finished: {told or type(error).__name__}"
