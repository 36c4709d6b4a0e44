"""The rows a page shows of a chat: the last hundred, and what of them has changed since the page was last told."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from spnb.live import ChatChange
from spnb.models import Message

__all__ = ["SHOWN", "ChatRows"]

SHOWN = 100
"""How many messages a page shows."""
TEXT_SHOWN, QUOTE_SHOWN = 2000, 120
"""Characters of a text and of a quotation that go to the page."""
REMEMBERED = 1000
"""Messages that can be quoted, and users that can be mentioned."""
MENTION = re.compile(r"@([\w.\-]+)")


class ChatRows:
    """Collects changes of a chat and hands them on in one message, however many there were.

    Args:
        user_id: who looks at the rows.
        host: public id of the room's host.
    """

    def __init__(self, user_id: str, host: str | None) -> None:
        self.user_id = user_id
        self.host = host
        self.moderators: frozenset[str] = frozenset()
        self._rows: OrderedDict[str, Message] = OrderedDict()
        self._quotes: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._fresh: dict[str, None] = {}
        self._touched: dict[str, None] = {}
        self._gone: list[str] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        """Begin anew."""
        for kept in (self._rows, self._quotes, self._fresh, self._touched):
            kept.clear()
        self._gone, self._count = [], 0

    def message(self, message_id: str) -> Message | None:
        """One of the messages shown."""
        return self._rows.get(message_id)

    def mentioned(self, text: str) -> list[str]:
        """Public ids of users whom a text names with an @, by id or by display name without its spaces."""
        wanted = {name.casefold().rstrip(".-") for name in MENTION.findall(text)}
        if not wanted:
            return []
        known = {user_id: name.replace(" ", "").casefold() for user_id, name in self._names.items()}
        return [user_id for user_id, name in known.items() if wanted & {user_id.casefold(), name}][:50]

    def take(self, changes: Iterable[ChatChange]) -> bool:
        """Take over changes. Returns whether there is anything to tell the page."""
        for change in changes:
            message = change.message
            if message is None:
                continue
            key = message.message_id
            if change.kind == "added":
                self._add(key, message)
            elif key in self._rows:
                if change.kind == "deleted":
                    del self._rows[key]
                    self._touched.pop(key, None)
                    if key in self._fresh:
                        del self._fresh[key]
                    else:
                        self._gone.append(key)
                else:
                    self._rows[key] = message
                    if key not in self._fresh:
                        self._touched[key] = None
        return bool(self._count or self._touched or self._gone)

    def _add(self, key: str, message: Message) -> None:
        self._rows[key] = message
        self._fresh[key] = None
        self._count += 1
        _keep(self._quotes, key, {"name": message.name, "text": message.text[:QUOTE_SHOWN]})
        if message.creator_public_id:
            _keep(self._names, message.creator_public_id, message.name)
        while len(self._rows) > SHOWN:
            oldest, _ = self._rows.popitem(last=False)
            self._fresh.pop(oldest, None)
            self._touched.pop(oldest, None)

    def all(self) -> dict[str, Any]:
        """What a page that has just been opened is to show."""
        return {"type": "chat", "all": True, "rows": [self._row(message) for message in self._rows.values()]}

    def news(self) -> dict[str, Any]:
        """What has changed since this was last asked: rows that are new or other, and how many there were."""
        told = {
            "type": "chat",
            "rows": [self._row(self._rows[key]) for key in self._fresh],
            "changed": [self._row(self._rows[key]) for key in self._touched],
            "gone": self._gone[-SHOWN:],
            "count": self._count,
        }
        self._fresh, self._touched, self._gone, self._count = {}, {}, [], 0
        return told

    def _row(self, message: Message) -> dict[str, Any]:
        user, text = message.creator_public_id or "", message.text
        role = "host" if user == self.host else "moderator" if user in self.moderators else ""
        row: dict[str, Any] = {
            "id": message.message_id,
            "user": user,
            "name": message.name,
            "text": text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…",
            "at": message.created_at.timestamp() if message.created_at else 0,
        }
        optional = {
            "role": role,
            "edited": bool(message.edited_at and message.created_at and message.edited_at > message.created_at),
            "quote": self._quotes.get(message.parent_id, {"name": "", "text": ""}) if message.parent_id else None,
            "reactions": {name: count for name, count in list(message.reactions.items())[:20] if count},
            "mine": message.my_reactions[:20],
            "forMe": self.user_id in message.mentions,
            "flags": message.flag_count if self.user_id in self.moderators else 0,
        }
        # What is empty is not sent: at hundreds of messages a second it counts.
        return row | {name: value for name, value in optional.items() if value}


def _keep(kept: OrderedDict[str, Any], key: str, value: Any) -> None:
    kept[key] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
