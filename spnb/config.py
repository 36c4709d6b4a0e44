"""Where to connect and as whom: `Endpoints` and `Credentials`, from arguments, the environment, or a keyring."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import ipaddress
import math
import os
import ssl
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from spnb.errors import ConfigError, InvalidInput
from spnb.ice import IceServer

__all__ = [
    "REGIONS",
    "AuthToken",
    "Credentials",
    "Endpoints",
    "Kind",
    "Network",
    "Region",
    "VisitorSignature",
    "VisitorSigner",
    "WatchKey",
    "credentials_from_environment",
    "is_loopback",
]

AuthToken = str | Callable[[], "str | Awaitable[str]"]
"""What a network in secure mode wants at each login: a token, or what gives a fresh one; it may be async."""
Kind = Literal["user", "visitor", "bot"]
"""As what one logs in."""
WatchKey = str | Path | Callable[[], str]
"""What signs watch sessions: an RSA key in PEM, the path of a file with one, or what gives either."""
VisitorSigner = Callable[[str], "VisitorSignature | Awaitable[VisitorSignature]"]
"""What a network in secure mode wants at each login of a visitor: the signature of a device id; it may be async."""
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
class Network:
    """The way to the service: REST and real time take the same."""

    proxy: str | None = field(default=None, repr=False)
    """`http://host:port`, with `user:password@` where it wants them; without it what the environment names
    (`HTTPS_PROXY`, `ALL_PROXY`, but not for `NO_PROXY`), and none for this machine itself."""
    verify: bool | str = True
    """Whether the service's certificate is checked; a file or folder of certificates is trusted instead of the usual
    ones (the system's, certifi's, and what `SSL_CERT_FILE` and `SSL_CERT_DIR` name)."""
    timeout: float = 30.0
    """Seconds until a request counts as lost."""
    ice_servers: tuple[IceServer, ...] = ()
    """Ways of media; without any, those that LiveKit names."""

    def proxy_for(self, url: str) -> str | None:
        """The proxy on the way to an address; None for the straight way."""
        if self.proxy is not None:
            return self.proxy
        parts = urlsplit(url)
        host = parts.hostname or ""
        if is_loopback(url) or urllib.request.proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
            return None
        named = urllib.request.getproxies()
        scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
        return named.get(scheme) or named.get("all")

    def trusted(self) -> ssl.SSLContext:
        """Which certificates are believed.

        Raises:
            ConfigError: the file of certificates cannot be read.
        """
        context = ssl.create_default_context()
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        import certifi

        where = certifi.where() if self.verify is True else self.verify
        if self.verify is not True:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            folder = Path(where).is_dir()
            context.load_verify_locations(cafile=None if folder else where, capath=where if folder else None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"verify={str(self.verify)!r} holds no certificates that can be read: {error}") from None
        return context


@dataclass(frozen=True, slots=True)
class VisitorSignature:
    """Lets one device into a network in secure mode as a visitor, until it ends. The signature stays out of the repr.

    social.plus: `authSignature` and `authSignatureExpiresAt` of `Client.loginAsVisitor`.
    """

    signature: str = field(repr=False)
    expires_at: str
    """As it was signed: an ISO time."""

    @classmethod
    def of(cls, secret: str, device_id: str, *, seconds: float = 600.0) -> VisitorSignature:
        """What a server that knows the network's visitor secret gives a device.

        Args:
            secret: the network's visitor secret, which belongs on a server only.
            device_id: what the function given as `connect(visitor_signature=…)` is called with.
            seconds: how long the device may be let in by it; the session it opens lasts longer.

        Raises:
            InvalidInput: there is no secret or no device, or it would be over at once.
        """
        if not secret or not device_id or not 0 < seconds < math.inf:
            raise InvalidInput("a visitor's signature takes the network's visitor secret, a device id, and seconds")
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        expires_at = ends.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return cls.until(secret, device_id, expires_at)

    @classmethod
    def until(cls, secret: str, device_id: str, expires_at: str) -> VisitorSignature:
        """What it is for an end that is written already; arguments as of `of`, and the ISO time as it is sent."""
        text = f"deviceId={device_id}&authSignatureExpiresAt={expires_at}"
        return cls(hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest(), expires_at)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key and a user. Secrets stay out of the repr."""

    api_key: str = field(repr=False)
    user_id: str
    display_name: str | None = None
    auth_token: AuthToken | None = field(default=None, repr=False)
    """Only for networks in secure mode; asked anew at every login where it is a function."""
    device_id: str | None = None
    """A second user on the same device id ends the first one's session: leave None to get a fresh one."""
    kind: Kind = "user"
    """`visitor` and `bot` only read, and go by no user id of yours: the service names them after their device."""
    visitor_signature: VisitorSigner | None = field(default=None, repr=False)
    """Lets a visitor into a network in secure mode; asked anew at every login."""
    watch_key: WatchKey | None = field(default=None, repr=False)
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
    environ: Mapping[str, str] | None = None, *, user_id: str | None = None
) -> tuple[Endpoints, Credentials] | None:
    """The real service's address and credentials, or None where the environment names none.

    Reads `SOCIALPLUS_API_KEY`, `SOCIALPLUS_USER_ID`, and optionally `SOCIALPLUS_REGION` (default `us`),
    `SOCIALPLUS_AUTH_TOKEN`, `SOCIALPLUS_DISPLAY_NAME`, `SOCIALPLUS_WATCH_KEY` and `SOCIALPLUS_URL`
    (one origin for all three services).
    Where the key is missing and the `keyring` package is installed, the key stored under service `social.plus`,
    user `api-key`, is used.

    Args:
        environ: the environment; the process's own without it.
        user_id: the user to act as, instead of the one that is set.

    Raises:
        ConfigError: when a key is there but no user id, or the region is unknown.
    """
    env = os.environ if environ is None else environ
    key = env.get("SOCIALPLUS_API_KEY") or (_key_from_keyring(user_id) if environ is None else None)
    if not key:
        return None
    user = user_id or env.get("SOCIALPLUS_USER_ID")
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


def _key_from_keyring(user_id: str | None) -> str | None:
    if not (user_id or os.environ.get("SOCIALPLUS_USER_ID")):
        # Without a user the key alone cannot log in; asking the keyring could open a prompt for nothing.
        return None
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    try:
        return keyring.get_password("social.plus", "api-key")
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return None  # it cannot be asked: locked, or of a user without a home folder
