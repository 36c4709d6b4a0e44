"""Leases: whoever uses a shared sandbox holds one, an open connection that ends with its holder, however that ends.

A sandbox that was killed and is there again, at another address perhaps, is held again by all that held it: else it
would end for want of users under those that have found it.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from spnb._patience import patience
from spnb.errors import SandboxError

__all__ = ["hold", "let_go"]

log = logging.getLogger(__name__)

FIRST_LOOK, LONGEST_LOOK = 0.5, 5.0
"""Seconds between looks for a sandbox that has gone; they double."""


class Held(Protocol):
    """What is held: where a sandbox is, and its key."""

    @property
    def url(self) -> str: ...

    @property
    def api_key(self) -> str: ...


_quiet = logging.getLogger(f"{__name__}.quiet")
_quiet.addFilter(lambda record: record.levelno > logging.DEBUG)  # the handshake's lines at DEBUG hold the key


class _Lease:
    """A lease on the sandbox of one folder, wherever it runs.

    Args:
        sandbox: where it runs now.
        find: tells where it runs; None while it does not.

    Raises:
        SandboxError: it could not be joined.
    """

    def __init__(self, sandbox: Held, find: Callable[[], Held | None]) -> None:
        self._find = find
        self._closing = threading.Event()
        self._connection = _joined(sandbox)
        self.url = sandbox.url
        threading.Thread(target=self._keep, name="spnb-lease", daemon=True).start()

    @property
    def lost(self) -> bool:
        """Whether the sandbox has gone, and was not found again yet."""
        return self._connection.state.name != "OPEN"

    def _keep(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(WebSocketException, OSError):
                self._connection.recv()  # it says nothing: this ends when the connection does
            wait = FIRST_LOOK
            while not self._closing.wait(wait):
                wait = min(LONGEST_LOOK, wait * 2)
                try:
                    found = self._find()
                    if found is not None:
                        self._connection = _joined(found)
                        self.url = found.url
                        log.info("the sandbox is there again, at %s", found.url)
                        break
                except SandboxError as error:
                    log.info("the sandbox is not there again: %s", error)

    def close(self) -> None:
        """Let go."""
        self._closing.set()
        # At exit the sandbox may be gone already; there is nobody left to tell.
        with contextlib.suppress(OSError):
            self._connection.close()


_leases: dict[Path, _Lease] = {}


def hold(folder: Path, sandbox: Held, find: Callable[[], Held | None]) -> None:
    """Keep the sandbox of a folder running for as long as this process lives.

    Args:
        folder: whose sandbox it is.
        sandbox: where it runs now.
        find: tells where it runs, when it has gone.

    Raises:
        SandboxError: it could not be joined.
    """
    known = _leases.get(folder)
    if known is not None:
        if known.url == sandbox.url and not known.lost:
            return
        known.close()
    _leases[folder] = _Lease(sandbox, find)


def let_go(folder: Path) -> None:
    """Hold the sandbox of a folder no longer, where it was held."""
    lease = _leases.pop(folder, None)
    if lease is not None:
        lease.close()


def _joined(sandbox: Held) -> ClientConnection:
    try:
        return connect(
            f"ws{sandbox.url[4:]}/sandbox/lease",
            additional_headers={"X-API-Key": sandbox.api_key},
            proxy=None,
            open_timeout=patience(sandbox.url),
            # Its end is heard by the connection's; one that is slow to answer a ping has not ended.
            ping_interval=None,
            logger=_quiet,
        )
    except (OSError, WebSocketException) as error:
        raise SandboxError(f"the sandbox at {sandbox.url} could not be joined: {type(error).__name__}") from None


_left_to_parent: list[dict[Path, _Lease]] = []


def _forked() -> None:
    """A child of `os.fork` holds nothing: to close what it sees would end the sandbox under its parent."""
    _left_to_parent.append(dict(_leases))
    _leases.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@atexit.register
def _let_all_go() -> None:
    for lease in _leases.values():
        lease.close()
    _leases.clear()
