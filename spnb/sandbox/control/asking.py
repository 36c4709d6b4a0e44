"""Calls to a sandbox: without TLS, through no proxy, and with the patience that a machine under load needs."""

from __future__ import annotations

from typing import Any

import httpx

from spnb._patience import no_tls, patience

__all__ = ["ask", "ask_async"]


def _options(url: str, api_key: str | None) -> dict[str, Any]:
    headers = {} if api_key is None else {"X-API-Key": api_key}
    return {"verify": no_tls(), "timeout": patience(url), "trust_env": False, "headers": headers}


def ask(method: str, url: str, api_key: str | None = None, **sent: Any) -> httpx.Response:
    """Ask, and wait for the answer.

    Args:
        method: of HTTP.
        url: the whole address.
        api_key: the sandbox's, where the call needs it.
        sent: `params` or `json`, as httpx takes them.

    Raises:
        httpx.HTTPError: nobody answers.
    """
    with httpx.Client(**_options(url, api_key)) as web:
        return web.request(method, url, **sent)


async def ask_async(method: str, url: str, api_key: str | None = None, **sent: Any) -> httpx.Response:
    """As `ask`."""
    async with httpx.AsyncClient(**_options(url, api_key)) as web:
        return await web.request(method, url, **sent)
