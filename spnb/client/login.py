"""How a session is asked for: as a user, or read-only as a visitor or bot."""

from __future__ import annotations

import asyncio
import inspect
import sys
from typing import Any

from spnb.config import AuthToken, Credentials
from spnb.errors import SpnbError, Unauthorized

__all__ = ["auth_token_of", "login_call"]

Json = dict[str, Any]
PATHS = {"user": "/api/v5/sessions", "visitor": "/api/v5/sessions/visitor", "bot": "/api/v5/sessions/bot"}


async def login_call(credentials: Credentials, device_id: str) -> tuple[str, Json]:
    """Path and body of the login.

    Raises:
        Unauthorized: there is no auth token to be had.
    """
    body: Json = {
        "deviceId": device_id,
        "deviceInfo": {"kind": "web", "model": sys.platform, "sdkVersion": "spnb"},
    }
    if credentials.kind == "user":
        body["userId"] = credentials.user_id
        if credentials.display_name:
            body["displayName"] = credentials.display_name
        if credentials.auth_token:
            body["authToken"] = await auth_token_of(credentials.auth_token)
    return PATHS[credentials.kind], body


async def auth_token_of(given: AuthToken) -> str:
    """The auth token of a login. A function may ask a server of its own, and wait for it."""
    if isinstance(given, str):
        return given
    try:
        found = given() if inspect.iscoroutinefunction(given) else await asyncio.to_thread(given)
        token = await found if inspect.isawaitable(found) else found
    except SpnbError:
        raise
    except Exception as error:
        raise Unauthorized(
            f"could not log in: the function given as auth_token failed ({type(error).__name__})", status=401
        ) from error
    if not isinstance(token, str) or not token:
        raise Unauthorized("could not log in: the function given as auth_token gave no token", status=401)
    return token
