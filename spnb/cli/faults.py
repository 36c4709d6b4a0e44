"""`spnb faults`: make a running sandbox misbehave, and mend it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from spnb.sandbox.control.faults import Fault
    from spnb.sync.sandbox.control.faults import Faults

__all__ = ["faults"]

faults = App(name="faults", help="Make a running sandbox misbehave on demand, and mend it.")
Url = Annotated[str | None, Parameter(help="Address of the sandbox [default: SOCIALPLUS_URL, else your own sandbox].")]
Key = Annotated[str | None, Parameter(help="Its API key [default: SOCIALPLUS_API_KEY].")]


@faults.command(name="list")
def list_faults(*, url: Url = None, key: Key = None) -> int:
    """Show the faults that are on, and how often each has struck."""
    _show(_reached(url, key).active())
    return 0


@faults.command
def add(
    kind: str,
    *,
    where: Literal["mqtt", "webhook"] | None = None,
    match: str = "*",
    times: int | None = None,
    share: float = 1.0,
    seconds: float | None = None,
    retry_after: float | None = None,
    seed: int = 0,
    url: Url = None,
    key: Key = None,
) -> int:
    """Switch a fault on.

    Args:
        kind: of requests `rate-limit` (429), `server-error` (500), `bad-gateway` (502), `timeout`, `lost-answer`
            (carried out, not answered); of events `drop`, `double`, `delay`, `reorder`.
        where: for events, which way is struck [default: mqtt].
        match: pattern of what is struck, e.g. "POST /api/v1/rooms" or "room.*".
        times: how often it strikes [default: for ever].
        share: which part of what matches, 0 to 1.
        seconds: how long a request stays unanswered, or an event is late or held.
        retry_after: seconds of the Retry-After header of a 429 [default: no header].
        seed: the same seed strikes alike.
    """
    reached = _reached(url, key)
    reached.add(
        kind,
        where=where,
        match=match,
        times=times,
        share=share,
        seconds=seconds,
        retry_after=retry_after,
        seed=seed,
    )
    _show(reached.active())
    return 0


@faults.command
def clear(fault: str | None = None, *, url: Url = None, key: Key = None) -> int:
    """Switch all faults off, or one.

    Args:
        fault: id of the one, as `spnb faults list` shows it.
    """
    reached = _reached(url, key)
    if fault is None:
        reached.clear()
    else:
        reached.remove(fault)
    _show(reached.active())
    return 0


@faults.command
def cut(
    what: Literal["signalling", "transports", "viewers", "realtime"],
    *,
    room: str | None = None,
    url: Url = None,
    key: Key = None,
) -> int:
    """Cut connections now: LiveKit signalling, media transports, who watches by WebRTC, or MQTT.

    Args:
        what: which kind.
        room: only of this room id.
    """
    count = _reached(url, key).cut(what, room)
    _say(f"cut {count} connection{'' if count == 1 else 's'}")
    return 0


@faults.command
def expire(what: Literal["access", "livekit"], *, user: str | None = None, url: Url = None, key: Key = None) -> int:
    """Let tokens expire now.

    Args:
        what: access tokens, or LiveKit's.
        user: for access tokens, only those of this user.
    """
    _reached(url, key).expire(what, user)
    _say("tokens made so far have expired")
    return 0


def _reached(url: str | None, key: str | None) -> Faults:
    import spnb.sandbox
    from spnb.errors import ConfigError

    url = url or os.environ.get("SOCIALPLUS_URL")
    key = key or (os.environ.get("SOCIALPLUS_API_KEY") if url else None)
    if url and not key:
        raise ConfigError("an address goes with a key: give --key, or set SOCIALPLUS_API_KEY")
    if url:
        return spnb.sandbox.faults(url=url, api_key=key)
    # The sandbox one's notebooks share; a fresh one would have nothing to strike and end by itself.
    return spnb.sandbox.faults(spnb.sandbox.running())


def _say(text: str) -> None:
    from rich.console import Console

    Console().print(text, markup=False, highlight=False)


def _show(active: list[Fault]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not active:
        _say("no faults: the sandbox is healthy")
        return
    table = Table(title=f"{len(active)} fault{'' if len(active) == 1 else 's'}")
    for column in ("id", "kind", "where", "match", "share", "struck", "left"):
        table.add_column(column)
    for fault in active:
        left = "for ever" if fault.left is None else str(fault.left)
        cells = (fault.fault_id, fault.kind, fault.where, fault.match, f"{fault.share:.0%}", str(fault.hits), left)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
