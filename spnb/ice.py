"""STUN and TURN servers: the ways of media through networks that let nothing pass straight."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from spnb.errors import ConfigError

__all__ = ["IceServer", "IceServers", "ice_servers"]

IceServers = str | Iterable[str | Mapping[str, Any]]
"""As `spnb.connect(ice_servers=…)` takes them."""

ENVIRONMENT = "SPNB_ICE_SERVERS"
RELAYS = ("turn", "turns")
SCHEMES = ("stun", "stuns", *RELAYS)


@dataclass(frozen=True, slots=True)
class IceServer:
    """One server; a relay (TURN) wants a name and a password."""

    urls: tuple[str, ...]
    username: str | None = field(default=None, repr=False)
    credential: str | None = field(default=None, repr=False)

    def plain(self) -> dict[str, Any]:
        """As browsers take it (WebRTC's `RTCIceServer`). Secret, where there is a password."""
        found: dict[str, Any] = {"urls": list(self.urls)}
        if self.username is not None:
            found |= {"username": self.username, "credential": self.credential}
        return found


def ice_servers(given: IceServers | None = None) -> tuple[IceServer, ...]:
    """Servers from what was given, else from `SPNB_ICE_SERVERS`; none where neither names any.

    Args:
        given: addresses as RFC 7064 and 7065 write them, `stun:host:port` or `turns:host:port?transport=tcp`, with
            `user:password@` before the host of a relay; or what WebRTC calls an `RTCIceServer`, a mapping with `urls`,
            `username` and `credential`. The environment holds addresses with spaces or commas between, or such mappings
            as JSON.

    Raises:
        ConfigError: something is none.
    """
    words = os.environ.get(ENVIRONMENT, "").strip() if given is None else given
    if isinstance(words, str):
        listed: Iterable[Any] = _listed(words)
    elif isinstance(words, Mapping):
        listed = [words]
    else:
        listed = words
    return tuple(_server(each) for each in listed)


def _listed(words: str) -> list[Any]:
    if not words.lstrip().startswith(("[", "{")):
        return words.replace(",", " ").split()
    try:
        found = json.loads(words)
    except ValueError:
        raise ConfigError(f"{ENVIRONMENT} begins like JSON and is none") from None
    return found if isinstance(found, list) else [found]


def _server(given: object) -> IceServer:
    if isinstance(given, str):
        scheme, _, rest = given.partition(":")
        who, _, host = rest.rpartition("@")
        name, _, password = who.partition(":")
        return _checked([f"{scheme}:{host}"], unquote(name) or None, unquote(password) or None)
    if isinstance(given, Mapping):
        urls = given.get("urls") or given.get("url") or []
        return _checked([urls] if isinstance(urls, str) else list(urls), given.get("username"), given.get("credential"))
    raise ConfigError(f"an ICE server is an address or a mapping with 'urls', not {type(given).__name__}")


def _checked(urls: list[Any], username: Any, credential: Any) -> IceServer:
    for url in urls:
        scheme, _, host = str(url).partition(":")
        if scheme not in SCHEMES or not host.partition("?")[0] or "/" in host.partition("?")[0]:
            raise ConfigError(f"the address of an ICE server begins with {', '.join(SCHEMES)}:, as turn:host:3478 does")
        if scheme in RELAYS and not (isinstance(username, str) and isinstance(credential, str)):
            raise ConfigError(f"a relay wants a name and a password: {scheme}:user:password@{host}")
    if not urls:
        raise ConfigError("an ICE server has an address under 'urls'")
    return IceServer(tuple(map(str, urls)), username, credential)
