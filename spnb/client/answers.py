"""Reading answers: so much of them, so deep and for so long, and always as something that can be acted on.

What answers may be no service at all: the sign-in page of a network, a proxy, somebody who means harm.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import orjson

from spnb._loop import Flattened
from spnb.errors import BadAnswer, SpnbError

__all__ = ["MOST_ANSWER_BYTES", "guarded", "plain_text", "read_answer", "read_object", "told"]

MOST_ANSWER_BYTES = 32 * 2**20
"""A page of 100 rooms with metadata of 64 kB each is a fifth of it."""
MOST_DEPTH = 260
"""What JSON writers of our own still write; readers beyond give up."""
MOST_TEXT = 300
READ_ERRORS = (KeyError, IndexError, AttributeError, TypeError, ValueError)


async def read_answer(answer: httpx.Response, doing: str, most: int = MOST_ANSWER_BYTES) -> httpx.Response:
    """The answer with its body read and unpacked.

    Args:
        answer: one whose body is not read yet.
        doing: what was tried, for the message.
        most: bytes, unpacked.

    Raises:
        BadAnswer: it is larger, or packed in a way that was not asked for.
    """
    unpack = _unpacker(answer, doing)
    body = bytearray()
    try:
        async for chunk in answer.aiter_raw():
            body += unpack(chunk, most + 1 - len(body))
            if len(body) > most:
                body.clear()  # what is raised is kept for a while, and this frame with it
                raise BadAnswer(f"could not {doing}: the answer is over {most:,} bytes", status=answer.status_code)
    except zlib.error:
        raise BadAnswer(f"could not {doing}: the answer cannot be unpacked", status=answer.status_code) from None
    finally:
        await answer.aclose()
    kept = [
        (name, value)
        for name, value in answer.headers.multi_items()
        if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
    ]
    return httpx.Response(answer.status_code, headers=kept, content=bytes(body), request=answer.request)


def _unpacker(answer: httpx.Response, doing: str) -> Callable[[bytes, int], bytes]:
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return lambda chunk, _left: chunk
    if encoding not in ("gzip", "x-gzip"):
        # Only this was asked for: what unpacks to no end in one stroke is not let in.
        raise BadAnswer(f"could not {doing}: the answer is packed as {encoding[:20]!r}", status=answer.status_code)
    return zlib.decompressobj(31).decompress


def told(answer: httpx.Response, doing: str) -> Any:
    """The JSON of an answer.

    Raises:
        BadAnswer: it is none, or nested without end.
    """
    try:
        content = orjson.loads(answer.content) if answer.content else {}
    except orjson.JSONDecodeError:
        kind = answer.headers.get("content-type", "")
        html = "html" in kind or answer.content.lstrip()[:1] == b"<"
        page = "is a web page: does this network want a sign-in, or does a proxy stand in between?"
        why = page if html else "is no JSON"
        raise BadAnswer(f"could not {doing}: the answer {why}", status=answer.status_code) from None
    level: list[Any] = [content] if isinstance(content, (dict, list)) else []
    for _ in range(MOST_DEPTH):
        inner = (value.values() if isinstance(value, dict) else value for value in level)
        level = [value for values in inner for value in values if isinstance(value, (dict, list))]
        if not level:
            return content
    raise BadAnswer(f"could not {doing}: the answer is nested too deep", status=answer.status_code)


def read_object(answer: httpx.Response, doing: str) -> dict[str, Any]:
    """The JSON object of an answer; none at all is an empty one.

    Raises:
        BadAnswer: it is something else.
    """
    content = told(answer, doing)
    if not isinstance(content, dict):
        raise BadAnswer(f"could not {doing}: the answer is no object", status=answer.status_code)
    return content


def plain_text(text: Any, most: int = MOST_TEXT) -> str:
    """A text of the service's for a message: one line, without marks that steer terminals or turn the writing round."""
    shown = "".join(mark if mark.isprintable() else " " for mark in str(text)[: 4 * most])
    shown = " ".join(shown.split())
    return shown if len(shown) <= most else f"{shown[:most]}…"


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a resource whose failure to make sense of an answer is told as one of the service.

    Its own arguments are bound outside: a call with wrong ones stays what it is.
    """
    signature = inspect.signature(method)
    what = method.__name__.replace("_", " ")

    if not inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        def handed(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if isinstance(result, Flattened):
                return Flattened(_iterated(result.lists, what))
            return _iterated(result, what) if inspect.isasyncgen(result) else result

        return handed

    @functools.wraps(method)
    async def called(*args: Any, **kwargs: Any) -> Any:
        signature.bind(*args, **kwargs)
        result: Awaitable[Any] = method(*args, **kwargs)
        try:
            return await result
        except SpnbError:
            raise
        except READ_ERRORS as error:
            raise _odd(what, error) from error

    return called


async def _iterated(items: Any, what: str) -> AsyncIterator[Any]:
    async with contextlib.aclosing(items):
        try:
            async for item in items:
                yield item
        except SpnbError:
            raise
        except READ_ERRORS as error:
            raise _odd(what, error) from error


def _odd(what: str, error: Exception) -> BadAnswer:
    told = f"could not {what}: the answer is not what the service's are like ({type(error).__name__})"
    return BadAnswer(told, status=200)
