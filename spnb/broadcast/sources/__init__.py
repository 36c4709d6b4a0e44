"""Where pictures and sound come from: a test card, a file, a camera, a function, the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

_HOMES = {
    "Camera": "media",
    "Generator": "generator",
    "LiveURL": "live",
    "MediaFile": "media",
    "Screen": "screen",
    "TestCard": "card",
    "read_counter": "card",
}


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
    if not callable(getattr(wish, "open", None)):
        raise InvalidInput(f"a source, the path of a media file or an address is wanted, not {type(wish).__name__}")
    return wish


def __getattr__(name: str) -> Any:
    # numpy and the media library load with the first source that needs them.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"spnb.broadcast.sources.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'spnb.broadcast.sources' has no attribute {name!r}")
