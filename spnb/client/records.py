"""Lists of records that a notebook shows as a table and pandas takes as a frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from spnb.models import Post, Record, Room, User

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LivePost", "Records"]

T = TypeVar("T")


class Records(list[T]):
    """A list of records or live objects with a table as its notebook face."""

    @property
    def df(self) -> pd.DataFrame:
        """One row per record, one column per field; times are UTC. Signed addresses are left out."""
        import pandas as pd

        return pd.DataFrame([_row(item) for item in self])

    def _repr_html_(self) -> str:
        summaries = [dict(record._summary()) for record in map(_record, self) if record is not None]
        columns = list(dict.fromkeys(name for summary in summaries for name in summary))
        head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in columns)
        rows = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{escape(_shown(row.get(name)))}</td>" for name in columns)
            + "</tr>"
            for row in summaries
        )
        return f"<table><caption>{len(self)} found</caption><tr>{head}</tr>{rows}</table>"

    @classmethod
    def of(cls, items: Iterable[T]) -> Records[T]:
        """A list of these."""
        return cls(items)


def _record(item: Any) -> Record | None:
    found = getattr(item, "record", item)
    return found if isinstance(found, Record) else None


def _row(item: Any) -> dict[str, Any]:
    record = _record(item)
    if record is None:
        return dict(vars(item))
    hidden = {name for name, field in type(record).model_fields.items() if not field.repr}
    return record.model_dump(exclude=hidden)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value.strftime("%Y-%m-%d %H:%M:%S") if hasattr(value, "strftime") else str(value)


@dataclass(frozen=True, slots=True)
class LivePost:
    """A room on air together with the post that carries it and who made it."""

    room: Room
    post: Post | None
    creator: User | None
