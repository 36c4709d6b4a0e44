"""What only a sandbox can do, from Python: faults on demand, and the webhooks it sends.

Both talk to a running sandbox by its own calls; nothing here works on the real service.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

import httpx

from spnb._loop import on_loop
from spnb.errors import InvalidInput, SandboxError
from spnb.sandbox.control.launch import SandboxInfo, ensure

if TYPE_CHECKING:
    from typing import Self

    from spnb.sandbox.control.control_sync import Faults, Webhooks

__all__ = ["AsyncFaults", "AsyncWebhooks", "Fault", "Webhook", "faults_async", "webhooks_async"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is on in a sandbox."""

    fault_id: str
    kind: str
    where: str
    """`rest`, `mqtt` or `webhook`."""
    match: str
    share: float
    hits: int
    """How often it has struck."""
    left: int | None
    """How often it will strike yet; None: for ever."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint a sandbox sends webhooks to."""

    webhook_id: str
    url: str
    style: str


class _Control:
    """Calls of one sandbox, with its key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._headers = {"X-API-Key": api_key}

    @classmethod
    def of(cls, sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> Self:
        """Of a client, of what `spnb.sandbox.start()` gave, or of an address; of this user's own sandbox without any,
        which is started where it does not run: that blocks.

        Raises:
            SandboxError: it is the real service.
        """
        return cls(*_reached(sandbox, url, api_key))

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        # A sandbox is reached without TLS: authorities need not be loaded, which would hold up the loop.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            async with httpx.AsyncClient(verify=nobody, timeout=15, trust_env=False, headers=self._headers) as web:
                answer = await web.request(method, f"{self._url}{path}", json=body)
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SandboxError(f"the sandbox at {self._url} does not answer ({type(error).__name__})") from None
        if answer.is_success and isinstance(told, dict):
            return told
        detail = (told.get("data") or {}).get("detail") or []
        text = "; ".join([str(told.get("message")), *map(str, detail)])
        if answer.status_code in (400, 404, 422):
            raise InvalidInput(f"the sandbox refuses: {text}")
        raise SandboxError(f"the sandbox refuses: {text}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url})"


class AsyncFaults(_Control):
    """Makes a sandbox misbehave. As a context manager it is healthy again afterwards."""

    @on_loop
    async def add(
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
        wish = {
            "kind": kind,
            "where": where,
            "match": match,
            "times": times,
            "share": share,
            "seconds": seconds,
            "retryAfter": retry_after,
            "seed": seed,
        }
        return _fault((await self._call("POST", "/sandbox/faults", wish))["faults"][0])

    @on_loop
    async def active(self) -> list[Fault]:
        """All faults, also those used up."""
        return [_fault(told) for told in (await self._call("GET", "/sandbox/faults"))["faults"]]

    @on_loop
    async def remove(self, fault: Fault | str) -> None:
        """Switch one off."""
        fault_id = fault if isinstance(fault, str) else fault.fault_id
        await self._call("DELETE", f"/sandbox/faults/{quote(fault_id, safe='')}")

    @on_loop
    async def clear(self) -> None:
        """Switch all off; events that were held back are delivered."""
        await self._call("DELETE", "/sandbox/faults")

    @on_loop
    async def cut(self, what: Literal["signalling", "transports", "realtime"], room_id: str | None = None) -> int:
        """Cut connections now: LiveKit signalling sockets, media transports, or MQTT.

        Args:
            room_id: only of this room; of all without. MQTT knows no rooms.

        Returns:
            How many were cut.
        """
        return int((await self._call("POST", "/sandbox/faults/cut", {"what": what, "roomId": room_id}))["cut"])

    @on_loop
    async def expire(self, what: Literal["access", "livekit"], user_id: str | None = None) -> None:
        """Let tokens made so far expire now.

        Args:
            what: access tokens of REST and MQTT, or LiveKit tokens.
            user_id: for access tokens, only this user's; everybody's without.
        """
        await self._call("POST", "/sandbox/faults/expire", {"what": what, "userId": user_id})

    @property
    def sync(self) -> Faults:
        """The blocking twin."""
        from spnb.sandbox.control.control_sync import Faults

        return Faults(self)

    async def __aenter__(self) -> AsyncFaults:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.clear()


def _fault(told: dict[str, Any]) -> Fault:
    return Fault(told["faultId"], told["kind"], told["where"], told["match"], told["share"], told["hits"], told["left"])


class AsyncWebhooks(_Control):
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
            events: patterns of the events that are sent, by their real-time names.
            legacy: whether each delivery is followed by its twin with the legacy header, as the service's are.
            retry_seconds: waits before the second, third, … attempt.

        Raises:
            InvalidInput: the address is not on loopback, or there are ten already.
            SandboxError: the sandbox does not answer.
        """
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

    @property
    def sync(self) -> Webhooks:
        """The blocking twin."""
        from spnb.sandbox.control.control_sync import Webhooks

        return Webhooks(self)

    @staticmethod
    def _path(webhook: Webhook | str) -> str:
        webhook_id = webhook if isinstance(webhook, str) else webhook.webhook_id
        return f"/sandbox/webhooks/{quote(webhook_id, safe='')}"


def _webhook(told: dict[str, Any]) -> Webhook:
    return Webhook(told["webhookId"], told["url"], told["style"])


async def faults_async(sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> AsyncFaults:
    """Faults on demand of a sandbox; see `faults`."""
    return await asyncio.to_thread(AsyncFaults.of, sandbox, url=url, api_key=api_key)


async def webhooks_async(sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> AsyncWebhooks:
    """The webhook endpoints of a sandbox; arguments as for `faults`."""
    return await asyncio.to_thread(AsyncWebhooks.of, sandbox, url=url, api_key=api_key)


def _reached(sandbox: Any, url: str | None, api_key: str | None) -> tuple[str, str]:
    if url is None or api_key is None:
        if sandbox is None:
            sandbox = ensure()
        if isinstance(sandbox, SandboxInfo):
            url, api_key = sandbox.url, sandbox.api_key
        else:
            # A client of either face: the wing imports none of them, so it is known by what it has.
            twin = getattr(sandbox, "asynchronous", sandbox)
            url, api_key = twin._endpoints.rest, twin._credentials.api_key
    address: str = url
    if urlsplit(address).hostname not in LOOPBACK:
        raise SandboxError(f"{address} is no sandbox: faults and its webhooks are to be had there only")
    return address.rstrip("/"), str(api_key)
