"""The blocking twins of `spnb.sandbox.control.webhooks`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from spnb.sandbox.control.webhooks import AsyncWebhooks, Webhook


__all__ = ["Webhooks", "webhooks"]


class Webhooks(Face):
    """The endpoints a sandbox sends signed webhooks to; at most ten, on loopback only.

    The blocking twin of `AsyncWebhooks`.
    """

    _twin: AsyncWebhooks

    def add(
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
        return run(self._twin.add(url, secret, style=style, events=events, legacy=legacy, retry_seconds=retry_seconds))

    def registered(self) -> list[Webhook]:
        """All endpoints."""
        return run(self._twin.registered())

    def remove(self, webhook: Webhook | str) -> None:
        """Send no more to an endpoint."""
        run(self._twin.remove(webhook))

    def deliveries(self, webhook: Webhook | str) -> list[dict[str, Any]]:
        """The last deliveries to an endpoint: `{deliveryId, event, attempts, status, delivered}`, oldest first."""
        return run(self._twin.deliveries(webhook))

    @property
    def asynchronous(self) -> AsyncWebhooks:
        """The async twin: the same object, to be awaited."""
        return self._twin


def webhooks(sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> Webhooks:
    """The webhook endpoints of a sandbox; arguments as for `faults`."""
    from spnb.sandbox.control.webhooks import webhooks_async

    found: Webhooks = blocking(run(webhooks_async(sandbox, url=url, api_key=api_key)))
    return found
