"""Who of a room's broadcasters is on the stage: media events become `room.participantStageJoined` and `…StageLeft`.

The host is told of like any co-host: while another keeps the room live, no status says that the host has dropped out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from spnb.sandbox.media.frames import MediaEvent
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest import room_payload
from spnb.sandbox.rooms.ports import Events, Json, Stage
from spnb.sandbox.store import Store

__all__ = ["OnStage"]

log = logging.getLogger(__name__)


class Bouncer(Protocol):
    """Puts participants out of a media room."""

    async def remove_participant(self, room_id: str, identity: str) -> bool:
        """Put one participant out."""
        ...


class OnStage:
    """Follows media rooms and announces who comes onto and leaves their stages.

    Somebody who publishes without being a participant is put out: a LiveKit token outlives the removal of its user.

    Args:
        store: rooms and users.
        events: where it is announced.
        stage: gives live addresses for the rooms in events.
        media: puts uninvited publishers out.
        base_url: where REST is reached, for addresses in events.
    """

    def __init__(self, store: Store, events: Events, stage: Stage, media: Bouncer, *, base_url: str) -> None:
        self._store = store
        self._events = events
        self._stage = stage
        self._media = media
        self._base_url = base_url
        self._tracks: dict[tuple[str, str], set[str]] = {}
        self._removing: set[asyncio.Task[bool]] = set()

    def on_media(self, event: MediaEvent) -> None:
        """Take a media event; called on the event loop, after the room's status has moved on it."""
        if event.hidden or event.track_sid is None:
            return
        seat = (event.room, event.identity)
        tracks = self._tracks.setdefault(seat, set())
        before = bool(tracks)
        if event.kind == "track_published":
            tracks.add(event.track_sid)
        elif event.kind == "track_unpublished":
            tracks.discard(event.track_sid)
        if not tracks:
            del self._tracks[seat]
        if before != bool(tracks):
            self._moved(event.room, event.identity, joined=bool(tracks))

    def _moved(self, room_id: str, identity: str, *, joined: bool) -> None:
        room = self._store.rooms.get(room_id)
        user = self._store.user_by_public_id(identity)
        if room is None or room["status"] not in ("live", "waitingReconnect"):
            return  # over is over for everybody: that is what the room's own event says
        if joined and all(participant["userId"] != identity for participant in room["participants"]):
            log.info("a publisher who is no participant of room %s is put out", room_id)
            removing = asyncio.create_task(self._media.remove_participant(room_id, identity))
            self._removing.add(removing)
            removing.add_done_callback(self._removing.discard)
        elif user is not None:
            self._announce("room.participantStageJoined" if joined else "room.participantStageLeft", room, user)

    def _announce(self, event_type: str, room: Json, user: Json) -> None:
        data = room_payload(self._store, self._stage, room, base_url=self._base_url)
        data["eventActor"] = {"userId": user["userId"], "userInternalId": user["_id"]}
        where = topics.room(self._store.network_id, room)
        self._events.publish(where, event_type, data, subject_id=user["userId"], sender_id=user["_id"])
