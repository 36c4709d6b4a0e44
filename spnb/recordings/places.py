"""Where a recording may be written: one folder, and never anything outside of it."""

from __future__ import annotations

import re
from pathlib import Path

from spnb.errors import InvalidInput

__all__ = ["folder_and_name", "named", "place_in"]

LONGEST_NAME = 200
"""Bytes of a file name, so that `.part` and its companion still fit into the 255 that file systems take."""
LONGEST_TITLE = 60
ENDINGS = {"video/mp4": ".mp4", "video/mp2t": ".ts", "video/webm": ".webm", "video/quicktime": ".mov"}


def place_in(folder: Path, name: str) -> Path:
    """The path of a file called `name` in `folder`, which is made where it is not there.

    Raises:
        InvalidInput: the name would lead out of the folder, cannot be a file's, or is taken by a link.
    """
    if not name or name in (".", "..") or "\0" in name or re.search(r"[/\\:]", name):
        raise InvalidInput(f"{name!r} is no plain file name: recordings stay in their folder")
    if len(name.encode()) > LONGEST_NAME:
        raise InvalidInput(f"a file name of {len(name.encode())} bytes is too long: take at most {LONGEST_NAME}")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder.resolve() / name
    for path in (target, part_of(target), tag_of(target)):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InvalidInput(f"{path} is a link or no file: remove it, or name the recording otherwise")
    return target


def part_of(target: Path) -> Path:
    """Where a file grows until it is whole."""
    return target.with_name(target.name + ".part")


def tag_of(target: Path) -> Path:
    """Where it is noted which version of the file is growing."""
    return target.with_name(target.name + ".part.tag")


def folder_and_name(place: str | Path, name: str | None) -> tuple[Path, str | None]:
    """A folder, and what to call files in it; a place that ends like a recording's file names both.

    Raises:
        InvalidInput: it names a file, and `name` another one.
    """
    place = Path(place)
    if place.suffix.lower() not in ENDINGS.values() or place.is_dir():
        return place, name
    if name is not None:
        raise InvalidInput(f"{place} names the file already: give a folder, or leave name={name!r} out")
    return place.parent, place.stem


def named(title: str, room_id: str, number: int | None, content_type: str = "video/mp4") -> str:
    """A file name made of user content: letters, digits and dashes, whatever was in the title.

    Args:
        number: which of several files it is; None where it is the only one.
    """
    kind = ENDINGS.get(content_type.partition(";")[0].strip().lower(), ".mp4")
    words = re.sub(r"[^\w]+", "-", title, flags=re.UNICODE).strip("-_")
    while len(words.encode()) > LONGEST_TITLE:
        words = words[:-1]
    key = re.sub(r"[^A-Za-z0-9_-]+", "", room_id)[:40] or "room"
    return f"{words or 'recording'}-{key}{'' if number is None else f'-{number}'}{kind}"
