"""Who sent a webhook: signatures checked over the raw body, in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from spnb._arguments import checked

__all__ = ["is_signed", "is_signed_by_livekit", "signed"]


@checked
def signed(body: bytes, secret: str) -> str:
    """The value of `x-amity-signature`: base64 of HMAC-SHA256 over the raw body (social.plus webhook reference)."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


@checked
def is_signed(body: bytes, given: str, secrets: str | Sequence[str]) -> bool:
    """Whether one of the secrets made this signature: for a server of your own, where no `Receiver` serves.

    The reference says base64, two guide pages hex: both are taken. All comparisons are made, whatever their outcome.

    Args:
        body: the raw body, as it came.
        given: the header `x-amity-signature`; empty where there is none.
        secrets: the webhook's secret, or several while one is being changed.
    """
    secrets = [secrets] if isinstance(secrets, str) else secrets
    found = False
    told = given.strip().encode("utf-8", "replace")
    for secret in secrets:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        found |= hmac.compare_digest(told, base64.b64encode(digest))
        found |= hmac.compare_digest(told.lower(), digest.hex().encode())
    return found


def is_signed_by_livekit(body: bytes, authorization: str, api_key: str, api_secret: str) -> bool:
    """Whether LiveKit sent this: a JWT of the key pair, unexpired, over the body's SHA-256 (LiveKit webhook guide)."""
    import jwt

    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer ").strip(),
            api_secret,
            algorithms=["HS256"],
            issuer=api_key,
            leeway=5,
            options={"require": ["exp"]},
        )
    except jwt.InvalidTokenError:
        return False
    told = str(claims.get("sha256", "")).encode("utf-8", "replace")
    digest = hashlib.sha256(body).digest()
    return hmac.compare_digest(told, base64.b64encode(digest)) | hmac.compare_digest(told, digest.hex().encode())
