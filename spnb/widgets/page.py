"""The way from the kernel to one page: commands with answers, and what happens when the page goes away.

A notebook may be open in several tabs: each view names itself, one of them holds the camera, and only that one is
commanded.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

__all__ = ["PageLink"]


class PageLink:
    """A `PageChannel` over a widget's messages. Lives on the background loop.

    Args:
        send: sends a message to all pages; only the one it names heeds it.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._came = asyncio.Event()
        self.client = ""
        """The page that holds the camera; empty where none does."""

    def hold(self, client: str) -> None:
        """This page holds the camera from now on."""
        self.client = client
        self._came.set()

    def release(self, client: str) -> bool:
        """This page is gone or has let go. Returns whether it was the one."""
        if not client or client != self.client:
            return False
        self.client = ""
        self._came.clear()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result({"ok": False, "reason": "the page was closed"})
        return True

    async def ask(self, command: str, *, timeout: float, **content: Any) -> dict[str, Any]:
        """Send a command to the page that holds the camera, once there is one, and wait for its answer."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(timeout):
                await self._came.wait()
                self._send({"type": command, "client": self.client, "ask": number, **content})
                return await answer
        finally:
            del self._waiting[number]

    def tell(self, command: str, **content: Any) -> None:
        """Send a command without waiting."""
        if self.client:
            self._send({"type": command, "client": self.client, **content})

    def answered(self, content: dict[str, Any]) -> None:
        """A page's answer to a command."""
        waiting = self._waiting.get(content.get("ask") or 0)
        if waiting is not None and not waiting.done():
            waiting.set_result(content)
