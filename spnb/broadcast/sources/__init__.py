"""Where pictures and sound come from: a test card, a file, a camera, a function, the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spnb._faces import late_names
from spnb.broadcast.sources.base import Sink, Source
from spnb.errors import InvalidInput

if TYPE_CHECKING:
    from spnb.broadcast.sources.card import TestCard, read_counter
    from spnb.broadcast.sources.generator import Generator
    from spnb.broadcast.sources.live import LiveURL
    from spnb.broadcast.sources.media import Camera, MediaFile
    from spnb.broadcast.sources.screen import Screen

__all__ = [
    "Camera",
    "Generator",
    "LiveURL",
    "MediaFile",
    "Screen",
    "Sink",
    "Source",
    "TestCard",
    "read_counter",
    "source_of",
]

# numpy and the media library load with the first source that needs them.
__getattr__, __dir__ = late_names(
    __name__,
    {
        "Camera": "spnb.broadcast.sources.media",
        "Generator": "spnb.broadcast.sources.generator",
        "LiveURL": "spnb.broadcast.sources.live",
        "MediaFile": "spnb.broadcast.sources.media",
        "Screen": "spnb.broadcast.sources.screen",
        "TestCard": "spnb.broadcast.sources.card",
        "read_counter": "spnb.broadcast.sources.card",
    },
)


def source_of(wish: Source | str | Path | None) -> Source:
    """What is meant by a source, the path of a media file, the address of a live stream, or nothing: a test card.

    Raises:
        InvalidInput: it is none of these.
    """
    from spnb.broadcast.sources.card import TestCard
    from spnb.broadcast.sources.live import LiveURL
    from spnb.broadcast.sources.media import MediaFile

    if wish is None:
        return TestCard()
    if isinstance(wish, str | Path):
        return LiveURL(wish) if isinstance(wish, str) and "://" in wish else MediaFile(wish)
    if isinstance(wish, type):
        raise InvalidInput(f"{wish.__name__} is no source but makes one: give {wish.__name__}(…)")
    if not callable(getattr(wish, "open", None)):
        raise InvalidInput(f"a source, the path of a media file or an address is wanted, not {type(wish).__name__}")
    return wish
