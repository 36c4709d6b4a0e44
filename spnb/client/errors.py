"""From an HTTP answer to the error a caller can act on: by status first, since one code can mean several things."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx

from spnb.client.answers import plain_text, told
from spnb.errors import (
    BadAnswer,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    ServerFault,
    ServiceError,
    Unauthorized,
)

__all__ = ["error_of", "retry_after"]

BY_STATUS: dict[int, type[ServiceError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: BadRequest,
    422: BadRequest,
    429: RateLimited,
}
ADVICE = {
    400302: "the user is muted there",
    400303: "the channel is muted",
    400304: "the user is banned there",
    400312: "the user is banned from the network",
    403998: "bots may only read",
    403999: "visitors may only read",
}


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds of a `Retry-After` header given as a number; other forms are not used by the service."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(answer.headers.get("retry-after", "")))
    return None


def error_of(answer: httpx.Response, doing: str) -> ServiceError:
    """The error of an unsuccessful answer.

    Args:
        doing: what was tried, for the message, e.g. `create a room`.
    """
    message, code, detail = _told(answer)
    status = answer.status_code
    kind = BY_STATUS.get(status) or (ServerFault if status >= 500 else BadRequest)
    text = f"could not {doing}: {plain_text(message) or f'HTTP {status}'}"
    if detail:
        parts = detail[:5] if isinstance(detail, list) else [detail]
        text += f" ({'; '.join(plain_text(part) for part in parts)})"
    if code in ADVICE:
        text += f" — {ADVICE[code]}"
    if kind is Unauthorized:
        text += " — check the API key, or log in again"
    return kind(text, status=status, code=code, detail=detail, retry_after=retry_after(answer))


def _told(answer: httpx.Response) -> tuple[str, int | None, Any]:
    try:
        body = told(answer, "read the error")
    except BadAnswer:
        return plain_text(answer.content[:2000].decode(errors="replace"), 200), None, None
    if not isinstance(body, dict):
        return "", None, None
    data = body.get("data")
    detail = data.get("detail") if isinstance(data, dict) else None
    code = body.get("code")
    return plain_text(body.get("message") or ""), code if isinstance(code, int) else None, detail
