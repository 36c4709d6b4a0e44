"""One set of names for events that webhooks call differently.

The livestream guide says `stream.started`, the API specification `video-streaming.didStart` and `message.didCreate`
(some with a version before them), real time `room.startBroadcasting`; no source documents webhooks of rooms. Handlers
here go by one set: a subject, and what happened to it; what happened to a room is the status it is in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from spnb.errors import InvalidInput

__all__ = ["EventNames"]

LIVESTREAM: dict[str, str] = {
    "stream.started": "room.live",
    "stream.ended": "room.ended",
    "recording.completed": "room.recorded",
    "video-streaming.didStart": "room.live",
    "video-streaming.didStop": "room.ended",
    "video-streaming.didRecord": "room.recorded",
    "room.startBroadcasting": "room.live",
    "room.waitingReconnect": "room.waitingReconnect",
    "room.endBroadcasting": "room.ended",
    "room.recordedAvailable": "room.recorded",
    "room.recordingAvailable": "room.recorded",
    "room.terminated": "room.terminated",
    "room.didUpdate": "room.updated",
}
HAPPENED: dict[str, str] = {
    "didCreate": "created",
    "didUpdate": "updated",
    "didDelete": "deleted",
    "didFlag": "flagged",
    "didUnflag": "unflagged",
    "didClearflag": "flagsCleared",
    "didClearFlag": "flagsCleared",
    "didAddReaction": "reactionAdded",
    "didRemoveReaction": "reactionRemoved",
    "didReact": "reactionAdded",
    "didJoin": "joined",
    "didLeave": "left",
    "didBan": "banned",
    "addReaction": "reactionAdded",
    "removeReaction": "reactionRemoved",
}
SUBJECTS = [
    "channel",
    "community",
    "user",
    "message",
    "post",
    "comment",
    "reaction",
    "follow",
    "poll",
    "story",
    "event",
    "file",
    "moderation",
    "push-notification",
    "video-streaming",
    "stream",
    "recording",
    "room",
]
"""What the service's webhooks are of; `chat` is none of them: its messages are `message.*`."""
OF_ROOMS = ("participant", "cohost", "users", "created", "deleted")
"""How what happens to rooms begins, beside their states: too many names to list, and none of them written down."""
OF_LIVEKIT = ("room_", "participant_", "track_", "egress_", "ingress_")
VERSION = re.compile(r"^v\d+\.")


class EventNames:
    """Translates the names of webhooks.

    Args:
        more: further translations, or other ones, e.g. `{"broadcast.begun": "room.live"}`.
    """

    def __init__(self, more: Mapping[str, str] | None = None) -> None:
        self._names = {**LIVESTREAM, **(more or {})}

    def check(self, pattern: str) -> None:
        """Refuse what no delivery is ever called, rather than wait for it in silence.

        Raises:
            InvalidInput: it is neither a name, common or as sent, nor a pattern of some.
        """
        known = {*self._names, *self._names.values(), "room.error"}
        if any(fnmatchcase(name, pattern) for name in known):
            return
        subject, _, happened = VERSION.sub("", pattern).partition(".")
        if subject == "room":
            fine = happened.lower().removeprefix("did").startswith(OF_ROOMS)
        else:
            words = {*HAPPENED, *HAPPENED.values()}
            of_something = any(fnmatchcase(known_subject, subject) for known_subject in SUBJECTS)
            fine = pattern.startswith(OF_LIVEKIT) or (
                of_something and any(fnmatchcase(word, happened) for word in words)
            )
        if not fine:
            raise InvalidInput(
                f"no webhook's event is called {pattern!r}: name or pattern of {', '.join(sorted(known))}, or"
                " what happens to posts, messages and others, as `post.created`; names={…} tells of others"
            )

    def common(self, event: str) -> str:
        """The name handlers go by; an event nobody knows keeps its own."""
        plain = VERSION.sub("", event)
        for name in (event, plain):
            if name in self._names:
                return self._names[name]
        subject, dot, happened = plain.partition(".")
        return f"{subject}{dot}{HAPPENED.get(happened, happened)}"
