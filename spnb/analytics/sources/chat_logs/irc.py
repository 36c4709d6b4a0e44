"""Logs in lines of text: of IRC clients and bouncers, archives, Chatterino, and downloaders of Twitch's chats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from spnb.analytics.sources.chat_logs.log import PIECE_ROWS, Gathering, clock
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
FULL_SHAPES = tuple(shape for shape in SHAPES if "<full>" in shape.pattern)
MONTH_SHAPES = tuple(shape for shape in SHAPES if "<month>" in shape.pattern)
TIME_SHAPES = tuple(shape for shape in SHAPES if shape not in (*FULL_SHAPES, *MONTH_SHAPES))
FULL_BEGINS = re.compile(r"\[?\d{4}-")
SILENCED = re.compile(
    rf"^\[?(?:{FULL}|{TIME})\]?\s+(?:#\S+\s+)?(?P<nick>[^\s:]+) has been (?:timed out|(?:permanently )?banned)\b"
)
"""As Chatterino and justlog tell that all of somebody's messages were deleted."""
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
    waiting = _Waiting(path, into, time_zone)
    for number, user, at, words in _messages(path, into, start):
        key = f"{path.name}:{number}"
        if at is None:
            waiting.settle()
            into.silence(user)
        elif isinstance(at, float):
            into.add(user, words, key=key, offset=at)
        elif at.tzinfo is not None:
            into.add(user, words, key=key, at=at.timestamp() * 1000)
        else:
            waiting.add(user, at, words if into.keeps_text else len(words), key)
    waiting.settle()


class _Waiting:
    """Messages whose times name no zone, until so many are there that their moments are found at once."""

    def __init__(self, path: Path, into: Gathering, time_zone: str | None) -> None:
        self._path, self._into, self._zone = path, into, time_zone
        self._rows: list[tuple[str, datetime, str | int, str]] = []
        self._last: Any = None

    def add(self, user: str, wall: datetime, said: str | int, key: str) -> None:
        self._rows.append((user, wall, said, key))
        if len(self._rows) >= PIECE_ROWS:
            self.settle()

    def settle(self) -> None:
        """Hand on what waits.

        Raises:
            TableError: no zone was told, or there is none of this name.
        """
        rows, self._rows = self._rows, []
        if not rows:
            return
        if self._zone is None:
            raise TableError(f"the times in {self._path.name} name no zone: say which with time_zone='Europe/Berlin'")
        walls = pd.DatetimeIndex([wall for _, wall, _, _ in rows])
        try:
            zoned = walls.tz_localize(self._zone, ambiguous="NaT", nonexistent="shift_forward")
        except (KeyError, ValueError) as error:
            raise TableError(f"{self._zone!r} is no time zone: name one like Europe/Berlin") from error
        if zoned.hasnans:
            zoned = pd.DatetimeIndex(list(self._unambiguous(zoned, walls)))
        self._last = zoned[-1]
        for (user, _, said, key), at in zip(rows, (zoned.as_unit("us").asi8 / 1000).tolist(), strict=True):
            self._into.add(user, said, key=key, at=at)

    def _unambiguous(self, zoned: pd.DatetimeIndex, walls: pd.DatetimeIndex) -> Iterator[Any]:
        """The hour that a clock shows twice is its first while the log has not yet gone back."""
        last = self._last
        for at, wall in zip(zoned, walls, strict=True):
            made = at
            if pd.isna(made):
                made = wall.tz_localize(self._zone, ambiguous=True)
                if last is not None and made < last:
                    made = wall.tz_localize(self._zone, ambiguous=False)
            last = made
            yield made


def _messages(
    path: Path, into: Gathering, start: pd.Timestamp | None
) -> Iterator[tuple[int, str, datetime | float | None, str]]:
    """Line, author, time and words of each message; no time where all that somebody wrote so far was deleted."""
    spelt: dict[str, list[str]] = {}
    known: set[str] = set()
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
        elif "@" in line and irc_line(line, into):
            continue
        elif found := next((made for shape in _shapes(line) if (made := shape.match(line))), None):
            told = found.groupdict()
            nick = (told["nick"] or told["actor"]).strip().lstrip("@+%~& ")
            words = (told["words"] if told["nick"] else told["done"]) or ""
            if nick in NOBODY or (found.re in ACTIONS and NOTICE.match(f"{nick} {words}")):
                continue
            if nick not in known:
                known.add(nick)
                spelt.setdefault(nick.lower(), []).append(nick)
            if told.get("full"):
                yield number, nick, _full(told["full"]), words
                continue
            if not seen and ticking.last < 0 and _from_the_start(told["time"], start, dated=named is not None):
                ticking.relative = True
            seen = True
            yield number, nick, ticking.moment(told["time"], told.get("month")), words
        elif out := SILENCED.match(line):
            # told by the name to log in with; who wrote is told by the one to be shown
            for silenced in spelt.get(out["nick"].lower(), ()):
                yield number, silenced, None, ""
        elif line.strip() and not line.startswith(("===", "***", "---", "#", "-->", "<--")):
            into.skip("line that is no message")


def _shapes(line: str) -> tuple[re.Pattern[str], ...]:
    """Those that a line may have, by how it begins: no line has two of these beginnings."""
    return FULL_SHAPES if FULL_BEGINS.match(line) else MONTH_SHAPES if line[:1].isalpha() else TIME_SHAPES


def _from_the_start(time: str, start: pd.Timestamp | None, *, dated: bool) -> bool:
    """Whether a first time counts from the stream's start: `0:00:05` does; `18:00:05` does where no day is told."""
    if time[-1:] in "mM":
        return False
    if dated:  # the file's name tells a day, as downloaders name recordings too; no client writes midnight like this
        return time.startswith("-") or (time.startswith("0:") and time.count(":") == 2)
    return time.startswith("-") or len(time.split(":")[0]) == 1 or (start is None and time.count(":") == 2)


@lru_cache(256)
def _full(text: str) -> datetime:
    plain = re.sub(r" ?(?:UTC|GMT)$", "+00:00", text).replace(",", ".").replace("_", "T")
    return datetime.fromisoformat(re.sub(r" (?=[+-]\d\d:?\d\d$)", "", plain))


def _dated(line: str) -> datetime | None:
    if line[:1] not in "-#*S" and "] --- " not in line:
        return None
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
