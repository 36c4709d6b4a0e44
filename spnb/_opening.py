"""`async with connect_async(…)`: what is awaited may be entered as well."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = ["Opening", "entered_or_awaited"]


class Closable(Protocol):
    """What is closed when it is left."""

    def aclose(self) -> Coroutine[Any, Any, None]:
        """Close it."""
        ...


P = ParamSpec("P")
C = TypeVar("C", bound=Closable)


class Opening(Coroutine[Any, Any, C]):
    """Something that opens: awaited it is the open thing, entered it is that until it is left.

    Args:
        opening: the coroutine that opens it.
    """

    def __init__(self, opening: Coroutine[Any, Any, C]) -> None:
        self._opening = opening
        self._open: C | None = None

    def __await__(self) -> Generator[Any, Any, C]:
        return self._opening.__await__()

    def send(self, value: Any) -> Any:
        """As a coroutine's."""
        return self._opening.send(value)

    def throw(self, *error: Any) -> Any:
        """As a coroutine's."""
        return self._opening.throw(*error)

    def close(self) -> None:
        """As a coroutine's."""
        self._opening.close()

    async def __aenter__(self) -> C:
        self._open = await self._opening
        return self._open

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            await self._open.aclose()


def entered_or_awaited(opens: Callable[P, Coroutine[Any, Any, C]]) -> Callable[P, Opening[C]]:
    """Make what a coroutine function opens a context as well."""

    @functools.wraps(opens)
    def opening(*args: P.args, **kwargs: P.kwargs) -> Opening[C]:
        return Opening(opens(*args, **kwargs))

    return opening
