"""`AsyncPrehook`: asked by the network before it stores something, it allows, refuses or changes it by your rules."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from spnb._arguments import checked_class, one_argument
from spnb._loop import background_loop, on_loop
from spnb._twins import Blocking
from spnb.errors import ConfigError, InvalidInput, SpnbError
from spnb.webhooks.asked import EVENTS, Asked, Decision, Malformed, read_asked
from spnb.webhooks.intake import Refused, answer, whole_body
from spnb.webhooks.rehearsal import Rehearsal, lines_of, wrong_ones
from spnb.webhooks.signature import is_signed

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from spnb.client import AsyncClient
    from spnb.webhooks.server import BackgroundServer

__all__ = ["AsyncPrehook", "Rule"]

log = logging.getLogger(__name__)

Rule = Callable[[Asked], Any]
R = TypeVar("R", bound=Rule)
THREADS = 8
MOST_BYTES = 1 << 20
MEND = "install(sp) takes the network's, Prehook(secret) that of sp.settings.prehook().secret"


@checked_class
class AsyncPrehook:
    """Decides what is stored: the network asks it about each message, post and channel, and waits for its word.

    `await hook.install(sp)` receives on 127.0.0.1 and has the network of a connection ask here, until `aclose()`. The
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

    def __init__(
        self,
        secret: str | Sequence[str] = (),
        *,
        default: Literal["allow", "deny"] = "allow",
        seconds: float = 2.0,
    ) -> None:
        if default not in ("allow", "deny"):
            raise InvalidInput(f"default is 'allow' or 'deny', not {default!r}")
        if not 0 < seconds <= 3:
            raise InvalidInput(f"the service waits 3 s for an answer: seconds is 0 to 3, not {seconds:g}")
        self._secrets = [secret] if isinstance(secret, str) else [*secret]
        self._default = default
        self._seconds = seconds
        self._rules: list[tuple[str, Rule]] = []
        self._server: BackgroundServer | None = None
        self._threads = ThreadPoolExecutor(THREADS, "spnb-prehook")
        self._installed: tuple[AsyncClient[Any], str] | None = None
        self.counts: Counter[str] = Counter()
        """How often it said `allow`, `deny` or `change`; how often a rule `failed`, was `late`; what was `unsigned`."""

    def on(self, event: str = "*") -> Callable[[R], R]:
        """A decorator: have a function decide. It may be a coroutine function; others run in a thread.

        Args:
            event: a name or pattern, e.g. `message.shouldCreate`, `post.*`.

        Raises:
            InvalidInput: no event is called so; or what is decorated is no function of one argument.
        """
        if not any(fnmatchcase(name, event) for name in EVENTS):
            raise InvalidInput(f"the network asks about no {event!r}, but about {', '.join(EVENTS)}")

        def add(rule: R) -> R:
            one_argument(rule, "a rule")
            self._rules.append((event, rule))
            return rule

        return add

    # -- deciding

    @on_loop
    async def decide(self, asked: Asked) -> Decision:
        """What the rules say, within their time.

        Returns:
            The decision; where a rule failed or was late it is the default, and `problem` says which.
        """
        try:
            async with asyncio.timeout(self._seconds):
                decision = await self._decided(asked)
        except TimeoutError:
            log.warning("the rules took longer than %g s about a %s: %s", self._seconds, asked.event, self._default)
            return Decision(self._default, problem="late")
        except Exception:
            log.exception("a rule failed about a %s: %s", asked.event, self._default)
            return Decision(self._default, problem="failed")
        return decision

    async def _decided(self, asked: Asked) -> Decision:
        changes: dict[str, Any] = {}
        for pattern, rule in list(self._rules):
            if not fnmatchcase(asked.event, pattern):
                continue
            if inspect.iscoroutinefunction(rule):
                said = await rule(asked)
            else:
                said = await asyncio.get_running_loop().run_in_executor(self._threads, rule, asked)
            if said is None or said is True:
                continue
            if said is False:
                said = asked.refuse()
            if not isinstance(said, Decision):
                name = getattr(rule, "__name__", "a rule")
                raise TypeError(f"{name} returned {type(said).__name__}: return asked.refuse(…), .change(…) or nothing")
            if said.action == "deny":
                return said
            if not said.data:
                break
            asked, changes = asked.changed(said.data), said.over(changes)
        return Decision("allow", data=changes)

    @on_loop
    async def rehearse(self, chat: Any, bad: str | Collection[str] | Sequence[bool]) -> Rehearsal:
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
        lines = lines_of(chat)
        wrong = wrong_ones(lines, bad)
        decisions = [await self.decide(line.asked) for line in lines]
        return Rehearsal.of(lines, wrong, decisions)

    # -- being asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        if scope["type"] == "lifespan":
            while (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["type"] != "http":
            raise ConfigError(f"a pre-hook serves HTTP, not {scope['type']}")
        try:
            if scope["method"] != "POST":
                raise Refused(405, "only POST is taken")
            body = await whole_body(scope, receive, MOST_BYTES)
            given = next((value for name, value in scope["headers"] if name == b"x-signature"), b"").decode("latin-1")
            if not is_signed(body, given, self._secrets):
                if not self.counts["unsigned"]:
                    log.warning("a pre-hook is asked with another secret than its own, and decides nothing: %s", MEND)
                self.counts["unsigned"] += 1
                raise Refused(401, "the signature is not of this body and secret")
            asked = read_asked(body)
        except (Refused, Malformed) as error:
            status, reason = (error.status, error.reason) if isinstance(error, Refused) else (400, str(error))
            log.info("a question was not taken: %s", reason)
            await answer(send, status, json.dumps({"message": reason}).encode())
            return
        # This is the thread of the server; rules run where all of spnb does.
        decision = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.decide(asked), background_loop()))
        self.counts["change" if decision.data else decision.action] += 1
        if decision.problem:
            self.counts[decision.problem] += 1
        await answer(send, 200, decision.wire())

    @on_loop
    async def serve(self, port: int = 0) -> AsyncPrehook:
        """Be asked on 127.0.0.1, in the background, until it is closed. Called again, it goes on as it is.

        Args:
            port: 0 takes a free one; `url` tells which.

        Raises:
            ConfigError: the port is taken.
        """
        if self._server is None:
            from spnb.webhooks.server import BackgroundServer

            self._server = await asyncio.to_thread(BackgroundServer, self, port)
        return self

    @property
    def url(self) -> str:
        """Where it is asked.

        Raises:
            InvalidInput: it does not serve by itself.
        """
        if self._server is None:
            raise InvalidInput("this pre-hook does not serve yet: call install(sp) or serve() first")
        return self._server.url

    @on_loop
    async def install(self, client: AsyncClient[Any], *, url: str | None = None) -> AsyncPrehook:
        """Have the network of a connection ask here: it serves, is set as the network's pre-hook, and takes its secret.

        A network asks at one address: what was set before is replaced.

        Args:
            client: a connection; the service lets only its administrators do so.
            url: where the service reaches this server, by HTTPS; the address on this machine without, which is what the
                sandbox asks.

        Raises:
            ServiceError: the service does not set it.
        """
        await self.serve()
        address = url or self.url
        told = await client.settings.set_prehook(address, enabled=True, default=self._default)
        if told.secret and told.secret not in self._secrets:
            self._secrets.append(told.secret)
        self._installed = (client, address)
        return self

    async def aclose(self) -> None:
        """Be asked no more; where it was installed, the network stops to ask."""
        if self._installed is not None:
            client, address = self._installed
            self._installed = None
            try:
                if (await client.settings.prehook()).url == address:
                    await client.settings.set_prehook(enabled=False)
            except SpnbError as error:
                log.warning("the network still asks this pre-hook, which is closed: %s", error)
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.stop)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> AsyncPrehook:
        return await self.serve()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        where = self._server.url if self._server is not None else "not serving"
        said = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items())) or "not asked yet"
        return f"{type(self).__name__}({where}, {len(self._rules)} rules, {said})"
