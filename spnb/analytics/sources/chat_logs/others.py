"""Exports of Discord, and Bilibili's danmaku."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from spnb.analytics.sources.chat_logs.log import Gathering, clock, epoch_ms, moment
from spnb.analytics.sources.chat_logs.opening import PIECE, bytes_of

__all__ = ["danmaku", "discord", "discord_about"]

Json = dict[str, Any]
WRITTEN = {"Default", "Reply", "0", "19", "ThreadStarterMessage", "ApplicationCommand", "ChatInputCommand"}


def discord(item: Json, into: Gathering) -> None:
    """A message of an export by DiscordChatExporter (or of Discord's API, which names its types by number)."""
    if str(item.get("type", "Default")) not in WRITTEN:
        into.skip("not a message of somebody")
        return
    author = item.get("author") or {}
    user = author.get("id") or author.get("name") or author.get("username")
    at = moment(item.get("timestamp"))
    if not user or at is None:
        into.skip("message without author or time")
        return
    reply = bool(item.get("reference") or item.get("message_reference"))
    into.add(str(user), str(item.get("content") or ""), key=str(item.get("id") or ""), at=at, reply=reply)


def discord_about(name: str, value: Any, into: Gathering) -> None:
    """The channel is the title."""
    if name == "channel" and isinstance(value, dict):
        into.title = str(value.get("name") or into.title)


def danmaku(path: Path, into: Gathering) -> None:
    """Danmaku as Bilibili hands it out and as recorders write it: `<d p="offset,mode,size,colour,sent,pool,user,id">`.

    The offset in the stream counts; a recording's comments were sent days later. No entity is ever expanded.
    """
    parser = ParserCreate()
    state: dict[str, Any] = {"told": None, "words": []}

    def begin(name: str, told: dict[str, str]) -> None:
        if name == "BililiveRecorderRecordInfo":
            into.title, into.host = told.get("title", ""), told.get("name") or None
            into.began(moment(told.get("start_time")))
        elif name in ("d", "sc"):
            state["told"], state["words"] = (name, told), []

    def words(text: str) -> None:
        state["words"].append(text)

    def end(name: str) -> None:
        if state["told"] is None or name != state["told"][0]:
            return
        told = state["told"][1]
        state["told"] = None
        fields = told.get("p", "").split(",")
        try:
            offset = clock(told["ts"]) if name == "sc" else float(fields[0])
        except (KeyError, ValueError):
            into.skip("message without time")
            return
        sent = epoch_ms(fields[4]) if len(fields) > 4 else None
        user = told.get("uid") or (fields[6] if len(fields) > 6 else "") or told.get("user") or "(unknown)"
        key = fields[7] if len(fields) > 7 else ""
        live = bool(told.get("user"))  # recorders write when it was said; the site, when it was sent to the recording
        into.add(user, "".join(state["words"]), key=key, at=sent[0] if sent and live else None, offset=offset)

    def forbidden(*_: Any) -> None:
        raise ExpatError("entities")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, words
    parser.EntityDeclHandler = forbidden
    with bytes_of(path) as file:
        try:
            while piece := file.read(PIECE):
                parser.Parse(piece, False)
            parser.Parse(b"", True)
        except ExpatError:
            into.skip("end of the file, torn or no XML")
