"""From async results to blocking ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spnb.client.records import Records

__all__ = ["each", "face"]


def face(value: Any) -> Any:
    """Live objects become their blocking twins; everything else stays what it is."""
    if isinstance(value, Records):
        return Records.of(face(item) for item in value)
    return getattr(value, "sync", value)


def each(values: Iterator[Any]) -> Iterator[Any]:
    """The same for each of an iterator's values."""
    for value in values:
        yield face(value)
