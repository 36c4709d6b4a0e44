"""`Record`: what all of the service's records share. An odd record never takes others with it.

Null is the default. What cannot be read is kept raw in `Record.unreadable`, told once in the log, and its field says
what it says where the service is silent. Of a record without its id there is nothing to hold: lists leave it out, and
count it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

__all__ = ["KEY", "UNREADABLE", "ReadRecords", "Record", "Time"]

log = logging.getLogger(__name__)

KEY = "spnbKey"
"""Name under which a creation's own key stands in the metadata of what it creates."""
UNREADABLE = "unreadable"

Parts = tuple[int | str, ...]
T = TypeVar("T")

_told: set[tuple[str, str]] = set()
"""Which fields of which records were told of: the log is no place for one line a record."""


def _silent(value: Any) -> Any:
    return None if value == "" else value


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a moment outside of the calendar") from None


Time = Annotated[datetime, BeforeValidator(_silent), AfterValidator(_utc)]


class Record(
    BaseModel, frozen=True, extra="allow", populate_by_name=True, alias_generator=to_camel, protected_namespaces=()
):
    """Base of all records: frozen, tolerant, camelCase on the wire, and in sets by their id."""

    @model_validator(mode="wrap")
    @classmethod
    def _tolerant(cls, data: Any, read: Any) -> Self:
        if not isinstance(data, dict):
            return read(data)  # type: ignore[no-any-return]
        data = {name: value for name, value in data.items() if value is not None}
        metadata = data.get("metadata")
        if isinstance(metadata, dict) and KEY in metadata:
            # The creation's key is ours: it is not shown among what is the user's.
            data |= {KEY: metadata[KEY], "metadata": {name: metadata[name] for name in metadata if name != KEY}}
        try:
            return read(data)  # type: ignore[no-any-return]
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            kept, odd = _without(data, [place for fault in faults for place in cls._places(fault["loc"])])
            try:
                record: Self = read({**kept, UNREADABLE: odd})
            except ValidationError:
                raise error from None  # what is odd is needed
        for name in odd:
            _tell_once(cls.__name__, name)
        return record

    @classmethod
    def many(cls, bodies: Any) -> ReadRecords[Self]:
        """Those of an answer's records that can be read; the others are counted, and told in the log.

        Args:
            bodies: the list of an answer.
        """
        found: ReadRecords[Self] = ReadRecords()
        for body in bodies if isinstance(bodies, list | tuple) else []:
            try:
                found.append(cls.model_validate(body))
            except ValueError:
                found.skipped += 1
        if found.skipped:
            log.warning(
                "%d of %d in a list are no %s that can be read, and are left out",
                found.skipped,
                found.skipped + len(found),
                cls.__name__,
            )
        return found

    @classmethod
    def _places(cls, place: Parts) -> list[Parts]:
        """Where a fault may lie: a field of several names is told of by its first."""
        for field in cls.model_fields.values():
            names = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else []
            if place and place[0] in names:
                return [(str(name), *place[1:]) for name in names]
        return [place]

    @property
    def key(self) -> str | None:
        """The key of its creation, where it was made with one; see `rooms.create`."""
        key = (self.model_extra or {}).get(KEY)
        return None if key is None else str(key)

    @property
    def unreadable(self) -> dict[str, Any]:
        """What the service said in a way that cannot be read, raw, by its name on the wire."""
        return dict((self.model_extra or {}).get(UNREADABLE) or {})

    def to_wire(self) -> dict[str, Any]:
        """The record as the service's JSON: camelCase names, absent fields left out."""
        wire = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        wire.pop(UNREADABLE, None)
        if (key := wire.pop(KEY, None)) is not None:
            wire["metadata"] = {**wire.get("metadata", {}), KEY: key}
        return wire

    def _summary(self) -> Sequence[tuple[str, object]]:
        """The rows a notebook shows for this record."""
        return [(name, value) for name, value in self if value not in (None, [], {}, "")]

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # The id that calls take comes first, and what is not there takes no room.
        shown = [(name, value) for name, value in super().__repr_args__() if value not in (None, [], {}, "")]
        first = next((name for name, _ in shown if name and name.endswith("_id")), None)
        yield from sorted(shown, key=lambda pair: (pair[0] != first, pair[0] == "id"))

    def __str__(self) -> str:
        return repr(self)

    def __hash__(self) -> int:
        return hash((type(self), next((value for name, value in self if name.endswith("_id")), None)))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(_shown(value))}</td></tr>"
            for name, value in self._summary()
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"


class ReadRecords(list[T], Generic[T]):
    """Records of a list; `skipped` tells how many of it could not be read."""

    skipped: int = 0


def _without(data: dict[str, Any], places: Iterable[Parts]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is left of an object without its odd parts, and those. Of a list or table only its odd entries go."""
    kept, odd = dict(data), dict[str, Any]()
    for place in sorted(places, key=len):
        name = str(place[0]) if place else ""
        if name not in kept:
            continue
        whole, entry = kept[name], place[1] if len(place) > 1 else None
        odd.setdefault(name, data[name])
        if isinstance(whole, list) and isinstance(entry, int):
            bad = {other[1] for other in places if len(other) > 1 and str(other[0]) == name}
            kept[name] = [value for number, value in enumerate(data[name]) if number not in bad]
        elif isinstance(whole, dict) and entry in whole and not isinstance(entry, int):
            kept[name] = {inner: value for inner, value in whole.items() if inner != entry}
        else:
            del kept[name]
    return kept, odd


def _tell_once(kind: str, name: str) -> None:
    if (kind, name) not in _told:
        _told.add((kind, name))
        log.warning("the %s of a %s cannot be read: it is kept as it came, in `unreadable`", name, kind)


def _shown(value: object) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S UTC") if isinstance(value, datetime) else str(value)
