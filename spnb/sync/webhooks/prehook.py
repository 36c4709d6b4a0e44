"""The blocking twins of `spnb.webhooks.prehook`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from spnb._faces import Face, asynchronous
from spnb._loop import run

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Sequence
    from types import TracebackType
    from typing import Any, Literal

    from starlette.types import Receive, Scope, Send

    from spnb.sync.client.client import Client
    from spnb.webhooks.asked import Asked, Decision
    from spnb.webhooks.prehook import AsyncPrehook, R
    from spnb.webhooks.rehearsal import Rehearsal


__all__ = ["Prehook"]


class Prehook(Face):
    """Decides what is stored: the network asks it about each message, post and channel, and waits for its word.

    The blocking twin of `AsyncPrehook`.

    `hook.install(sp)` receives on 127.0.0.1 and has the network of a connection ask here, until `aclose()`. The
    object itself is an ASGI app for a server of your own, which the service wants to reach by HTTPS.

    Rules are asked in the order in which they were added. One that returns nothing, or True, has nothing against it;
    `asked.refuse()`, or False, and `asked.allow()` end it; after `asked.change()` the next rules see what it was
    changed to.

    Args:
        secret: what questions are signed with, several while one is being changed; `install()` brings it.
        default: what becomes of that about which a rule fails or takes too long: `allow` or `deny`.
        seconds: how long the rules may take for one question; the service waits 3 s and advises 2.

    Raises:
        InvalidInput: a default that is none, or a time the service would not wait for.
    """

    _twin: AsyncPrehook

    def __init__(
        self, secret: str | Sequence[str] = (), *, default: Literal["allow", "deny"] = "allow", seconds: float = 2.0
    ) -> None:
        from spnb.webhooks.prehook import AsyncPrehook

        super().__init__(AsyncPrehook(secret, default=default, seconds=seconds))

    @property
    def counts(self) -> Counter[str]:
        """How often it said `allow`, `deny` or `change`; how often a rule `failed`, was `late`; what was `unsigned`."""
        return self._twin.counts

    def on(self, event: str = "*") -> Callable[[R], R]:
        """A decorator: have a function decide. It may be a coroutine function; others run in a thread.

        Args:
            event: a name or pattern, e.g. `message.shouldCreate`, `post.*`.

        Raises:
            InvalidInput: no event is called so; or what is decorated is no function of one argument.
        """
        return self._twin.on(event)

    def decide(self, asked: Asked) -> Decision:
        """What the rules say, within their time.

        Returns:
            The decision; where a rule failed or was late it is the default, and `problem` says which.
        """
        return run(self._twin.decide(asked))

    def rehearse(self, chat: Any, bad: str | Collection[str] | Sequence[bool]) -> Rehearsal:
        """What the rules would have done to a recorded chat, and how often they would have been wrong.

        Args:
            chat: a table with the columns `text` and perhaps `user_id`, `message_id`, `channel_id` (that of
                `room.chat.df`, of an analysis, any data frame), or messages.
            bad: which of them are to be refused or changed: the name of a column of truth values, the ids of messages
                as a set, or one truth value a message.

        Returns:
            False alarms and misses with their intervals, and what was decided on each message.

        Raises:
            InvalidInput: there is no text, or `bad` does not fit to the chat.
        """
        return run(self._twin.rehearse(chat, bad))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        await self._twin(scope, receive, send)

    def serve(self, port: int = 0) -> Prehook:
        """Be asked on 127.0.0.1, in the background, until it is closed. Called again, it goes on as it is.

        Args:
            port: 0 takes a free one; `url` tells which.

        Raises:
            ConfigError: the port is taken.
        """
        run(self._twin.serve(port))
        return self

    @property
    def url(self) -> str:
        """Where it is asked.

        Raises:
            InvalidInput: it does not serve by itself.
        """
        return self._twin.url

    def install(self, client: Client[Any], *, url: str | None = None) -> Prehook:
        """Have the network of a connection ask here: it serves, is set as the network's pre-hook, and takes its secret.

        A network asks at one address: what was set before is replaced.

        Args:
            client: a connection; the service lets only its administrators do so.
            url: where the service reaches this server, by HTTPS; the address on this machine without, which is what the
                sandbox asks.

        Raises:
            ServiceError: the service does not set it.
        """
        run(self._twin.install(asynchronous(client), url=url))
        return self

    def close(self) -> None:
        """Be asked no more; where it was installed, the network stops to ask."""
        run(self._twin.aclose())

    def __enter__(self) -> Self:
        run(self._twin.__aenter__())
        return self

    async def __aenter__(self) -> AsyncPrehook:
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
    def asynchronous(self) -> AsyncPrehook:
        """The async twin: the same object, to be awaited."""
        return self._twin
