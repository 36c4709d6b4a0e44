"""The one background event loop of the process, and the two faces on it.

httpx, MQTT, aiortc and LiveKit live on one asyncio loop in one daemon thread, so a busy cell (`time.sleep`, a model
fit) never stalls a stream, a heartbeat or a token refresh. Everything is written async once; callers come in two ways:

- `run(coroutine)`: the sync face. Blocks the calling thread, works inside a running loop (a notebook cell), and
  cancels the call when the cell is interrupted.
- `on_loop`: a decorator for public async methods. Awaited from any loop, the body runs on the background loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future
from typing import Any, Generic, ParamSpec, TypeVar

from spnb._threads import LastingThreads

__all__ = [
    "Flattened",
    "aiterate",
    "background_loop",
    "end_process",
    "in_loop",
    "is_background",
    "iterate",
    "on_loop",
    "run",
    "spawn",
]

T = TypeVar("T")
P = ParamSpec("P")

MOST_THREADS = 32
CLEAN_UP_SECONDS = 20.0
"""How long an interrupted call may take to clean up before the interrupt is raised all the same."""

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_pid: int | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """The process's background loop, started on first use (and anew after a fork)."""
    global _loop, _pid
    with _lock:
        if _loop is None or _loop.is_closed() or _pid != os.getpid():
            # Not what the process's policy makes: MQTT wants a loop that tells when a socket is ready to be read, and
            # Windows' usual one has no `add_reader`.
            loop = asyncio.SelectorEventLoop()
            loop.set_default_executor(LastingThreads(MOST_THREADS, "spnb-thread"))
            started = threading.Event()

            def serve() -> None:
                asyncio.set_event_loop(loop)
                loop.call_soon(started.set)
                loop.run_forever()

            threading.Thread(target=serve, name="spnb-loop", daemon=True).start()
            started.wait()
            _loop, _pid = loop, os.getpid()
        return _loop


def _forked() -> None:
    """In a child process: the lock may have been held by a thread that is not there, as the loop's is not."""
    global _lock, _loop
    _lock = threading.Lock()
    _loop = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def is_background() -> bool:
    """Whether the caller runs on the background loop."""
    try:
        return asyncio.get_running_loop() is _loop
    except RuntimeError:
        return False


def in_loop(work: Callable[[], Any]) -> None:
    """Do `work` on the background loop: at once where the caller is on it, soon where it is another thread's."""
    if is_background():
        work()
    else:
        background_loop().call_soon_threadsafe(work)


def spawn(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start `coroutine` on the background loop without waiting for it."""
    return asyncio.run_coroutine_threadsafe(coroutine, background_loop())


def end_process(process: asyncio.subprocess.Process, *, kill: bool = False) -> None:
    """Ask a child that the loop waits for to end, or make it; one that has ended is no error.

    asyncio's own `terminate()` and `kill()` first look whether it has ended, which takes its exit code away from who
    waits for it: "Unknown child process pid" is logged, and 255 told (python/cpython#127049).
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM) if kill else signal.SIGTERM)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` on the background loop and wait for its result.

    An interrupt (`KeyboardInterrupt`) cancels it, waits for its clean-up, and is raised again.

    Raises:
        RuntimeError: when called on the background loop itself, which would wait for itself for ever.
    """
    if is_background():
        coroutine.close()
        raise RuntimeError("a blocking call was made on spnb's own event loop: use the async twin and await it")
    over = threading.Event()
    call: list[asyncio.Task[Any] | None] = []

    async def supervised() -> T:
        if call:  # interrupted before it could begin
            coroutine.close()
            raise asyncio.CancelledError
        call.append(asyncio.current_task())
        try:
            return await coroutine
        finally:
            over.set()

    def cancel() -> None:
        if call and call[0] is not None:
            call[0].cancel()
        else:
            call.append(None)
            over.set()

    try:
        return spawn(supervised()).result()
    except KeyboardInterrupt:
        # An interrupt comes at any moment, so it is the call that is cancelled, not a future that may not be at hand
        # yet. It is over only when it has cleaned up: a room must not stay live.
        background_loop().call_soon_threadsafe(cancel)
        over.wait(CLEAN_UP_SECONDS)
        raise
    except FutureCancelled:
        raise asyncio.CancelledError from None


def on_loop(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a coroutine function run on the background loop wherever it is awaited."""

    @functools.wraps(method)
    async def hop(*args: P.args, **kwargs: P.kwargs) -> T:
        if is_background():
            return await method(*args, **kwargs)
        return await asyncio.wrap_future(spawn(method(*args, **kwargs)))

    return hop


async def _next(source: AsyncIterator[T]) -> T:
    return await source.__anext__()


async def _close(source: AsyncIterator[Any]) -> None:
    if inspect.isasyncgen(source):
        await source.aclose()


async def aiterate(source: AsyncIterator[T]) -> AsyncIterator[T]:
    """Iterate an async iterator of the background loop from any loop."""
    try:
        while True:
            try:
                if is_background():
                    item = await source.__anext__()
                else:
                    item = await asyncio.wrap_future(spawn(_next(source)))
            except StopAsyncIteration:
                return
            yield item
    finally:
        if is_background():
            await _close(source)
        else:
            await asyncio.wrap_future(spawn(_close(source)))


class Flattened(AsyncIterator[T]):
    """What an async iterator of lists gives, one by one. A plain `for` gets it a list at a time, for going to the loop
    and back for each of many small things costs more than they do.

    Args:
        lists: the async iterator.
    """

    def __init__(self, lists: AsyncIterator[list[T]]) -> None:
        self.lists = lists
        self._left: Iterator[T] = iter(())

    async def __anext__(self) -> T:
        while True:
            for item in self._left:
                return item
            self._left = iter(await self.lists.__anext__())

    async def aclose(self) -> None:
        """Leave it."""
        await _close(self.lists)


class _Ahead(Generic[T]):
    """Lists read one ahead of who works through them: a plain `for` need not wait for each page.

    Not before the second one: whoever stops within the first page has cost one request.
    """

    def __init__(self, lists: AsyncIterator[list[T]]) -> None:
        self._lists = lists
        self._next: asyncio.Task[list[T]] | None = None
        self._before = False

    async def read(self) -> list[T]:
        reading = self._next = self._next or asyncio.ensure_future(_next(self._lists))
        items = await reading
        self._next = asyncio.ensure_future(_next(self._lists)) if self._before else None
        self._before = True
        return items

    async def close(self) -> None:
        if self._next is not None:
            # A generator that is running cannot be closed.
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        await _close(self._lists)


def iterate(source: AsyncIterator[T]) -> Iterator[T]:
    """Iterate an async iterator of the background loop with a plain `for`."""
    if isinstance(source, Flattened):
        ahead = _Ahead(source.lists)
        try:
            while True:
                try:
                    items = run(ahead.read())
                except StopAsyncIteration:
                    return
                yield from items
        finally:
            run(ahead.close())
    try:
        while True:
            try:
                item = run(_next(source))
            except StopAsyncIteration:
                return
            yield item
    finally:
        run(_close(source))
