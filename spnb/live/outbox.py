"""What waits to be sent: gathered for a moment, kept through a network gap, sent once it is over."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from spnb._lasting import kept_up
from spnb._loop import on_loop
from spnb.errors import ClientClosed, RateLimited, ServerFault, ServiceError, Unreachable

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["LATER", "Outbox"]

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
LATER = (Unreachable, RateLimited, ServerFault)
"""Failures that say nothing about what was sent: it is kept and sent later."""


class Outbox(Generic[T]):
    """Items by key, oldest first; a newer item of a key takes the older one's place. Lives on the background loop.

    Args:
        client: whose connection it uses; what waits when it is closed is sent before.
        send: sends some items in one request.
        every: seconds for which items are gathered.
        most: how many may wait.
        batch: how many go into one request.
        refused: told what the service will not take, and why; that is dropped.
        tries: after how many faults of the service an item counts as refused; it is kept for ever without.
    """

    def __init__(
        self,
        client: AsyncClient[Any],
        send: Callable[[list[T]], Awaitable[None]],
        *,
        every: float,
        most: int,
        batch: int,
        refused: Callable[[list[T], ServiceError], None],
        tries: int | None = None,
    ) -> None:
        self._client = client
        self._send = send
        self._every = every
        self._most = most
        self._batch = batch
        self._refused = refused
        self._tries = tries
        self._waiting: dict[Hashable, T] = {}
        self._faults: dict[Hashable, int] = {}
        self._hurry = asyncio.Event()
        self._sending = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._registered = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, key: Hashable, item: T, *, hurry: bool = False) -> None:
        """Keep an item until it is sent.

        Args:
            hurry: send it now, with all that waits.

        Raises:
            Unreachable: as many as may wait already do.
        """
        if key not in self._waiting and len(self._waiting) >= self._most:
            raise Unreachable(f"{self._most} wait to be sent already: they go out once the service answers again")
        self._waiting[key] = item
        if hurry:
            self._hurry.set()
        if not self._registered:
            self._registered = True
            self._client.at_close(self.flush)
            self._client.realtime.on_state(self._state_changed)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(kept_up(self._run, "sending what waits"), name="spnb-outbox")

    @on_loop
    async def flush(self) -> None:
        """Send all that waits now.

        Raises:
            Unreachable, RateLimited, ServerFault: it could not be sent; it is kept.
        """
        async with self._sending:
            while self._waiting:
                await self._send_some(list(islice(self._waiting.items(), self._batch)))

    async def _send_some(self, items: list[tuple[Hashable, T]]) -> None:
        try:
            await self._send([item for _, item in items])
        except ServerFault as error:
            if self._tries is None:
                raise
            await self._send_apart(items, error)
            return
        except LATER:
            raise
        except ServiceError as error:
            self._refused([item for _, item in items], error)
        self._sent(items)

    async def _send_apart(self, items: list[tuple[Hashable, T]], fault: ServerFault) -> None:
        """The service answers some refusals like faults of its own: find out which item it is about."""
        if len(items) > 1:
            for item in items:
                await self._send_some([item])
            return
        key = items[0][0]
        self._faults[key] = self._faults.get(key, 0) + 1
        if self._tries is None or self._faults[key] < self._tries:
            raise fault
        self._refused([items[0][1]], fault)
        self._sent(items)

    def _sent(self, items: list[tuple[Hashable, T]]) -> None:
        for key, item in items:
            self._faults.pop(key, None)
            if self._waiting.get(key) is item:
                del self._waiting[key]

    async def _run(self) -> None:
        wait = self._every
        while self._waiting:
            try:
                async with asyncio.timeout(wait):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()
            try:
                await self.flush()
                wait = self._every
            except ClientClosed:
                return  # whoever closed it was told what had not been sent
            except LATER as error:
                wait = min(LONGEST_WAIT, max(FIRST_WAIT, wait * 2)) * random.uniform(0.8, 1.2)
                log.info("%d wait to be sent: %s", len(self._waiting), type(error).__name__)

    def _state_changed(self, state: str) -> None:
        if state == "connected" and self._waiting:
            self._hurry.set()
