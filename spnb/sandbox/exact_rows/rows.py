"""The tables of an audience, read off the store exactly and in bounded memory.

    views      session_id, room_id, user_id, start, end (null where nobody told it), watch_seconds, replay
    messages   message_id, room_id, channel_id, user_id, created_at, deleted, is_reply, length (characters)
    reactions  reaction_id, room_id, user_id, name, at, added (false: taken back); on messages, on posts, and floating
    presence   room_id, at, viewers: how many the heartbeats counted, while they came
    status     room_id, status, at: every change, the first one (`idle`) too
    rooms      room_id, title, creator_id, community_id, channel_id, post_id, type, status, created_at, live_at,
               ended_at, recorded_at, duration_seconds

Times are milliseconds since 1970 in UTC. Rows come in no promised order. Deleted rooms are left out, and what belongs
to no room at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import orjson

from spnb.sandbox.store.past import Kind, fan_id, past_id
from spnb.sandbox.store.repair import repaired

__all__ = ["SCHEMAS", "Columns", "Tables", "milliseconds"]

Json = dict[str, Any]
Row = tuple[Any, ...]
Columns = dict[str, list[Any]]
ROWS_PER_BATCH = 20_000

Kinds = Mapping[str, Literal["text", "time", "number", "count", "flag"]]
SCHEMAS: Mapping[str, Kinds] = MappingProxyType(
    {
        "views": {
            "session_id": "text",
            "room_id": "text",
            "user_id": "text",
            "start": "time",
            "end": "time",
            "watch_seconds": "number",
            "replay": "flag",
        },
        "messages": {
            "message_id": "text",
            "room_id": "text",
            "channel_id": "text",
            "user_id": "text",
            "created_at": "time",
            "deleted": "flag",
            "is_reply": "flag",
            "length": "count",
        },
        "reactions": {
            "reaction_id": "text",
            "room_id": "text",
            "user_id": "text",
            "name": "text",
            "at": "time",
            "added": "flag",
        },
        "presence": {"room_id": "text", "at": "time", "viewers": "count"},
        "status": {"room_id": "text", "status": "text", "at": "time"},
        "rooms": {
            "room_id": "text",
            "title": "text",
            "creator_id": "text",
            "community_id": "text",
            "channel_id": "text",
            "post_id": "text",
            "type": "text",
            "status": "text",
            "created_at": "time",
            "live_at": "time",
            "ended_at": "time",
            "recorded_at": "time",
            "duration_seconds": "number",
        },
    }
)
"""Table → column → kind."""


def milliseconds(text: str | None) -> int | None:
    """Milliseconds since 1970 of a wire timestamp; None where there is none, or clients told nonsense."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None


