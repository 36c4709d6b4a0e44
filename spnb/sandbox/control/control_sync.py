"""What only a sandbox can do, blocking: `faults()` and `webhooks()`, thin before their async twins."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal

from spnb._loop import run
from spnb.sandbox.control.control import AsyncFaults, AsyncWebhooks, Fault, Webhook

__all__ = ["Faults", "Webhooks", "faults", "webhooks"]


class Faults:
    """Makes a sandbox misbehave: the blocking twin of `AsyncFaults`. A `with` block leaves it healthy again."""

    def __init__(self, twin: AsyncFaults) -> None:
        self._twin = twin

    @property
    def asynchronous(self) -> AsyncFaults:
        """The async twin."""
        return self._twin

    def add(
        self,
        kind: str,
        *,
        where: Literal["mqtt", "webhook"] | None = None,
        match: str = "*",
        times: int | None = None,
        share: float = 1.0,
        seconds: float | None = None,
        retry_after: float | None = None,
        seed: int = 0,
    ) -> Fault:
        """Switch a fault on.

        Args:
            kind: of requests `rate-limit` (429), `server-error` (500), `bad-gateway` (502), `timeout` (not carried
                out), `lost-answer` (carried out); of events `drop`, `double`, `delay`, `reorder`.
            where: for events, whether real time (`mqtt`, as without it) or `webhook` is struck.
            match: pattern with `*` of what is struck: `POST /api/v1/rooms`, or an event's type `room.*`.
            times: how often it strikes; for ever without.
            share: which part of what matches, 0 to 1.
            seconds: how long a request stays unanswered (60 without), or an event is late (1) or held (2).
            retry_after: seconds of the `Retry-After` header of `rate-limit`; no header without.
            seed: begins the draw of the share: the same seed strikes alike.

        Raises:
            InvalidInput: the sandbox found the wish wrong; the message tells why.
            SandboxError: it does not answer.
        """
        return run(
            self._twin.add(
                kind,
                where=where,
                match=match,
                times=times,
                share=share,
                seconds=seconds,
                retry_after=retry_after,
                seed=seed,
            )
        )

    def active(self) -> list[Fault]:
        """All faults, also those used up."""
        return run(self._twin.active())

    def remove(self, fault: Fault | str) -> None:
        """Switch one off."""
        run(self._twin.remove(fault))

    def clear(self) -> None:
        """Switch all off; events that were held back are delivered."""
        run(self._twin.clear())

    def cut(self, what: Literal["signalling", "transports", "realtime"], room_id: str | None = None) -> int:
        """Cut connections now: LiveKit signalling sockets, media transports, or MQTT.

        Args:
            room_id: only of this room; of all without. MQTT knows no rooms.

        Returns:
            How many were cut.
        """
        return run(self._twin.cut(what, room_id))

    def expire(self, what: Literal["access", "livekit"], user_id: str | None = None) -> None:
        """Let tokens made so far expire now.

        Args:
            what: access tokens of REST and MQTT, or LiveKit tokens.
            user_id: for access tokens, only this user's; everybody's without.
        """
        run(self._twin.expire(what, user_id))

    def __enter__(self) -> Faults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")


class Webhooks:
    """The endpoints a sandbox sends signed webhooks to: the blocking twin of `AsyncWebhooks`."""

    def __init__(self, twin: AsyncWebhooks) -> None:
        self._twin = twin

    @property
    def asynchronous(self) -> AsyncWebhooks:
        """The async twin."""
        return self._twin

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
            events: patterns of the events that are sent, by their real-time names.
            legacy: whether each delivery is followed by its twin with the legacy header, as the service's are.
            retry_seconds: waits before the second, third, … attempt.

        Raises:
            InvalidInput: the address is not on loopback, or there are ten already.
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

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")


def faults(sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> Faults:
    """Faults on demand of a sandbox.

    Args:
        sandbox: a client connected to it, or what `spnb.sandbox.start()` gave; this user's own without.
        url, api_key: its address and key instead.

    Raises:
        SandboxError: it is the real service, where no fault can be had.
    """
    return AsyncFaults.of(sandbox, url=url, api_key=api_key).sync


def webhooks(sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> Webhooks:
    """The webhook endpoints of a sandbox; arguments as for `faults`."""
    return AsyncWebhooks.of(sandbox, url=url, api_key=api_key).sync
