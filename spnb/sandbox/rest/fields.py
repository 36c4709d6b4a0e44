"""Fields that records of several kinds have, as the service describes them, and how they are changed."""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Store

__all__ = ["Hashtag", "Link", "Mentionee", "Tag", "reported", "with_changes"]

Tag = Annotated[str, Field(max_length=30)]
Hashtag = Annotated[str, Field(max_length=100)]
LINK = {"url": str, "index": int, "length": int, "renderPreview": bool, "domain": str, "title": str, "imageUrl": str}
EMPTY: Json = {"description": "", "metadata": {}}


def _given(value: Json) -> Json:
    return {name: one for name, one in value.items() if one is not None}


def _link(value: Json) -> Json:
    given = _given(value)
    if "url" not in given or any(type(one) is not LINK.get(name, type(one)) for name, one in given.items()):
        raise ValueError(f"a link has a url, and of the right kind: {', '.join(LINK)}")
    return given


def _mentionee(value: Json) -> Json:
    given = _given(value)
    if given.get("type", "user") != "user":
        raise ValueError("type: users are mentioned")
    for name in ("userIds", "userPublicIds", "userInternalIds"):
        ids = given.get(name, [])
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise ValueError(f"{name}: ids of users are wanted")
    return given


Link = Annotated[dict[str, Any], AfterValidator(_link)]
"""A link in a text."""
Mentionee = Annotated[dict[str, Any], AfterValidator(_mentionee)]
"""Who a post or a comment mentions."""


def with_changes(document: Json, changes: Json) -> Json:
    """A record with some fields changed. Null takes a field away: in answers no text is null."""
    taken = {name for name, value in changes.items() if value is None}
    kept = {name: value for name, value in {**document, **changes}.items() if name not in taken}
    return kept | {name: EMPTY[name] for name in taken & EMPTY.keys()}


BITS, HASHES = 192, 3
"""The size of `hashFlag` (a choice)."""


def reported(store: Store, subject: Json) -> Json:
    """What a record tells of those who reported it: how many, and a Bloom filter of them.

    Without a report the filter is null: SDK 7.20 takes a record for flagged by it.

    Args:
        subject: `referenceType` and `referenceId` of the record.
    """
    flags = store.flags.find(subject)
    bits = 0
    for each in flags:
        digest = hashlib.sha256(str(each["userId"]).encode()).digest()
        for number in range(HASHES):
            bits |= 1 << int.from_bytes(digest[4 * number : 4 * number + 4]) % BITS
    content = base64.b64encode(bits.to_bytes(BITS // 8)).decode()
    return {"flagCount": len(flags), "hashFlag": {"bits": BITS, "hashes": HASHES, "hash": content} if flags else None}
