"""What all resources share: calls through the session, pages as iterators, creations that never double."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from spnb._arguments import checked
from spnb._loop import Flattened, aiterate
from spnb.client.answers import guarded, told
from spnb.client.session import Session
from spnb.errors import BadRequest, Conflict, Forbidden, InvalidInput, NotFound, ServerFault, ServiceError, Unreachable
from spnb.record import KEY

__all__ = ["KEY", "Resource", "checked_text", "create_once", "fresh_key", "part", "settled"]

Json = dict[str, Any]
T = TypeVar("T")

FIND_AGAIN_SECONDS = (0.3, 1.0, 3.0)


class Resource:
    """A part of the service's API."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, method in list(vars(cls).items()):
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(cls, name, guarded(checked(method)))

    def __init__(self, session: Session) -> None:
        self._session = session

    async def _get(self, path: str, doing: str, **params: Any) -> Json:
        return _object(await self._session.request("GET", path, doing=doing, params=params), doing)

    async def _post(self, path: str, doing: str, json: Any = None, *, repeatable: bool | None = None) -> Json:
        return _object(await self._session.request("POST", path, doing=doing, json=json, repeatable=repeatable), doing)

    async def _put(self, path: str, doing: str, json: Any) -> Json:
        return _object(await self._session.request("PUT", path, doing=doing, json=json), doing)

    async def _delete(self, path: str, doing: str, json: Any = None, **params: Any) -> Json:
        return _object(await self._session.request("DELETE", path, doing=doing, json=json, params=params), doing)

    async def _gone(self, path: str, doing: str, json: Any = None, *, answered: bool = False) -> None:
        """Take something away. That it is not there any more, after a try that was not answered, is what was wanted.

        Args:
            answered: whether "it is so already" is told as a state that does not allow the call.
        """
        with _already(NotFound, *((BadRequest, Conflict) if answered else ())):
            await self._delete(path, doing, json)

    def _listed(
        self, read: Callable[[Json], list[T]], path: str, doing: str, *, page_size: int, **params: Any
    ) -> Flattened[T]:
        """What all pages of a list hold, one by one.

        Args:
            read: what a page holds.

        Raises:
            InvalidInput: at once, not where it is iterated.
        """
        pages = self._pages(path, doing, page_size=page_size, **params)

        async def lists() -> AsyncIterator[list[T]]:
            async for page in pages:
                yield read(page)

        return Flattened(aiterate(lists()))

    def _pages(self, path: str, doing: str, *, page_size: int, **params: Any) -> AsyncIterator[Json]:
        """All pages of a list, each asked for when it is wanted.

        Raises:
            InvalidInput: at once, not where they are iterated.
        """
        if not 1 <= page_size <= 100:
            raise InvalidInput(f"page_size is 1 to 100, not {page_size}")
        return self._paged(path, doing, page_size, params)

    async def _paged(self, path: str, doing: str, page_size: int, params: Json) -> AsyncIterator[Json]:
        # The page token carries the size, so only the first call names it.
        options: Json = {**params.pop("options", {}), "limit": page_size, "type": "pagination"}
        while True:
            answer = await self._get(path, doing, options=options, **params)
            yield answer
            token = (answer.get("paging") or {}).get("next")
            if not token:
                return
            options = {name: value for name, value in options.items() if name not in ("limit", "token")}
            options["token"] = token


@contextlib.contextmanager
def _already(*kinds: type[ServiceError]) -> Iterator[None]:
    try:
        yield
    except kinds as error:
        if not error.repeated:
            raise


async def settled(do: Awaitable[T], is_so: Callable[[], Awaitable[T | None]]) -> T:
    """What `do` gives; where it is refused after a try that was not answered, look whether that one was carried out.

    Args:
        do: the call, sent again where its answer is lost.
        is_so: gives what was wanted where it is so already; None where it is not.

    Raises:
        ServiceError, Unreachable: it was refused, and it is not so.
    """
    try:
        return await do
    except (BadRequest, Forbidden, NotFound, Conflict) as error:
        found = await is_so() if error.repeated else None
        if found is None:
            raise
        return found


def part(value: str) -> str:
    """An id as a part of a path, whatever it is made of.

    Raises:
        InvalidInput: it is empty, or no text.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"an id is a text, not a {type(value).__name__}")
    if not value or value in (".", ".."):
        raise InvalidInput("an id must not be empty" if not value else f"{value!r} is no id")
    return quote(value, safe="")


def _object(answer: httpx.Response, doing: str) -> Json:
    content = told(answer, doing)
    return content if isinstance(content, dict) else {"items": content}


def fresh_key() -> str:
    """A key that marks one creation."""
    return secrets.token_hex(12)


async def create_once(create: Callable[[], Awaitable[T]], find: Callable[[], Awaitable[T | None]]) -> T:
    """Create something, and where the answer is lost, look whether it was created before trying again.

    Args:
        create: makes it; must not be repeated blindly.
        find: looks it up by its own key.

    Raises:
        Unreachable, ServerFault: neither creating nor finding it worked.
    """
    failure: Unreachable | ServerFault | None = None
    for wait in (0.0, *FIND_AGAIN_SECONDS):
        if failure is not None:
            # The lost request may still be carried out: give it a moment, then look, and only then try again.
            await asyncio.sleep(wait)
            try:
                found = await find()
            except (Unreachable, ServerFault):
                continue
            if found is not None:
                return found
        try:
            return await create()
        except (Unreachable, ServerFault) as error:
            failure = error
    assert failure is not None  # noqa: S101 - the loop ends early without one
    found = await find()
    if found is not None:
        return found
    raise failure


def checked_text(name: str, value: str | None, most: int, *, required: bool = False) -> str | None:
    """The text, if it keeps to the service's limit.

    Raises:
        InvalidInput: empty where it is required, or longer than `most` characters.
    """
    if value is None:
        if required:
            raise InvalidInput(f"{name} is required")
        return None
    if required and not value.strip():
        raise InvalidInput(f"{name} must not be empty")
    if len(value) > most:
        raise InvalidInput(f"{name} has {len(value)} characters; the service takes at most {most}")
    return value


def with_key(metadata: Mapping[str, Any] | None, key: str) -> Json:
    """Metadata that also holds the creation's key."""
    return {**(metadata or {}), KEY: key}
