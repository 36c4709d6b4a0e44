"""The blocking twins of `spnb._connect`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import asynchronous, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from spnb.config import AuthToken, Kind, VisitorSigner, WatchKey
    from spnb.ice import IceServers
    from spnb.sandbox import SandboxInfo
    from spnb.sync.client.client import Client
    from spnb.sync.live.room import LiveRoom


__all__ = ["connect"]


def connect(
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
    sandbox: bool | SandboxInfo | Client[Any] | None = None,
    proxy: str | None = None,
    verify: bool | str | Path = True,
    timeout: float = 30.0,
    ice_servers: IceServers | None = None,
) -> Client[LiveRoom]:
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
    from spnb._connect import connect_async

    found: Client[LiveRoom] = blocking(
        run(
            connect_async(
                user_id,
                api_key=api_key,
                region=region,
                url=url,
                auth_token=auth_token,
                display_name=display_name,
                kind=kind,
                visitor_signature=visitor_signature,
                watch_key=watch_key,
                sandbox=asynchronous(sandbox),
                proxy=proxy,
                verify=verify,
                timeout=timeout,
                ice_servers=ice_servers,
            )
        )
    )
    return found
