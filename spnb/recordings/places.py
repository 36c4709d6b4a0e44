"""Where a recording may be written: one folder, and never anything outside of it."""

from __future__ import annotations

import re
from pathlib import Path

from spnb.errors import InvalidInput

__all__ = ["named", "place_in"]

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


def named(title: str, room_id: str, number: int, content_type: str = "video/mp4") -> str:
    """A file name made of user content: letters, digits and dashes, whatever was in the title."""
    kind = ENDINGS.get(content_type.partition(";")[0].strip().lower(), ".mp4")
    words = re.sub(r"[^\w]+", "-", title, flags=re.UNICODE).strip("-_")
    while len(words.encode()) > LONGEST_TITLE:
        words = words[:-1]
    key = re.sub(r"[^A-Za-z0-9_-]+", "", room_id)[:40] or "room"
    return f"{words or 'recording'}-{key}-{number}{kind}"
