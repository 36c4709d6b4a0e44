"""`Faults`: make the sandbox misbehave by hand, and see what strikes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import traitlets

from spnb.client import Client
from spnb.live import LiveRoom
from spnb.sandbox import SandboxInfo
from spnb.sandbox.control.faults import AsyncFaults
from spnb.widgets.base import STATIC, Widget

__all__ = ["Faults"]

LOOK_SECONDS = 2.0


class Faults(Widget):
    """Faults that are on in a sandbox, a form to add one, and buttons that cut connections and expire tokens.

    Args:
        client: a client of `spnb.connect()` that is connected to a sandbox.

    Raises:
        SandboxError: it is connected to the real service.
    """

    _esm = STATIC / "faults.js"
    active: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """`{id, kind, where, match, share, hits, left}` of each."""
    told = traitlets.Unicode("").tag(sync=True)
    """What the last button did, in words."""
    _ticker: asyncio.Task[None] | None = None

    def __init__(self, client: Client[LiveRoom] | SandboxInfo, **keywords: Any) -> None:
        self._control = AsyncFaults.of(client)
        super().__init__(**keywords)
        self._look = asyncio.Event()
        self._spawn(self._keep_fresh())

    async def _keep_fresh(self) -> None:
        self._ticker = asyncio.current_task()
        while self.comm is not None:
            self._look.clear()
            await self._refresh()
            try:
                # Only while something can strike is there anything to count.
                async with asyncio.timeout(LOOK_SECONDS if self.active else None):
                    await self._look.wait()
            except TimeoutError:
                continue

    async def _refresh(self) -> None:
        active = await self._control.active()
        self.active = [
            {
                "id": fault.fault_id,
                "kind": fault.kind,
                "where": fault.where,
                "match": fault.match,
                "share": fault.share,
                "hits": fault.hits,
                "left": fault.left,
            }
            for fault in active
        ]

    async def _do(self, work: Awaitable[Any], done: Callable[[Any], str]) -> None:
        self.error = ""
        self.told = ""
        self.told = done(await work)
        await self._refresh()
        self._look.set()

    async def do_add(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """The form was sent."""
        kind, match = str(content.get("kind") or ""), str(content.get("match") or "*")
        where: Any = content.get("where") or None
        wish: dict[str, Any] = {
            "times": content.get("times") or None,
            "share": float(content.get("share") or 1),
            "seconds": content.get("seconds"),
        }
        await self._do(self._control.add(kind, where=where, match=match, **wish), lambda made: f"{made.kind} is on")

    async def do_remove(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A fault's Remove was pressed."""
        fault_id = str(content.get("fault") or "")
        await self._do(self._control.remove(fault_id), lambda _: "removed")

    async def do_clear(self, _content: dict[str, Any], _buffers: list[Any]) -> None:
        """Clear all was pressed."""
        await self._do(self._control.clear(), lambda _: "healthy again")

    async def do_cut(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A cut was pressed."""
        what: Any = content.get("what")
        await self._do(self._control.cut(what), lambda count: f"{what}: {count} cut")

    async def do_expire(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """An expiry was pressed."""
        what: Any = content.get("what")
        await self._do(self._control.expire(what), lambda _: f"{what} tokens made so far have expired")

    def close(self) -> None:
        """Take the widget off the page; faults that are on stay on."""
        ticker = self._ticker
        if ticker is not None:
            ticker.get_loop().call_soon_threadsafe(ticker.cancel)
        super().close()

    def _as_text(self) -> str:
        lines = [f"{fault['kind']} on {fault['match']}: struck {fault['hits']} times" for fault in self.active]
        return "\n".join([f"Faults: {len(lines)}", *lines])
