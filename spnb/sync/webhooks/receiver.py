"""The blocking twins of `spnb.webhooks.receiver`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from spnb._faces import Face, asynchronous
from spnb._loop import run

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Any

    import pandas as pd
    from starlette.types import Receive, Scope, Send

    from spnb.sync.client.client import Client
    from spnb.webhooks.delivery import Delivery, Refusal
    from spnb.webhooks.receiver import AsyncReceiver, H


__all__ = ["Receiver"]


class Receiver(Face):
    """Receives the webhooks of social.plus and LiveKit.

    The blocking twin of `AsyncReceiver`.

    A delivery is answered with `{}` and 200 once it is on disk; handlers run afterwards, one delivery after the other
    in the order they came, and again at the next start where the process died before they had run.

    `serve()` receives in the background on 127.0.0.1, as does `with Receiver(…) as receiver`; the object
    itself is an ASGI app for a server of your own.

    Args:
        secret: of the social.plus webhook; several while one is being changed.
        livekit: LiveKit's API key and secret, to take its webhooks too.
        path: where deliveries are kept, one file per receiver; a file of the user's data without.
        names: further names of events, or other ones: `{"as it is sent": "room.live"}`.
        max_bytes: larger bodies are refused with 413.
        max_age: seconds; events that tell an older time of their own are refused with 401; `keep_days` without.
        keep_days: how long deliveries are kept, never less than `max_age`: a replay is either known or too old.

    Raises:
        ConfigError: there is no secret, or the file is another process's.
    """

    _twin: AsyncReceiver

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
    ) -> None:
        from spnb.webhooks.receiver import AsyncReceiver

        super().__init__(
            AsyncReceiver(
                secret,
                livekit=livekit,
                path=path,
                names=names,
                max_bytes=max_bytes,
                max_age=max_age,
                keep_days=keep_days,
            )
        )

    @property
    def refusals(self) -> deque[Refusal]:
        """The last requests that were not taken."""
        return self._twin.refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        await self._twin(scope, receive, send)

    def serve(self, port: int = 0) -> Receiver:
        """Receive on 127.0.0.1, in the background, until it is closed. Called again, it goes on as it is.

        Args:
            port: 0 takes a free one; `url` tells which.

        Raises:
            ConfigError: the port is taken.
        """
        run(self._twin.serve(port))
        return self

    @property
    def url(self) -> str:
        """Where it receives.

        Raises:
            InvalidInput: it does not serve by itself.
        """
        return self._twin.url

    def on(self, event: str = "*") -> Callable[[H], H]:
        """A decorator: have a function called with each delivery of an event.

        It may be a coroutine function, which then runs on spnb's background loop; others run in a thread. It may take
        its time: deliveries are answered meanwhile, and wait for it. After a crash it may see one again.

        Args:
            event: a name, common or as sent, or a pattern: `room.live`, `stream.started`, `room.*`.

        Raises:
            InvalidInput: no event is called so; or what is decorated is no function of one argument.
        """
        return self._twin.on(event)

    def feed(self, client: Client[Any]) -> Callable[[], None]:
        """Let a client's live rooms, lists and chats hear of each delivery, as if it had come by real time.

        Returns:
            A function that ends it.
        """
        return self._twin.feed(asynchronous(client))

    def observe(self, observer: Callable[[], Any]) -> Callable[[], None]:
        """Have `observer` called, on the background loop, after something has come in or was handled.

        Returns:
            A function that ends it.
        """
        return self._twin.observe(observer)

    def replay(
        self,
        event: str = "*",
        *,
        room_id: str | None = None,
        since: datetime | None = None,
        failed: bool = False,
        number: int | None = None,
    ) -> int:
        """Call the handlers with stored deliveries again, in the order they came; `delivery.replayed` is true.

        Args:
            event: a name or pattern.
            room_id: only of this room.
            since: only what came at this time or later.
            failed: only those a handler failed on.
            number: only this one.

        Returns:
            How many were replayed.

        Raises:
            InvalidInput: no event is called so.
        """
        return run(self._twin.replay(event, room_id=room_id, since=since, failed=failed, number=number))

    def deliveries(self, *, newest: int = 1000, room_id: str | None = None) -> list[Delivery]:
        """The newest deliveries, oldest first.

        Args:
            newest: how many at most.
            room_id: only of this room.
        """
        return run(self._twin.deliveries(newest=newest, room_id=room_id))

    def delivery(self, number: int) -> Delivery | None:
        """One delivery by its number; None where there is none (any more)."""
        return run(self._twin.delivery(number))

    def rows(self, *, newest: int) -> list[dict[str, Any]]:
        """The newest deliveries without their bodies, for a table on a page; ids are text, times seconds."""
        return run(self._twin.rows(newest=newest))

    @property
    def df(self) -> pd.DataFrame:
        """All deliveries as a table, without their bodies: `receiver.df`; times in UTC."""
        return run(self._twin.df)

    def close(self) -> None:
        """Stop receiving and close the file. What was not handled yet is handled at the next start."""
        run(self._twin.aclose())

    def __enter__(self) -> Self:
        run(self._twin.__aenter__())
        return self

    async def __aenter__(self) -> AsyncReceiver:
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
    def asynchronous(self) -> AsyncReceiver:
        """The async twin: the same object, to be awaited."""
        return self._twin
