"""Rows of the tables out of the service's records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from spnb.models import Message, Reactor, Room

__all__ = ["Row", "message_row", "reaction_row", "room_row", "status_rows"]

Row = dict[str, Any]


def room_row(room: Room) -> Row:
    """A room's row."""
    return {
        "room_id": room.room_id,
        "title": room.title,
        "creator_id": room.created_by,
        "community_id": room.target_id if room.target_type == "community" else None,
        "channel_id": room.live_channel_id,
        "type": room.type,
        "status": room.status,
        "created_at": room.created_at,
        "live_at": room.live_at,
        "ended_at": room.ended_at,
    }


def status_rows(room: Room) -> list[Row]:
    """The changes of status that a room's own times tell; pauses of the publisher are not among them."""
    # A recorded room that was terminated had ended before; the others ended by it.
    ended = "terminated" if room.status == "terminated" and room.recorded_at is None else "ended"
    moments: Sequence[tuple[str, datetime | None]] = (
        ("idle", room.created_at),
        ("live", room.live_at),
        (ended, room.ended_at),
        ("recorded", room.recorded_at),
    )
    return [{"room_id": room.room_id, "status": status, "at": at} for status, at in moments if at is not None]


def message_row(room_id: str, channel_id: str, message: Message, *, deleted: bool = False, text: bool = False) -> Row:
    """A message's row; of a deleted one the words are gone, so its length is 0."""
    gone = deleted or message.is_deleted
    words = {"text": "" if gone else message.text} if text else {}
    return {
        "message_id": message.message_id,
        "room_id": room_id,
        "channel_id": channel_id,
        "user_id": message.creator_public_id or message.creator_id,
        "created_at": message.created_at,
        "deleted": gone,
        "is_reply": message.parent_id is not None,
        "length": 0 if gone else len(message.text),
        **words,
    }


def reaction_row(room_id: str, reactor: Reactor, *, at: datetime | None = None) -> Row:
    """A reaction's row; with `at` it was taken back then."""
    return {
        "reaction_id": reactor.reaction_id,
        "room_id": room_id,
        "user_id": reactor.user_id,
        "name": reactor.reaction_name,
        "at": at or reactor.created_at,
        "added": at is None,
    }
