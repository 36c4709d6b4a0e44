"""Where to connect and as whom: `Endpoints` and `Credentials`, from arguments, the environment, or a keyring."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import urlsplit

from spnb.errors import ConfigError

__all__ = ["REGIONS", "Credentials", "Endpoints", "Region", "credentials_from_environment", "is_loopback"]

Region = Literal["us", "eu", "sg"]
REGIONS: tuple[str, ...] = get_args(Region)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The three addresses of a service: REST, uploads and MQTT over WebSocket (no trailing slash)."""

    rest: str
    upload: str
    mqtt: str

    @classmethod
    def of_region(cls, region: str) -> Endpoints:
        """The public hosts of a social.plus region (`us`, `eu` or `sg`)."""
        if region not in REGIONS:
            raise ConfigError(f"unknown region {region!r}: choose one of {', '.join(REGIONS)}")
        return cls(
            rest=f"https://apix.{region}.amity.co",
            upload=f"https://upload.{region}.amity.co",
            mqtt=f"wss://sse.{region}.amity.co:443/mqtt",
        )

    @classmethod
    def of_url(cls, url: str) -> Endpoints:
        """All three on one origin, as the sandbox serves them: `http://host:port`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError(f"{url!r} is no http(s) address of a service")
        base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        return cls(rest=base, upload=base, mqtt=f"ws{base[4:]}/mqtt")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key and a user. Secrets stay out of the repr."""

    api_key: str = field(repr=False)
    user_id: str
    display_name: str | None = None
    auth_token: str | None = field(default=None, repr=False)
    """Only for networks in secure mode."""
    device_id: str | None = None
    """A second user on the same device id ends the first one's session: leave None to get a fresh one."""
    watch_key: str | None = field(default=None, repr=False)
    """Signs watch sessions. The service's own key lies inside the vendor's SDKs: it is never shipped here."""


def is_loopback(url: str) -> bool:
    """Whether an address names this machine itself: calls there go through no proxy, and need no TLS."""
    try:
        host = urlsplit(url).hostname or ""
        if host == "localhost":
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def credentials_from_environment(
    environ: Mapping[str, str] | None = None,
) -> tuple[Endpoints, Credentials] | None:
    """The real service's address and credentials, or None where the environment names none.

    Reads `SOCIALPLUS_API_KEY`, `SOCIALPLUS_USER_ID`, and optionally `SOCIALPLUS_REGION` (default `us`),
    `SOCIALPLUS_AUTH_TOKEN`, `SOCIALPLUS_DISPLAY_NAME`, `SOCIALPLUS_WATCH_KEY` and `SOCIALPLUS_URL`
    (one origin for all three services).
    Where the key is missing and the `keyring` package is installed, the key stored under service `social.plus`,
    user `api-key`, is used.

    Raises:
        ConfigError: when a key is there but no user id, or the region is unknown.
    """
    env = os.environ if environ is None else environ
    key = env.get("SOCIALPLUS_API_KEY") or (_key_from_keyring() if environ is None else None)
    if not key:
        return None
    user = env.get("SOCIALPLUS_USER_ID")
    if not user:
        raise ConfigError("an API key is set but SOCIALPLUS_USER_ID is not: set it to the user to act as")
    url = env.get("SOCIALPLUS_URL")
    endpoints = Endpoints.of_url(url) if url else Endpoints.of_region(env.get("SOCIALPLUS_REGION") or "us")
    return endpoints, Credentials(
        api_key=key,
        user_id=user,
        display_name=env.get("SOCIALPLUS_DISPLAY_NAME"),
        auth_token=env.get("SOCIALPLUS_AUTH_TOKEN"),
        watch_key=env.get("SOCIALPLUS_WATCH_KEY"),
    )


def _key_from_keyring() -> str | None:
    if not os.environ.get("SOCIALPLUS_USER_ID"):
        # Without a user the key alone cannot log in; asking the keyring could open a prompt for nothing.
        return None
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    try:
        return keyring.get_password("social.plus", "api-key")
    except keyring.errors.KeyringError:
        return None
