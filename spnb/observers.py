"""Who wants to know of something: told on the background loop, none disturbed by another's fault."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from spnb._arguments import one_argument
from spnb._loop import in_loop

__all__ = ["Observers"]

log = logging.getLogger(__name__)

T = TypeVar("T")


class Observers(Generic[T]):
    """Those who observe one thing.

    Args:
        what: what is observed, as the log calls it, e.g. `products`.
        first: called where nobody observed and somebody begins to: start following.
        last: called where nobody is left: stop following.
        now: what a newcomer is told at once; where it gives None, nothing.
    """

    def __init__(
        self,
        what: str,
        *,
        first: Callable[[], Any] | None = None,
        last: Callable[[], Any] | None = None,
        now: Callable[[], T | None] | None = None,
    ) -> None:
        self._what = what
        self._first = first
        self._last = last
        self._now = now
        self._observers: dict[object, Callable[[T], Any]] = {}
        self._calls: set[asyncio.Future[Any]] = set()

    def add(self, observer: Callable[[T], Any]) -> Callable[[], None]:
        """Have `observer` called; it must be quick, and may be a coroutine function.

        Returns:
            A function that ends it. Both may be called from any thread.

        Raises:
            InvalidInput: it is no function of one argument.
        """
        one_argument(observer, f"an observer of {self._what}")
        key = object()
        in_loop(lambda: self._add(key, observer))
        return lambda: in_loop(lambda: self._drop(key))

    def tell(self, value: T) -> None:
        """Tell everybody. On the background loop."""
        for observer in list(self._observers.values()):
            self._call(observer, value)

    def __len__(self) -> int:
        return len(self._observers)

    def _add(self, key: object, observer: Callable[[T], Any]) -> None:
        self._observers[key] = observer
        if len(self._observers) == 1 and self._first is not None:
            self._first()
        value = self._now() if self._now is not None else None
        if value is not None:
            self._call(observer, value)

    def _drop(self, key: object) -> None:
        if self._observers.pop(key, None) is not None and not self._observers and self._last is not None:
            self._last()

    def _call(self, observer: Callable[[T], Any], value: T) -> None:
        try:
            result = observer(value)
        except Exception:
            log.exception("an observer of %s failed", self._what)
            return
        if inspect.isawaitable(result):
            call = asyncio.ensure_future(result)
            self._calls.add(call)
            call.add_done_callback(self._answered)

    def _answered(self, call: asyncio.Future[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()) is not None:
            log.error("an observer of %s failed", self._what, exc_info=error)
