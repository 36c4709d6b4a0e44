"""The blocking twins of `spnb.sandbox.control.faults`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from spnb._faces import Face, blocking
from spnb._loop import run

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Literal

    from spnb.sandbox.control.faults import AsyncFaults, Fault


__all__ = ["Faults", "faults"]


class Faults(Face):
    """Makes a sandbox misbehave. As a context manager it is healthy again afterwards.

    The blocking twin of `AsyncFaults`.
    """

    _twin: AsyncFaults

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

    def cut(self, what: Literal["signalling", "transports", "viewers", "realtime"], room_id: str | None = None) -> int:
        """Cut connections now: LiveKit signalling sockets, media transports, those who watch by WebRTC, or MQTT.

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

    def __enter__(self) -> Self:
        run(self._twin.__aenter__())
        return self

    async def __aenter__(self) -> AsyncFaults:
        return await self._twin.__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._twin.__aexit__(kind, error, trace))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._twin.__aexit__(kind, error, trace)

    @property
    def asynchronous(self) -> AsyncFaults:
        """The async twin: the same object, to be awaited."""
        return self._twin


def faults(sandbox: Any = None, *, url: str | None = None, api_key: str | None = None) -> Faults:
    """Faults on demand of a sandbox.

    Args:
        sandbox: a client connected to it, or what `spnb.sandbox.start()` gave; this user's own without.
        url: its address instead.
        api_key: its key, with `url`.

    Raises:
        SandboxError: it is the real service, where no fault can be had.
    """
    from spnb.sandbox.control.faults import faults_async

    found: Faults = blocking(run(faults_async(sandbox, url=url, api_key=api_key)))
    return found
