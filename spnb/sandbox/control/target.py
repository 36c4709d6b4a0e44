"""Which sandbox an audience goes to."""

from __future__ import annotations

from typing import Any

import httpx

from spnb._faces import asynchronous
from spnb.config import credentials_from_environment
from spnb.errors import SandboxError
from spnb.sandbox.control.asking import ask
from spnb.sandbox.control.launch import SandboxInfo, ensure

__all__ = ["client_of", "reached"]


def reached(sandbox: Any = None, *, room: Any = None) -> SandboxInfo:
    """The sandbox given, else the one a live room lives in, else the one the environment names, else this user's own.

    Args:
        sandbox: what `spnb.sandbox.start()` or `ensure()` gave, or a client connected to it.
        room: a room of it; a plain record or an id tells of no sandbox.

    Raises:
        SandboxError: it is the real service, or does not run: people of the real service are not simulated.
    """
    if isinstance(sandbox, SandboxInfo):
        return sandbox
    client = client_of(sandbox) or client_of(asynchronous(room))
    if client is not None:
        return _asked(client._endpoints.rest, client._credentials.api_key, "where the room or client given lives,")
    named = credentials_from_environment()
    if named is None:
        return ensure()
    endpoints, credentials = named
    return _asked(
        endpoints.rest,
        credentials.api_key,
        "which the environment names,",
        "; unset SOCIALPLUS_API_KEY to use your own",
    )


def client_of(one: Any) -> Any:
    """A client of either face, or that of a live object: they are known by what they have, none of them is imported."""
    twin = asynchronous(one)
    for candidate in (twin, getattr(twin, "_client", None)):
        if hasattr(candidate, "_endpoints") and hasattr(candidate, "_credentials"):
            return candidate
    return None


def _asked(url: str, api_key: str, whose: str, hint: str = "") -> SandboxInfo:
    try:
        answer = ask("GET", f"{url}/sandbox/info", api_key)
        facts: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return SandboxInfo.read({**facts, "apiKey": api_key})
    except (httpx.HTTPError, ValueError, KeyError):
        raise SandboxError(
            f"{url}, {whose} is no running sandbox: audiences are simulated in a sandbox only{hint}"
        ) from None
