"""Logs in lines of text: of IRC clients and bouncers, archives, Chatterino, and downloaders of Twitch's chats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from spnb.analytics.sources.chat_logs.log import Gathering, clock
from spnb.analytics.sources.chat_logs.opening import TORN, text_lines
from spnb.analytics.sources.chat_logs.twitch import irc_line
from spnb.errors import TableError

__all__ = ["read_lines"]

FULL = r"\d{4}-\d\d-\d\d[T _]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
TIME = r"\d[\d,]*:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[AaPp][Mm])?"
MONTH = r"(?P<month>[A-Z][a-z]{2} [ \d]\d) "
BADGES = r"(?:\((?:[^()]|\([^()]*\))*\) )?(?:\*[^*]{1,24}\* )?"
ACTION = r"\*\s(?P<nick>[^\s*]+)(?: (?P<words>.*))?"
SHAPES = tuple(
    re.compile(shape)
    for shape in (
        # [2026-03-02 18:00:05] <nick> words, with or without brackets: irssi, ZNC, archives of chat downloaders
        rf"^\[?(?P<full>{FULL})\]?\s+<\s?(?P<nick>[^>]+)>\s?(?P<words>.*)$",
        # [18:00:05] <nick> words: ZNC, mIRC, eggdrop, Ubuntu's archives, irssi
        rf"^\[?(?P<time>{TIME})\]?\s+<\s?(?P<nick>[^>]+)>\s?(?P<words>.*)$",
        # Mar 02 18:00:05 <nick>\twords: HexChat, whose actions and notices both begin with a star
        rf"^{MONTH}(?P<time>{TIME})\s+<\s?(?P<nick>[^>]+)>\s?(?P<words>.*)$",
        rf"^{MONTH}(?P<time>{TIME})\s+{ACTION}$",
        # 2026-03-02 18:00:05<tab>nick<tab>words: WeeChat
        rf"^(?P<full>{FULL})\t \*\t(?P<nick>\S+)(?: (?P<words>.*))?$",
        rf"^(?P<full>{FULL})\t(?P<nick>[^\t]*)\t(?P<words>.*)$",
        # * nick does something
        rf"^\[?(?P<full>{FULL})\]?\s+{ACTION}$",
        rf"^\[?(?P<time>{TIME})\]?\s+(?:{ACTION}|Action: (?P<actor>\S+) (?P<done>.*))$",
        # [2026-03-02 18:00:05 UTC] name: words: TwitchDownloader, with the channel justlog
        rf"^\[(?P<full>{FULL})\]\s+(?:#\S+\s+)?(?P<nick>[^:\s#][^:\s]{{0,63}}): (?P<words>.*)$",
        # [0:00:05] name: words (TwitchDownloader, relative) or [18:00:05] name: words (Chatterino)
        rf"^\[(?P<time>{TIME})\]\s+(?:#\S+\s+)?(?P<nick>[^:\s#][^:\s]{{0,63}}): (?P<words>.*)$",
        # 2026-03-02 18:00:05 | (badges) *$5.00* name: words: chat-downloader
        rf"^(?P<full>{FULL})\s+\|\s+{BADGES}(?P<nick>[^:]{{1,64}})(?:: (?P<words>.*))?$",
        rf"^(?P<time>-?{TIME})\s+\|\s+{BADGES}(?P<nick>[^:]{{1,64}})(?:: (?P<words>.*))?$",
        # 2026-03-02_18:00:05 — :nick!nick@host PRIVMSG #channel :words, as scripts log a socket
        rf"^\[?(?P<full>{FULL})\]?[ \t—:-]*:(?P<nick>[^!\s]+)!\S+ PRIVMSG \S+ :(?P<words>.*)$",
    )
)
DAYS = (
    (re.compile(r"^--- (?:Log opened|Log closed) \w{3} (?P<day>\w{3} \d\d) [\d:]+ (?P<year>\d{4})"), "%b %d %Y"),
    (re.compile(r"^--- Day changed \w{3} (?P<day>\w{3} \d\d) (?P<year>\d{4})"), "%b %d %Y"),
    (re.compile(r"^# (?:Start|Stop) logging at (?P<day>\d{4}-\d\d-\d\d)(?P<year>)"), "%Y-%m-%d"),
    (
        re.compile(
            r"^(?:\*{4} (?:BEGIN|ENDING) LOGGING AT|Session (?:Start|Time|Close):) "
            r"\w{3} (?P<day>\w{3} [ \d]\d) [\d:]+ (?P<year>\d{4})"
        ),
        "%b %d %Y",
    ),
    (re.compile(r"^\[[\d:]+\] --- \w{3} (?P<day>\w{3} [ \d]\d) (?P<year>\d{4})"), "%b %d %Y"),
)
IN_NAME = re.compile(r"(?P<y>\d{4})[-_/.]?(?P<m>[01]\d)[-_/.]?(?P<d>[0-3]\d)")
ACTIONS = {shape for shape in SHAPES if ACTION in shape.pattern}
NOBODY = {"", "-->", "<--", "--", "*", "-!-", "***", "==="}
NOTICE = re.compile(
    r"^(?:(?:Now talking (?:in|on)|Topic (?:is|for)|Set by|Rejoined channel|Attempting to|You (?:have|are|were)) |"
    r"Disconnected|\S+ (?:[(\[]\S+@\S+[)\]]|"
    r"has (?:joined|left|quit|kicked|changed)\b|sets mode\b|is now known as |was kicked by |"
    r"changes topic |(?:gives|removes) channel ))"
)
"""What mIRC and HexChat write of joins, modes and topics, with the star of an action."""
EXPECTED = "lines like [2026-03-02 18:00:05] <nick> words"


@dataclass
class _Clock:
    """What day it is where lines tell the time alone, and whether such times count from the stream's start."""

    day: datetime | None
    relative: bool
    last: float = -1.0

    def moment(self, text: str, month: str | None = None) -> datetime | float:
        """A time of day as a moment, or as seconds of the stream; `month` is a day without its year, e.g. `Mar 02`."""
        negative, half = text.startswith("-"), text[-2:].lower() if text[-1:] in "mM" else ""
        seconds = clock(text.lstrip("-").rstrip(" aApPmM")) * (60 if text.count(":") == 1 and not self.relative else 1)
        if half:
            seconds = seconds % (12 * 3600) + (12 * 3600 if half == "pm" else 0)
        if self.relative:
            return -seconds if negative else seconds
        if self.day is None:
            raise TableError(
                "its lines tell the time but not the day, and neither does its name: "
                "name it like chat-2026-03-02.log, or give start='2026-03-02 18:00+00:00'"
            )
        if month is not None:
            told = datetime.strptime(f"{month} {self.day.year}", "%b %d %Y")
            self.day = told if told > self.day - timedelta(days=180) else told.replace(year=told.year + 1)
        elif seconds < self.last - 12 * 3600:
            self.day += timedelta(days=1)  # past midnight
        self.last = seconds
        return self.day + timedelta(seconds=seconds)


