"""`WebhookInspector`: what webhooks came in, what was refused, and what became of them."""

from __future__ import annotations

import asyncio
from typing import Any

from spnb.webhooks import AsyncReceiver, Receiver
from spnb.webhooks.delivery import shown_body
from spnb.widgets.base import STATIC, Widget

__all__ = ["WebhookInspector"]

MOST_ROWS = 500
PAUSE_SECONDS = 0.2
"""Between two looks: a thousand deliveries a second are five updates."""


class WebhookInspector(Widget):
    """A table of deliveries, the newest first: time, event, room, verified or refused, copies, handled.

    A click shows a body as text, with addresses and tokens cut short; another has the handlers run on it again.

    Args:
        receiver: a receiver of `spnb.webhooks`.
    """

    _esm = STATIC / "webhookInspector.js"
    _ticker: asyncio.Task[None] | None = None

    def __init__(self, receiver: Receiver, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._receiver: AsyncReceiver = receiver.asynchronous
        self._rows: dict[str, dict[str, Any]] = {}
        self._look = asyncio.Event()
        self._look.set()
        self._at_end(self._receiver.observe(self._look.set))
        self._spawn(self._keep_fresh())

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as the page gets them, newest first."""
        return sorted(self._rows.values(), key=lambda row: row["at"], reverse=True)

    async def _keep_fresh(self) -> None:
        self._ticker = asyncio.current_task()
        while self.comm is not None:
            await self._look.wait()
            self._look.clear()
            await self._read()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self) -> None:
        before = self._rows
        self._rows = {row["id"]: row for row in [*await self._receiver.rows(newest=MOST_ROWS), *self._refused()]}
        changed = [row for name, row in self._rows.items() if before.get(name) != row]
        gone = [name for name in before if name not in self._rows]
        if changed or gone:
            self.send({"type": "rows", "rows": changed, "gone": gone})

    def _refused(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"refused {refusal.at.timestamp()}",
                "at": refusal.at.timestamp(),
                "refused": f"{refusal.status}: {refusal.reason}",
                "event": "",
                "name": "",
                "room": "",
                "source": "",
                "copies": 1,
                "handled": "",
            }
            for refusal in list(self._receiver.refusals)
        ]

    async def do_hello(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A view has come: it gets all rows."""
        rows = list(self._rows.values())
        self.send({"type": "rows", "client": content.get("client"), "all": True, "rows": rows, "gone": []})

    async def do_body(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A row was opened."""
        found = await self._receiver.delivery(_number(content))
        text = shown_body(found.body) if found is not None else "(forgotten meanwhile)"
        self.send({"type": "body", "client": content.get("client"), "id": content.get("id"), "text": text})

    async def do_replay(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """Replay was pressed."""
        self.error = ""
        await self._receiver.replay(number=_number(content))
        self.send({"type": "replayed", "client": content.get("client"), "id": content.get("id")})

    def close(self) -> None:
        """Take the widget off the page and stop following; the receiver goes on."""
        ticker = self._ticker
        if ticker is not None:
            ticker.get_loop().call_soon_threadsafe(ticker.cancel)
        super().close()

    def _as_text(self) -> str:
        rows = self.rows
        lines = [f"{row['name'] or 'refused'} {row['room'] or row.get('refused', '')}" for row in rows[:20]]
        return "\n".join([f"Webhooks: {len(rows)}", *lines])


def _number(content: dict[str, Any]) -> int:
    told = str(content.get("id") or "")
    return int(told) if told.isdigit() else 0
