"""Faults of events: lost, doubled, late, or overtaken by the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from spnb.sandbox.fault_injection.rules import Faults, Where

__all__ = ["Disturbance"]

DELAY_SECONDS = 1.0
HOLD_SECONDS = 2.0

Deliver = Callable[[], None]


class Disturbance:
    """Passes events of one way on, as the faults that are on allow.

    Args:
        faults: those that are on.
        where: which way this is, `mqtt` or `webhook`.
    """

    def __init__(self, faults: Faults, where: Where) -> None:
        self._faults = faults
        self._where = where
        self._late: dict[asyncio.TimerHandle, Deliver] = {}
        self._held: list[asyncio.TimerHandle] = []
        faults.on_clear(self.let_go)

    def __call__(self, event_type: str, deliver: Deliver) -> None:
        """Deliver an event: now, twice, later, after the next one, or never."""
        fault = self._faults.striking(self._where, event_type)
        kind = fault.wish.kind if fault is not None else ""
        if kind == "drop":
            return
        if fault is not None and kind == "delay":
            self._later(DELAY_SECONDS if fault.wish.seconds is None else fault.wish.seconds, deliver)
            return
        if fault is not None and kind == "reorder" and not self._held:
            # With nothing behind it, it comes late rather than never.
            seconds = HOLD_SECONDS if fault.wish.seconds is None else fault.wish.seconds
            self._held.append(self._later(seconds, deliver))
            return
        deliver()
        if kind == "double":
            deliver()
        held, self._held = self._held, []
        for timer in held:
            self._now(timer)

    def _later(self, seconds: float, deliver: Deliver) -> asyncio.TimerHandle:
        timer: asyncio.TimerHandle = asyncio.get_running_loop().call_later(seconds, lambda: self._now(timer))
        self._late[timer] = deliver
        return timer

    def _now(self, timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        if timer in self._held:
            self._held.remove(timer)
        deliver = self._late.pop(timer, None)
        if deliver is not None:
            deliver()

    def let_go(self) -> None:
        """Deliver at once what is late or held."""
        for timer in list(self._late):
            self._now(timer)
