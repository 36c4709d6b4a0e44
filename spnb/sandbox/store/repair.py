"""Documents of an earlier version that hold null where a value belongs: they are read as if it were there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["repaired"]

Json = dict[str, Any]

NEVER_NULL: Mapping[str, Mapping[str, type]] = {
    "users": {"displayName": str, "metadata": dict, "roles": list},
    "rooms": {"title": str, "description": str, "metadata": dict, "participants": list, "childRoomIds": list},
    "posts": {"data": dict, "metadata": dict, "tags": list, "children": list, "reactions": dict},
    "communities": {"displayName": str, "metadata": dict, "tags": list},
    "comments": {"data": dict, "metadata": dict},
    "channels": {"displayName": str, "metadata": dict, "tags": list, "attachedTo": dict},
    "messages": {"data": dict, "metadata": dict, "tags": list, "mentionedUsers": list, "reactions": dict},
}
"""Collection → field → its kind; in the place of null, or of another kind, stands an empty one."""


def repaired(collection: str, document: Json) -> Json:
    """The document, whole."""
    for name, kind in NEVER_NULL.get(collection, {}).items():
        if name in document and not isinstance(document[name], kind):
            document[name] = kind()
    if collection == "posts" and not isinstance(document["data"].get("roomId") or "", str):
        del document["data"]["roomId"]
    return document