class Tables:
    """Reads the tables over a connection of its own, so that the sandbox goes on writing meanwhile.

    Args:
        path: the store's file.
        room_id: only this room's rows; all without it.
    """

    def __init__(self, path: Path, room_id: str | None = None) -> None:
        self._path = path
        self._only = room_id

    def batches(self, name: str) -> Iterator[Columns]:
        """The table column by column, some twenty thousand rows at a time.

        Raises:
            KeyError: there is no such table.
        """
        names = tuple(SCHEMAS[name])
        rows: Callable[[sqlite3.Connection], Iterator[Row]] = getattr(self, f"_{name}")
        # Read in a thread of the server's pool, each batch perhaps in another one, never two at a time.
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, check_same_thread=False)) as db:
            db.execute("BEGIN")  # one moment's rows, whatever is written meanwhile
            some: list[Row] = []
            for row in rows(db):
                some.append(row)
                if len(some) == ROWS_PER_BATCH:
                    yield _columns(names, some)
                    some = []
            if some:
                yield _columns(names, some)

    def _documents(self, db: sqlite3.Connection, table: str, column: str | None = None) -> Iterator[Any]:
        """All documents of a table, as they are stored: whole, or short ones of the past."""
        if self._only is None or column is None:
            found = db.execute(f"SELECT doc FROM {table} ORDER BY n")
        else:
            found = db.execute(f"SELECT doc FROM {table} WHERE {column} = ? ORDER BY n", (self._only,))
        for (stored,) in found:
            document = orjson.loads(stored)
            yield repaired(table, document) if isinstance(document, dict) else document

    def _shown_rooms(self, db: sqlite3.Connection) -> dict[str, Json]:
        shown = (room for room in self._documents(db, "rooms", "id") if not room["isDeleted"])
        return {room["roomId"]: room for room in shown}

    def _rooms(self, db: sqlite3.Connection) -> Iterator[Row]:
        for room in self._shown_rooms(db).values():
            yield (
                room["roomId"],
                room["title"],
                room["createdBy"],
                room.get("targetId") if room.get("targetType") == "community" else None,
                room.get("liveChannelId"),
                room.get("referenceId"),
                room["type"],
                room["status"],
                *(milliseconds(room.get(name)) for name in ("createdAt", "liveAt", "endedAt", "recordedAt")),
                room.get("durationSeconds"),
            )

    def _status(self, db: sqlite3.Connection) -> Iterator[Row]:
        rooms = self._shown_rooms(db)
        told: set[str] = set()
        for change in self._documents(db, "statuses", "roomId"):
            if change["roomId"] in rooms:
                told.add(change["roomId"])
                yield change["roomId"], change["status"], milliseconds(change["at"])
        for room_id, room in rooms.items():
            yield room_id, "idle", milliseconds(room["createdAt"])
            if room_id not in told:
                # A room of before changes were kept: the ends of its stretches are in the room itself.
                for status, name in (("live", "liveAt"), ("ended", "endedAt"), ("recorded", "recordedAt")):
                    if name in room:
                        yield room_id, status, milliseconds(room[name])

    def _presence(self, db: sqlite3.Connection) -> Iterator[Row]:
        rooms = self._shown_rooms(db)
        for sample in self._documents(db, "presence", "roomId"):
            if sample["roomId"] in rooms:
                yield sample["roomId"], milliseconds(sample["at"]), sample["viewers"]

    def _views(self, db: sqlite3.Connection) -> Iterator[Row]:
        ends = {room_id: milliseconds(room.get("endedAt")) for room_id, room in self._shown_rooms(db).items()}
        past = _PastIds(Kind.WATCH_SESSION)
        for session in self._documents(db, "watch_sessions", "roomId"):
            if isinstance(session, list):
                run, stream, number, fan, start, end, watched = session
                room_id, key = past.room(run, stream), past.key(run, stream, number)
                user_id = past.user(run, fan)
            else:
                room_id, key, user_id = session["roomId"], session["sessionId"], session["userId"]
                start, end = milliseconds(session["startTime"]), milliseconds(session["endTime"])
                watched = session["watchSeconds"]
            if room_id in ends:
                over = ends[room_id]
                replay = over is not None and start is not None and start >= over
                yield key, room_id, user_id, start, end, float(watched), replay

    def _rooms_of_channels(self, db: sqlite3.Connection) -> dict[str, str]:
        rooms = self._shown_rooms(db)
        found = {room["liveChannelId"]: room_id for room_id, room in rooms.items() if room.get("liveChannelId")}
        if self._only is None:
            for channel in self._documents(db, "channels"):
                room_id = channel["attachedTo"].get("roomId")
                if room_id in rooms:
                    found.setdefault(channel["channelId"], room_id)
        # Messages name their feed, which is called by the channel's internal id where the channel was given a name.
        for channel_id, room_id in list(found.items()):
            stored = db.execute("SELECT doc FROM channels WHERE id = ?", (channel_id,)).fetchone()
            if stored is not None:
                found.setdefault(orjson.loads(stored[0])["defaultSubChannelId"], room_id)
        return found

    def _chat(self, db: sqlite3.Connection) -> Iterator[tuple[Any, str]]:
        """Messages that belong to a room, with the room."""
        rooms = self._rooms_of_channels(db)
        if self._only is None:
            found = db.execute("SELECT doc, messageFeedId FROM messages ORDER BY n")
        else:
            marks = ", ".join("?" * len(rooms))
            wanted = f"SELECT doc, messageFeedId FROM messages WHERE messageFeedId IN ({marks}) ORDER BY n"
            found = db.execute(wanted, list(rooms))
        for stored, channel_id in found:
            room_id = rooms.get(channel_id)
            if room_id is not None:
                document = orjson.loads(stored)
                yield repaired("messages", document) if isinstance(document, dict) else document, room_id

    def _messages(self, db: sqlite3.Connection) -> Iterator[Row]:
        past = _PastIds(Kind.MESSAGE)
        for message, room_id in self._chat(db):
            if isinstance(message, list):
                run, stream, segment, fan, at, text, parent, _replies, _reactions = message
                yield (
                    past.key(run, stream, segment),
                    room_id,
                    past.channel(run, stream),
                    past.user(run, fan),
                    at,
                    text is None,
                    parent > 0,
                    len(text or ""),
                )
            else:
                yield (
                    message["messageId"],
                    room_id,
                    message["messageFeedId"],
                    message["creatorPublicId"],
                    milliseconds(message["createdAt"]),
                    message["isDeleted"],
                    message["parentId"] is not None,
                    len(str(message["data"].get("text") or "")),
                )

    def _reactions(self, db: sqlite3.Connection) -> Iterator[Row]:
        rooms = self._shown_rooms(db)
        past = _PastIds(Kind.LIVE_REACTION)
        for reaction in self._documents(db, "live_reactions", "roomId"):
            if isinstance(reaction, list):
                run, stream, number, fan, at, name = reaction
                row = past.key(run, stream, number), past.room(run, stream), past.user(run, fan), name, at, True
            else:
                at = milliseconds(reaction["occurredAt"])
                name, room_id = reaction["reactionName"], reaction["roomId"]
                row = reaction["_id"], room_id, reaction["userId"], name, at, True
            if row[1] in rooms:
                yield row
        subjects = self._rooms_of_subjects(db, rooms)
        past = _PastIds(Kind.REACTION)
        for reaction in self._documents(db, "reactions"):
            if isinstance(reaction, list):
                run, stream, number, fan, at, name, _segment = reaction
                if (room_id := past.room(run, stream)) in rooms:
                    yield past.key(run, stream, number), room_id, past.user(run, fan), name, at, True
            elif (known := subjects(reaction)) is not None:
                yield _reaction_row(reaction, known, "createdAt", added=True)
        for reaction in self._documents(db, "reactions_removed"):
            if (known := subjects(reaction)) is not None:
                yield _reaction_row(reaction, known, "createdAt", added=True)
                yield _reaction_row(reaction, known, "removedAt", added=False)

    def _rooms_of_subjects(self, db: sqlite3.Connection, rooms: Mapping[str, Json]) -> Callable[[Json], str | None]:
        channels = self._rooms_of_channels(db)
        posts: dict[str, str] = {}
        for post in self._documents(db, "posts"):
            room_id = post["data"].get("roomId")
            if room_id in rooms:
                posts[post["postId"]] = room_id
                if post["parentPostId"]:
                    posts[post["parentPostId"]] = room_id

        def room_of(reaction: Json) -> str | None:
            if reaction["referenceType"] == "post":
                return posts.get(reaction["referenceId"])
            feed = db.execute("SELECT messageFeedId FROM messages WHERE id = ?", (reaction["referenceId"],)).fetchone()
            return channels.get(feed[0]) if feed else None

        return room_of


