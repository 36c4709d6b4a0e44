"""How a session is asked for: as a user, or read-only as a visitor or bot."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from typing import Any

from spnb.config import AuthToken, Credentials, VisitorSignature, VisitorSigner
from spnb.errors import SpnbError, Unauthorized

__all__ = ["auth_token_of", "login_call"]

Json = dict[str, Any]
PATHS = {"user": "/api/v5/sessions", "visitor": "/api/v5/sessions/visitor", "bot": "/api/v5/sessions/bot"}


async def login_call(credentials: Credentials, device_id: str) -> tuple[str, Json]:
    """Path and body of the login.

    Raises:
        Unauthorized: there is no auth token, or no signature, to be had.
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
    elif credentials.visitor_signature is not None:
        signed = await visitor_signature_of(credentials.visitor_signature, device_id)
        body |= {"authSignature": signed.signature, "authSignatureExpiresAt": signed.expires_at}
    return PATHS[credentials.kind], body


async def auth_token_of(given: AuthToken) -> str:
    """The auth token of a login. A function may ask a server of its own, and wait for it."""
    found = given if isinstance(given, str) else await _asked("auth_token", given)
    if not isinstance(found, str) or not found:
        raise Unauthorized("could not log in: the function given as auth_token gave no token", status=401)
    return found


async def visitor_signature_of(given: VisitorSigner, device_id: str) -> VisitorSignature:
    """What signs a visitor's login; asked as an auth token is."""
    found = await _asked("visitor_signature", given, device_id)
    if not isinstance(found, VisitorSignature):
        raise Unauthorized("could not log in: the function given as visitor_signature gave none", status=401)
    return found


async def _asked(name: str, function: Callable[..., Any], *arguments: str) -> Any:
    try:
        asynchronous = inspect.iscoroutinefunction(function)
        found = function(*arguments) if asynchronous else await asyncio.to_thread(function, *arguments)
        return await found if inspect.isawaitable(found) else found
    except SpnbError:
        raise
    except Exception as error:
        words = f"could not log in: the function given as {name} failed ({type(error).__name__})"
        raise Unauthorized(words, status=401) from error
