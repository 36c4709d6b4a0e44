"""The Console's table of streams, from its CSV export and back to it.

Columns (the export's are not documented; these are those of the Console's table, with the stream's id where it is
there): `Title`, `Created date` as `DD MMM YYYY, HH:MM`, `Duration` as `HH:MM:SS`, `Views`, `Unique viewers`, `Min.
watched`, `Messages`, `Reactions`. The title may end in `By {creator}`. Such a table holds sums only: it becomes a
frame of streams to compare with, and no sessions can be made of it.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd

from spnb._arguments import checked
from spnb.analytics.export import FORMULA, escaped
from spnb.analytics.frames import TEXT, TIME
from spnb.analytics.sources.chat_logs.opening import head_of
from spnb.analytics.sources.files import text_of
from spnb.analytics.windows import zone_named
from spnb.errors import TableError

__all__ = ["COLUMNS", "console_csv", "looks_like_console", "read_console"]

COLUMNS = {
    "Stream ID": "room_id",
    "Title": "title",
    "Created by": "creator_id",
    "Created date": "created_at",
    "Duration": "duration_seconds",
    "Views": "views",
    "Unique viewers": "unique_viewers",
    "Min. watched": "minutes_watched",
    "Messages": "messages",
    "Reactions": "reactions",
}
"""The Console's heading → our column."""
NEEDED = ("Title", "Created date", "Views")
NUMBERS = ("views", "unique_viewers", "minutes_watched", "messages", "reactions")
DATE = "%d %b %Y, %H:%M"


def looks_like_console(path: str | Path) -> bool:
    """Whether a file's first line has the Console's headings."""
    first = head_of(Path(path)).split("\n", 1)[0]
    return all(heading.lower() in first.lower() for heading in NEEDED)


@checked
def read_console(path: str | Path, *, time_zone: str = "UTC") -> pd.DataFrame:
    """The streams of an export, one row each.

    Args:
        path: the CSV file; commas, semicolons or tabs between its columns.
        time_zone: the zone its dates are in; the Console does not say, and exports are in UTC.

    Returns:
        `room_id, title, creator_id, created_at, duration_seconds, views, unique_viewers, minutes_watched, messages,
        reactions`, as far as they are in the file; `minutes_watched` is floored by the Console.

    Raises:
        TableError: it is no such export, or a value in it cannot be read, e.g. one of another locale.
    """
    zone = zone_named(time_zone)
    text = text_of(path)
    first = text.split("\n", 1)[0]
    separator = max((",", ";", "\t"), key=first.count)
    rows = list(csv.DictReader(io.StringIO(text), delimiter=separator))
    headings = {heading.strip().lower(): heading for heading in (rows[0] if rows else first.strip().split(separator))}
    missing = [heading for heading in NEEDED if heading.lower() not in headings]
    if missing:
        raise TableError(f"{Path(path).name} is no export of the Console's streams: it lacks {', '.join(missing)}")
    made: dict[str, Any] = {}
    for heading, name in COLUMNS.items():
        if heading.lower() in headings:
            raw = [(row[headings[heading.lower()]] or "").strip() for row in rows]
            made[name] = [_value(name, heading, value, line) for line, value in enumerate(raw, 2)]
    frame = pd.DataFrame(made)
    if "creator_id" not in frame.columns:
        parts = frame["title"].astype(TEXT).str.extract(r"(?s)^(?P<title>.*?)\s*\bBy (?P<creator>[^\n]+)$")
        split = parts["title"].notna() & frame["title"].str.contains("\n")
        frame["creator_id"] = parts["creator"].where(split)
        frame["title"] = parts["title"].where(split, frame["title"])
    times = pd.to_datetime(frame["created_at"]).dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
    frame["created_at"] = times.dt.tz_convert("UTC").astype(TIME)
    for name in {"room_id", "title", "creator_id"} & set(frame.columns):
        frame[name] = frame[name].astype(TEXT)
    return frame


@checked
def console_csv(kpis: pd.DataFrame) -> str:
    """A table of streams as the Console would export it, but with the stream's id and minutes that are not floored.

    Texts that a spreadsheet would run as a formula begin with an apostrophe.

    Args:
        kpis: what `spnb.analytics.kpis` returned.
    """
    table = kpis.reset_index() if kpis.index.name == "room_id" else kpis
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    known = {heading: name for heading, name in COLUMNS.items() if name in table.columns}
    writer.writerow(known)
    for row in table[list(known.values())].itertuples(index=False):
        writer.writerow([_written(name, value) for name, value in zip(known.values(), row, strict=True)])
    return out.getvalue()


def _value(name: str, heading: str, text: str, line: int) -> Any:
    try:
        if name == "created_at":
            return pd.to_datetime(text, format=DATE)
        if name == "duration_seconds":
            hours, minutes, seconds = (int(part) for part in text.split(":"))
            return float(hours * 3600 + minutes * 60 + seconds)
        if name in NUMBERS:
            return _number(text)
    except ValueError as error:
        raise TableError(
            f"line {line}: {heading} {text!r} cannot be read; dates are like '14 Nov 2025, 09:30', durations HH:MM:SS, "
            f"numbers like 1,874 or 0.11. Export with an English locale"
        ) from error
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _number(text: str) -> float:
    if text in ("", "-"):
        return 0.0
    if not re.fullmatch(r"-?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?", text):
        raise ValueError(text)
    return float(text.replace(",", ""))


def _written(name: str, value: Any) -> str:
    if value is None or value is pd.NaT or value != value:
        return ""
    if name == "created_at":
        return f"{value:{DATE}}"
    if name == "duration_seconds":
        whole = int(value)
        return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
    if name in NUMBERS:
        return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return escaped(str(value))