def _reaction_row(reaction: Json, room_id: str, when: str, *, added: bool) -> Row:
    at = milliseconds(reaction[when])
    return reaction["reactionId"], room_id, reaction["userId"], reaction["reactionName"], at, added


def _columns(names: tuple[str, ...], rows: list[Row]) -> Columns:
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


class _PastIds:
    """The ids of short documents, the common part of each made once."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._prefixes: dict[tuple[str, int], tuple[str, str, str]] = {}
        self._users: dict[tuple[str, int], str] = {}

    def _of(self, run: str, stream: int) -> tuple[str, str, str]:
        found = self._prefixes.get((run, stream))
        if found is None:
            prefix = past_id(run, self._kind, stream)[:16]
            found = (prefix, past_id(run, Kind.ROOM, stream), past_id(run, Kind.CHANNEL, stream))
            self._prefixes[run, stream] = found
        return found

    def key(self, run: str, stream: int, number: int) -> str:
        return f"{self._of(run, stream)[0]}{number:08x}"

    def room(self, run: str, stream: int) -> str:
        return self._of(run, stream)[1]

    def channel(self, run: str, stream: int) -> str:
        return self._of(run, stream)[2]

    def user(self, run: str, fan: int) -> str:
        found = self._users.get((run, fan))
        if found is None:
            found = self._users[run, fan] = fan_id(run, fan)
        return found
