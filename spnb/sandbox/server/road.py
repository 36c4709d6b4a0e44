"""The socket by which a Jupyter server leads its pages here: `{base}/spnb/…`, jupyter-server-proxy's named server."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FILE", "road_socket"]

log = logging.getLogger(__name__)

FILE = "road.sock"
LONGEST_PATH = 100
"""Unix sockets have short names: 108 bytes on Linux, 104 on macOS."""


@contextlib.contextmanager
def road_socket(path: Path | None) -> Iterator[socket.socket | None]:
    """A bound socket at `path`, in a folder that only this user may enter; taken away at the end.

    None where there is none to be had: pages then have other ways.
    """
    if path is None or sys.platform == "win32" or len(bytes(path)) > LONGEST_PATH:
        yield None
        return
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # One sandbox runs for a folder at a time: what lies there is of one that was killed.
        path.unlink(missing_ok=True)
        listener.bind(str(path))
    except OSError as error:
        log.warning("pages cannot come by the Jupyter server's named road: %s", error)
        listener.close()
        yield None
        return
    try:
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)
