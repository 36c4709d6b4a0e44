"""`spnb.on("room.live", f)`: functions that are called when something happens to any room of any connection.

While there are hooks, each connection follows the rooms on air of its network: by events, corrected by reading, as all
live objects are. What several objects or connections notice is told once.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import WeakKeyDictionary

from spnb._faces import blocking
from spnb._lasting import Pauses
from spnb._loop import in_loop, spawn
from spnb.errors import InvalidInput, NotFound, ServiceError, Unreachable
from spnb.live.status import RANK, advance
from spnb.models import Message, Room
from spnb.realtime import Event

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["NAMES", "attach", "off", "on", "room_changed"]

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[[Any], Any])

NAMES = (
    "room.live",
    "room.waitingReconnect",
    "room.ended",
    "room.recorded",
    "room.terminated",
    "room.error",
    "room.flagged",
    "chat.message",
)
"""What can be hooked: a room's new state, a finding of the automatic moderation, a chat message in a room on air."""

MOST_KNOWN = 10_000
ASKED_AT_ONCE = 50
ASK_AGAIN, ASK_LONGEST = 1.0, 60.0
"""Seconds until messages that could not be read are asked for again: they double."""


@overload
def on(name: str) -> Callable[[F], F]: ...


@overload
def on(name: str, hook: Callable[[Any], Any]) -> Callable[[], None]: ...


def on(name: str, hook: Callable[[Any], Any] | None = None) -> Any:
    """Have a function called when something happens to any room of any connection; also as a decorator.

    A plain function gets the room as it was at that moment (a `LiveRoom`; a `Message` for `chat.message`) and runs on a
    thread of its own, one call after the other, so it may use everything that blocks. A coroutine function gets the
    async twin and runs on spnb's loop. An error in a hook is logged and stops nothing.

        @spnb.on("room.live")
        def greet(room):
            room.open_chat().send("We are live!")

    Args:
        name: one of `room.live`, `room.waitingReconnect`, `room.ended`, `room.recorded`, `room.terminated`,
            `room.error`, `room.flagged`, `chat.message`; `room.*` for all of a kind.
        hook: the function; without it, a decorator.

    Returns:
        A function that ends it; as a decorator, the function itself (`spnb.off(function)` ends it).

    Raises:
        InvalidInput: no such thing ever happens.
    """
    if not any(fnmatchcase(known, name) for known in NAMES):
        raise InvalidInput(f"nothing is called {name!r}: choose from {', '.join(NAMES)}, or a kind such as room.*")
    if hook is None:

        def decorated(function: F) -> F:
            _registry.add(name, function)
            return function

        return decorated
    return _registry.add(name, hook)


def off(hook: Callable[[Any], Any]) -> None:
    """End a hook, whatever it was hooked to; one that is none is no error."""
    _registry.remove(hook)


def attach(client: AsyncClient[Any]) -> None:
    """A connection is there: while there are hooks, they hear of its rooms."""
    in_loop(lambda: _registry.attach(client))


def room_changed(client: AsyncClient[Any], before: Room | None, after: Room) -> None:
    """A live object has learnt something. On the background loop.

    Args:
        before: what it knew; None where it had not known the room, and this is news.
    """
    _registry.room_changed(client, before, after)


