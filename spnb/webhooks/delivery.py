"""What came in: a delivery that was kept, a request that was refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from spnb.models import Room

__all__ = ["HANDLED", "Delivery", "Facts", "Malformed", "Refusal", "Source", "of_row", "read_body", "shown_body"]

Json = dict[str, Any]
Source = Literal["social.plus", "livekit"]
Handled = Literal["waiting", "done", "failed"]
HANDLED: tuple[Handled, ...] = ("waiting", "done", "failed")
"""What the numbers in the database stand for."""
SUBJECTS = ("messages", "posts", "rooms", "videoStreamings", "channels", "communities", "users")
"""Lists of an event's `data`, the one the event is about before those that go along."""
SUBJECT_IDS = ("messageId", "postId", "roomId", "streamId", "channelId", "communityId", "userId", "_id")
CHANGES_ITS_SUBJECT = re.compile(
    r"(didCreate|created|didUpdate|updated|started|ended|completed|didStart|didStop|didRecord|startBroadcasting"
    r"|endBroadcasting|waitingReconnect|record(ed|ing)Available|terminated)$"
)
"""Events at which the subject's own `updatedAt` is the time of the event; a flag, say, may hit an old message."""
ADDRESS = re.compile(r"\b(?:https?|wss?|rtmps?)://[^\s\"'<>\\]+", re.IGNORECASE)
TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")


class Malformed(ValueError):
    """A body that is no event."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a body tells about its event."""

    id: str
    """The same for the same body: a delivery carries no id of its own."""
    event: str
    """The name as it was sent."""
    room_id: str
    subject_id: str
    """Id of the message, post or room it is about."""
    happened_at: float | None
    """Seconds of the epoch, where the body tells when its event happened and not only how old its subject is."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that was verified and stored."""

    number: int
    """Counts deliveries in the order they were stored."""
    id: str
    event: str
    """The name as it was sent, e.g. `stream.started`."""
    name: str
    """The common name, e.g. `room.live`."""
    source: Source
    room_id: str
    """The room it is about; empty where it tells none."""
    subject_id: str
    received_at: datetime
    happened_at: datetime | None
    copies: int
    """How often it came: retries and duplicates are stored once."""
    handled: Handled
    body: bytes = field(repr=False)
    """As it came. Users' content and signed addresses are in it: never print it."""
    replayed: bool = False

    @property
    def data(self) -> Json:
        """What the event carries: its `data`, or for LiveKit the whole."""
        body = json.loads(self.body)
        data = body.get("data") if self.source == "social.plus" else body
        return data if isinstance(data, dict) else {}

    @property
    def room(self) -> Room | None:
        """The room as the delivery tells of it; None where it tells only its id, or none. User content."""
        told = self.data.get("rooms")
        return next(iter(Room.many(told)), None) if isinstance(told, list) else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was not taken; nothing of its body is kept."""

    at: datetime
    status: int
    reason: str


def read_body(body: bytes, source: Source) -> Facts:
    """What a verified body tells.

    Raises:
        Malformed: it is no JSON object with an `event`.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the body is no JSON") from None
    event = told.get("event") if isinstance(told, dict) else None
    if not isinstance(event, str) or not event or len(event) > 200:
        raise Malformed("the body has no event")
    if any("\ud800" <= mark <= "\udfff" for mark in event):
        raise Malformed("the event's name is no text")
    digest = hashlib.sha256(body).hexdigest()[:32]
    if source == "livekit":
        room = told.get("room")
        name = _plain(room.get("name") or "") if isinstance(room, dict) else ""
        return Facts(digest, f"livekit.{event}", name, _plain(told.get("id") or ""), _moment(told.get("createdAt")))
    data = told.get("data")
    data = data if isinstance(data, dict) else {}
    return Facts(digest, event, _room_id(data), _subject_id(data), _happened_at(told, data))


def _firsts(data: Json) -> list[Json]:
    firsts = [data[name][0] for name in SUBJECTS if isinstance(data.get(name), list) and data[name]]
    return [first for first in firsts if isinstance(first, dict)]


def _room_id(data: Json) -> str:
    for place in (data, *_firsts(data)):
        inner = place.get("data")
        for where in (place, inner if isinstance(inner, dict) else {}):
            for name in ("roomId", "streamId"):
                if isinstance(where.get(name), str):
                    return _plain(where[name])
    return ""


def _subject_id(data: Json) -> str:
    for place in (*_firsts(data), data):
        for name in SUBJECT_IDS:
            if isinstance(place.get(name), str):
                return _plain(place[name])
    return ""


def _plain(text: Any) -> str:
    """An id as text; half a character, which JSON allows and no database takes, becomes a mark."""
    return str(text).encode("utf-8", "replace").decode()[:200]


def _happened_at(told: Json, data: Json) -> float | None:
    subject = next(iter(_firsts(data)), {}) if CHANGES_ITS_SUBJECT.search(str(told["event"])) else {}
    for place in (told, data, subject):
        for name in ("sentTime", "timestamp", "updatedAt", "createdAt"):
            moment = _moment(place.get(name))
            if moment is not None:
                return moment
    return None


def _moment(value: Any) -> float | None:
    """Seconds of the epoch from ISO 8601, or from seconds or milliseconds as number or digits."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            return None
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    # In seconds that would be the year 5138, in milliseconds it is 1973: larger numbers are milliseconds.
    number = number / 1000 if number > 1e11 else number
    return number if 0 < number < 1e11 else None


def shown_body(body: bytes) -> str:
    """A body for the eye: indented JSON whose addresses and tokens, which may open something, are cut short."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        text = body.decode("utf-8", "replace")
    return TOKEN.sub("(token)", ADDRESS.sub(_shortened, text))


def _shortened(match: re.Match[str]) -> str:
    scheme, _, rest = match[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}/…" if slash and path else f"{scheme}://{host.rpartition('@')[2]}"


def of_row(row: Mapping[str, Any]) -> Delivery:
    """A delivery as it stands in the database."""
    happened = row["happened"]
    return Delivery(
        number=row["number"],
        id=row["id"],
        event=row["event"],
        name=row["name"],
        source=row["source"],
        room_id=row["room"],
        subject_id=row["subject"],
        received_at=datetime.fromtimestamp(row["received"], UTC),
        happened_at=None if happened is None else datetime.fromtimestamp(happened, UTC),
        copies=row["copies"],
        handled=HANDLED[row["handled"]],
        body=row["body"],
    )
