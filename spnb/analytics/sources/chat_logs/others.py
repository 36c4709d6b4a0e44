"""Exports of Discord, and Bilibili's danmaku."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

import pandas as pd

from spnb.analytics.sources.chat_logs.log import Gathering, clock, epoch_ms, moment
from spnb.analytics.sources.chat_logs.opening import PIECE, TORN, bytes_of, text_lines
from spnb.errors import TableError

__all__ = ["BLOCKS", "danmaku", "discord", "discord_about", "discord_blocks"]

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


BLOCKS = re.compile(r"={20,}\s+Guild: ")
"""How DiscordChatExporter's text begins."""
BLOCK = re.compile(
    r"^\[(?P<at>\d{1,4}[-./]\w{1,3}[-./]\d{1,4}\.?,? \d{1,2}[:.]\d\d[^\]]{0,12})\] (?P<who>.+?)(?: \(pinned\))?$"
)
EXTRAS = re.compile(r"^\{(?:Attachments|Embed|Stickers|Reactions)\}$")


def discord_blocks(path: Path, into: Gathering, *, time_zone: str | None) -> None:
    """The text of DiscordChatExporter: a line with time and author, the message in lines under it, an empty line.

    Its dates are as people write them where it ran. Which number is the month is told by their order.

    Raises:
        TableError: its times name no zone.
    """
    said: list[tuple[str, str, list[str]]] = []
    empty, extra = True, False
    for line, _ in text_lines(path, lambda: into.skip(TORN)):
        found = BLOCK.match(line) if empty else None
        if found:
            said.append((found["at"], found["who"], []))
            extra = False
        elif not said:
            into.title = line.removeprefix("Channel: ").split(" / ")[-1] if line.startswith("Channel: ") else into.title
        elif EXTRAS.match(line) or line.startswith("=" * 20):
            extra = True
        elif not extra:
            said[-1][2].append(line)
        empty = not line.strip()
    if time_zone is None and said:
        raise TableError(f"the times in {path.name} name no zone: say which with time_zone='Europe/Berlin'")
    for (_, who, lines), at in zip(said, _dates([at for at, _, _ in said], into), strict=True):
        if pd.isna(at):
            into.skip("message without time")
            continue
        zoned = at.tz_localize(time_zone, ambiguous=True, nonexistent="shift_forward")
        into.add(who, "\n".join(lines).strip(), at=zoned.timestamp() * 1000)


def _dates(written: list[str], into: Gathering) -> list[Any]:
    """Dates as they were written: with the day or the month first, whichever leaves them in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one of both ways does not fit
        read = [
            pd.Series(pd.to_datetime(written, format="mixed", dayfirst=day_first, errors="coerce", utc=True))
            for day_first in (False, True)
        ]
    back = [int((made.diff() < pd.Timedelta(0)).sum()) for made in read]
    if not read[0].equals(read[1]) and back[0] == back[1]:
        into.skip("dates with a number for the month", "read with the month first")
    return list(read[back[1] < back[0]].dt.tz_localize(None))


HEADS = ("room_title", "user_name", "record_start_time")
"""What blrec tells before its messages."""


def _headed(name: str, told: str, into: Gathering) -> None:
    if name == "room_title":
        into.title = told
    elif name == "user_name":
        into.host = told or None
    else:
        into.began(moment(told))


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
        elif name in ("d", "sc", *HEADS):
            state["told"], state["words"] = (name, told), []

    def words(text: str) -> None:
        state["words"].append(text)

    def end(name: str) -> None:
        if state["told"] is None or name != state["told"][0]:
            return
        told = state["told"][1]
        state["told"] = None
        if name in HEADS:
            _headed(name, "".join(state["words"]), into)
            return
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
    with bytes_of(path, lambda: into.skip(TORN)) as file:
        try:
            while piece := file.read(PIECE):
                parser.Parse(piece, False)
            parser.Parse(b"", True)
        except ExpatError:
            into.skip("end of the file, torn or no XML")
