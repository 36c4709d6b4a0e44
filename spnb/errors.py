"""Every error spnb raises on purpose.

    SpnbError
    ├── ConfigError             settings are missing or contradict each other
    ├── InvalidInput            refused before anything was sent (also a ValueError)
    │   └── TableError          a table lacks columns, zones or sense
    ├── ServiceError            the service answered with an error
    │   ├── BadRequest          400, 422
    │   ├── Unauthorized        401: no session, or it ended
    │   ├── Forbidden           403: not allowed, muted, banned
    │   ├── NotFound            404
    │   ├── Conflict            409, or a state that does not allow the call
    │   ├── RateLimited         429
    │   ├── ServerFault         5xx
    │   └── BadAnswer           something answered that is not the service, or not as it does
    ├── Unreachable             no answer: connection refused, DNS, time-out
    │   └── ClientClosed        the connection was closed, or is another process's
    ├── RealtimeError           MQTT refused or lost for good
    ├── BroadcastError          publishing failed
    │   └── SourceError         the camera, file or generator gave no media
    ├── ChatNotOpened           a step on the way to a room's live chat failed
    ├── DownloadError           a file could not be fetched safely, or not wholly
    ├── RoomOver                the room ended in another way than was waited for
    └── SandboxError            the sandbox could not start or stop

Messages say what failed and what to do about it. They never hold a token or key.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BadAnswer",
    "BadRequest",
    "BroadcastError",
    "ChatNotOpened",
    "ClientClosed",
    "ConfigError",
    "Conflict",
    "DownloadError",
    "Forbidden",
    "InvalidInput",
    "NotFound",
    "RateLimited",
    "RealtimeError",
    "RoomOver",
    "SandboxError",
    "ServerFault",
    "ServiceError",
    "SourceError",
    "SpnbError",
    "TableError",
    "Unauthorized",
    "Unreachable",
    "words_of",
]


class SpnbError(Exception):
    """Base of all errors of spnb."""


class ConfigError(SpnbError):
    """Settings are missing or contradict each other."""


class InvalidInput(SpnbError, ValueError):
    """An argument breaks a documented limit; nothing was sent."""


class TableError(InvalidInput):
    """A table or file for analysis cannot be used as it is: columns, types, zones or the file itself."""


class ServiceError(SpnbError):
    """The service answered with an error.

    Attributes:
        status: the HTTP status.
        code: social.plus's own code, e.g. 400400; an unknown code is kept as it came.
        detail: what the service said beyond its message.
        retry_after: seconds the service asks to wait, if it said so.
        repeated: whether the request had been sent before and that was not answered: it may be so because of it.
    """

    repeated: bool = False

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: int | None = None,
        detail: Any = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


class BadRequest(ServiceError):
    """The service found the request wrong (400 or 422)."""


class Unauthorized(ServiceError):
    """There is no session, or it ended (401)."""


class Forbidden(ServiceError):
    """The user may not do this (403): permission, mute or ban; `code` tells which."""


class NotFound(ServiceError):
    """There is no such thing, or this user may not see it (404)."""


class Conflict(ServiceError):
    """The thing exists already, or its state does not allow the call (409)."""


class RateLimited(ServiceError):
    """Too many requests (429); retries were used up."""


class ServerFault(ServiceError):
    """The service failed (5xx); retries were used up."""


class BadAnswer(ServiceError):
    """Something answered that is not the service, a sign-in page say, or that answers in another way than it."""


class Unreachable(SpnbError):
    """No answer from the service: refused, no route, no name, or out of time.

    Attributes:
        sent: whether the request may have reached the service; if not, nothing was done for sure.
    """

    sent: bool = True


class ClientClosed(Unreachable):
    """This connection was closed, or belongs to the process that this one was forked from: connect again."""

    sent = False


class RealtimeError(SpnbError):
    """The real-time connection was refused, or lost for good."""


class BroadcastError(SpnbError):
    """Publishing could not start or go on."""


class SourceError(BroadcastError):
    """A media source (camera, file, screen, generator) cannot give media."""


class ChatNotOpened(SpnbError):
    """The room is there, but its live chat is not: a step on the way failed, and its cause is chained.

    Nothing is lost or doubled by going on: `open_chat()` on the room, or `create()` again with the same key.

    Attributes:
        step: which step failed, `post` or `channel`.
        room_id: the room that waits for its chat.
        key: the creation's key.
    """

    def __init__(self, message: str, *, step: str, room_id: str, key: str | None = None) -> None:
        super().__init__(message)
        self.step = step
        self.room_id = room_id
        self.key = key


class DownloadError(SpnbError):
    """A file could not be fetched: its server led somewhere unsafe, it is too large, or the disk is full.

    What has arrived stays in the `.part` file; the next download goes on there.
    """


class RoomOver(SpnbError):
    """The room reached a final state other than the one waited for.

    Attributes:
        status: the state it reached.
    """

    def __init__(self, message: str, *, status: str) -> None:
        super().__init__(message)
        self.status = status


class SandboxError(SpnbError):
    """The sandbox could not start, stop, or be reached."""


def words_of(error: Exception) -> str:
    """What is told of a failure: errors of spnb speak for themselves, others are named first."""
    return str(error) if isinstance(error, SpnbError) else f"{type(error).__name__}: {error}"
