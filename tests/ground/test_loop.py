"""The background loop: one for the process, usable from every side, interruptible."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator

import pytest

from spnb import _loop
from spnb._threads import LastingThreads


async def where() -> tuple[str, asyncio.AbstractEventLoop]:
    return threading.current_thread().name, asyncio.get_running_loop()


async def count(upto: int, closed: list[bool] | None = None) -> AsyncIterator[int]:
    try:
        for number in range(upto):
            await asyncio.sleep(0)
            yield number
    finally:
        if closed is not None:
            closed.append(True)


def test_everything_runs_on_one_thread() -> None:
    assert _loop.run(where()) == _loop.run(where())
    assert _loop.run(where())[0] == "spnb-loop"


async def test_a_blocking_call_works_inside_a_running_loop() -> None:
    assert _loop.run(where())[1] is not asyncio.get_running_loop()


async def test_async_methods_hop_to_the_background_loop() -> None:
    hopped = _loop.on_loop(where)
    assert (await hopped())[0] == "spnb-loop"
    # and do not hop a second time when they are there already
    assert await asyncio.wrap_future(_loop.spawn(hopped())) == await hopped()


async def test_cancelling_the_caller_cancels_the_work() -> None:
    cancelled = threading.Event()
    begun = asyncio.Event()
    mine = asyncio.get_running_loop()

    @_loop.on_loop
    async def work() -> None:
        mine.call_soon_threadsafe(begun.set)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(cancelled.wait, 5)


def test_a_blocking_call_on_the_loop_itself_is_refused() -> None:
    async def wrong() -> None:
        _loop.run(where())

    with pytest.raises(RuntimeError, match="async twin"):
        _loop.run(wrong())


def test_errors_come_through() -> None:
    async def fails() -> None:
        raise ValueError("told")

    with pytest.raises(ValueError, match="told"):
        _loop.run(fails())


def test_async_iterators_work_with_a_plain_for() -> None:
    assert list(_loop.iterate(count(4))) == [0, 1, 2, 3]


async def test_async_iterators_work_from_another_loop() -> None:
    assert [number async for number in _loop.aiterate(count(4))] == [0, 1, 2, 3]


def test_leaving_early_closes_the_iterator() -> None:
    closed: list[bool] = []
    numbers = _loop.iterate(count(100, closed))
    assert next(numbers) == 0
    numbers.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_a_busy_caller_does_not_stall_the_loop() -> None:
    async def beat() -> list[float]:
        times = []
        for _ in range(10):
            await asyncio.sleep(0.01)
            times.append(time.monotonic())
        return times

    future = _loop.spawn(beat())
    time.sleep(0.3)  # the busy cell itself is what is tested
    times = future.result(5)
    assert times[-1] - times[0] < 0.3


def test_an_interrupt_cancels_the_call_and_its_clean_up_runs() -> None:
    program = """
import asyncio, os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from spnb import _loop
begun, cleaned = threading.Event(), threading.Event()
async def work():
    begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.2)  # a clean-up that takes a while, like leaving the air
        cleaned.set()
def interrupt():
    begun.wait()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    _loop.run(work())
except KeyboardInterrupt:
    print("interrupted", cleaned.is_set())
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90)
    assert told.stdout.strip() == "interrupted True", told.stderr


AT_THE_END = """
import asyncio, atexit, time
from spnb import _loop

async def look_up():
    found = await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    slow = [asyncio.to_thread(sum, range(100_000)) for _ in range(200)]
    return [*await asyncio.gather(*slow), found[0][4][1]]

_loop.background_loop()
atexit.register(lambda: print(_loop.run(look_up())[-1], flush=True))
"""


def test_what_is_left_at_the_end_can_still_look_up_a_name() -> None:
    """A room is left when the interpreter ends; its service is known by name."""
    ended = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, timeout=120)
    assert (ended.stdout.strip(), ended.stderr) == ("80", "")


async def test_work_in_threads_hands_on_what_comes_of_it() -> None:
    threads = LastingThreads(2, "tried")
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(threads, sum, [1, 2]) == 3
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(threads, lambda: 1 / 0)
    held, hold = [threading.Event() for _ in range(2)], threading.Event()

    def wait(event: threading.Event) -> str:
        event.set()
        hold.wait(60)
        return threading.current_thread().name

    busy = [threads.submit(wait, event) for event in held]
    assert all(event.wait(60) for event in held), "two work at once"
    third = threads.submit(threading.current_thread)
    cancelled = threads.submit(threading.current_thread)
    assert cancelled.cancel()
    assert not third.done()
    threads.shutdown()
    with pytest.raises(RuntimeError, match="have ended"):
        threads.submit(sum, [])
    hold.set()
    assert {future.result(60) for future in busy} == {"tried-0", "tried-1"}
    third.result(60).join(60)
    assert not third.result().is_alive()
