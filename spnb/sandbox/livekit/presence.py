"""Who is in the rooms of a LiveKit deployment, as far as is known; told twice or out of order, it is the same."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from livekit.protocol import models, webhook

from spnb.sandbox.media.frames import MediaEvent

__all__ = ["Presence"]


@dataclass(slots=True)
class _Seen:
    """A participant: what an event of it says, and its tracks."""

    event: MediaEvent
    tracks: dict[str, Literal["audio", "video"]] = field(default_factory=dict)


class Presence:
    """What is known of rooms, and which events bring it up to date.

    Args:
        unseen: what identities begin with that count as hidden.
    """

    def __init__(self, unseen: str) -> None:
        self._unseen = unseen
        self._rooms: dict[str, dict[str, _Seen]] = {}

    def told(self, event: webhook.WebhookEvent) -> list[MediaEvent]:
        """The news in a webhook."""
        room, at = event.room.name, float(event.created_at or time.time())
        if event.event == "room_finished":
            return list(self._emptied(room, at))
        if event.event == "participant_left":
            return list(self._left(room, event.participant, at))
        if event.event == "participant_joined":
            return list(self._joined(room, event.participant, at))
        if event.event == "track_published":
            return [
                *self._joined(room, event.participant, at),
                *self._published(room, event.participant.identity, event.track, at),
            ]
        if event.event == "track_unpublished":
            return list(self._unpublished(room, event.participant.identity, event.track.sid, at))
        return []

    def found(self, room: str, participants: Iterable[models.ParticipantInfo]) -> list[MediaEvent]:
        """The news in a list of everybody who is in a room now."""
        at = time.time()
        news: list[MediaEvent] = []
        here = {participant.identity: participant for participant in participants}
        for identity, seen in list(self._rooms.get(room, {}).items()):
            if identity not in here or here[identity].sid != seen.event.participant_sid:
                news += self._gone(room, identity, at)
        for identity, participant in here.items():
            news += self._joined(room, participant, at)
            there = {track.sid for track in participant.tracks}
            for sid in list(self._rooms[room][identity].tracks):
                if sid not in there:
                    news += self._unpublished(room, identity, sid, at)
            for track in participant.tracks:
                news += self._published(room, identity, track, at)
        return news

    def forget(self, room: str) -> None:
        """Nothing of a room is of interest any more."""
        self._rooms.pop(room, None)

    def _joined(self, room: str, participant: models.ParticipantInfo, at: float) -> Iterator[MediaEvent]:
        people = self._rooms.setdefault(room, {})
        known = people.get(participant.identity)
        if known is not None:
            if known.event.participant_sid == participant.sid:
                return
            yield from self._gone(room, participant.identity, at)  # it came back, and nobody told that it had left
        permission = participant.permission
        event = MediaEvent(
            kind="participant_joined",
            room=room,
            identity=participant.identity,
            participant_sid=participant.sid,
            can_publish=permission.can_publish,
            hidden=permission.hidden or participant.identity.startswith(self._unseen),
            at=at,
        )
        self._rooms.setdefault(room, {})[participant.identity] = _Seen(event)
        yield event

    def _published(self, room: str, identity: str, track: models.TrackInfo, at: float) -> Iterator[MediaEvent]:
        seen = self._rooms[room][identity]
        if track.sid in seen.tracks:
            return
        kind: Literal["audio", "video"] = "audio" if track.type == models.TrackType.AUDIO else "video"
        seen.tracks[track.sid] = kind
        yield replace(seen.event, kind="track_published", track_sid=track.sid, track_kind=kind, at=at)

    def _unpublished(self, room: str, identity: str, track_sid: str, at: float) -> Iterator[MediaEvent]:
        seen = self._rooms.get(room, {}).get(identity)
        if seen is not None and (kind := seen.tracks.pop(track_sid, None)) is not None:
            yield replace(seen.event, kind="track_unpublished", track_sid=track_sid, track_kind=kind, at=at)

    def _left(self, room: str, participant: models.ParticipantInfo, at: float) -> Iterator[MediaEvent]:
        seen = self._rooms.get(room, {}).get(participant.identity)
        # The leave of an earlier connection may come after the join of the next one.
        if seen is not None and participant.sid in ("", seen.event.participant_sid):
            yield from self._gone(room, participant.identity, at)

    def _gone(self, room: str, identity: str, at: float) -> Iterator[MediaEvent]:
        for track_sid in list(self._rooms[room][identity].tracks):
            yield from self._unpublished(room, identity, track_sid, at)
        seen = self._rooms[room].pop(identity)
        if not self._rooms[room]:
            del self._rooms[room]
        yield replace(seen.event, kind="participant_left", at=at)

    def _emptied(self, room: str, at: float) -> Iterator[MediaEvent]:
        for identity in list(self._rooms.get(room, {})):
            yield from self._gone(room, identity, at)