def read_lines(path: Path, into: Gathering, *, time_zone: str | None, start: pd.Timestamp | None) -> None:
    """Read a log in lines.

    Args:
        path: the log.
        into: takes the messages.
        time_zone: the zone of times that name none.
        start: the stream's start: the day of lines that tell none.

    Raises:
        TableError: its times name no zone, or no day.
    """
    naive: list[tuple[str, datetime, str | int, str]] = []
    for number, user, at, words in _messages(path, into, start):
        key = f"{path.name}:{number}"
        if isinstance(at, float):
            into.add(user, words, key=key, offset=at)
        elif at.tzinfo is not None:
            into.add(user, words, key=key, at=at.timestamp() * 1000)
        else:
            naive.append((user, at, words if into.keeps_text else len(words), key))
    if not naive:
        return
    if time_zone is None:
        raise TableError(f"the times in {path.name} name no zone: say which with time_zone='Europe/Berlin'")
    try:
        zoned = pd.DatetimeIndex([at for _, at, _, _ in naive]).tz_localize(
            time_zone, ambiguous="NaT", nonexistent="shift_forward"
        )
    except (KeyError, ValueError) as error:
        raise TableError(f"{time_zone!r} is no time zone: name one like Europe/Berlin") from error
    for (user, _, said, key), at in zip(naive, _unambiguous(zoned, [row[1] for row in naive], time_zone), strict=True):
        into.add(user, said, key=key, at=at.timestamp() * 1000)


