"""Lists of records that a notebook shows as a table and pandas takes as a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from spnb.models import Post, Room, User
from spnb.record import KEY, Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LivePost", "Records"]

T = TypeVar("T")


class Records(list[T]):
    """A list of records or live objects with a table as its notebook face."""

    skipped: int = 0
    """How many of what the service listed could not be read, and are left out."""

    @property
    def df(self) -> pd.DataFrame:
        """One row per record, one column per field; times are UTC. Signed addresses are left out."""
        import pandas as pd

        return pd.DataFrame([_row(item) for item in self])

    def _repr_html_(self) -> str:
        summaries = [dict(item._summary()) if isinstance(item, LivePost) else _summary_of(item) for item in self]
        columns = list(dict.fromkeys(name for summary in summaries for name in summary))
        head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in columns)
        rows = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{escape(_shown(row.get(name)))}</td>" for name in columns)
            + "</tr>"
            for row in summaries
        )
        left_out = f", {self.skipped} left out: they cannot be read" if self.skipped else ""
        return f"<table><caption>{len(self)} found{left_out}</caption><tr>{head}</tr>{rows}</table>"

    @classmethod
    def of(cls, items: Iterable[T]) -> Records[T]:
        """A list of these."""
        made = cls(items)
        made.skipped = getattr(items, "skipped", 0)
        return made


def _summary_of(item: Any) -> dict[str, object]:
    record = _record(item)
    return {} if record is None else dict(record._summary())


def _record(item: Any) -> Record | None:
    found = getattr(item, "record", item)
    return found if isinstance(found, Record) else None


def _row(item: Any) -> dict[str, Any]:
    record = _record(item)
    if isinstance(item, LivePost):
        post = {f"post_{name}": value for name, value in _row(item.post).items()} if item.post is not None else {}
        return {**_row(item.room), **post, "creator": item.creator.display_name if item.creator is not None else None}
    if record is None:
        return dict(vars(item))
    hidden = {name for name, field in type(record).model_fields.items() if not field.repr} | {KEY}
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

    def _summary(self) -> Sequence[tuple[str, object]]:
        text = self.post.data.get("text") if self.post is not None else None
        name = self.creator.display_name if self.creator is not None else None
        more = (("post", text), ("by", name), ("post id", self.post.post_id if self.post is not None else None))
        return [*self.room._summary(), *((title, value) for title, value in more if value)]
