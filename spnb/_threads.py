"""Threads of the background loop that serve until the process is gone."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

__all__ = ["LastingThreads"]

T = TypeVar("T")
P = ParamSpec("P")


class LastingThreads(ThreadPoolExecutor):
    """An executor that works on while the interpreter ends.

    The standard's refuses all work as soon as the main thread has ended, which is before what `atexit` calls: the name
    of a service could not be looked up any more, so no room could be left then. (It is of the standard's class because
    asyncio takes no other; nothing of it is used.)

    Args:
        most: how many threads at most; they are daemons, started when there is more to do than threads.
        name: the beginning of their names.
    """

    def __init__(self, most: int, name: str) -> None:
        super().__init__(most, name)
        self._most, self._name = most, name
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._count = threading.Lock()
        self._unfinished = self._started = 0
        self._over = False
        self._start()  # there is one at hand when none can be started any more

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have `fn` called in one of the threads.

        Raises:
            RuntimeError: it was shut down.
        """
        future: Future[T] = Future()
        with self._count:
            if self._over:
                raise RuntimeError("these threads have ended")
            self._unfinished += 1
            short = self._started < min(self._most, self._unfinished)
            self._waiting.put(functools.partial(_do, future, functools.partial(fn, *args, **kwargs)))
            if short:
                self._start()
        return future

    def _start(self) -> None:
        try:
            threading.Thread(target=self._serve, name=f"{self._name}-{self._started}", daemon=True).start()
        except RuntimeError:
            if not self._started:
                raise
            return  # the interpreter ends: those there are do it
        self._started += 1

    def _serve(self) -> None:
        while (work := self._waiting.get()) is not None:
            work()
            del work
            with self._count:
                self._unfinished -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Take no more; the threads end when what waits is done, for which nobody is kept waiting."""
        with self._count:
            self._over = True
            for _ in range(self._started):
                self._waiting.put(None)


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - the caller's to handle
        future.set_exception(error)
    else:
        future.set_result(result)
