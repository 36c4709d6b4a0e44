"""LiveKit's native SDK asks the environment for a proxy, and knows no exceptions: calls to this machine need one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from spnb.config import is_loopback

__all__ = ["without_proxy"]

NAMES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_guard = threading.Lock()
_hidden: dict[str, str] = {}
_holders = 0


@contextmanager
def without_proxy(url: str) -> Iterator[None]:
    """Where `url` names this machine, the environment names no proxy for plain connections meanwhile: it would see the
    token, and could not reach us."""
    global _holders
    if not is_loopback(url):
        yield
        return
    with _guard:
        _holders += 1
        _hidden.update({name: os.environ.pop(name) for name in NAMES if name in os.environ})
    try:
        yield
    finally:
        with _guard:
            _holders -= 1
            if not _holders:
                for name, value in _hidden.items():
                    os.environ.setdefault(name, value)
                _hidden.clear()
