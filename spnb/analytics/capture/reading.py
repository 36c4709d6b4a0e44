"""A capture as a dataset, also while it is being written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spnb.analytics.capture.disk import CAPTURE_CARD, CaptureCard, leave_out_untold, merged
from spnb.analytics.capture.lines import read_part
from spnb.analytics.dataset import Dataset
from spnb.analytics.folder import CARD, Folder
from spnb.analytics.frames import TIME, utc_now
from spnb.analytics.quality import Quality, Step
from spnb.errors import TableError

__all__ = ["captured", "is_capture"]

READ_AGAIN = 5


def is_capture(folder: Path) -> bool:
    """Whether a folder holds a capture."""
    return (folder / CAPTURE_CARD).exists()


def captured(folder: str | Path) -> Dataset:
    """The dataset of a capture: whole and lazily where it was closed, else as far as it is acknowledged.

    What it could not know, since real time, the service or the capture itself was away, is in `Dataset.quality`.

    Raises:
        TableError: it holds none, or a file of it is damaged.
    """
    place = Path(folder)
    for again in reversed(range(READ_AGAIN)):
        card = CaptureCard.read(place)
        try:
            return _read(place, card)
        except (TableError, OSError):
            # Its writer may have replaced files while they were read: then the card is another one.
            if not again or CaptureCard.read(place) == card:
                raise
    raise AssertionError  # the last try has returned or raised


def _read(place: Path, card: CaptureCard) -> Dataset:
    if (place / CARD).exists() and not card.journals(place):
        store = _Closed(place, card)
        made = Dataset(store, as_of=store.as_of, mended=Quality())
        gaps = read_part("gaps", place / "gaps.parquet") if (place / "gaps.parquet").exists() else None
        damaged, mended, as_of = 0, made.mended, made.as_of
    else:
        frames, damaged = merged(place, card)
        if CaptureCard.read(place) != card:
            raise TableError(f"{place} is being rewritten: load it again")
        gaps = frames.pop("gaps")
        alive = [*frames.pop("pulse")["at"], *([pd.Timestamp(card.pulse, unit="ms", tz="UTC")] if card.pulse else [])]
        leave_out_untold(frames)
        # Its signs of life are of the service's clock, as all its rows are; ours may be behind it.
        made = Dataset.of(frames, as_of=max(alive, default=None), now=max([utc_now(), *alive]), text=card.text)
        mended, as_of = made.mended, made.as_of
    told = [Step("damaged line of the journal", "capture", damaged, "left out"), *_unknown(gaps, made.rooms, as_of)]
    told.append(_only_counted(made))
    return Dataset(made.store, as_of=as_of, mended=mended + Quality.of(told))


class _Closed(Folder):
    """A capture that was closed: a saved dataset, which a later run's new files do not touch."""

    def __init__(self, path: Path, card: CaptureCard) -> None:
        super().__init__(path)
        self._card = card

    def files(self, name: str, days: Sequence[str] | None = None) -> list[Path]:
        """The files of a table, of some days or of all."""
        parts = self._card.parts(self.path, name)
        return parts if days is None else [file for file in parts if file.parent.name.removeprefix("day=") in days]

    def sources(self) -> Mapping[str, Any]:
        """Paths with stars, for SQL."""
        star = f"part-{self._card.last:08}.parquet"
        return {
            name: source.replace("*.parquet", star) if isinstance(source, str) else source
            for name, source in super().sources().items()
        }


def _unknown(gaps: pd.DataFrame | None, rooms: pd.DataFrame, as_of: pd.Timestamp | None) -> Iterator[Step]:
    """The gaps by table and reason; one that is still open lasts until the stream's end, or until now."""
    if gaps is None or gaps.empty:
        return
    ended = rooms.set_index("room_id")["ended_at"].reindex(gaps["room_id"]).set_axis(gaps.index)
    # In the unit of the column: pandas would make objects of times that a finer one has cut differently.
    end = gaps["end"].fillna(ended).astype(TIME)
    end = end.fillna(as_of.floor("ms").as_unit("ms")) if as_of is not None else end
    seconds = (end - gaps["start"]).dt.total_seconds()
    kept = gaps.assign(seconds=seconds)[seconds > 0]
    for (table, why), rows in kept.groupby(["table", "why"], sort=False):
        total, streams = rows["seconds"].sum(), rows["room_id"].nunique()
        about = f"{why}: nothing known of {total:.1f} s" + (f" in {streams} streams" if streams > 1 else "")
        yield Step("gap in the capture", str(table), len(rows), about)


def _only_counted(made: Dataset) -> Step:
    polled = set(made.presence["room_id"].unique()) if not made.rows("views") else set()
    return Step("counted by polling only", "presence", len(polled), "no sessions: who watched is not known")
