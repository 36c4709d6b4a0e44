"""Chats of Twitch: comments of recordings (TwitchDownloader, tcd, GraphQL) and the chat's own IRC."""

from __future__ import annotations

import re
from typing import Any

from spnb.analytics.sources.chat_logs.log import Gathering, epoch_ms, moment

__all__ = ["about", "comment", "irc_line", "raw"]

Json = dict[str, Any]
EMOTE = re.compile(r"[A-Za-z_]\w+")
RAW = re.compile(
    r"^(?:[<>] )?(?:\[?[\d\-T:., ]+(?:Z|UTC)?\]?\s+)?@(?P<tags>[^ ]+) :(?P<who>[^ ]+) "
    r"(?P<command>PRIVMSG|CLEARMSG|CLEARCHAT|USERNOTICE) #[^ ]+(?: :(?P<words>.*))?$"
)


def comment(item: Json, into: Gathering) -> None:
    """A comment of a recording, in the shape of the old API (TwitchDownloader, tcd) or of GraphQL.

    An author who has left the service is null: such comments count, under one name.
    """
    author = item.get("commenter") or {}
    message = item.get("message") or {}
    offset = item.get("content_offset_seconds", item.get("contentOffsetSeconds"))
    parts = message.get("fragments") or []
    words = str(message.get("body") or "".join(part.get("text") or "" for part in parts))
    named = "".join(_named(part) for part in parts) if into.keeps_text and parts else words
    at = moment(item.get("created_at") or item.get("createdAt"))
    if at is None and offset is None:
        into.skip("message without time")
        return
    user = (
        author.get("_id") or author.get("id") or author.get("name") or author.get("login") or author.get("displayName")
    )
    if not user:
        into.skip("author who has left the service", "counted as one chatter")
    into.add(
        str(user or "(left the service)"),
        named,
        length=len(words),
        key=str(item.get("_id") or item.get("id") or ""),
        at=at,
        offset=None if offset is None else float(offset),
    )


def _named(part: Json) -> str:
    """A piece of a message; an emote, which is written like a word, as `:Kappa:`."""
    text = str(part.get("text") or "")
    return f":{text}:" if (part.get("emoticon") or part.get("emote")) and EMOTE.fullmatch(text) else text


def _with_emotes(words: str, places: str) -> str:
    """A message with its emotes named, by the tag that tells where they stand: `25:0-4,12-16/1902:6-10`."""
    spans = [span.split("-") for emote in places.split("/") for span in emote.partition(":")[2].split(",") if span]
    made = words
    for first, last in sorted(((int(one), int(two)) for one, two in spans), reverse=True):
        text = words[first : last + 1]
        if EMOTE.fullmatch(text):
            made = f"{made[:first]}:{text}:{made[last + 1 :]}"
    return made


def about(name: str, value: Any, into: Gathering) -> None:
    """What the head of a file tells of its stream: title, host, start, length."""
    if name == "streamer" and isinstance(value, dict):
        into.host = str(value.get("id") or value.get("name") or "") or into.host
    if name != "video" or not isinstance(value, dict):
        return
    into.title = str(value.get("title") or into.title)
    channel = value.get("channel") or value.get("owner") or value.get("creator") or {}
    if isinstance(channel, dict) and channel:
        found = channel.get("_id") or channel.get("id") or channel.get("name") or channel.get("login")
        into.host = into.host or (str(found) if found else None)
    began = ("created_at", "createdAt", "recorded_at", "publishedAt")
    into.began(moment(next((value[name] for name in began if value.get(name)), None)))
    length = value.get("length") or value.get("lengthSeconds") or value.get("length_seconds")
    if isinstance(length, (int, float)) and length > 0:
        into.length = float(length)


def raw(item: Json, into: Gathering) -> None:
    """An item of rustlog or justlog, which keep the line of the chat's IRC."""
    if not irc_line(item["raw"], into):
        into.skip("not a message of somebody")


def irc_line(line: str, into: Gathering) -> bool:
    """A line of the chat's IRC with its tags; whether it was one."""
    found = RAW.match(line)
    if found is None:
        return False
    tags = dict(pair.split("=", 1) for pair in found["tags"].split(";") if "=" in pair)
    words, command = (found["words"] or "").removeprefix("\x01ACTION ").removesuffix("\x01"), found["command"]
    if command == "CLEARMSG":
        into.delete(tags.get("target-msg-id", ""))
    elif command == "CLEARCHAT":
        if somebody := tags.get("target-user-id") or words:
            into.silence(somebody)
        else:
            into.skip("chat cleared for everybody", "what was written before is kept")
    else:
        at = epoch_ms(tags.get("tmi-sent-ts"))
        if command == "USERNOTICE" and not words:
            into.skip("notice without words")
        elif at is None:
            into.skip("message without time")
        else:
            user = tags.get("user-id") or found["who"].split("!")[0]
            reply = bool(tags.get("reply-parent-msg-id"))
            named = _with_emotes(words, tags.get("emotes", "")) if into.keeps_text else words
            into.add(user, named, length=len(words), key=tags.get("id", ""), at=at[0], reply=reply)
    return True
