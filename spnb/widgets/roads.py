"""What a page that has no other way to an address of the kernel's machine is brought by the widget's messages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

from spnb._patience import no_tls
from spnb.config import is_loopback

__all__ = ["fetch"]

FETCH_SECONDS = 30.0
MOST_FETCHED = 32 * 2**20
"""Bytes of one answer that messages may carry."""


async def fetch(allowed: str, wanted: str, first: Any = None, last: Any = None) -> tuple[int, bytes, int]:
    """Fetch for a page what lies beside the address it was given, for where only messages reach it.

    Args:
        allowed: the address the page was given.
        wanted: what it asks for; in the same folder as `allowed`, or below.
        first, last: the range of bytes, both inclusive; None for all.

    Returns:
        The HTTP status, 0 where nothing answered; what came; and how many bytes the whole of it has, 0 where that is
        not told.
    """
    import httpx

    if not is_loopback(allowed):
        return 403, b"", 0
    address = urljoin(allowed, wanted)
    if not address.startswith(allowed.split("?")[0].rpartition("/")[0] + "/") or ".." in urlsplit(address).path:
        return 403, b"", 0
    headers = {}
    if isinstance(first, int) and isinstance(last, int) and 0 <= first <= last:
        headers["Range"] = f"bytes={first}-{last}"
    verify = no_tls() if address.startswith("http:") else True
    async with httpx.AsyncClient(trust_env=False, verify=verify, timeout=FETCH_SECONDS) as client:
        try:
            async with client.stream("GET", address, headers=headers) as answer:
                body = bytearray()
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MOST_FETCHED:
                        return 413, b"", 0
                whole = answer.headers.get("content-range", "").rpartition("/")[2]
                return answer.status_code, bytes(body), int(whole) if whole.isascii() and whole.isdigit() else 0
        except httpx.HTTPError:
            return 0, b"", 0
