"""How webhooks call events. The service's sources disagree, so the style is a setting of each endpoint.

`guide`: the livestream guide's three names. `reference`: the API specification's, made for legacy streams. `room`: the
names of real time. No source documents webhooks of rooms, so all of them are unverified. What a style has no name for
goes by its room-style name; posts and messages are called alike in all three.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["KNOWN", "Style", "names_of", "webhook_name"]

Style = Literal["guide", "reference", "room"]

LIVESTREAM: dict[str, dict[str, str]] = {
    "guide": {
        "room.startBroadcasting": "stream.started",
        "room.endBroadcasting": "stream.ended",
        "room.recordedAvailable": "recording.completed",
    },
    "reference": {
        "room.startBroadcasting": "video-streaming.didStart",
        "room.endBroadcasting": "video-streaming.didStop",
        "room.recordedAvailable": "video-streaming.didRecord",
    },
    "room": {},
}
DID = {
    "created": "didCreate",
    "updated": "didUpdate",
    "deleted": "didDelete",
    "flagged": "didFlag",
    "unflagged": "didUnflag",
    "addReaction": "didAddReaction",
    "removeReaction": "didRemoveReaction",
    "reactionAdded": "didAddReaction",
    "reactionRemoved": "didRemoveReaction",
}

STATES = {
    "room.startBroadcasting": "room.live",
    "room.endBroadcasting": "room.ended",
    "room.recordedAvailable": "room.recorded",
    "room.didUpdate": "room.updated",
}
"""What handlers of webhooks and hooks of live rooms call the events that go by another name in real time."""
TOLD = (
    *STATES,
    "room.waitingReconnect",
    "room.terminated",
    "room.participantJoined",
    "room.participantLeft",
    "room.participantRemoved",
    "room.participantStageJoined",
    "room.participantStageLeft",
    "room.usersBanned",
    "room.usersUnbanned",
    "room.didCohostInvite",
    "room.didCohostInviteAccept",
    "room.didCohostInviteCancel",
    "room.didCohostInviteReject",
    *(f"{subject}.{happened}" for subject in ("post", "message") for happened in DID),
)
"""The real-time events that webhooks tell."""


def names_of(event_type: str) -> set[str]:
    """All that an event is called: in real time, by handlers, in each style."""
    styles: tuple[Style, ...] = ("guide", "reference", "room")
    told = {name for style in styles if (name := webhook_name(style, event_type)) is not None}
    return {event_type, STATES.get(event_type, event_type), *told}


def webhook_name(style: Style, event_type: str) -> str | None:
    """The webhook's name of a real-time event; None for what webhooks do not tell."""
    subject, _, happened = event_type.partition(".")
    if subject == "room":
        return LIVESTREAM[style].get(event_type, event_type)
    if subject in ("post", "message") and happened in DID:
        return f"{subject}.{DID[happened]}"
    return None


KNOWN = tuple(sorted(set[str]().union(*map(names_of, TOLD))))
"""All names that an event may be asked for by."""
