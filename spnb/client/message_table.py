"""Messages as columns, filled page by page from the wire, without an object per message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MessageTable"]

Json = dict[str, Any]
CHUNK = 5_000
"""Messages that are gathered as Python objects before they become compact columns."""


def _text(message: Json) -> Any:
    return (message.get("data") or {}).get("text", "")


COLUMNS: dict[str, Callable[[Json], Any]] = {
    "message_id": lambda message: message["messageId"],
    "segment": lambda message: message.get("segment") or 0,
    "created_at": lambda message: message.get("createdAt"),
    "edited_at": lambda message: message.get("editedAt"),
    "user_id": lambda message: message.get("creatorPublicId"),
    "text": _text,
    "data_type": lambda message: message.get("dataType") or "text",
    "parent_id": lambda message: message.get("parentId"),
    "replies": lambda message: message.get("childCount") or 0,
    "reactions": lambda message: message.get("reactionCount") or 0,
    "flags": lambda message: message.get("flagCount") or 0,
}
"""Column → where it stands on the wire. After `user_id` comes `name`, the sender's display name."""
TIMES = ("created_at", "edited_at")
NUMBERS = ("segment", "replies", "reactions", "flags")


class MessageTable:
    """Collects pages of messages; `frame` makes one table of them.

    Times are UTC with milliseconds, as the wire has them.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = _empty()
        self._parts: list[pd.DataFrame] = []

    def add(self, page: Json) -> None:
        """Take over one page of the service's answer."""
        names = {user["_id"]: user.get("displayName") for user in page.get("users") or [] if "_id" in user}
        messages = page.get("messages") or []
        for column, read in COLUMNS.items():
            self._columns[column].extend(map(read, messages))
        self._columns["name"].extend(
            names.get(message.get("creatorId")) or message.get("creatorPublicId") for message in messages
        )
        if len(self._columns["name"]) >= CHUNK:
            self._pack()

    def frame(self) -> pd.DataFrame:
        """One row per message, in the order in which they came."""
        import pandas as pd

        if self._columns["name"] or not self._parts:
            self._pack()
        parts, self._parts = self._parts, []
        return pd.concat(parts, ignore_index=True)

    def _pack(self) -> None:
        import pandas as pd

        columns, self._columns = self._columns, _empty()
        made: dict[str, Any] = {}
        for name, values in columns.items():
            if name in TIMES:
                made[name] = pd.to_datetime(pd.Series(values, dtype="str"), utc=True, format="ISO8601").dt.as_unit("ms")
            elif name in NUMBERS:
                made[name] = pd.Series(values, dtype="int64")
            else:
                made[name] = pd.Series(values, dtype="str")
        self._parts.append(pd.DataFrame(made))


def _empty() -> dict[str, list[Any]]:
    names = list(COLUMNS)
    names.insert(names.index("user_id") + 1, "name")
    return {name: [] for name in names}