class _Registry:
    """The hooks, and what they were told. Its state belongs to the background loop, except the list of hooks."""

    def __init__(self) -> None:
        self._hooks: dict[object, tuple[str, Callable[[Any], Any]]] = {}
        self._clients: WeakKeyDictionary[AsyncClient[Any], _Feed | None] = WeakKeyDictionary()
        self._known: OrderedDict[tuple[str, str], Room] = OrderedDict()
        self._messages: OrderedDict[str, None] = OrderedDict()
        self._worker = _Worker()

    def add(self, name: str, hook: Callable[[Any], Any]) -> Callable[[], None]:
        key = object()
        self._hooks[key] = (name, hook)
        in_loop(self._update_feeds)

        def end() -> None:
            self._hooks.pop(key, None)
            in_loop(self._update_feeds)

        return end

    def remove(self, hook: Callable[[Any], Any]) -> None:
        for key, (_, known) in list(self._hooks.items()):
            if known == hook:
                del self._hooks[key]
        in_loop(self._update_feeds)

    def wants(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern, _ in list(self._hooks.values()))

    def attach(self, client: AsyncClient[Any]) -> None:
        if client not in self._clients:
            self._clients[client] = None
            if self._hooks:
                self._update_feeds()

    def _update_feeds(self) -> None:
        """Follow while there are hooks, and not longer."""
        for client, feed in list(self._clients.items()):
            if self._hooks and (feed is None or feed.closed) and client.realtime.state != "closed":
                self._clients[client] = _Feed(client)
            elif not self._hooks and feed is not None:
                feed.close()
                self._clients[client] = None
        if not self._hooks:
            self._known.clear()
            self._messages.clear()

    def room_changed(self, client: AsyncClient[Any], before: Room | None, after: Room) -> None:
        if not self._hooks:
            return
        key = (client.endpoints.rest, after.room_id)
        # What was told counts for more than what this one object knew: another may have noticed first.
        known = self._known.get(key, before)
        merged = advance(known, after) if known is not None else after
        news = _news(known, merged)
        if news or key in self._known:
            self._known[key] = merged
            self._known.move_to_end(key)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        for name, room in news:
            self._tell(client, name, room)

    def heard(self, client: AsyncClient[Any], message: Message) -> None:
        if message.message_id in self._messages:
            return
        self._messages[message.message_id] = None
        if len(self._messages) > MOST_KNOWN:
            self._messages.popitem(last=False)
        self._tell(client, "chat.message", message)

    def _tell(self, client: AsyncClient[Any], name: str, subject: Room | Message) -> None:
        for pattern, hook in list(self._hooks.values()):
            if not fnmatchcase(name, pattern):
                continue
            handle = client.hand_out(subject) if isinstance(subject, Room) else subject
            if inspect.iscoroutinefunction(hook):
                spawn(_awaited(hook, handle, name))
            else:
                self._worker.do(hook, blocking(handle), name)


async def _awaited(hook: Callable[[Any], Any], subject: Any, name: str) -> None:
    try:
        await hook(subject)
    except Exception:
        log.exception("a hook of %s failed", name)


