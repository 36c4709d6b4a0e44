"""`Receiver`: the blocking twin of `AsyncReceiver`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from spnb._loop import run
from spnb.webhooks.delivery import Delivery, Refusal
from spnb.webhooks.receiver import AsyncReceiver, H

if TYPE_CHECKING:
    import pandas as pd
    from starlette.types import Receive, Scope, Send

    from spnb.client import Client

__all__ = ["Receiver"]


class Receiver:
    """Receives the webhooks of social.plus and LiveKit; arguments as for `AsyncReceiver`.

    `serve()` receives in the background on 127.0.0.1, as does `with Receiver(…) as receiver`; the object itself is an
    ASGI app for a server of your own.

    Args:
        twin: the async receiver it stands before; a new one is made without.
    """

    def __init__(
        self,
        secret: str | Sequence[str] = (),
        *,
        livekit: tuple[str, str] | None = None,
        path: Path | str | None = None,
        names: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
        max_age: float | None = None,
        keep_days: float = 30.0,
        twin: AsyncReceiver | None = None,
    ) -> None:
        self._twin = twin or AsyncReceiver(
            secret,
            livekit=livekit,
            path=path,
            names=names,
            max_bytes=max_bytes,
            max_age=max_age,
            keep_days=keep_days,
        )

    @property
    def asynchronous(self) -> AsyncReceiver:
        """The async twin."""
        return self._twin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        await self._twin(scope, receive, send)

    def serve(self, port: int = 0) -> Receiver:
        """Receive on 127.0.0.1, in the background, until it is closed. Called again, it goes on as it is.

        Args:
            port: 0 takes a free one; `url` tells which.
        """
        run(self._twin.serve(port))
        return self

    @property
    def url(self) -> str:
        """Where it receives."""
        return self._twin.url

    @property
    def refusals(self) -> deque[Refusal]:
        """The last requests that were not taken."""
        return self._twin.refusals

    def on(self, event: str = "*") -> Callable[[H], H]:
        """A decorator: have a function called with each delivery of an event; see `AsyncReceiver.on`."""
        return self._twin.on(event)

    def feed(self, client: Client[Any]) -> Callable[[], None]:
        """Let a client's live rooms, lists and chats hear of each delivery. Returns a function that ends it."""
        return self._twin.feed(client.asynchronous)

    def replay(
        self,
        event: str = "*",
        *,
        room_id: str | None = None,
        since: datetime | None = None,
        failed: bool = False,
        number: int | None = None,
    ) -> int:
        """Call the handlers with stored deliveries again; see `AsyncReceiver.replay`. Returns how many."""
        return run(self._twin.replay(event, room_id=room_id, since=since, failed=failed, number=number))

    def deliveries(self, *, newest: int = 1000, room_id: str | None = None) -> list[Delivery]:
        """The newest deliveries, oldest first."""
        return run(self._twin.deliveries(newest=newest, room_id=room_id))

    @property
    def df(self) -> pd.DataFrame:
        """All deliveries as a table, without their bodies; times in UTC."""
        return run(self._twin.frame())

    def close(self) -> None:
        """Stop receiving and close the file. What was not handled yet is handled at the next start."""
        run(self._twin.aclose())

    def __enter__(self) -> Receiver:
        return self.serve()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")
