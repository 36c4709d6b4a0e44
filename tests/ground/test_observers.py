"""Who is told of something, and that nobody's fault is another's."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from spnb._loop import in_loop, on_loop, run
from spnb.observers import Observers


@on_loop
async def settled() -> None:
    """What was put on the loop before has been done."""
    await asyncio.sleep(0)


def test_the_first_begins_the_last_ends_and_a_newcomer_hears_of_now() -> None:
    told: list[str] = []
    observers = Observers[int](
        "numbers", first=lambda: told.append("on"), last=lambda: told.append("off"), now=lambda: 7
    )

    ends = [observers.add(lambda value, who=who: told.append(f"{who}{value}")) for who in "ab"]  # type: ignore[misc]
    in_loop(lambda: observers.tell(8))
    run(settled())
    assert told == ["on", "a7", "b7", "a8", "b8"]
    assert len(observers) == 2

    for end in (*ends, ends[0]):
        end()
    in_loop(lambda: observers.tell(9))
    run(settled())
    assert told[5:] == ["off"]


def test_one_that_fails_is_logged_and_the_next_is_told(caplog: pytest.LogCaptureFixture) -> None:
    observers = Observers[str]("tests")
    told: list[str] = []
    reached = threading.Event()

    def fails(_value: str) -> None:
        raise ValueError("of the first")

    async def fails_later(_value: str) -> None:
        raise ValueError("of the second")

    async def hears(value: str) -> None:
        told.append(value)
        reached.set()

    for observer in (fails, fails_later, hears):
        observers.add(observer)
    with caplog.at_level(logging.ERROR, logger="spnb.observers"):
        in_loop(lambda: observers.tell("news"))
        assert reached.wait(60)
        run(settled())
    assert told == ["news"]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "of the first",
        "of the second",
    ]
    assert {record.message for record in caplog.records} == {"an observer of tests failed"}
