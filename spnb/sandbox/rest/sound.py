"""What a body may be at all, whatever call it belongs to: looked at before any rule of the call itself.

A record is stored as it came and shown to everybody, so one odd record would break the lists of all. The bounds are
choices: the service documents none but those of single fields.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator
from starlette.requests import ClientDisconnect, Request

from spnb.sandbox.rest.refused import Refused

__all__ = ["MOST_BATCH_BYTES", "MOST_BODY_BYTES", "WireTime", "read_body", "read_json"]

MOST_BODY_BYTES = 256 * 1024
MOST_BATCH_BYTES = 1 << 20
"""For calls that bring a thousand small things at once."""
MOST_DEPTH = 34
"""A body with metadata of 32 levels: readers in other languages give up not far beyond."""
MOST_TEXT = 60_000
MOST_METADATA_BYTES = 64 * 1024
MOST_NUMBER = 2**53
"""Beyond it JSON's numbers are no longer what was sent, in a browser."""
FIRST_YEAR, LAST_YEAR = 1970, 2200


async def read_body(request: Request, most: int = MOST_BODY_BYTES) -> bytes:
    """The whole body, if it is not too large: what is said to be is not read, and reading ends where it is.

    Raises:
        Refused: 413 beyond `most` bytes, 400 where the sender left in the middle.
    """
    too_large = Refused(413, 500000, f"The body is over {most} bytes", headers={"Connection": "close"})
    said = request.headers.get("content-length", "0")
    if not said.isascii() or not said.isdigit() or len(said) > 12 or int(said) > most:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise too_large
    except ClientDisconnect:
        raise Refused.bad_request("The sender left before the body was there") from None
    return bytes(body)


def read_json(raw: bytes) -> Any:
    """The JSON of a body; an empty one is an empty object.

    Raises:
        Refused: 400 where it is no JSON, 422 where it is nested too deep, holds a number no reader gets right, or a
            text or metadata that is too large.
    """
    if not raw.strip():
        return {}
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refused.bad_request(f"The body is no JSON: {error}") from None
    _check(content)
    return content


def _check(content: Any) -> None:
    level, depth = [content], 0
    while level:
        depth += 1
        if depth > MOST_DEPTH:
            raise Refused.invalid([f"body: nested over {MOST_DEPTH} levels deep"])
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                _check_metadata(value.get("metadata"))
                if any(len(key) > 1000 for key in value):
                    raise Refused.invalid(["body: a name of over 1000 characters"])
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            elif isinstance(value, str):
                if len(value) > MOST_TEXT:
                    raise Refused.invalid([f"body: a text of {len(value)} characters; at most {MOST_TEXT} are taken"])
            elif isinstance(value, (int, float)) and abs(value) > MOST_NUMBER:
                raise Refused.invalid([f"body: {value:g} is too large a number"])
        level = inner


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, (dict, list)):
        return
    try:
        size = len(orjson.dumps(metadata))
    except TypeError:
        raise Refused.invalid(["metadata: nested too deep"]) from None
    if size > MOST_METADATA_BYTES:
        raise Refused.invalid([f"metadata: {size} bytes; at most {MOST_METADATA_BYTES} are taken"])


def _time(text: str) -> str:
    """A moment that every zone and every reader can show."""
    if not text:
        return text
    at = datetime.fromisoformat(text)
    if not FIRST_YEAR < at.year < LAST_YEAR:
        raise ValueError(f"a time between {FIRST_YEAR} and {LAST_YEAR}")
    (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    return text


WireTime = Annotated[str, AfterValidator(_time)]
"""A time as ISO 8601 within the calendar, or nothing."""
