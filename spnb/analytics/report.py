"""One stream: every table of its page in one pass over its own rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from spnb._arguments import checked_class
from spnb.analytics import metrics
from spnb.analytics.kpis import KPIS
from spnb.analytics.metrics.retention import Retention
from spnb.analytics.polled import polled_steps
from spnb.analytics.quality import Quality
from spnb.analytics.windows import Windows
from spnb.analytics.words import moment_words

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset

__all__ = ["StreamReport", "stream_report"]


class Named(dict[str, Any]):
    """Figures by name, which tell their names to whoever asks for another."""

    def __missing__(self, name: str) -> Any:
        raise KeyError(f"there is no figure {name!r} here, but {', '.join(self)}")


FEWEST_SECONDS_OF_A_BIN = 1.0
MOST_COMPARED = 50
"""Earlier streams that say what is usual: what was long ago no longer is."""
BINS = 240
"""About so many bins make a stream's curves."""
ROUND = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@checked_class
@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream's page.

    Attributes:
        room: the stream's row of the rooms table.
        kpis: its numbers (see `spnb.analytics.KPIS`).
        bin_seconds: length of the bins of joins, chat and reactions.
        concurrency: `at, viewers`: the exact step function; of a stream that was only counted, its polls.
        retention: Kaplan and Meier's curve with its marks.
        joins_leaves, chat, reactions: per bin.
        moments: what stood out; with `words` that are typical of each where the dataset has text.
        health: the publisher's measurements, graded; empty where there are none.
        experience: how it was for viewers, a number for each of `metrics.EXPERIENCE`; NaN where no player told.
        playback: what players met, per bin, as `metrics.experience_rate` has it; empty where no player told.
        presence: polled counts; empty where there are none.
        usual: what was usual for its host at the same time of earlier streams, as `metrics.usual_viewers` has it; empty
            where there were fewer than five.
        quality: what was mended.
        as_of: the moment up to which a stream still on air is reckoned.
    """

    room: pd.Series[Any]
    kpis: pd.Series[Any]
    bin_seconds: float
    concurrency: pd.DataFrame
    retention: Retention
    joins_leaves: pd.DataFrame
    chat: pd.DataFrame
    reactions: pd.DataFrame
    moments: pd.DataFrame
    health: pd.DataFrame
    experience: pd.Series[Any]
    playback: pd.DataFrame
    presence: pd.DataFrame
    usual: pd.DataFrame
    quality: Quality
    as_of: pd.Timestamp | None

    def __repr__(self) -> str:
        shown = {name: self.kpis[name] for name in ("views", "peak_viewers", "messages", "reactions")}
        told = (f"{name.replace('_', ' ')} {'n/a' if pd.isna(n) else f'{n:,.0f}'}" for name, n in shown.items())
        return f"StreamReport({self.room['title']!r}, {self.kpis.name}, {', '.join(told)})"

    @property
    def as_polled(self) -> bool:
        """Whether the curve of viewers is of polled counts: nobody told the watch sessions."""
        return bool(pd.isna(self.kpis["views"]))

    @property
    def churn(self) -> pd.DataFrame:
        """Drop-off per bin of watching time; empty below 20 viewers."""
        return metrics.churn(self.retention, bin_seconds=self.bin_seconds)

    def figures(
        self, *, dark: bool | None = False, time_zone: str | None = None, annotations: Any = None
    ) -> dict[str, Any]:
        """The page's figures by name: `stack`; `retention` and `joins_leaves` where sessions tell them; `health` and
        `experience` where they were measured. `time_zone` puts clock times on the axis instead of time since the start;
        `annotations`, a frame as `spnb.analytics.effects` takes it, are drawn over the stack."""
        from spnb.analytics.figures.page import page_figures

        return Named(page_figures(self, dark=dark, time_zone=time_zone, annotations=annotations))

    @overload
    def export(self, path: Path, *what: str) -> Path: ...

    @overload
    def export(self, path: str, *what: str) -> Any: ...

    def export(self, path: str | Path, *what: str) -> Any:
        """Write for a spreadsheet: `report.export("stream.xlsx")`, `report.export("chat.csv", "chat")`; see
        `Dataset.export`.

        Args:
            path: ends in `.xlsx` or `.csv`.
            what: `kpis`, `definitions`, `concurrency`, `retention`, `joins_leaves`, `chat`, `reactions`, `moments`,
                `health`, `experience`, `playback`, `presence`, `quality`; without any, a workbook has all that are not
                empty and a CSV file the KPIs.
        """
        from spnb.analytics.export import exported

        known = {**self.room.to_dict(), **self.kpis.to_dict()}
        frames: dict[str, pd.DataFrame] = {
            "kpis": pd.DataFrame({name: [value] for name, value in known.items()}),
            "definitions": pd.DataFrame(KPIS.items(), columns=["kpi", "definition"]),
            "concurrency": self.concurrency,
            "retention": self.retention.frame,
            "joins_leaves": self.joins_leaves,
            "chat": self.chat,
            "reactions": self.reactions,
            "moments": self.moments,
            "health": self.health,
            "experience": self._experience(),
            "playback": self.playback,
            "presence": self.presence,
            "quality": self.quality.frame,
        }
        usual = [name for name, frame in frames.items() if len(frame)]
        return exported({name: frame.copy for name, frame in frames.items()}, path, what, usual=usual)

    def _experience(self) -> pd.DataFrame:
        told = self.experience.dropna()
        about = [metrics.EXPERIENCE[str(name)] for name in told.index]
        return pd.DataFrame({"number": told.index, "value": told.to_numpy(), "definition": about})

    def to_html(self, *, dark: bool | None = False, annotations: Any = None) -> str:
        """The page as one file that needs no network. Titles and names are text in it, whatever they hold.

        Args:
            dark: for dark themes; None for whichever shows it, now and when it changes.
            annotations: what happened, to be drawn: a frame as `spnb.analytics.effects` takes it.

        Raises:
            TableError: it would have over a million rows; the message says how to get by with fewer.
        """
        from spnb.analytics.figures.html import page_html

        return page_html(self, dark=dark, annotations=annotations)


def stream_report(
    dataset: Dataset, room_id: str, *, sensitivity: float = 0.5, tolerance_seconds: float = 0.0
) -> StreamReport:
    """Everything about one stream; only its rows are read.

    Args:
        dataset: the audience.
        room_id: the stream.
        sensitivity: of its moments, 0 to 1.
        tolerance_seconds: who left at most this long before the end counts in its retention as still watching.

    Raises:
        TableError: there is no such stream.
    """
    one = dataset.of_rooms([room_id])
    windows = one.windows
    row: pd.Series[Any] = one.kpis.iloc[0]
    length = float(row["duration_seconds"]) if pd.notna(row["duration_seconds"]) else 0.0
    width = next((float(seconds) for seconds in ROUND if length / seconds <= BINS), float(ROUND[-1]))
    width = max(width, FEWEST_SECONDS_OF_A_BIN)
    kpis: pd.Series[Any] = row[list(KPIS)].copy()
    # Whether somebody came back is told by the other streams, of which only the same creator's count.
    before = _earlier(dataset, room_id)
    came_back = _returning(before, room_id)
    if pd.notna(kpis["returning_viewers"]):
        kpis["returning_viewers"], kpis["returning_share"] = came_back
    found = metrics.moments(one.messages, one.reactions, windows, sensitivity=sensitivity).drop(columns="room_id")
    if "text" in one.messages.columns:
        found["words"] = moment_words(one.messages, found)
    viewers_known = pd.notna(kpis["views"])
    return StreamReport(
        room=one.rooms.iloc[0],
        kpis=kpis,
        bin_seconds=width,
        concurrency=metrics.concurrency(one.views, windows).drop(columns="room_id")
        if viewers_known
        else polled_steps(one.presence),
        retention=metrics.retention(one.views, windows, tolerance_seconds=tolerance_seconds),
        joins_leaves=metrics.joins_leaves(one.views, windows, bin_seconds=width).drop(columns="room_id"),
        chat=metrics.chat_rate(one.messages, windows, bin_seconds=width).drop(columns="room_id"),
        reactions=metrics.reactions(one.reactions, windows, bin_seconds=width).drop(columns="room_id"),
        moments=found,
        health=metrics.health(one.health).drop(columns="room_id"),
        experience=_experienced(one, room_id),
        playback=_met(one, windows, width),
        presence=one.presence,
        usual=_usual(before, room_id),
        quality=one.quality,
        as_of=one.as_of,
    )


def _experienced(one: Dataset, room_id: str) -> pd.Series[Any]:
    summary = metrics.experience_summary(one.playback)
    made: pd.Series[Any] = summary.reindex([room_id]).iloc[0]
    return made


def _met(one: Dataset, windows: Windows, width: float) -> pd.DataFrame:
    """Bins of what players met; none where nothing was told, which is not that nothing happened."""
    made = metrics.experience_rate(one.playback, windows, bin_seconds=width).drop(columns="room_id")
    return made if one.rows("playback") else made.iloc[:0]


def _earlier(dataset: Dataset, room_id: str) -> Dataset:
    """The stream with all that its creator had before."""
    rooms = dataset.rooms
    this = rooms[rooms["room_id"] == room_id].iloc[0]
    same = rooms[(rooms["creator_id"] == this["creator_id"]) & (rooms["live_at"] < this["live_at"])]
    return dataset.of_rooms([room_id, *same["room_id"]])


def _usual(before: Dataset, room_id: str) -> pd.DataFrame:
    rows = before.rooms[before.rooms["room_id"] != room_id].sort_values("live_at").tail(MOST_COMPARED)
    others = before.of_rooms(rows["room_id"].tolist())
    return metrics.usual_viewers(others.views, others.windows)


def _returning(before: Dataset, room_id: str) -> tuple[int, float]:
    table = metrics.returning(before.views, before.rooms, as_of=before.as_of).loc[[room_id]]
    return int(table["returning_viewers"].iloc[0]), float(table["returning_share"].iloc[0])
