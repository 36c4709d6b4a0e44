"""`connect_async()`: puts client, live rooms and broadcast together, for the real service or the sandbox."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked
from spnb._loop import on_loop
from spnb._opening import entered_or_awaited
from spnb.client import AsyncClient
from spnb.client.session import Whereabouts
from spnb.client.watch_key import private_key, throwaway
from spnb.config import (
    AuthToken,
    Credentials,
    Endpoints,
    Kind,
    Network,
    VisitorSigner,
    WatchKey,
    credentials_from_environment,
    is_loopback,
)
from spnb.errors import ConfigError, SandboxError
from spnb.ice import IceServers
from spnb.ice import ice_servers as ice_servers_of
from spnb.live import AsyncLiveRoom
from spnb.live.hooks import in_force

if TYPE_CHECKING:
    from spnb.sandbox import SandboxInfo

__all__ = ["connect_async"]

SANDBOX_USER = "host"


@entered_or_awaited
@on_loop
@partial(checked, refusing=ConfigError, leaving=["sandbox"])
async def connect_async(
    user_id: str | None = None,
    *,
    api_key: str | None = None,
    region: str | None = None,
    url: str | None = None,
    auth_token: AuthToken | None = None,
    display_name: str | None = None,
    kind: Kind = "user",
    visitor_signature: VisitorSigner | None = None,
    watch_key: WatchKey | None = None,
    sandbox: bool | SandboxInfo | AsyncClient[Any] | None = None,
    proxy: str | None = None,
    verify: bool | str | Path = True,
    timeout: float = 30.0,
    ice_servers: IceServers | None = None,
) -> AsyncClient[AsyncLiveRoom]:
    """Connect and log in.

    social.plus: `Client.createClient`, `Client.login`, `Client.loginAsVisitor`, `Client.loginAsBot`.

    With an API key, from the arguments or from the environment (`SOCIALPLUS_API_KEY`, `SOCIALPLUS_USER_ID`, optionally
    `SOCIALPLUS_REGION` and `SOCIALPLUS_AUTH_TOKEN`, or a key in the keyring), it is the real service; else this
    user's sandbox, which is started where it does not run. The client's repr says which.

    Args:
        user_id: the user to act as; in the sandbox `host` without it.
        api_key: the network's key.
        region: `us`, `eu` or `sg`.
        url: one address for REST, uploads and MQTT instead of a region's, e.g. that of a sandbox.
        auth_token: for networks in secure mode: the token, or a function (it may be async) that gives a fresh one for
            each login; so the connection lives on when the first has expired.
        display_name: shown to others.
        kind: `visitor` or `bot` logs in without a user id, to read only: the service gives them 100 reads a day.
        visitor_signature: for visitors of networks in secure mode: a function (it may be async) that gives the
            `spnb.client.VisitorSignature` of the device id that it is called with, at each login.
        watch_key: signs what is told of how long was watched (`presence.report()`): an RSA key of yours in PEM, or the
            path of a file with one; without it what `SOCIALPLUS_WATCH_KEY` holds.
        sandbox: True takes the sandbox whatever the environment says, False never takes it; what
            `spnb.sandbox.start()` gave, or a client of a sandbox, takes that very one.
        proxy: of REST and real time, `http://host:port`; without it what the environment names.
        verify: False believes any certificate; a file or folder of certificates is trusted instead of the usual ones.
        timeout: seconds until a request counts as lost.
        ice_servers: STUN and TURN servers for what is sent and previewed, in place of those that LiveKit names:
            `["turns:user:password@host:5349?transport=tcp"]`, or mappings as WebRTC's `RTCIceServer`; without it what
            `SPNB_ICE_SERVERS` names.

    Returns:
        A client that hands out live rooms.

    Raises:
        ConfigError: what was given does not fit together.
        Unauthorized, Unreachable, SandboxError: the login, the way to the service, or the sandbox failed.
    """
    if user_id is not None and not user_id.strip():
        raise ConfigError("user_id must not be empty: name the user to act as")
    if not timeout > 0:
        raise ConfigError(f"timeout is how many seconds an answer may take, more than 0, not {timeout:g}")
    if kind not in ("user", "visitor", "bot"):
        raise ConfigError(f"kind is 'user', 'visitor' or 'bot', not {kind!r}")
    if visitor_signature is not None and (kind != "visitor" or not callable(visitor_signature)):
        raise ConfigError("visitor_signature is a function of the device id, and goes with kind='visitor'")
    if kind != "user":
        if user_id or auth_token or display_name:
            raise ConfigError(f"a {kind} goes by no user id, name or auth token: the service names it")
        user_id = kind
    ways = ice_servers_of(ice_servers)
    name, endpoints, credentials, whereabouts = await _destination(
        user_id,
        api_key=api_key,
        region=region,
        url=url,
        auth_token=auth_token,
        display_name=display_name,
        watch_key=watch_key or os.environ.get("SOCIALPLUS_WATCH_KEY"),
        sandbox=sandbox,
    )
    if kind != "user":
        credentials = replace(credentials, kind=kind, user_id="", display_name=None, auth_token=None)
        credentials = replace(credentials, visitor_signature=visitor_signature)
    if isinstance(credentials.watch_key, str | Path):
        private_key(credentials.watch_key)  # what is none is told now, not when an evening's watching is to be reported
    client: AsyncClient[AsyncLiveRoom] = AsyncClient(
        endpoints,
        credentials,
        name=name,
        room_factory=AsyncLiveRoom,
        whereabouts=whereabouts,
        network=Network(proxy, verify if isinstance(verify, bool) else str(verify), timeout, ways),
    )
    try:
        await client.login()
    except BaseException:
        await client.aclose()
        raise
    await in_force(client)
    return client


async def _destination(
    user_id: str | None,
    *,
    api_key: str | None,
    region: str | None,
    url: str | None,
    auth_token: AuthToken | None,
    display_name: str | None,
    watch_key: WatchKey | None,
    sandbox: bool | SandboxInfo | AsyncClient[Any] | None,
) -> tuple[str, Endpoints, Credentials, Whereabouts | None]:
    if sandbox not in (None, False) and (api_key or region or url):
        raise ConfigError("sandbox=… goes without api_key, region and url")
    if not (sandbox is None or isinstance(sandbox, bool)):
        return await _that_sandbox(sandbox, user_id, display_name, auth_token, watch_key)
    if not sandbox:
        if api_key:
            # Argument by argument: what is not given, the environment may name.
            address = url or (None if region else os.environ.get("SOCIALPLUS_URL"))
            place = region or os.environ.get("SOCIALPLUS_REGION") or "us"
            endpoints = Endpoints.of_url(address) if address else Endpoints.of_region(place)
            user_id = user_id or os.environ.get("SOCIALPLUS_USER_ID")
            if not user_id:
                raise ConfigError("name the user to act as: connect('user id', api_key=…)")
            auth_token = auth_token or os.environ.get("SOCIALPLUS_AUTH_TOKEN")
            display_name = display_name or os.environ.get("SOCIALPLUS_DISPLAY_NAME")
            return (
                _named(endpoints),
                endpoints,
                Credentials(api_key, user_id, display_name, auth_token, watch_key=watch_key),
                None,
            )
        found = credentials_from_environment(user_id=user_id)
        if found is None and (region or url):
            raise ConfigError("a region or url goes with an api_key")
        if found is not None:
            endpoints, known = found
            if region or url:
                endpoints = Endpoints.of_url(url) if url else Endpoints.of_region(region or "us")
            credentials = Credentials(
                known.api_key,
                user_id or known.user_id,
                display_name or known.display_name,
                auth_token or known.auth_token,
                watch_key=watch_key,
            )
            return _named(endpoints), endpoints, credentials, None
        if sandbox is False:
            raise ConfigError("no credentials: set SOCIALPLUS_API_KEY and SOCIALPLUS_USER_ID, or pass api_key")
    import asyncio

    from spnb.sandbox import ensure

    info = await asyncio.to_thread(ensure)
    credentials = _credentials(info, user_id, display_name, auth_token, watch_key)
    return "sandbox", Endpoints.of_url(info.url), credentials, OWN_SANDBOX


def _named(endpoints: Endpoints) -> str:
    """What the client's repr says: only a sandbox is reached on this machine itself."""
    return "sandbox" if is_loopback(endpoints.rest) else "social.plus"


