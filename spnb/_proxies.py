"""Native code asks the environment for a proxy, and knows no exceptions: LiveKit's SDK not at all, FFmpeg few.

What Python's own libraries do holds for it too: this machine is asked directly, and so is what `NO_PROXY` names.
"""

from __future__ import annotations

import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from spnb.config import is_loopback

__all__ = ["proxy_of", "through", "without_proxy"]

NAMES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_guard = threading.Lock()
_hidden: dict[str, str] = {}
_holders = 0


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for an address, as it stands there; None where it is asked directly."""
    parts = urlsplit(url)
    if is_loopback(url) or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    with _guard:
        known = {**_hidden, **{name: os.environ[name] for name in NAMES if name in os.environ}}
    kind = "https" if parts.scheme in ("https", "wss", "rtmps") else "http"
    for name in (f"{kind}_proxy", "all_proxy"):
        named = known.get(name) or known.get(name.upper())
        if named:
            return named if "://" in named else f"http://{named}"
    return None


def through(url: str) -> str:
    """Words that name the proxy an address is asked through, for messages; empty where it is asked directly."""
    proxy = proxy_of(url)
    if proxy is None:
        return ""
    parts = urlsplit(proxy)
    host = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    return f" through the proxy {host} (NO_PROXY names exceptions)"


@contextmanager
def without_proxy(url: str) -> Iterator[None]:
    """Where `url` is to be asked directly, the environment names no proxy meanwhile: it would see the token, and could
    not reach us."""
    global _holders
    if proxy_of(url) is not None:
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
