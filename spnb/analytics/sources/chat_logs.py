"""Chat logs of other platforms as messages tables.

- `youtube`: JSON lines as live-chat downloaders write them. Read are `replayChatItemAction` with its renderers, or
  plain objects with `timestamp` or `timestampUsec` (microseconds), `author` or `authorName`, `message` and `id`.
- `twitch`: JSON with `comments` as chat downloaders write it, or its comments as JSON lines. Read are `created_at`,
  `commenter`, `message.body` and `_id`.
- `irc`: lines like `[2026-03-01 18:00:05] <nick> words`. Joins, parts and actions are passed over; nicks are users.

Words are not kept, only their number of characters. Times without a zone need `time_zone`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from spnb.analytics.sources.files import text_of
from spnb.errors import TableError

__all__ = ["Kind", "kind_of_log", "read_chat_log"]

Kind = Literal["youtube", "twitch", "irc"]
Json = dict[str, Any]

IRC = re.compile(
    r"^\[?(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)\]?"
    r"\s+<(?P<nick>[^>]+)>\s?(?P<words>.*)$"
)


def kind_of_log(path: str | Path) -> Kind | None:
    """Which kind of chat log a file is, by its first lines; None for none of them."""
    head = text_of(path)[:20_000].lstrip()
    if any(IRC.match(line) for line in head.splitlines()[:50]):
        return "irc"
    if head.startswith(("{", "[")):
        if '"commenter"' in head or '"comments"' in head:
            return "twitch"
        if any(mark in head for mark in ('"timestampUsec"', "replayChatItemAction", '"timestamp_usec"', '"author"')):
            return "youtube"
    return None


def read_chat_log(
    path: str | Path, *, room_id: str | None = None, kind: Kind | None = None, time_zone: str | None = None
) -> pd.DataFrame:
    """The messages of a chat log.

    Args:
        path: the log.
        room_id: the stream it belongs to; the file's name without it.
        kind: `youtube`, `twitch` or `irc`; found out without it.
        time_zone: the zone of times that name none, e.g. `Europe/Berlin`.

    Returns:
        A messages table, to be given to `spnb.analytics.load({"messages": …})`.

    Raises:
        TableError: it is no chat log, or its times have no zone.
    """
    found = kind or kind_of_log(path)
    if found is None:
        raise TableError(f"{Path(path).name} is no chat log of YouTube, Twitch or IRC: say which with kind=…")
    text = text_of(path)
    rows = list({"youtube": _youtube, "twitch": _twitch, "irc": _irc}[found](text, Path(path).name))
    frame = pd.DataFrame(rows, columns=["message_id", "user_id", "created_at", "length"])
    frame.insert(1, "room_id", room_id or Path(path).stem)
    naive = pd.Series([at.tzinfo is None for at in frame["created_at"]], dtype=bool)
    if naive.any():
        if time_zone is None:
            raise TableError(f"the times in {Path(path).name} name no zone: say which with time_zone='Europe/Berlin'")
        frame["created_at"] = [
            at if at.tzinfo is not None else at.tz_localize(time_zone, ambiguous=False, nonexistent="shift_forward")
            for at in frame["created_at"]
        ]
    frame["created_at"] = pd.to_datetime(frame["created_at"], utc=True)
    return frame


def _objects(text: str, name: str) -> Iterator[Json]:
    stripped = text.lstrip()
    if stripped.startswith("["):
        yield from _parsed(text, name, 1)
        return
    try:
        whole = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield _parsed(line, name, number)
    else:
        yield from whole.get("comments", [whole])


def _parsed(text: str, name: str, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise TableError(f"{name}, line {line} is no JSON: the file may have been cut off") from error


def _youtube(text: str, name: str) -> Iterator[tuple[str, str, pd.Timestamp, int]]:
    for number, item in enumerate(_objects(text, name)):
        for found in _chat_items(item):
            micro = found.get("timestampUsec") or found.get("timestamp_usec") or found.get("timestamp")
            author = found.get("authorExternalChannelId") or found.get("author") or found.get("authorName")
            if isinstance(author, dict):
                author = author.get("id") or author.get("name") or author.get("simpleText")
            if micro is None or not author:
                continue
            at = pd.Timestamp(int(micro), unit="us", tz="UTC")
            words = found.get("message")
            if isinstance(words, dict):
                words = "".join(run.get("text", "□") for run in words.get("runs", []))
            key = found.get("id") or found.get("message_id") or str(number)
            yield str(key), str(author), at, len(words or "")


def _chat_items(item: Json) -> Iterator[Json]:
    if "replayChatItemAction" not in item:
        yield item
        return
    for action in item["replayChatItemAction"].get("actions", []):
        made = action.get("addChatItemAction", {}).get("item", {})
        for kind in ("liveChatTextMessageRenderer", "liveChatPaidMessageRenderer"):
            if kind in made:
                yield made[kind]


def _twitch(text: str, name: str) -> Iterator[tuple[str, str, pd.Timestamp, int]]:
    for number, comment in enumerate(_objects(text, name)):
        author = comment.get("commenter") or {}
        at = comment.get("created_at")
        if not at or not author:
            continue
        body = (comment.get("message") or {}).get("body") or ""
        key = comment.get("_id") or comment.get("id") or str(number)
        yield str(key), str(author.get("_id") or author.get("id") or author.get("name")), pd.Timestamp(at), len(body)


def _irc(text: str, name: str) -> Iterator[tuple[str, str, pd.Timestamp, int]]:
    for number, line in enumerate(text.splitlines(), 1):
        found = IRC.match(line)
        if found:
            nick = found["nick"].lstrip("@+%~& ")
            yield f"{name}:{number}", nick, pd.Timestamp(found["at"]), len(found["words"])
