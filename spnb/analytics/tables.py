"""The tables of an audience: one small schema for every source and every metric.

All times are UTC, `datetime64[ms, UTC]` in pandas; durations are seconds as floats, never floored minutes. A watch
session is the half-open interval `[start, end)` of one user in one room.

    rooms      one row per stream
    views      watch sessions
    presence   polled viewer counts, where nobody reports sessions
    messages   chat, without its words
    reactions  reactions given and taken back
    status     changes of a room's status
    health     WebRTC statistics of the publisher, counters as they came
    playback   what viewers' players met: starts, waits, switches, delay, errors

`describe()` shows the same as a DataFrame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from spnb.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "TABLES", "Column", "Table", "describe", "table_named"]

Kind = Literal["text", "time", "number", "count", "flag"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it holds, and what stands in for it where a source has none."""

    name: str
    kind: Kind
    about: str
    required: bool = False
    default: Any = None
    least: float | None = None
    """Below it is no number: it is taken for unknown."""
    among: tuple[str, ...] = ()
    """The values there are, where only some are known."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns, the id by which doubles are found, and the time that decides a row's day."""

    name: str
    about: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that every source must have."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """One column by name."""
        return next(column for column in self.columns if column.name == name)


ROOM = Column("room_id", "text", "the stream", required=True)
USER = Column("user_id", "text", "public id of the user", required=True)

ROOMS = Table(
    "rooms",
    "one row per stream; columns of your own are kept and may be grouped by",
    (
        ROOM,
        Column("title", "text", "title; user content, shown as text only", default=""),
        Column("creator_id", "text", "public id of the host"),
        Column("community_id", "text", "community the stream was posted in"),
        Column("channel_id", "text", "channel of its live chat"),
        Column("type", "text", "coHosts or directStreaming"),
        Column("status", "text", "newest status"),
        Column("created_at", "time", "made"),
        Column("live_at", "time", "first on air; the live window begins"),
        Column("ended_at", "time", "off air; the live window ends; empty while on air"),
    ),
    ("room_id",),
    "created_at",
)
VIEWS = Table(
    "views",
    "watch sessions; columns of your own (country, device, …) are kept and may be grouped and filtered by",
    (
        Column("session_id", "text", "id of the session; doubles are found by it"),
        ROOM,
        USER,
        Column("start", "time", "began to watch", required=True),
        Column("end", "time", "stopped; empty where nobody said"),
        Column(
            "watch_seconds",
            "number",
            "seconds played, without pauses and buffering; the session's length without",
            least=0,
        ),
        Column("replay", "flag", "watched the recording, not the live stream", default=False),
    ),
    ("session_id",),
    "start",
)
PRESENCE = Table(
    "presence",
    "polled viewer counts",
    (
        ROOM,
        Column("at", "time", "asked at", required=True),
        Column("viewers", "count", "how many watched", required=True),
    ),
    ("room_id", "at"),
    "at",
)
MESSAGES = Table(
    "messages",
    "chat messages; their words are left out on purpose",
    (
        Column("message_id", "text", "id of the message; doubles are found by it"),
        ROOM,
        Column("channel_id", "text", "channel it was sent in"),
        USER,
        Column("created_at", "time", "sent", required=True),
        Column("deleted", "flag", "deleted since", default=False),
        Column("is_reply", "flag", "answers another message", default=False),
        Column("length", "count", "characters", default=0),
    ),
    ("message_id",),
    "created_at",
)
REACTIONS = Table(
    "reactions",
    "reactions given (added) and taken back (not added)",
    (
        Column("reaction_id", "text", "id of the reaction; doubles are found by it and `added`"),
        ROOM,
        USER,
        Column("name", "text", "which reaction, e.g. like", required=True),
        Column("at", "time", "given or taken back", required=True),
        Column("added", "flag", "False: taken back", default=True),
    ),
    ("reaction_id", "added"),
    "at",
)
STATUS = Table(
    "status",
    "changes of status",
    (
        ROOM,
        Column("status", "text", "the status from then on", required=True),
        Column("at", "time", "changed", required=True),
    ),
    ("room_id", "status", "at"),
    "at",
)
HEALTH = Table(
    "health",
    "WebRTC statistics of the publisher; packets and frames are counters since its connection began",
    (
        ROOM,
        Column("at", "time", "measured", required=True),
        Column("bitrate_kbps", "number", "sent, kb/s"),
        Column("fps", "number", "frames per second sent"),
        Column("target_fps", "number", "frames per second wanted"),
        Column("packets_lost", "number", "packets lost, counter"),
        Column("packets_received", "number", "packets that arrived, counter"),
        Column("frames_missed", "number", "frames left out, counter"),
        Column("frames", "number", "frames sent, counter"),
        Column("jitter_ms", "number", "jitter, milliseconds"),
        Column("rtt_ms", "number", "round trip, milliseconds"),
    ),
    ("room_id", "at"),
    "at",
)
KINDS = ("asked", "started", "waited", "switched", "delay", "failed", "played", "left")
"""What may happen to who wants to watch, as the table `playback` tells it."""
PLAYBACK = Table(
    "playback",
    "what viewers' players met, an event a row; a session is one wish to watch, until it is given up",
    (
        ROOM,
        Column("session_id", "text", "one wish to watch: from the click on play to the end", required=True),
        Column("user_id", "text", "public id of the viewer"),
        Column("at", "time", "happened", required=True),
        Column(
            "kind",
            "text",
            "asked, started (value: seconds since asked), waited (seconds that the picture stood still, told when it "
            "goes on), switched (kb/s of the new quality), delay (seconds behind the host), failed (an error), played "
            "(seconds shown so far), left",
            required=True,
            among=KINDS,
        ),
        Column("value", "number", "the number that belongs to its kind", least=0),
        Column("detail", "text", "an error's words; how it is known that somebody left who did not say so", default=""),
    ),
    ("session_id", "kind", "at"),
    "at",
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {table.name: table for table in (ROOMS, VIEWS, PRESENCE, MESSAGES, REACTIONS, STATUS, HEALTH, PLAYBACK)}
)
"""The schema: table by name."""


def table_named(name: str) -> Table:
    """One table of the schema.

    Raises:
        InvalidInput: there is none of this name.
    """
    if name not in TABLES:
        raise InvalidInput(f"there is no table {name!r}: choose from {', '.join(TABLES)}")
    return TABLES[name]


def describe() -> pd.DataFrame:
    """The schema as a DataFrame: table, column, kind, whether it is required, and what it holds."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "table": table.name,
                "column": column.name,
                "kind": column.kind,
                "required": column.required,
                "about": column.about,
            }
            for table in TABLES.values()
            for column in table.columns
        ]
    )
