"""Calls of a sandbox's own, which no service has: by its address, with its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from spnb._faces import asynchronous, is_a
from spnb.errors import InvalidInput, SandboxError
from spnb.sandbox.control.asking import ask_async
from spnb.sandbox.control.launch import SandboxInfo, ensure

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SandboxCalls"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SandboxCalls:
    """Calls of one sandbox, with its key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._key = api_key

    @classmethod
    def of(cls, sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> Self:
        """Of a client, of what `spnb.sandbox.start()` gave, or of an address; of this user's own sandbox without any,
        which is started where it does not run: that blocks.

        Raises:
            SandboxError: it is the real service.
        """
        return cls(*_reached(sandbox, url, api_key))

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            answer = await ask_async(method, f"{self._url}{path}", self._key, json=body)
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SandboxError(f"the sandbox at {self._url} does not answer ({type(error).__name__})") from None
        if answer.is_success and isinstance(told, dict):
            return told
        detail = (told.get("data") or {}).get("detail") or []
        text = "; ".join([str(told.get("message")), *map(str, detail)])
        if answer.status_code in (400, 404, 422):
            raise InvalidInput(f"the sandbox refuses: {text}")
        raise SandboxError(f"the sandbox refuses: {text}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url})"


def _reached(sandbox: Any, url: str | None, api_key: str | None) -> tuple[str, str]:
    if url is None or api_key is None:
        if sandbox is None:
            sandbox = ensure()
        if isinstance(sandbox, SandboxInfo):
            url, api_key = sandbox.url, sandbox.api_key
        else:
            # A client of either face: this package imports none of them, so it is known by what it has.
            if not is_a(sandbox, "Client"):
                raise InvalidInput(
                    f"a sandbox is named by a client of it, or by what spnb.sandbox.start() gave, not by a"
                    f" {type(sandbox).__name__}"
                )
            twin = asynchronous(sandbox)
            url, api_key = twin._endpoints.rest, twin._credentials.api_key
    address: str = url
    if urlsplit(address).hostname not in LOOPBACK:
        raise SandboxError(f"{address} is no sandbox: faults and its webhooks are to be had there only")
    return address.rstrip("/"), str(api_key)
