"""The webhooks a sandbox sends: which endpoints get them, and what became of each delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from spnb._arguments import checked, checked_class
from spnb._loop import on_loop
from spnb._twins import Blocking
from spnb.errors import InvalidInput
from spnb.sandbox.control.calls import SandboxCalls

__all__ = ["AsyncWebhooks", "Webhook", "webhooks_async"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint a sandbox sends webhooks to."""

    webhook_id: str
    url: str
    style: str


@checked_class
class AsyncWebhooks(SandboxCalls):
    """The endpoints a sandbox sends signed webhooks to; at most ten, on loopback only."""

    @on_loop
    async def add(
        self,
        url: str,
        secret: str,
        *,
        style: Literal["guide", "reference", "room"] = "room",
        events: Sequence[str] = ("room.*", "post.*", "message.*"),
        legacy: bool = True,
        retry_seconds: Sequence[float] = (1.0, 5.0, 30.0),
    ) -> Webhook:
        """Register an endpoint.

        Args:
            url: its address on this machine, e.g. `receiver.url`.
            secret: what deliveries are signed with, 8 to 200 characters.
            style: how events are called: `stream.started`, `video-streaming.didStart` or `room.startBroadcasting`.
            events: names or patterns of the events that are sent: those of handlers (`room.live`), of real time
                (`room.startBroadcasting`) or of a style (`stream.started`).
            legacy: whether each delivery is followed by its twin with the legacy header, as the service's are.
            retry_seconds: waits before the second, third, … attempt.

        Raises:
            InvalidInput: the address is not on loopback, no event is called so, or there are ten already.
            SandboxError: the sandbox does not answer.
        """
        if not events:
            raise InvalidInput("name at least one event, or leave events out for those there are by default")
        wish = {
            "url": url,
            "secret": secret,
            "style": style,
            "events": [*events],
            "legacy": legacy,
            "retrySeconds": [*retry_seconds],
        }
        return _webhook((await self._call("POST", "/sandbox/webhooks", wish))["webhooks"][0])

    @on_loop
    async def registered(self) -> list[Webhook]:
        """All endpoints."""
        return [_webhook(told) for told in (await self._call("GET", "/sandbox/webhooks"))["webhooks"]]

    @on_loop
    async def remove(self, webhook: Webhook | str) -> None:
        """Send no more to an endpoint."""
        await self._call("DELETE", self._path(webhook))

    @on_loop
    async def deliveries(self, webhook: Webhook | str) -> list[dict[str, Any]]:
        """The last deliveries to an endpoint: `{deliveryId, event, attempts, status, delivered}`, oldest first."""
        found: list[dict[str, Any]] = (await self._call("GET", f"{self._path(webhook)}/deliveries"))["deliveries"]
        return found

    sync = Blocking()
    """The blocking twin."""

    @staticmethod
    def _path(webhook: Webhook | str) -> str:
        webhook_id = webhook if isinstance(webhook, str) else webhook.webhook_id
        return f"/sandbox/webhooks/{quote(webhook_id, safe='')}"


def _webhook(told: dict[str, Any]) -> Webhook:
    return Webhook(told["webhookId"], told["url"], told["style"])


@checked
async def webhooks_async(sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> AsyncWebhooks:
    """The webhook endpoints of a sandbox; arguments as for `faults`."""
    return await asyncio.to_thread(AsyncWebhooks.of, sandbox, url=url, api_key=api_key)
