"""Login, verification and logout; auth tokens for secure mode."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

import jwt
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.sound import WireTime
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


class Login(BaseModel):
    userId: str = Field(min_length=1, max_length=50)
    deviceId: str = Field(min_length=1, max_length=150)
    displayName: str | None = Field(default=None, max_length=100)
    authToken: str | None = Field(default=None, max_length=1000)
    deviceInfo: dict[str, Any] | None = None


class DeviceLogin(BaseModel):
    deviceId: str = Field(min_length=1, max_length=150)
    deviceInfo: dict[str, Any] | None = None
    authSignature: str = ""
    authSignatureExpiresAt: WireTime | None = None


class AuthTokenWish(BaseModel):
    userId: str = Field(min_length=1, max_length=50)


def routes(services: Services) -> list[BaseRoute]:
    """Session routes."""
    logins = [
        serve(services, "POST", f"/api/{version}/sessions", login, audience="key") for version in ("v5", "v4", "v3")
    ]
    return [
        *logins,
        serve(services, "POST", "/api/v5/sessions/visitor", login_visitor, audience="key"),
        serve(services, "POST", "/api/v5/sessions/bot", login_bot, audience="key"),
        serve(services, "GET", "/api/v3/sessions", verify),
        serve(services, "DELETE", "/api/v4/sessions", logout),
        serve(services, "DELETE", "/api/v4/sessions/users/{userId}", revoke_all),
        serve(services, "POST", "/api/v4/authentication/token", auth_token, audience="anyone"),
        serve(services, "GET", "/api/v3/authentication/token", older_auth_token, audience="anyone"),
        serve(services, "POST", "/api/v1/admin-token", admin_token),
    ]


async def login(call: Call) -> Json:
    """Open a session; an unknown user is created."""
    wish = call.read(Login)
    if call.services.settings.secure_mode:
        _check_auth_token(call, wish)
    user = call.store.ensure_user(wish.userId, wish.displayName)
    if user["isGlobalBan"]:
        raise Refused(403, 400312, "The user is banned from this network")
    return _opened(call, user, wish.deviceId, "signed-in")


async def login_visitor(call: Call) -> Json:
    """Open a read-only session of a visitor."""
    return _device_session(call, "visitor")


async def login_bot(call: Call) -> Json:
    """Open a read-only session of a crawler."""
    return _device_session(call, "bot")


def _device_session(call: Call, kind: str) -> Json:
    wish = call.read(DeviceLogin)
    if call.services.settings.secure_mode and kind == "visitor":
        _check_signature(call, wish)
    user = call.store.ensure_user(f"_{kind}_{wish.deviceId}"[:50], kind.capitalize())
    return _opened(call, user, wish.deviceId, kind)


def _opened(call: Call, user: Json, device_id: str, kind: str) -> Json:
    session = call.services.tokens.issue(user, device_id, kind=kind)
    return {**session, "refreshToken": "", "users": [user], "files": [], "userType": kind}


async def verify(call: Call) -> Json:
    """Whether the bearer token is good."""
    return {"success": bool(call.user)}


async def logout(call: Call) -> Json:
    """End the session."""
    call.services.tokens.revoke(call.services.tokens.token_id(call.request))
    return {"success": True}


async def revoke_all(call: Call) -> Json:
    """End all sessions of a user. The service lets administrators only; here a user ends the own ones (a choice)."""
    if call.path("userId") != call.user_id:
        raise Refused.forbidden("Only the user's own sessions can be ended")
    call.services.tokens.revoke_all(call.user["_id"])
    return {"success": True}


async def auth_token(call: Call) -> Response:
    """Mint an auth token for secure mode; a customer's backend calls this with the server key."""
    if not _has_server_key(call):
        return PlainTextResponse("Unauthorized", status_code=401)
    return PlainTextResponse(call.services.tokens.auth_token(call.read(AuthTokenWish).userId))


async def older_auth_token(call: Call) -> Response:
    """The same by the older call: the user in the query, a JSON string in the answer."""
    if not _has_server_key(call):
        return PlainTextResponse("Unauthorized", status_code=401)
    return JSONResponse(call.services.tokens.auth_token(call.query.need("userId")))


def _has_server_key(call: Call) -> bool:
    given = call.request.headers.get("x-server-key", "")
    return hmac.compare_digest(given.encode(), call.store.secret("server-key").encode())


async def admin_token(call: Call) -> Json:
    """A token for a server's calls; the earlier one ends. *Choice*: it can do what its user can, no more."""
    device = f"admin-token:{call.user['_id']}"
    for session in call.store.sessions.find({"deviceId": device}):
        call.services.tokens.revoke(session["tokenId"])
    made = call.services.tokens.issue(call.user, device)
    return {"adminToken": made["accessToken"], "issuedAt": made["issuedAt"], "expiresAt": made["expiresAt"]}


def _check_signature(call: Call, wish: DeviceLogin) -> None:
    """A visitor's signature: HMAC-SHA256 of the device and the signature's end, by the network's visitor secret."""
    ends = wish.authSignatureExpiresAt or ""
    right = call.services.tokens.visitor_signature(wish.deviceId, ends)
    if not ends or not hmac.compare_digest(wish.authSignature.encode(), right.encode()):
        raise Refused.unauthorized("This network is in secure mode: a visitor needs a valid authSignature")
    at = datetime.fromisoformat(ends)
    if (at if at.tzinfo else at.replace(tzinfo=UTC)) <= call.store.clock():
        raise Refused.unauthorized("The authSignature has expired")


def _check_auth_token(call: Call, wish: Login) -> None:
    try:
        claims = jwt.decode(
            wish.authToken or "",
            call.store.secret("auth-token-key"),
            algorithms=["HS256"],
            options={"verify_exp": False},
        )
    except jwt.InvalidTokenError:
        raise Refused.unauthorized("This network is in secure mode: a valid authToken is needed") from None
    if claims["sub"] != wish.userId or claims["exp"] <= call.store.clock().timestamp():
        raise Refused.unauthorized("The authToken has expired or belongs to another user")
