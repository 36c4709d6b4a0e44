"""Native code asks the environment for a proxy, and knows no exceptions: LiveKit's SDK not at all, FFmpeg few.

What Python's own libraries do holds for it too: this machine is asked directly, and so is what `NO_PROXY` names.
"""

from __future__ import annotations

import asyncio
import os
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from spnb.config import is_loopback

__all__ = ["directly", "enter", "proxy_of", "through", "without_proxy"]

NAMES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
ASKED_DIRECTLY = ("rtmp", "rtsp", "srt")
"""FFmpeg knows no proxies for these."""
_guard = threading.Lock()
_holders: Counter[str] = Counter()
_leaving: set[asyncio.Future[None]] = set()


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for an address, as it stands there; None where it is asked directly."""
    parts = urlsplit(url)
    if parts.scheme in ASKED_DIRECTLY or is_loopback(url) or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    kind = "https" if parts.scheme in ("https", "wss", "rtmps") else "http"
    for name in (f"{kind}_proxy", "all_proxy"):
        named = os.environ.get(name) or os.environ.get(name.upper())
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


def _hidden(url: str, names: tuple[str, ...]) -> Callable[[], None]:
    """Hide a proxy from native code where `url` is to be asked directly: it would see the token, and could not reach
    us. What Python reads, `os.environ`, stays as it is. What comes back ends it, once."""
    return (lambda: None) if proxy_of(url) is not None else _hide(names)


def _hide(names: tuple[str, ...]) -> Callable[[], None]:
    held = list(names)
    with _guard:
        _holders.update(held)
        for name in held:
            os.unsetenv(name)

    def end() -> None:
        with _guard:
            while held:
                name = held.pop()
                _holders[name] -= 1
                if not _holders[name] and name in os.environ:
                    os.putenv(name, os.environ[name])

    return end


@contextmanager
def directly() -> Iterator[None]:
    """Native code finds no proxy meanwhile."""
    end = _hide(NAMES)
    try:
        yield
    finally:
        end()


@contextmanager
def without_proxy(url: str) -> Iterator[None]:
    """Where `url` is to be asked directly, native code finds no proxy meanwhile."""
    end = _hidden(url, NAMES)
    try:
        yield
    finally:
        end()


async def enter(room: Any, url: str, token: str, *options: Any) -> None:
    """Connect an `rtc.Room`, by a proxy or directly, and have it connect again the same way for as long as it is in.

    The SDK connects again by itself, so what would lead it to a proxy stays hidden from it until it is out; programs
    that are started meanwhile do not find `HTTP_PROXY` either, where LiveKit is asked without TLS.

    Raises:
        livekit.rtc.ConnectError: LiveKit refused, or is not reachable.
    """
    kind = "HTTPS" if urlsplit(url).scheme in ("https", "wss") else "HTTP"
    end = _hidden(url, tuple(name for name in NAMES if name.upper() in (f"{kind}_PROXY", "ALL_PROXY")))
    room.on("disconnected", lambda *_: end())
    # The SDK's attempt cannot be called off: who waits no longer leaves it to its end, and so does what is hidden.
    entering = asyncio.ensure_future(room.connect(url, token, *options))
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(lambda _done: _leave(room, entering, end))
        raise
    except BaseException:
        end()
        raise


def _leave(room: Any, entering: asyncio.Future[None], end: Callable[[], None]) -> None:
    """Nobody wants to be in a room any more that has been entered, or has not."""
    if entering.cancelled():
        return  # the loop itself ends, and the SDK may still be at it
    if entering.exception() is not None:
        end()
        return
    leaving = asyncio.ensure_future(room.disconnect())
    _leaving.add(leaving)
    leaving.add_done_callback(_leaving.discard)