class _Worker:
    """Runs plain hooks, one after the other, on a thread that keeps no program from ending."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[Any], Any], Any, str]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, hook: Callable[[Any], Any], subject: Any, name: str) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="spnb-hooks", daemon=True)
            self._thread.start()
        self._jobs.put((hook, subject, name))

    def _work(self) -> None:
        while True:
            hook, subject, name = self._jobs.get()
            try:
                hook(subject)
            except Exception:
                log.exception("a hook of %s failed", name)


class _Feed:
    """Follows the rooms on air of one connection, and their chats where messages are hooked."""

    def __init__(self, client: AsyncClient[Any]) -> None:
        from spnb.live.collection import AsyncLiveRooms

        self._client = client
        self._rooms = AsyncLiveRooms(client)
        self._on_air: dict[str, Room] = {}
        self._chats: dict[str, Callable[[], None]] = {}
        self._ends: list[Callable[[], None]] = [client.realtime.on_state(self._state_changed)]
        self._heard_of: list[str] = []
        self._asking = False
        self.closed = False
        spawn(self._begin())

    async def _begin(self) -> None:
        # Who is on air already is no news; whatever a later reading finds is, whether its event was heard or lost.
        pauses = Pauses(ASK_AGAIN)
        while not self.closed:
            try:
                rooms = await self._rooms.refresh()
                break
            except (ServiceError, Unreachable) as error:
                log.info("rooms on air could not be read: %s", type(error).__name__)
                await asyncio.sleep(pauses.next(followed=False))
        if self.closed:
            return
        self._on_air = {room.room_id: room for room in rooms}
        self._ends.append(self._rooms.observe(self._listed))

    def _state_changed(self, state: str) -> None:
        if state == "closed":
            self.close()

    def _listed(self, rooms: list[Room]) -> None:
        before, self._on_air = self._on_air, {room.room_id: room for room in rooms}
        for room_id, room in self._on_air.items():
            room_changed(self._client, before.get(room_id), room)
        for room_id in before.keys() - self._on_air.keys():
            spawn(self._look_after(before[room_id]))
        self._follow_chats(rooms)

    async def _look_after(self, room: Room) -> None:
        """A room is not on air any more: how did it end? Its event has said so, as a rule."""
        pauses = Pauses(ASK_AGAIN)
        while not self.closed:
            try:
                async with self._client._reading:
                    record = await self._client.rooms.record(room.room_id)
            except NotFound:
                return  # it was deleted
            except (ServiceError, Unreachable) as error:
                log.info("room %s could not be read: %s", room.room_id, type(error).__name__)
                await asyncio.sleep(pauses.next(followed=False))
            else:
                room_changed(self._client, room, record)
                return

    def _follow_chats(self, rooms: list[Room]) -> None:
        wanted: set[str] = set()
        if _registry.wants("chat.message"):
            wanted = {room.live_channel_id for room in rooms if room.live_channel_id}
        for channel in self._chats.keys() - wanted:
            self._chats.pop(channel)()
        for channel in wanted - self._chats.keys():
            topic = f"{self._client.network_id}/chat/{channel}/#"
            self._chats[channel] = self._client.realtime.subscribe(topic, self._said)

    def _said(self, event: Event) -> None:
        if event.type != "message.created":
            return
        told = event.data.get("messages")
        bodies = [body for body in told if isinstance(body, dict)] if isinstance(told, list) else []
        self._heard_of += [str(body["messageId"]) for body in bodies if body.get("messageId")]
        del self._heard_of[:-MOST_KNOWN]
        if not self._asking and self._heard_of:
            self._asking = True
            spawn(self._ask())

    async def _ask(self) -> None:
        """An event is a hint, and who hooks onto messages acts on them: each is read first."""
        pause = ASK_AGAIN
        try:
            while self._heard_of and not self.closed:
                asked = self._heard_of[:ASKED_AT_ONCE]
                try:
                    found = {message.message_id: message for message in await self._client.messages.get_many(asked)}
                except (ServiceError, Unreachable) as error:
                    log.info("messages could not be read, again in %g s: %s", pause, type(error).__name__)
                    await asyncio.sleep(pause)
                    pause = min(ASK_LONGEST, pause * 2)
                    continue
                pause = ASK_AGAIN
                self._heard_of = [name for name in self._heard_of if name not in asked]
                for name in asked:
                    if name in found and not found[name].is_deleted:
                        _registry.heard(self._client, found[name])
        finally:
            self._asking = False

    def close(self) -> None:
        self.closed = True
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        for end in self._chats.values():
            end()
        self._chats.clear()


def _news(before: Room | None, after: Room) -> list[tuple[str, Room]]:
    """What there is to tell, with the room as it was then."""
    told = [
        (f"room.{status}", after.model_copy(update={"status": status}))
        for status in _passed(before.status if before is not None else None, after.status)
    ]
    known = before.moderation.flag_labels if before is not None and before.moderation else []
    if after.moderation and len(after.moderation.flag_labels) > len(known):
        told.append(("room.flagged", after))
    return told


def _passed(before: str | None, after: str) -> list[str]:
    """The states that were entered from `before` to `after`: a reading may have jumped over one."""
    if before == after or f"room.{after}" not in NAMES:
        return []
    steps = ["live", "ended", "recorded"]
    if before is not None and before in RANK and after in ("ended", "recorded"):
        return [step for step in steps if RANK[before] < RANK[step] <= RANK[after]]
    return [after]


_registry = _Registry()
