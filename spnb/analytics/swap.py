"""Write beside, then swap: what was there stays whole until what replaces it stands.

A folder cannot be replaced in one stroke, so there is a moment between two renames; whoever is killed in it leaves the
new folder complete under its draft's name, and the next reader or writer puts it in its place (`recovered`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spnb.analytics.tables import TABLES
from spnb.errors import TableError

__all__ = ["recovered", "replacing", "replacing_file"]


def _draft(place: Path) -> Path:
    return place.with_name(f".{place.name}.saving")


def _former(place: Path) -> Path:
    return place.with_name(f".{place.name}.replaced")


def recovered(place: Path) -> None:
    """Finish a swap that was cut off: the draft is whole once the former folder has been moved out of its way."""
    former, draft = _former(place), _draft(place)
    if not former.exists():
        return
    if not place.exists():
        (draft if draft.exists() else former).rename(place)
    if former.exists():
        _carry_over(former, place)


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """A folder to write in, which takes the place of `place` when the block ends well.

    What else lay in the old folder goes over into the new one. When the block fails, the old folder is as it was.

    Raises:
        TableError: the draft's folder cannot be made, or the swap is refused by the system.
    """
    recovered(place)
    draft, former = _draft(place), _former(place)
    try:
        shutil.rmtree(draft, ignore_errors=True)  # of a save that was cut off half-way
        draft.mkdir(parents=True)
    except OSError as error:
        raise TableError(f"{place.parent} cannot be written to: {error.strerror}; nothing was changed") from error
    try:
        yield draft
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    try:
        if place.exists():
            place.rename(former)
        draft.rename(place)
    except OSError as error:
        if former.exists() and not place.exists():
            former.rename(place)
        shutil.rmtree(draft, ignore_errors=True)
        raise TableError(f"{place} could not be replaced: {error.strerror}; it is as it was") from error
    if former.exists():
        _carry_over(former, place)


def _carry_over(former: Path, place: Path) -> None:
    for thing in former.iterdir():
        if thing.name in OWN or (place / thing.name).exists():
            continue
        thing.rename(place / thing.name)
    shutil.rmtree(former)


OWN = frozenset({"rooms.parquet", *TABLES})
"""Names of a dataset's own parts: an older one that the new dataset has no rows for goes."""


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` when the block ends well.

    Raises:
        TableError: its folder is missing.
    """
    if not path.parent.is_dir():
        raise TableError(f"there is no folder {path.parent}: make it first")
    draft = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
