"""The sandbox's database: its collections, and the changes that touch a room's status."""

from __future__ import annotations

import math
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from spnb.sandbox.clock import Clock, moment, new_id, stamp, system_clock
from spnb.sandbox.store.collection import Collection
from spnb.sandbox.store.lifecycle import may_follow
from spnb.sandbox.store.past import (
    live_reaction_document,
    message_document,
    reaction_document,
    watch_session_document,
)

__all__ = ["Store"]

Json = dict[str, Any]

STEPS_BETWEEN_TELLING = 1_000_000
"""Of SQLite's machine: some hundredths of a second."""


class Store:
    """SQLite in WAL mode: readers never wait, a killed process loses nothing that was answered.

    All calls are short and run on the event loop's thread.

    Args:
        path: the database file; its folder must exist.
        network_id: the root of paths and topics.
        clock: gives the time written into documents.
        on_work: called now and then while opening takes long: an index that is new to a large database, say.
    """

    def __init__(
        self,
        path: Path,
        *,
        network_id: str = "sandbox",
        clock: Clock = system_clock,
        on_work: Callable[[], None] | None = None,
    ) -> None:
        self.network_id = network_id
        self.clock = clock
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        if on_work is not None:
            self._db.set_progress_handler(on_work, STEPS_BETWEEN_TELLING)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A power cut may lose the last commits, a killed process none: the right trade for a sandbox.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT)")
        self.users = Collection(self._db, "users", "_id", ["userId"])
        self.sessions = Collection(self._db, "sessions", "tokenId", ["userInternalId", "deviceId"])
        self.rooms = Collection(
            self._db, "rooms", "roomId", ["status", "type", "createdBy", "isDeleted", "referenceId"]
        )
        self.posts = Collection(
            self._db,
            "posts",
            "postId",
            ["targetType", "targetId", "parentPostId", "dataType", "isDeleted", "data.roomId"],
        )
        self.communities = Collection(self._db, "communities", "communityId", ["isDeleted"])
        self.members = Collection(self._db, "members", "_id", ["scopeId", "userId", "membership"])
        self.channels = Collection(
            self._db, "channels", "channelId", ["type", "isDeleted", "channelInternalId", "distinctOf"]
        )
        self.messages = Collection(
            self._db,
            "messages",
            "messageId",
            ["messageFeedId", "parentId", "isDeleted", "referenceId", "segment"],
            expand=message_document(network_id),
        )
        self.reactions = Collection(
            self._db,
            "reactions",
            "reactionId",
            ["referenceType", "referenceId", "userId", "reactionName"],
            expand=reaction_document,
            together=[("referenceId", "userId")],
        )
        self.reactions_removed = Collection(self._db, "reactions_removed", "reactionId", ["referenceId"])
        self.live_reactions = Collection(self._db, "live_reactions", "_id", ["roomId"], expand=live_reaction_document)
        self.invitations = Collection(
            self._db, "invitations", "invitationId", ["targetId", "targetType", "type", "status", "invitedUserPublicId"]
        )
        self.files = Collection(self._db, "files", "fileId", [])
        self.bans = Collection(self._db, "bans", "_id", ["roomId", "userId"])
        self.watch_sessions = Collection(
            self._db, "watch_sessions", "sessionId", ["roomId"], expand=watch_session_document
        )
        self.presence = Collection(self._db, "presence", "_id", ["roomId"])
        self.statuses = Collection(self._db, "statuses", "_id", ["roomId"])
        self.products = Collection(self._db, "products", "productId", ["status", "isDeleted"])
        self.activities = Collection(self._db, "activities", "_id", ["contentId", "userId", "metadata.sourceId"])
        self.webhooks = Collection(self._db, "webhooks", "webhookId", [])
        self.deliveries = Collection(self._db, "deliveries", "deliveryId", ["webhookId"])
        self.flags = Collection(self._db, "flags", "_id", ["referenceType", "referenceId", "userId"])
        self.comments = Collection(self._db, "comments", "commentId", ["referenceType", "referenceId", "parentId"])
        self.follows = Collection(self._db, "follows", "_id", ["follower", "followed", "status"])
        self.polls = Collection(self._db, "polls", "pollId", [])
        self.votes = Collection(self._db, "votes", "_id", ["pollId", "userId"])
        self.categories = Collection(self._db, "categories", "categoryId", ["isDeleted"])
        self.join_requests = Collection(self._db, "join_requests", "_id", ["targetId", "status"])
        self.message_feeds = Collection(self._db, "message_feeds", "messageFeedId", ["channelPublicId", "isDeleted"])
        self.read_marks = Collection(self._db, "read_marks", "_id", ["feedId", "userId"])
        self.scheduled_events = Collection(
            self._db, "scheduled_events", "eventId", ["originType", "originId", "status", "type", "userId", "isDeleted"]
        )
        self.responses = Collection(self._db, "responses", "_id", ["eventId", "userPublicId", "status"])
        self.pins = Collection(self._db, "pins", "pinId", ["targetId", "placement"])
        self.tray = Collection(self._db, "tray", "_id", ["userId"])
        self._db.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close the database; what was answered is on disk."""
        self._db.close()

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """One transaction for many rows, waiting patiently for a sandbox that writes to the same file."""
        for pragma in ("busy_timeout = 60000", "wal_autocheckpoint = 20000", "cache_size = -262144"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def now(self) -> str:
        """The present moment as the wire writes it."""
        return stamp(self.clock())

    def secret(self, name: str) -> str:
        """A random secret of this data folder, made at its first use."""
        known = self.fact(name)
        if known is not None:
            return known
        value = secrets.token_hex(24)
        self.keep_fact(name, value)
        return value

    def fact(self, name: str) -> str | None:
        """A fact of this data folder; None where nothing was kept under this name."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep_fact(self, name: str, value: str) -> None:
        """Keep a fact, in place of an earlier one."""
        self._db.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))

    def user_by_public_id(self, user_id: str) -> Json | None:
        """The user with this public id."""
        return self.users.first({"userId": user_id})

    def ensure_user(self, user_id: str, display_name: str | None = None) -> Json:
        """The user with this public id, created where unknown; a given display name replaces the stored one."""
        found = self.user_by_public_id(user_id)
        at = self.now()
        if found is None:
            internal = new_id()
            return self.users.insert(
                {
                    "_id": internal,
                    "userId": user_id,
                    "userInternalId": internal,
                    "userPublicId": user_id,
                    "path": f"{self.network_id}/user/{internal}",
                    "displayName": display_name or user_id,
                    "roles": [],
                    "permissions": [],
                    "metadata": {},
                    "flagCount": 0,
                    "hashFlag": None,
                    "isBrand": False,
                    "isGlobalBan": False,
                    "isDeleted": False,
                    "createdAt": at,
                    "updatedAt": at,
                }
            )
        if display_name and display_name != found["displayName"]:
            return self.users.save({**found, "displayName": display_name, "updatedAt": at})
        return found

    def rooms_with_status(self, *statuses: str) -> list[Json]:
        """All rooms in one of these states, deleted ones too, oldest first."""
        return self.rooms.find({"status": list(statuses)})

    def transition(self, room_id: str, status: str, *, at: datetime | None = None, **changes: Any) -> Json | None:
        """Move a room to `status`, if the table allows it, and write the times that belong to it.

        Args:
            at: when it happened; now, without it.
            changes: further fields of the room to write in the same stroke.

        Returns:
            The changed room, or None where the room is unknown or the move is not allowed.
        """
        room = self.rooms.get(room_id)
        if room is None or not may_follow(room["status"], status):
            return None
        when = stamp(at or self.clock())
        room |= {"status": status, "updatedAt": when, **changes}
        if status == "live":
            room.setdefault("liveAt", when)
        if status in ("ended", "terminated"):
            room.setdefault("endedAt", when)
        if status == "recorded":
            room.setdefault("recordedAt", when)
        if "liveAt" in room and "endedAt" in room and "durationSeconds" not in room:
            # Vendor samples round up: 100.26 s is told as 101.
            room["durationSeconds"] = max(
                0, math.ceil((moment(room["endedAt"]) - moment(room["liveAt"])).total_seconds())
            )
        self.statuses.insert({"_id": new_id(), "roomId": room_id, "status": status, "at": when})
        return self.rooms.save(room)

    def update_room(self, room_id: str, **changes: Any) -> Json | None:
        """Write fields of a room that are not its status; None where the room is unknown."""
        room = self.rooms.get(room_id)
        if room is None:
            return None
        return self.rooms.save({**room, **changes, "updatedAt": self.now()})

    def membership(self, scope_id: str, user_id: str) -> str:
        """A user's standing in a community or channel: `none`, `member` or `banned`."""
        found = self.members.get(f"{scope_id}:{user_id}")
        return "none" if found is None else str(found["membership"])

    def set_membership(
        self,
        scope_id: str,
        user_id: str,
        membership: str,
        *,
        roles: list[str] | None = None,
        lifts_ban: bool = False,
    ) -> Json:
        """Write a user's standing in a community or channel. Who is banned stays so, unless the ban is what is lifted:
        neither leaving nor being added or removed makes up for it."""
        key = f"{scope_id}:{user_id}"
        before = self.members.get(key) or {"roles": [], "createdAt": self.now()}
        document = {
            **before,
            "_id": key,
            "scopeId": scope_id,
            "userId": user_id,
            "membership": "banned" if before.get("membership") == "banned" and not lifts_ban else membership,
            "updatedAt": self.now(),
        }
        if roles is not None:
            document["roles"] = roles
        return self.members.put(document)

    def take_off_stage(self, room_id: str, user_id: str) -> None:
        """Remember that a broadcaster was removed: what let the user in before does no more."""
        self.keep_fact(f"off-stage:{room_id}:{user_id}", str(self.clock().timestamp()))

    def is_off_stage(self, room_id: str, user_id: str, issued_at: float) -> bool:
        """Whether a token made at `issued_at` (Unix seconds) was made before its user was removed."""
        removed = self.fact(f"off-stage:{room_id}:{user_id}")
        return removed is not None and issued_at <= float(removed)

    def is_banned_viewer(self, room_id: str, user_id: str) -> bool:
        """Whether the user was banned from watching the room."""
        return self.bans.get(f"{room_id}:{user_id}") is not None
