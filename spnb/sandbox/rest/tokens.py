"""Access tokens: JWTs bound to a session row, so that they can be revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
from starlette.requests import HTTPConnection

from spnb.config import VisitorSignature
from spnb.sandbox.clock import moment, new_id, stamp
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.server.settings import SandboxSettings
from spnb.sandbox.store import Store

__all__ = ["AccessTokens"]

Json = dict[str, Any]


class AccessTokens:
    """Issues, verifies and revokes access tokens."""

    def __init__(self, store: Store, settings: SandboxSettings) -> None:
        self._store = store
        self._settings = settings
        self._key = store.secret("access-token-key")
        self._checked: dict[str, tuple[str, float, str]] = {}

    def auth_token(self, user_id: str) -> str:
        """A user's auth token for a network in secure mode."""
        expires = self._store.clock() + timedelta(seconds=self._settings.auth_token_seconds)
        claims = {"sub": user_id, "exp": expires.timestamp()}
        return jwt.encode(claims, self._store.secret("auth-token-key"), algorithm="HS256")

    def visitor_signature(self, device_id: str, expires_at: str) -> str:
        """What lets a device in as a visitor of a network in secure mode, until then."""
        return VisitorSignature.until(self._store.secret("visitor-secret"), device_id, expires_at).signature

    def issue(self, user: Json, device_id: str, *, kind: str = "signed-in") -> Json:
        """Open a session: `{accessToken, issuedAt, expiresAt}`.

        A session of another user on the same device ends (documented; a setting).
        """
        issued = self._store.clock()
        expires = issued + timedelta(seconds=self._settings.access_token_seconds)
        for session in self._store.sessions.find({"deviceId": device_id}):
            other = session["userInternalId"] != user["_id"]
            if (other and self._settings.one_user_per_device) or moment(session["expiresAt"]) < issued:
                self.revoke(session["tokenId"])
        token_id = new_id()
        self._store.sessions.insert(
            {
                "tokenId": token_id,
                "userInternalId": user["_id"],
                "deviceId": device_id,
                "kind": kind,
                "expiresAt": stamp(expires),
            }
        )
        # SDKs that log in with a ready-made token read `user.publicUserId`, `iat` and `exp` out of it.
        claims = {
            "jti": token_id,
            "sub": user["_id"],
            "user": {"userId": user["_id"], "publicUserId": user["userId"], "deviceId": device_id, "type": kind},
            "iat": int(issued.timestamp()),
            "exp": expires.timestamp(),
        }
        token = jwt.encode(claims, self._key, algorithm="HS256")
        return {"accessToken": token, "issuedAt": stamp(issued), "expiresAt": stamp(expires)}

    def revoke(self, token_id: str) -> None:
        """End a session."""
        self._store.sessions.delete(token_id)
        self._checked = {token: seen for token, seen in self._checked.items() if seen[0] != token_id}

    def revoke_all(self, user_internal_id: str) -> None:
        """End all sessions of a user."""
        for session in self._store.sessions.find({"userInternalId": user_internal_id}):
            self.revoke(session["tokenId"])

    def token_id(self, connection: HTTPConnection) -> str:
        """The session that a request belongs to."""
        return self._verify(_bearer(connection))[0]

    def caller(self, connection: HTTPConnection) -> tuple[Json, str]:
        """The user of a request and the kind of the session (`signed-in`, `visitor`, `bot`).

        Raises:
            Refused: 401/400100 without a valid token.
        """
        return self.user_of(_bearer(connection))

    def user_of(self, token: str) -> tuple[Json, str]:
        """The user a token belongs to and the kind of its session."""
        token_id, _, kind = self._verify(token)
        session = self._store.sessions.get(token_id)
        user = self._store.users.get(session["userInternalId"]) if session else None
        if user is None:
            raise Refused.unauthorized()
        return user, kind

    def _verify(self, token: str) -> tuple[str, float, str]:
        known = self._checked.get(token)
        if known is None:
            try:
                claims = jwt.decode(token, self._key, algorithms=["HS256"], options={"verify_exp": False})
            except jwt.InvalidTokenError:
                raise Refused.unauthorized("The access token is not valid: log in again") from None
            known = (claims["jti"], float(claims["exp"]), claims["user"]["type"])
            if self._store.sessions.get(known[0]) is None:
                raise Refused.unauthorized("The session has ended: log in again")
            if len(self._checked) > 10_000:
                self._checked.clear()
            self._checked[token] = known
        if self._store.clock().timestamp() >= known[1]:
            raise Refused.unauthorized("The access token has expired: log in again")
        return known


def _bearer(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    token = connection.headers.get("x-admin-token") or connection.cookies.get("_ascSession") or ""
    if not token:
        raise Refused.unauthorized("No access token was sent: log in first")
    return token
