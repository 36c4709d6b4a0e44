"""What a host puts on screen: texts over the picture, now and, with their times, over the recording.

They stand in the metadata of the chat's channel, which moderators alone may write: the service has no field for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spnb.client.audience import wire_time
from spnb.models import Channel

__all__ = ["Placard", "closed", "placards_of", "shown_over", "without_message"]

KEY = "onScreen"
TEXT_LIMIT = 280
NAME_LIMIT = 100
MOST = 50
"""How many a channel's metadata keeps, the newest."""


@dataclass(frozen=True, slots=True)
class Placard:
    """A text that stands, or stood, over the picture. User content: show it as text."""

    text: str
    since: datetime
    until: datetime | None = None
    """When it was taken off; None while it stands."""
    name: str = ""
    """Who wrote it, as others see them."""
    message_id: str | None = None


def placards_of(channel: Channel) -> list[Placard]:
    """What a channel's metadata tells of it, oldest first; what is none of it is left out."""
    told = (channel.metadata or {}).get(KEY)
    found = [_read(entry) for entry in told[-MOST:]] if isinstance(told, list) else []
    return [placard for placard in found if placard is not None]


def _read(entry: Any) -> Placard | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str) or not entry["text"]:
        return None
    since, until, message_id = _moment(entry.get("at")), _moment(entry.get("until")), entry.get("messageId")
    if since is None or (until is None and entry.get("until") is not None):
        return None
    return Placard(
        entry["text"][: TEXT_LIMIT + 1],
        since,
        until,
        str(entry.get("name") or "")[:NAME_LIMIT],
        str(message_id) if message_id else None,
    )


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _entries(metadata: Mapping[str, Any]) -> list[Any]:
    told = metadata.get(KEY)
    return list(told) if isinstance(told, list) else []


def closed(metadata: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The metadata in which nothing stands on screen any more."""
    entries = [
        {**entry, "until": wire_time(now)} if isinstance(entry, dict) and not entry.get("until") else entry
        for entry in _entries(metadata)
    ]
    return {**metadata, KEY: entries} if entries else dict(metadata)


def shown_over(
    metadata: Mapping[str, Any], now: datetime, text: str, *, name: str = "", message_id: str | None = None
) -> dict[str, Any]:
    """The metadata in which this stands on screen, in place of what stood there."""
    short = text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…"
    entry = {"at": wire_time(now), "text": short, "name": name[:NAME_LIMIT]}
    if message_id:
        entry["messageId"] = message_id
    return {**metadata, KEY: [*_entries(closed(metadata, now)), entry][-MOST:]}


def without_message(metadata: Mapping[str, Any], message_id: str) -> dict[str, Any]:
    """The metadata in which a message is on no screen, and never was."""
    kept = [
        entry for entry in _entries(metadata) if not (isinstance(entry, dict) and entry.get("messageId") == message_id)
    ]
    return {**metadata, KEY: kept}
