"""`AsyncReceiver`: an ASGI app that keeps each webhook once, answers at once, and has it handled afterwards."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from spnb._arguments import checked_class, one_argument
from spnb._loop import background_loop, on_loop
from spnb._places import user_folder
from spnb._twins import Blocking
from spnb.errors import ConfigError, InvalidInput
from spnb.webhooks.delivery import HANDLED, Delivery, Refusal
from spnb.webhooks.feed import tell
from spnb.webhooks.intake import Intake, Refused, answer
from spnb.webhooks.names import EventNames
from spnb.webhooks.store import DeliveryStore

if TYPE_CHECKING:
    import pandas as pd
    from starlette.types import Receive, Scope, Send

    from spnb.client import AsyncClient
    from spnb.webhooks.server import BackgroundServer

__all__ = ["AsyncReceiver", "Handler"]

log = logging.getLogger(__name__)

Handler = Callable[[Delivery], Any]
H = TypeVar("H", bound=Handler)
MOST_REFUSALS = 200
BATCH = 100
NOTE_SECONDS = 0.02
COLUMNS = ("number", "id", "event", "name", "source", "room", "subject", "received", "happened", "copies", "handled")


@checked_class
class AsyncReceiver:
    """Receives the webhooks of social.plus and LiveKit.

    A delivery is answered with `{}` and 200 once it is on disk; handlers run afterwards, one delivery after the other
    in the order they came, and again at the next start where the process died before they had run.

    `serve()` receives in the background on 127.0.0.1, as does `async with AsyncReceiver(…) as receiver`; the object
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

    _open: ClassVar[weakref.WeakValueDictionary[Path, AsyncReceiver]] = weakref.WeakValueDictionary()

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
        secrets = [secret] if isinstance(secret, str) else [*secret]
        if not (secrets or livekit) or not all(secrets):
            raise ConfigError("a receiver needs the secret of its webhook, or livekit=(key, secret)")
        keep_seconds = max(keep_days * 86_400, max_age or 0)
        self._intake = Intake(secrets, livekit, max_bytes, max_age or keep_seconds)
        self._names = EventNames(names)
        file = (user_folder() / "webhooks.sqlite" if path is None else Path(path)).resolve()
        earlier = self._open.pop(file, None)
        if earlier is not None:
            earlier._shut()  # a cell that is run again replaces its receiver
        self._store = DeliveryStore(file, keep_seconds=keep_seconds, now=time.time())
        self._open[file] = self
        self._handlers: list[tuple[str, Handler]] = []
        self._clients: list[AsyncClient[Any]] = []
        self._observers: list[Callable[[], Any]] = []
        self._server: BackgroundServer | None = None
        self._wake = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None
        self._starting = threading.Lock()
        self._started = False
        self._woken = False
        self.refusals: deque[Refusal] = deque(maxlen=MOST_REFUSALS)
        """The last requests that were not taken."""

    # -- receiving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            raise ConfigError(f"a webhook receiver serves HTTP, not {scope['type']}")
        self._start()
        try:
            taken = await self._intake.read(scope, receive)
            if taken is not None:
                facts, source, body = taken
                kept = self._store.add(facts, self._names.common(facts.event), source, body, time.time())
                await asyncio.wrap_future(kept)
                self._tell_dispatcher()
        except Refused as refused:
            self._refuse(refused)
            await answer(send, refused.status, json.dumps({"message": refused.reason}).encode())
        except (sqlite3.Error, ConfigError) as error:
            log.error("a webhook could not be kept: %s", error)
            self._refuse(Refused(503, "the delivery could not be kept: send it again"))
            await answer(send, 503, b'{"message":"not kept: send it again"}')
        else:
            await answer(send, 200, b"{}")

    def _refuse(self, refused: Refused) -> None:
        log.info("a webhook was refused: %s", refused.reason)
        self.refusals.append(Refusal(datetime.now(UTC), refused.status, refused.reason))
        self._tell_dispatcher()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    @on_loop
    async def serve(self, port: int = 0) -> AsyncReceiver:
        """Receive on 127.0.0.1, in the background, until it is closed. Called again, it goes on as it is.

        Args:
            port: 0 takes a free one; `url` tells which.

        Raises:
            ConfigError: the port is taken.
        """
        if self._server is None:
            from spnb.webhooks.server import BackgroundServer

            self._server = await asyncio.to_thread(BackgroundServer, self, port)
        self._start()
        return self

    @property
    def url(self) -> str:
        """Where it receives.

        Raises:
            InvalidInput: it does not serve by itself.
        """
        if self._server is None:
            raise InvalidInput("this receiver does not serve yet: call serve() first")
        return self._server.url

    # -- handling

    def on(self, event: str = "*") -> Callable[[H], H]:
        """A decorator: have a function called with each delivery of an event.

        It may be a coroutine function, which then runs on spnb's background loop; others run in a thread. It may take
        its time: deliveries are answered meanwhile, and wait for it. After a crash it may see one again.

        Args:
            event: a name, common or as sent, or a pattern: `room.live`, `stream.started`, `room.*`.

        Raises:
            InvalidInput: no event is called so; or what is decorated is no function of one argument.
        """
        self._names.check(event)

        def add(handler: H) -> H:
            one_argument(handler, "what is called with deliveries")
            self._handlers.append((event, handler))
            return handler

        return add

    def feed(self, client: AsyncClient[Any]) -> Callable[[], None]:
        """Let a client's live rooms, lists and chats hear of each delivery, as if it had come by real time.

        Returns:
            A function that ends it.
        """
        self._clients.append(client)

        def end() -> None:
            if client in self._clients:
                self._clients.remove(client)

        return end

    def observe(self, observer: Callable[[], Any]) -> Callable[[], None]:
        """Have `observer` called, on the background loop, after something has come in or was handled.

        Returns:
            A function that ends it.
        """
        self._observers.append(observer)

        def end() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return end

    def _start(self) -> None:
        """Begin to handle, once; what an earlier process left comes first."""
        with self._starting:
            if self._started:
                return
            self._started = True
        background_loop().call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._dispatcher = asyncio.create_task(self._dispatch(), name="spnb-webhook-handlers")
        self._woken = False
        self._wake.set()

    def _tell_dispatcher(self) -> None:
        # Many deliveries at once wake it once.
        if not self._woken:
            self._woken = True
            background_loop().call_soon_threadsafe(self._wake.set)

    async def _dispatch(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._woken = False
            self._changed()
            try:
                while batch := await asyncio.wrap_future(self._store.waiting(BATCH)):
                    await self._handle_all(batch)
                    self._changed()
            except (sqlite3.Error, ConfigError) as error:
                # Closed, or the disk is full: what waits is taken up by the next delivery or the next start.
                log.info("deliveries could not be handled: %s", error)

    async def _handle_all(self, batch: list[Delivery]) -> None:
        done: list[int] = []
        noted = time.monotonic()
        try:
            for delivery in batch:
                for client in self._clients:
                    tell(client, delivery)
                if await self._handle(delivery):
                    done.append(delivery.number)
                else:
                    self._store.mark([delivery.number], failed=True)
                # Quick handlers share a note of what is done; a slow one has its own, so that little is done twice
                # after a crash.
                if time.monotonic() - noted > NOTE_SECONDS:
                    self._store.mark(done, failed=False)
                    done, noted = [], time.monotonic()
        finally:
            self._store.mark(done, failed=False)

    def _changed(self) -> None:
        for observer in list(self._observers):
            try:
                observer()
            except Exception:
                log.exception("an observer of webhooks failed")

    async def _handle(self, delivery: Delivery) -> bool:
        """Call the handlers that want a delivery; whether all of them succeeded."""
        fine = True
        for pattern, handler in list(self._handlers):
            if not (fnmatchcase(delivery.name, pattern) or fnmatchcase(delivery.event, pattern)):
                continue
            try:
                if inspect.iscoroutinefunction(handler):
                    await handler(delivery)
                else:
                    result = await asyncio.to_thread(handler, delivery)
                    if inspect.isawaitable(result):
                        await result
            except Exception:
                fine = False
                log.exception("a handler of webhook %s failed", delivery.name)
        return fine

    @on_loop
    async def replay(
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
        self._names.check(event)
        after = 0 if number is None else number - 1
        moment = None if since is None else since.timestamp()
        count = 0
        while True:
            query = self._store.find(after=after, most=BATCH, room_id=room_id, since=moment, failed=failed)
            page = await asyncio.wrap_future(query)
            for delivery in page:
                if number is not None and delivery.number != number:
                    return count
                if fnmatchcase(delivery.name, event) or fnmatchcase(delivery.event, event):
                    count += 1
                    fine = await self._handle(replace(delivery, replayed=True))
                    self._store.mark([delivery.number], failed=not fine)
            if len(page) < BATCH:
                self._changed()
                return count
            after = page[-1].number

    # -- what is stored

    @on_loop
    async def deliveries(self, *, newest: int = 1000, room_id: str | None = None) -> list[Delivery]:
        """The newest deliveries, oldest first.

        Args:
            newest: how many at most.
            room_id: only of this room.
        """
        return await asyncio.wrap_future(self._store.find(newest=newest, room_id=room_id))

    @on_loop
    async def delivery(self, number: int) -> Delivery | None:
        """One delivery by its number; None where there is none (any more)."""
        found = await asyncio.wrap_future(self._store.find(after=number - 1, most=1))
        return found[0] if found and found[0].number == number else None

    @on_loop
    async def rows(self, *, newest: int) -> list[dict[str, Any]]:
        """The newest deliveries without their bodies, for a table on a page; ids are text, times seconds."""
        names = ("number", "received", "event", "name", "room", "source", "copies", "handled")
        found = await asyncio.wrap_future(self._store.columns(names, newest=newest))
        return [
            {
                "id": str(number),
                "at": received,
                "event": event,
                "name": name,
                "room": room,
                "source": source,
                "copies": copies,
                "handled": HANDLED[handled],
            }
            for number, received, event, name, room, source, copies, handled in found
        ]

    @property
    def df(self) -> Coroutine[Any, Any, pd.DataFrame]:
        """All deliveries as a table, without their bodies: `await receiver.df`; times in UTC."""
        return self._table()

    @on_loop
    async def _table(self) -> pd.DataFrame:
        rows = await asyncio.wrap_future(self._store.columns(COLUMNS))
        return await asyncio.to_thread(_frame, rows)

    # -- the end

    def _shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            background_loop().call_soon_threadsafe(dispatcher.cancel)
        self._store.close()
        if self._open.get(self._store.path) is self:
            del self._open[self._store.path]

    async def aclose(self) -> None:
        """Stop receiving and close the file. What was not handled yet is handled at the next start."""
        await asyncio.to_thread(self._shut)

    async def __aenter__(self) -> AsyncReceiver:
        return await self.serve()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        where = self._server.url if self._server is not None else "not serving"
        return f"{type(self).__name__}({where}, kept in {self._store.path.name})"


def _frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(rows, columns=[*COLUMNS])
    for name in ("received", "happened"):
        seconds = pd.to_numeric(table[name])
        table[name] = pd.to_datetime((seconds * 1000).round(), unit="ms", utc=True).astype("datetime64[ms, UTC]")
    table["handled"] = table["handled"].map(dict(enumerate(HANDLED)))
    return table.rename(
        columns={"room": "room_id", "subject": "subject_id", "received": "received_at", "happened": "happened_at"}
    )
