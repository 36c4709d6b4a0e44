"""Chat logs of other platforms, as messages tables: each kind is recognised by what is in the file.

| kind | written by |
|---|---|
| `twitch` | TwitchDownloader (JSON), tcd (JSON), twitch-dl, Twitch's GraphQL, rustlog and justlog (JSON) |
| `youtube` | yt-dlp's `live_chat`, chat-downloader (YouTube and Twitch; JSON, CSV), pytchat, the Data API |
| `discord` | DiscordChatExporter (JSON, CSV, text), Discord's API |
| `danmaku` | Bilibili's XML, and that of recorders |
| `irc` | irssi, WeeChat, ZNC, HexChat, mIRC, eggdrop, Chatterino, Ubuntu's and other archives, Twitch's IRC; the text
of all downloaders |

Any of them may be packed by gzip or zstd. Offsets in the stream go before clocks. Words are kept where they
are asked for, else only their number of characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from spnb._arguments import checked
from spnb.analytics.sources.chat_logs.irc import EXPECTED, SHAPES, read_lines
from spnb.analytics.sources.chat_logs.log import ChatLog, Gathering
from spnb.analytics.sources.chat_logs.opening import TORN, columns_of, csv_items, head_of, json_values
from spnb.analytics.sources.chat_logs.others import BLOCKS, danmaku, discord, discord_about, discord_blocks
from spnb.analytics.sources.chat_logs.twitch import RAW, about, comment, raw
from spnb.analytics.sources.chat_logs.youtube import data_api, downloaded, live_chat, pytchat
from spnb.analytics.windows import zone_named
from spnb.errors import TableError

__all__ = ["ChatLog", "Kind", "kind_of_log", "open_chat_log", "read_chat_log"]

Kind = Literal["youtube", "twitch", "irc", "discord", "danmaku"]
KINDS = ("youtube", "twitch", "irc", "discord", "danmaku")
Json = dict[str, Any]

MARKS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("twitch", re.compile(r'"raw"\s*:\s*"@[^"]* (PRIVMSG|CLEAR|USERNOTICE)')),
    ("twitch", re.compile(r'"(commenter|content_offset_seconds|contentOffsetSeconds)"|"comments"\s*:\s*\[')),
    (
        "youtube",
        re.compile(
            r'"(replayChatItemAction|addChatItemAction|addLiveChatTickerItemAction|timestampUsec|timestamp_usec|'
            r'message_type|action_type|time_in_seconds|elapsedTime|authorName)"|youtube#liveChatMessage'
        ),
    ),
    ("discord", re.compile(r'"(guild|timestampEdited|message_reference|discriminator)"')),
    ("youtube", re.compile(r'"author"')),
)
EXPECTATIONS = {
    "twitch": "comments with created_at or an offset, as TwitchDownloader and tcd write them",
    "youtube": "items of yt-dlp's live_chat, chat-downloader, pytchat or the Data API",
    "discord": "messages as DiscordChatExporter writes them",
    "danmaku": 'elements like <d p="12.5,1,25,16777215,1600000000,0,user,id">',
    "irc": EXPECTED,
}
TABLED: tuple[tuple[Kind, set[str]], ...] = (
    ("youtube", {"message_type", "message", "timestamp"}),
    ("youtube", {"message_type", "message", "time_in_seconds"}),
    ("discord", {"Author", "Date", "Content"}),
)
"""Columns of logs that are written as CSV."""
NESTED = ("data", "video", "comments", "edges", "items", "messages", "node", "continuationContents")


def kind_of_log(path: str | Path) -> Kind | None:
    """Which kind of chat log a file is, by its first lines; None for none of them."""
    head = head_of(Path(path)).lstrip()
    is_json = head.startswith(("{", "[{", "[ ", "[\n", "[\r"))
    if is_json and (found := next((kind for kind, mark in MARKS if mark.search(head)), None)):
        return found
    if (columns := columns_of(head)) and (found := next((kind for kind, some in TABLED if columns >= some), None)):
        return found
    if head.startswith("<") and re.search(r"<(i|d p=|chatid|chatserver)\b", head):
        return "danmaku"
    if BLOCKS.match(head):
        return "discord"
    lines = head.splitlines()[:200]
    if any(RAW.match(line) or any(shape.match(line) for shape in SHAPES) for line in lines):
        return "irc"
    return None


@checked
def read_chat_log(
    path: str | Path,
    *,
    room_id: str | None = None,
    kind: Kind | None = None,
    time_zone: str | None = None,
    start: Any = None,
    text: bool = False,
) -> pd.DataFrame:
    """The messages of a chat log; `spnb.analytics.load(path)` also takes title, host, start and length from it.

    Args:
        path: the log, plain or packed by gzip or zstd.
        room_id: the stream it belongs to; the file's name without it.
        kind: `youtube`, `twitch`, `discord`, `danmaku` or `irc`; found out without it.
        time_zone: the zone of times that name none, e.g. `Europe/Berlin`.
        start: when the stream began, a time with a zone; for logs that count from it and do not say.
        text: keep the words too, in the column `text`.

    Returns:
        A messages table, to be given to `spnb.analytics.load({"messages": …})`.

    Raises:
        TableError: it is no chat log, nothing in it was understood, or its times have no zone.
    """
    return open_chat_log(path, room_id=room_id, kind=kind, time_zone=time_zone, start=start, text=text).messages


def open_chat_log(
    path: str | Path,
    *,
    room_id: str | None = None,
    kind: Kind | None = None,
    time_zone: str | None = None,
    start: Any = None,
    text: bool = False,
    spool: Path | None = None,
) -> ChatLog:
    """A chat log with what it tells of its stream and what was skipped; as `read_chat_log`.

    With `spool`, an empty folder, a large one hands out its messages piece by piece.
    """
    if time_zone is not None:
        zone_named(time_zone)
    file = Path(path)
    found = kind or kind_of_log(file)
    if found is None:
        raise TableError(f"{file.name} is no chat log that is known: say which with kind=… ({', '.join(KINDS)})")
    if found not in KINDS:
        raise TableError(f"kind is one of {', '.join(KINDS)}, not {found!r}")
    began = _start(start)
    into = Gathering(text=text, spool=spool)
    if found == "irc":
        read_lines(file, into, time_zone=time_zone, start=began)
    elif found == "danmaku":
        danmaku(file, into)
    elif found == "discord" and BLOCKS.match(head_of(file)):
        discord_blocks(file, into, time_zone=time_zone)
    else:
        _read_json(file, into)
    try:
        return into.made(room_id or _name(file), EXPECTATIONS[found], start=began)
    except TableError as error:
        raise TableError(f"{file.name}: {error}") from None


def _start(start: Any) -> pd.Timestamp | None:
    if start is None:
        return None
    made = pd.Timestamp(start)
    if made.tzinfo is None:
        raise TableError("start has no zone: give it one, e.g. start='2026-03-02 18:00+01:00'")
    return made.tz_convert("UTC")


def _name(file: Path) -> str:
    name = file.name
    for ending in (".gz", ".zst", ".zstd", ".json", ".jsonl", ".csv", ".live_chat", ".xml", ".txt", ".log"):
        name = name.removesuffix(ending)
    return name or file.name


def _read_json(file: Path, into: Gathering) -> None:
    head = head_of(file).lstrip()
    if not head.startswith(("{", "[")) and columns_of(head) & {"message", "Content"}:
        for row in csv_items(file, lambda: into.skip(TORN)):
            _take(row, into)
        return
    for name, value in json_values(file, lambda: into.skip("piece that is no JSON, e.g. torn off")):
        heads = value.items() if not name and isinstance(value, dict) else ((name, value),)
        for head, told in heads:
            about(head, told, into)
            discord_about(head, told, into)
        for item in _items(value, 0):
            _take(item, into)


def _take(item: Json, into: Gathering) -> None:
    try:
        _parser(item)(item, into)
    except (AttributeError, TypeError, ValueError, KeyError, OverflowError):
        into.skip("item of an odd form")


def _items(value: Any, depth: int) -> Iterator[Json]:
    """The messages in a value: itself, or those in the lists that services wrap theirs in."""
    if isinstance(value, list):
        for one in value:
            yield from _items(one, depth)
    elif isinstance(value, dict) and depth < 8:
        if _parser(value) is not _unknown:
            yield value
            return
        for name in NESTED:
            if name in value:
                yield from _items(value[name], depth + 1)


def _parser(item: Json) -> Callable[[Json, Gathering], None]:
    if "commenter" in item or "content_offset_seconds" in item:
        return comment
    if "snippet" in item:
        return data_api
    if any(name.endswith("Action") for name in item):
        return live_chat
    if isinstance(item.get("raw"), str) and "tags" in item:
        return raw
    author = item.get("author")
    if isinstance(author, dict) and ("elapsedTime" in item or "messageEx" in item or "channelId" in author):
        return pytchat
    if isinstance(author, dict) and "content" in item:
        return discord
    if author or "action_type" in item or "message_type" in item or "authorName" in item:
        return downloaded
    return _unknown


def _unknown(_item: Json, into: Gathering) -> None:
    into.skip("item of an unknown form")