async def _that_sandbox(
    sandbox: object,
    user_id: str | None,
    display_name: str | None,
    auth_token: AuthToken | None,
    watch_key: WatchKey | None,
) -> tuple[str, Endpoints, Credentials, None]:
    import asyncio

    from spnb.sandbox import SandboxInfo
    from spnb.sandbox.control.target import client_of, reached

    if not isinstance(sandbox, SandboxInfo) and client_of(sandbox) is None:
        raise ConfigError(
            "sandbox=… is True, False, what spnb.sandbox.start() gave, or a client of a sandbox,"
            f" not {type(sandbox).__name__}"
        )
    info = await asyncio.to_thread(reached, sandbox)
    credentials = _credentials(info, user_id, display_name, auth_token, watch_key)
    return "sandbox", Endpoints.of_url(info.url), credentials, None


def _credentials(
    info: SandboxInfo,
    user_id: str | None,
    display_name: str | None,
    auth_token: AuthToken | None,
    watch_key: WatchKey | None,
) -> Credentials:
    return Credentials(
        info.api_key, user_id or SANDBOX_USER, display_name, auth_token, watch_key=watch_key or throwaway
    )


async def _own_sandbox() -> tuple[Endpoints, str] | None:
    """Where this user's sandbox runs now; it is not started."""
    import asyncio

    from spnb.sandbox import running

    try:
        info = await asyncio.to_thread(running)
    except SandboxError:
        return None
    return Endpoints.of_url(info.url), info.api_key


OWN_SANDBOX = Whereabouts(_own_sandbox, "your sandbox does not run; spnb.connect() starts it, with all that it held")
