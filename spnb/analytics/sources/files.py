"""Opening text files that analysts have, and telling when they are not what they seem."""

from __future__ import annotations

from pathlib import Path

from spnb.errors import TableError

__all__ = ["is_sqlite", "text_of"]

SQLITE = b"SQLite format 3\x00"


def is_sqlite(path: Path) -> bool:
    """Whether a file is an SQLite database, as receivers of webhooks keep their deliveries in."""
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def text_of(path: str | Path) -> str:
    """The text of a file, in UTF-8 with or without its mark.

    Raises:
        TableError: there is none, or it is no text.
    """
    place = Path(path)
    try:
        return place.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{place.name} is no text in UTF-8: save it as UTF-8 and load it again") from error
    except OSError as error:
        raise TableError(f"{place} cannot be read: {error.strerror or error}") from error
