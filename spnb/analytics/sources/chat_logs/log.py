"""What a chat log holds, gathered line by line in little memory."""

from __future__ import annotations

import marshal
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.frames import TEXT
from spnb.analytics.quality import Quality, Step
from spnb.errors import TableError

__all__ = ["PIECE_ROWS", "UNKNOWN_START", "ChatLog", "Gathering", "clock", "epoch_ms", "moment"]

UNKNOWN_START = pd.Timestamp("2000-01-01", tz="UTC")
"""Stands for the start of a stream that its log does not tell."""
PIECE_ROWS = 50_000
_Piece = tuple[list[str], list[str], bytes, bytes, list[str] | None]
"""Ids, users, whether each answers another, lengths, and words, of some messages."""
UNITS = (("seconds", 1e11, 1e3), ("milliseconds", 1e14, 1.0), ("microseconds", 1e17, 1e-3), ("nanoseconds", 1e20, 1e-6))


def epoch_ms(value: Any) -> tuple[float, str] | None:
    """A number since 1970 as milliseconds, and the unit that it must be in to be a time of our age; None for none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if not 1e8 < number < 1e20:
        return None
    unit, _, scale = next(known for known in UNITS if number < known[1])
    return number * scale, unit


@lru_cache(4096)
def clock(text: str) -> float:
    """`1:02:03` as seconds."""
    seconds = 0.0
    for part in text.replace(",", "").split(":"):
        seconds = seconds * 60 + float(part or 0)
    return seconds


def moment(text: Any) -> float | None:
    """A written time as milliseconds since 1970, UTC where it names no zone; None for none."""
    if not text:
        return None
    try:
        made = datetime.fromisoformat(str(text))
    except ValueError:
        try:
            made = pd.Timestamp(str(text)).to_pydatetime()
        except (ValueError, OverflowError):
            return None
    try:
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp() * 1000
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class ChatLog:
    """A chat log as tables.

    Attributes:
        messages: a messages table; empty where there are `pieces`.
        rooms: one row: what the log tells of its stream; None where it tells nothing but messages.
        quality: what was skipped, judged or guessed.
        pieces: hands out the messages of a large log piece by piece; those of one id are in one piece.
    """

    messages: pd.DataFrame
    rooms: pd.DataFrame | None
    quality: Quality
    pieces: Callable[[], Iterator[pd.DataFrame]] | None = None


def _texts(values: list[str]) -> pd.Series[Any]:
    try:
        return pd.Series(pd.array(values, dtype=TEXT))
    except UnicodeEncodeError:  # half characters, which are replaced and counted when tables are made
        return pd.Series(values, dtype=object)


class Gathering:
    """Takes what a parser finds, and makes a `ChatLog` of it.

    Args:
        text: keep the words.
        spool: an empty folder for what is more than a piece, so that memory does not grow with the log.

    Attributes:
        title, host: of the stream, where the file tells.
        start: when the stream began (UTC), where the file tells.
        length: of the stream, seconds, where the file tells.
    """

    def __init__(self, *, text: bool = False, spool: Path | None = None) -> None:
        self.title = ""
        self.host: str | None = None
        self.start: pd.Timestamp | None = None
        self.length: float | None = None
        self._spool = spool
        self._spooled = 0  # pieces
        self._before = 0  # messages in them
        self._hashes = array("q")  # of ids, where there is a spool
        self._keys: list[str] = []
        self._users: list[str] = []
        self._at = array("d")
        self._offset = array("d")
        self._length = array("q")
        self._reply = bytearray()
        self._gone: set[str] = set()
        self._silenced: dict[str, int] = {}
        self._texts: list[str] | None = [] if text else None
        self._units: Counter[str] = Counter()
        self._skipped: Counter[tuple[str, str]] = Counter()

    @property
    def keeps_text(self) -> bool:
        """Whether words are kept."""
        return self._texts is not None

    def __len__(self) -> int:
        return self._before + len(self._keys)

    def add(
        self,
        user: str,
        text: str | int,
        *,
        key: str = "",
        at: float | None = None,
        offset: float | None = None,
        unit: str = "",
        reply: bool = False,
        length: int | None = None,
    ) -> None:
        """A message.

        Args:
            user: who wrote it: an id where there is one, else a name.
            text: what was written, or its number of characters where no text is kept.
            key: its id.
            at: milliseconds since 1970.
            offset: seconds since the stream began.
            unit: what `at` was judged to be in.
            reply: whether it answers another.
            length: its number of characters, where `text` names emotes.
        """
        self._keys.append(key)
        self._users.append(user)
        self._at.append(np.nan if at is None else at)
        self._offset.append(np.nan if offset is None else offset)
        self._length.append(length if length is not None else text if isinstance(text, int) else len(text))
        if self._texts is not None:
            self._texts.append(str(text))
        self._reply.append(reply)
        if unit:
            self._units[unit] += 1
        if self._spool is not None:
            self._hashes.append(hash(key) if key else 0)
            if len(self._keys) >= PIECE_ROWS:
                self._put_away(self._spool)

    def _put_away(self, spool: Path) -> None:
        piece = (self._keys, self._users, bytes(self._reply), self._length.tobytes(), self._texts)
        with (spool / str(self._spooled)).open("wb") as file:
            marshal.dump(piece, file)  # half characters and all
        self._spooled += 1
        self._before += len(self._keys)
        self._keys, self._users, self._reply, self._length = [], [], bytearray(), array("q")
        self._texts = None if self._texts is None else []

    def began(self, at: float | None) -> None:
        """The stream began, in milliseconds since 1970; None tells nothing."""
        if at is not None:
            self.start = pd.Timestamp(int(at), unit="ms", tz="UTC")

    def delete(self, key: str) -> None:
        """A message was deleted."""
        self._gone.add(key)

    def silence(self, user: str) -> None:
        """All that a user wrote so far was deleted."""
        self._silenced[user] = len(self)

    def skip(self, what: str, action: str = "skipped") -> None:
        """A line or item that is no message."""
        self._skipped[what, action] += 1

    def made(self, room_id: str, expected: str, *, start: pd.Timestamp | None = None) -> ChatLog:
        """The log, as tables.

        Args:
            room_id: the stream it belongs to.
            expected: what was looked for, for the error.
            start: when the stream began, where the caller knows better.

        Raises:
            TableError: nothing in it was understood.
        """
        if not len(self):
            told = ", ".join(f"{rows} × {name}" for (name, _), rows in self._skipped.items())
            raise TableError(f"no message was found; expected {expected}{f' (there were {told})' if told else ''}")
        at, offset = np.frombuffer(self._at), np.frombuffer(self._offset)
        steps = [Step(name, "messages", rows, action) for (name, action), rows in self._skipped.items()]
        steps += [
            Step(f"time read as {unit}", "messages", rows, "judged by its size") for unit, rows in self._units.items()
        ]
        began = start or self.start
        timed = ~np.isnan(offset)
        if timed.any():
            both = timed & ~np.isnan(at) & (offset > 0)
            if began is None and both.any():
                began = pd.Timestamp(int(np.median(at[both] - offset[both] * 1000)), unit="ms", tz="UTC")
                steps.append(Step("start of the stream not told", "rooms", 1, "taken from the messages' two clocks"))
            if began is None:
                began = UNKNOWN_START
                steps.append(
                    Step("start of the stream not told", "rooms", 1, f"{began:%Y-%m-%d} stands for it: give start=…")
                )
            at = np.where(timed, began.timestamp() * 1000 + offset * 1000, at)
        known = ~np.isnan(at)
        steps.append(Step("no time", "messages", int((~known).sum()), "skipped"))
        early = int((offset < 0).sum())
        steps.append(Step("before the stream", "messages", early, "kept, outside the live window"))

        def frame(piece: _Piece, first: int) -> pd.DataFrame:
            place = slice(first, first + len(piece[0]))
            return self._frame(piece, room_id, first, at[place])[known[place]].reset_index(drop=True)

        spool = self._spool
        mine: _Piece = (self._keys, self._users, bytes(self._reply), self._length.tobytes(), self._texts)
        last = pd.Timestamp(int(at[known].max().round()), unit="ms", tz="UTC") if known.any() else pd.NaT
        room = self._room(room_id, began, last)
        if spool is None or not self._spooled:
            return ChatLog(frame(mine, 0), room, Quality.of(steps))

        def pieces() -> Iterator[pd.DataFrame]:
            files = [spool / str(number) for number in range(self._spooled)]
            hashes = np.frombuffer(self._hashes, dtype=np.int64)
            ordered = np.sort(hashes)
            again = np.unique(ordered[1:][(ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)])
            first, several = 0, []
            for file in (*files, None):
                piece: _Piece = mine if file is None else marshal.loads(file.read_bytes())
                count = len(piece[0])
                whole = frame(piece, first)
                twice = np.isin(hashes[first : first + count], again)[known[first : first + count]]
                yield whole[~twice]
                several.append(whole[twice])
                first += count
            yield pd.concat(several)

        return ChatLog(frame(([], [], b"", b"", None), 0), room, Quality.of(steps), pieces)

    def _frame(self, piece: _Piece, room_id: str, first: int, at: NDArray[np.float64]) -> pd.DataFrame:
        keys, names, reply, length, texts = piece
        users = _texts(names)
        gone = np.array([key in self._gone for key in keys], dtype=bool)
        for user, until in self._silenced.items():
            here = max(0, until - first)
            gone[:here] |= (users[:here] == user).to_numpy()
        times = np.where(np.isnan(at), 0, at).round().astype("int64")
        frame = pd.DataFrame(
            {
                "message_id": _texts([key or f"{room_id}:{place}" for place, key in enumerate(keys, first + 1)]),
                "room_id": room_id,
                "user_id": users,
                "created_at": pd.to_datetime(times, unit="ms", utc=True),
                "deleted": gone,
                "is_reply": np.frombuffer(reply, dtype=np.uint8).astype(bool),
                "length": np.frombuffer(length, dtype=np.int64),
            }
        )
        if texts is not None:
            frame["text"] = _texts(texts)
        return frame

    def _room(self, room_id: str, began: pd.Timestamp | None, last: Any) -> pd.DataFrame | None:
        if began is None and not self.title and self.host is None:
            return None
        ended = None
        if began is not None:
            ended = began + pd.Timedelta(seconds=self.length) if self.length else max(last, began)
        row = {
            "room_id": room_id,
            "title": self.title,
            "creator_id": self.host,
            "status": "recorded",
            "created_at": began,
            "live_at": began,
            "ended_at": ended,
        }
        return pd.DataFrame([{name: value for name, value in row.items() if value is not None}])
