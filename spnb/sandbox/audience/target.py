"""Which sandbox an audience goes to."""

from __future__ import annotations

from typing import Any

import httpx

from spnb.config import credentials_from_environment
from spnb.errors import SandboxError
from spnb.sandbox.door import SandboxInfo, ensure

__all__ = ["reached"]


def reached(sandbox: SandboxInfo | None = None) -> SandboxInfo:
    """The sandbox given, else the one the environment names, else this user's own.

    Raises:
        SandboxError: what the environment names is no sandbox: people of the real service are not simulated.
    """
    if sandbox is not None:
        return sandbox
    named = credentials_from_environment()
    if named is None:
        return ensure()
    endpoints, credentials = named
    try:
        answer = httpx.get(
            f"{endpoints.rest}/sandbox/info", headers={"X-API-Key": credentials.api_key}, timeout=10, trust_env=False
        )
        facts: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return SandboxInfo.read({**facts, "apiKey": credentials.api_key})
    except (httpx.HTTPError, ValueError, KeyError):
        raise SandboxError(
            f"{endpoints.rest}, which the environment names, is no running sandbox:"
            " audiences are simulated in a sandbox only; unset SOCIALPLUS_API_KEY to use your own"
        ) from None
