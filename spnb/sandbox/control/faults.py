"""Faults on demand of a sandbox."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

from spnb._arguments import checked, checked_class
from spnb._loop import on_loop
from spnb._twins import Blocking
from spnb.sandbox.control.calls import SandboxCalls

__all__ = ["AsyncFaults", "Fault", "faults_async"]


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


@checked_class
class AsyncFaults(SandboxCalls):
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
    async def cut(
        self, what: Literal["signalling", "transports", "viewers", "realtime"], room_id: str | None = None
    ) -> int:
        """Cut connections now: LiveKit signalling sockets, media transports, those who watch by WebRTC, or MQTT.

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

    sync = Blocking()
    """The blocking twin."""

    async def __aenter__(self) -> AsyncFaults:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.clear()


def _fault(told: dict[str, Any]) -> Fault:
    return Fault(told["faultId"], told["kind"], told["where"], told["match"], told["share"], told["hits"], told["left"])


@checked
async def faults_async(sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> AsyncFaults:
    """Faults on demand of a sandbox.

    Args:
        sandbox: a client connected to it, or what `spnb.sandbox.start()` gave; this user's own without.
        url: its address instead.
        api_key: its key, with `url`.

    Raises:
        SandboxError: it is the real service, where no fault can be had.
    """
    return await asyncio.to_thread(AsyncFaults.of, sandbox, url=url, api_key=api_key)
