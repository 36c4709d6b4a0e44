"""LiveKit access tokens: JWT HS256 with `video` grants (LiveKit's authentication guide)."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import jwt
from livekit.protocol import models

__all__ = ["Grants", "Identity", "InvalidToken", "mint", "verify"]

CLOCK_SKEW_SECONDS = 5.0
SOURCES = frozenset(models.TrackSource.keys())


class InvalidToken(Exception):
    """A token is expired, forged, or lacks a grant; the message says which."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What the bearer may do in a room."""

    room: str = ""
    room_join: bool = False
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    hidden: bool = False
    recorder: bool = False
    room_admin: bool = False
    room_list: bool = False
    room_create: bool = False
    room_record: bool = False
    can_update_own_metadata: bool = False
    can_publish_sources: tuple[str, ...] = ()
    """Sources that may be published, in LiveKit's words (`camera`, `screen_share`, …); empty allows all."""

    def may_publish(self, source: int) -> bool:
        """Whether a track of this source (`TrackSource`) may be published."""
        if not self.can_publish or not self.can_publish_sources:
            return self.can_publish
        return any(models.TrackSource.Value(name.upper()) == source for name in self.can_publish_sources)

    def to_permission(self) -> models.ParticipantPermission:
        """The same as others see it."""
        return models.ParticipantPermission(
            can_subscribe=self.can_subscribe,
            can_publish=self.can_publish,
            can_publish_data=self.can_publish_data,
            can_publish_sources=[name.upper() for name in self.can_publish_sources],
            can_update_metadata=self.can_update_own_metadata,
            hidden=self.hidden,
            recorder=self.recorder,
        )

    def permitting(self, permission: models.ParticipantPermission) -> Grants:
        """These grants with what an administrator has changed in them."""
        sources = permission.can_publish_sources
        return replace(
            self,
            can_subscribe=permission.can_subscribe,
            can_publish=permission.can_publish,
            can_publish_data=permission.can_publish_data,
            can_publish_sources=tuple(models.TrackSource.Name(number).lower() for number in sources),
            can_update_own_metadata=permission.can_update_metadata,
            hidden=permission.hidden,
        )

    def to_claim(self) -> dict[str, Any]:
        """The `video` claim: LiveKit's camelCase names."""
        words = {name: name.split("_") for name in asdict(self)}
        names = {name: parts[0] + "".join(part.capitalize() for part in parts[1:]) for name, parts in words.items()}
        defaults = Grants()
        return {
            camel: getattr(self, name)
            for name, camel in names.items()
            if getattr(self, name) != getattr(defaults, name) or name in ("room", "room_join", "can_publish_data")
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token stands for."""

    identity: str
    name: str
    metadata: str
    grants: Grants
    expires_at: float
    issued_at: float = 0.0
    attributes: dict[str, str] = field(default_factory=dict)


def mint(
    api_key: str,
    api_secret: str,
    *,
    identity: str,
    grants: Grants,
    ttl: float,
    name: str | None = None,
    metadata: str = "",
) -> str:
    """A signed token for `identity`, good for `ttl` seconds."""
    now = time.time()
    claims = {
        "iss": api_key,
        "sub": identity,
        "name": name or identity,
        "nbf": int(now) - 1,
        "iat": now,
        "exp": now + ttl,
        "video": grants.to_claim(),
        "metadata": metadata,
    }
    return jwt.encode(claims, api_secret, algorithm="HS256")


def verify(api_key: str, api_secret: str, token: str) -> Identity:
    """Check signature, issuer and times of a token and read it.

    Raises:
        InvalidToken: with the reason, never with the token.
    """
    try:
        claims = jwt.decode(
            token,
            api_secret,
            algorithms=["HS256"],
            issuer=api_key,
            leeway=CLOCK_SKEW_SECONDS,
            options={"require": ["exp"]},
        )
    except jwt.ExpiredSignatureError:
        raise InvalidToken("the token has expired: fetch new broadcaster data") from None
    except jwt.InvalidTokenError as error:
        raise InvalidToken(f"the token is not valid here ({type(error).__name__})") from None
    video = claims.get("video") or {}
    grants = Grants(
        room=str(video.get("room", "")),
        room_join=bool(video.get("roomJoin", False)),
        can_publish=bool(video.get("canPublish", True)),
        can_subscribe=bool(video.get("canSubscribe", True)),
        can_publish_data=bool(video.get("canPublishData", video.get("canPublish", True))),
        hidden=bool(video.get("hidden", False)),
        recorder=bool(video.get("recorder", False)),
        room_admin=bool(video.get("roomAdmin", False)),
        room_list=bool(video.get("roomList", False)),
        room_create=bool(video.get("roomCreate", False)),
        can_update_own_metadata=bool(video.get("canUpdateOwnMetadata", False)),
        can_publish_sources=tuple(
            str(name) for name in video.get("canPublishSources") or () if str(name).upper() in SOURCES
        ),
    )
    return Identity(
        identity=str(claims.get("sub", "")),
        name=str(claims.get("name") or claims.get("sub", "")),
        metadata=str(claims.get("metadata") or ""),
        grants=grants,
        expires_at=float(claims["exp"]),
        issued_at=float(claims.get("iat") or claims.get("nbf") or 0),
        attributes={str(key): str(value) for key, value in (claims.get("attributes") or {}).items()},
    )