def _unambiguous(zoned: pd.DatetimeIndex, naive: list[datetime], time_zone: str) -> Iterator[Any]:
    """The hour that a clock shows twice is its first while the log has not yet gone back."""
    last: Any = None
    for at, wall in zip(zoned, naive, strict=True):
        made = at
        if pd.isna(made):
            first = pd.Timestamp(wall).tz_localize(time_zone, ambiguous=True)
            made = (
                first if last is None or first >= last else pd.Timestamp(wall).tz_localize(time_zone, ambiguous=False)
            )
        last = made
        yield made


def _messages(
    path: Path, into: Gathering, start: pd.Timestamp | None
) -> Iterator[tuple[int, str, datetime | float, str]]:
    named = IN_NAME.search(path.name) or IN_NAME.search("/".join(path.parts[-4:]))
    day = _day_of(named) if named else None
    if day is None and start is not None:
        day = start.to_pydatetime().replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    ticking = _Clock(day, relative=False)
    seen = False
    for number, (line, plain) in enumerate(text_lines(path, lambda: into.skip(TORN)), 1):
        if not plain:
            into.skip("line not in UTF-8", "read as Windows-1252")
        if dated := _dated(line):
            ticking, seen = _Clock(dated, relative=False), True
        elif irc_line(line, into):
            continue
        elif found := next((made for shape in SHAPES if (made := shape.match(line))), None):
            told = found.groupdict()
            nick = (told["nick"] or told["actor"]).strip().lstrip("@+%~& ")
            words = (told["words"] if told["nick"] else told["done"]) or ""
            if nick in NOBODY or (found.re in ACTIONS and NOTICE.match(f"{nick} {words}")):
                continue
            if told.get("full"):
                yield number, nick, _full(told["full"]), words
                continue
            if not seen and not named and ticking.last < 0 and _from_the_start(told["time"], start):
                ticking.relative = True
            seen = True
            yield number, nick, ticking.moment(told["time"], told.get("month")), words
        elif line.strip() and not line.startswith(("===", "***", "---", "#", "-->", "<--")):
            into.skip("line that is no message")


def _from_the_start(time: str, start: pd.Timestamp | None) -> bool:
    """Whether a first time counts from the stream's start: `0:00:05` does; `18:00:05` does where no day is told."""
    if time[-1:] in "mM":
        return False
    return time.startswith("-") or len(time.split(":")[0]) == 1 or (start is None and time.count(":") == 2)


def _full(text: str) -> datetime:
    plain = re.sub(r" ?(?:UTC|GMT)$", "+00:00", text).replace(",", ".").replace("_", "T")
    return datetime.fromisoformat(re.sub(r" (?=[+-]\d\d:?\d\d$)", "", plain))


def _dated(line: str) -> datetime | None:
    for shape, form in DAYS:
        if found := shape.match(line):
            try:
                return datetime.strptime(f"{found['day']} {found['year']}".strip(), form)
            except ValueError:  # months in another language
                return None
    return None


def _day_of(named: re.Match[str]) -> datetime | None:
    try:
        return datetime(int(named["y"]), int(named["m"]), int(named["d"]))
    except ValueError:
        return None
