"""Which media server a sandbox uses, from one word: the embedded one, a livekit-server it starts, or a deployment."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spnb.errors import SandboxError

__all__ = ["Deployment", "Embedded", "OwnServer", "choose", "find_binary"]


@dataclass(frozen=True, slots=True)
class Embedded:
    """The media server of the sandbox's own process."""


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A `livekit-server` binary that the sandbox starts and ends."""

    binary: Path


@dataclass(frozen=True, slots=True)
class Deployment:
    """A LiveKit server that somebody else runs."""

    url: str
    api_key: str
    api_secret: str = field(repr=False)


def choose(word: str, environ: Mapping[str, str]) -> Embedded | OwnServer | Deployment:
    """Read the word of `--livekit`, else `SPNB_LIVEKIT`, else the deployment that `LIVEKIT_URL` names.

    Args:
        word: `embedded`; `auto`, a livekit-server where one is found, else embedded; the path or name of a binary; or
            the `ws://` or `wss://` address of a deployment, whose key pair is in `LIVEKIT_API_KEY` and
            `LIVEKIT_API_SECRET`. Empty leaves it to the environment; nothing said anywhere is `embedded`.
        environ: environment variables.

    Raises:
        SandboxError: the word leads nowhere, or the key pair of a deployment is missing.
    """
    word = word or environ.get("SPNB_LIVEKIT", "")
    url, key, secret = (environ.get(f"LIVEKIT_{name}", "") for name in ("URL", "API_KEY", "API_SECRET"))
    if not word and url and key and secret:
        return Deployment(url, key, secret)
    if word in ("", "embedded"):
        return Embedded()
    if word == "auto":
        found = find_binary(environ)
        return OwnServer(found) if found is not None else Embedded()
    if word.startswith(("ws://", "wss://")):
        if not key or not secret:
            raise SandboxError(f"LiveKit at {word} needs its key pair: set LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
        return Deployment(word.rstrip("/"), key, secret)
    binary = shutil.which(Path(word).expanduser(), path=environ.get("PATH"))
    if binary is None:
        raise SandboxError(
            f"livekit {word!r} is no program that can be run: give auto, embedded, the path of a livekit-server,"
            " or the ws:// address of a deployment"
        )
    return OwnServer(Path(binary))


def find_binary(environ: Mapping[str, str]) -> Path | None:
    """The livekit-server of this machine: the one `SPNB_LIVEKIT_SERVER` names, else the one on the PATH.

    Raises:
        SandboxError: `SPNB_LIVEKIT_SERVER` names something that cannot be run.
    """
    named = environ.get("SPNB_LIVEKIT_SERVER")
    found = shutil.which(named or "livekit-server", path=environ.get("PATH"))
    if named and found is None:
        raise SandboxError(f"SPNB_LIVEKIT_SERVER is {named!r}, which is no program that can be run")
    return Path(found) if found else None
