"""The two faces of an object: the async one, and the blocking one that stands before it.

Everything is written async once. `spnb.sync` holds the blocking faces, module by module under the same names, and
`tests/blocking` writes it: `AsyncRooms` of `spnb.client.rooms` is `Rooms` in `spnb.sync.client.rooms`. An async
module imports none of them: an object's `sync` finds its face through `MODULES`, when it is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Self, TypeVar, cast

from spnb._loop import iterate
from spnb.errors import InvalidInput

__all__ = ["MODULES", "Face", "Watch", "asynchronous", "blocking", "is_a", "late_names"]

T = TypeVar("T")

MODULES = (
    "_connect",
    "analytics.capture.capture",
    "broadcast.broadcast",
    "client.audience",
    "client.chat",
    "client.client",
    "client.comments",
    "client.files",
    "client.first_party",
    "client.products",
    "client.rooms",
    "client.settings",
    "client.social",
    "live.audience",
    "live.chat",
    "live.co_hosting",
    "live.collection",
    "live.engagement",
    "live.invitation",
    "live.invitations",
    "live.invite_link",
    "live.products",
    "live.reactions",
    "live.room",
    "live.stage",
    "live.viewing",
    "recordings.recording",
    "sandbox.audience.past",
    "sandbox.audience.simulation",
    "sandbox.control.faults",
    "sandbox.control.products",
    "sandbox.control.webhooks",
    "webhooks.prehook",
    "webhooks.receiver",
)
"""Modules of spnb whose async classes and functions have blocking faces."""


class Face:
    """A blocking face of an async object.

    Args:
        twin: the async object.
    """

    _twin: Any

    def __init__(self, twin: Any) -> None:
        if not is_a(twin, type(self).__name__):
            raise InvalidInput(
                f"a {type(self).__name__} is handed out by a connection, spnb.connect(), or by what it hands out;"
                f" it is not made of a {type(twin).__name__}"
            )
        self._twin = twin

    @classmethod
    def of(cls, twin: Any) -> Self:
        """The face of this object, also where users make a new one of the class by other arguments."""
        face = cls.__new__(cls)
        face._twin = twin
        return face

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Face) or type(other) is not type(self):
            return NotImplemented
        return bool(self._twin == other._twin)

    def __hash__(self) -> int:
        return hash(self._twin)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not getattr(getattr(type(self), name, None), "fset", None):
            raise AttributeError(f"{name} of a {type(self).__name__} cannot be set by =")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return repr(self._twin).replace("Async", "", 1)


class Watch(Iterator[T]):
    """What comes one after the other, for a plain `for` as well as for `async for`.

    Args:
        source: the async iterator.
        faces: whether what comes is handed out by its blocking face; `async for` gives it as it is.
    """

    def __init__(self, source: AsyncIterator[Any], *, faces: bool = False) -> None:
        self._source = source
        self._faces = faces
        self._items: Iterator[T] | None = None

    def __iter__(self) -> Watch[T]:
        return self

    def __next__(self) -> T:
        if self._items is None:
            self._items = iterate(self._source)
        item = next(self._items)
        return blocking(item) if self._faces else item

    def __aiter__(self) -> AsyncIterator[T]:
        return self._source

    def close(self) -> None:
        """Leave it; done by itself when nobody holds it any more."""
        if self._items is not None:
            self._items.close()  # type: ignore[attr-defined]


@cache
def _face_of(kind: Any) -> type[Face] | None:
    for base in kind.__mro__:
        module = base.__module__.removeprefix("spnb.")
        if base.__name__.startswith("Async") and module in MODULES:
            found: type[Face] = getattr(import_module(f"spnb.sync.{module}"), base.__name__.removeprefix("Async"))
            return found
    return None


def blocking(value: Any) -> Any:
    """The blocking face of an async object, of each one in a list; everything else stays what it is."""
    if isinstance(value, list):
        return type(value)(map(blocking, value))
    kind = _face_of(cast(Hashable, type(value)))
    return value if kind is None else kind.of(value)


def is_a(value: Any, name: str) -> bool:
    """Whether something is of a class, or of its other face: known by the name, since the faces are built late."""
    return any(base.__name__.removeprefix("Async") == name for base in type(value).__mro__)


def asynchronous(value: Any) -> Any:
    """The async twin of a blocking face, of each one in a list; everything else stays what it is."""
    if isinstance(value, list):
        return type(value)(map(asynchronous, value))
    return value._twin if isinstance(value, Face) else value


def late_names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__` for names it hands on from other modules, loaded on first use.

    Args:
        package: the package's name.
        homes: where each name is.
    """

    def found(name: str) -> Any:
        if name in homes:
            return getattr(import_module(homes[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def listed() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return found, listed
