"""The blocking faces: up to date with their async sources, and one object with them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import pytest

import spnb
from spnb import _faces
from spnb._loop import Flattened, aiterate, iterate
from spnb.config import Credentials, Endpoints
from tests.blocking import STUB, TARGET, files
from tests.blocking.sources import HOUSE, House, Source
from tests.blocking.writer import Irregular, Writer

SOURCE = '''
"""A source of the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Literal, overload

from spnb._twins import Blocking

LIMIT = 3


class AsyncShelf:
    """Books, `async with` a lock.

    Args:
        place: where it stands.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        """Where it stands."""

    @overload
    async def take(self, name: str, many: Literal[False] = ...) -> AsyncBook: ...

    @overload
    async def take(self, name: str, many: Literal[True]) -> list[AsyncBook]: ...

    async def take(self, name: str, many: bool = False) -> AsyncBook | list[AsyncBook]:
        """Take `AsyncBook`s: `await shelf.take("a")`.

        Raises:
            KeyError: there is none.
        """
        raise KeyError

    def watch(self, *, most: int = LIMIT) -> AsyncIterator[AsyncBook]:
        """Each book that comes."""

    @property
    def df(self) -> Coroutine[Any, Any, int]:
        """How many: `await shelf.df`."""

    async def put(self, *books: AsyncBook, told: Callable[[AsyncBook], None] | None = None) -> None:
        """Put books back."""

    sync = Blocking()


class AsyncBook:
    """A book."""

    async def aclose(self) -> None:
        """Close it."""


async def shelf_async(place: Path) -> AsyncShelf:
    """A shelf."""
'''


def test_blocking_faces_are_up_to_date() -> None:
    fresh = files()
    for path, text in fresh.items():
        kept = HOUSE / path
        assert kept.exists(), f"run python -m tests.blocking: {path} is missing"
        assert kept.read_text() == text, f"run python -m tests.blocking: {path}"
    kept_too = {path.relative_to(HOUSE) for path in [*TARGET.rglob("*.py"), STUB]}
    assert kept_too == set(fresh), "run python -m tests.blocking: a file's source has gone"


def written(text: str) -> str:
    source = Source.of("live.shelf", text)
    return Writer(House({"live.shelf": source}), source).module()


def test_signatures_overloads_and_docstrings_are_taken_over() -> None:
    made = written(SOURCE)
    for line in (
        "class Shelf(Face):",
        '    """Books, `with` a lock.',
        "    def place(self) -> Path:",
        "    @overload",
        "    def take(self, name: str, many: Literal[True]) -> list[Book]:",
        "    def take(self, name: str, many: bool=False) -> Book | list[Book]:",
        '        """Take `Book`s: `shelf.take("a")`.',
        "            KeyError: there is none.",
        "        found: Book | list[Book] = blocking(run(self._twin.take(name, many)))",
        "    def watch(self, *, most: int=LIMIT) -> Watch[Book]:",
        "        return Watch(self._twin.watch(most=most), faces=True)",
        "from spnb.live.shelf import LIMIT",
        "    def df(self) -> int:",
        "        return run(self._twin.df)",
        # what observers are called with stays async: they are called on the loop
        "    def put(self, *books: Book, told: Callable[[AsyncBook], None] | None=None) -> None:",
        "        run(self._twin.put(*map(asynchronous, books), told=told))",
        "    def close(self) -> None:",
        "        run(self._twin.aclose())",
        "def shelf(place: Path) -> Shelf:",
    ):
        assert line in made.splitlines(), line
    assert "Args:" not in made  # a shelf is handed out, not made


def test_what_is_not_regular_is_refused() -> None:
    with pytest.raises(Irregular, match=r"AsyncShelf.place needs a docstring"):
        written(SOURCE.replace('        """Where it stands."""\n', ""))
    with pytest.raises(Irregular, match=r"AsyncBook.aclose needs to say what it returns"):
        written(SOURCE.replace("aclose(self) -> None", "aclose(self)"))


def test_names_that_packages_hand_on_late_are_there() -> None:
    import spnb

    assert spnb.LiveRoom.__module__ == "spnb.sync.live.room"
    for package in ("analytics.capture", "broadcast", "client", "live", "recordings", "sandbox.audience", "webhooks"):
        module = import_module(f"spnb.{package}")
        for name in module.__all__:
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            module.nothing  # noqa: B018


def test_an_object_and_its_face_are_one() -> None:
    from spnb.live import AsyncChat
    from spnb.models import Channel

    client = spnb.AsyncClient[Any](Endpoints.of_url("http://127.0.0.1:9"), Credentials("key", "ann"))
    twin = AsyncChat(client, Channel(channel_id="c"), host="h")
    face = twin.sync
    assert face.asynchronous is twin
    assert face.host == "h"
    assert repr(face) == "Chat(c)"
    assert [one.asynchronous for one in _faces.blocking([twin, twin])] == [twin, twin]
    assert _faces.asynchronous(face) is twin
    assert _faces.blocking("text") == _faces.asynchronous("text") == "text"


class Lists:
    """An async iterator of lists that knows whether it was left."""

    def __init__(self) -> None:
        self.asked = 0
        self.left = False
        self.all_asked = threading.Event()

    async def read(self) -> AsyncIterator[list[int]]:
        try:
            for start in (0, 0, 3, 6):
                self.asked += 1
                if self.asked == 4:
                    self.all_asked.set()
                await asyncio.sleep(0)
                yield list(range(start, start + 3)) if self.asked != 2 else []
        finally:
            self.left = True


def test_lists_are_iterated_one_by_one_and_fetched_a_list_at_a_time() -> None:
    lists = Lists()
    watch: _faces.Watch[Any] = _faces.Watch(Flattened(aiterate(lists.read())))
    assert [next(watch) for _ in range(3)] == [0, 1, 2]
    assert lists.asked == 1, "whoever stops within the first list has cost no more"
    assert next(watch) == 3
    # Whoever goes on has the next one fetched meanwhile.
    assert lists.all_asked.wait(60)
    watch.close()
    assert lists.left
    assert list(iterate(Flattened(aiterate(Lists().read())))) == [*range(9)]


async def test_the_same_is_there_for_async_for() -> None:
    lists = Lists()
    flat = Flattened(aiterate(lists.read()))
    assert [await anext(flat) for _ in range(4)] == [0, 1, 2, 3]
    await flat.aclose()
    assert lists.left
    assert [item async for item in _faces.Watch(Flattened(aiterate(Lists().read())))] == [*range(9)]
