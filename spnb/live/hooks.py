"""`spnb.on("room.live", f)`: functions that are called when something happens to any room of any connection.

While there are hooks, each connection follows the rooms of its network: by events, corrected by reading, as all live
objects are. What several objects or connections notice is told once.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import WeakKeyDictionary

from spnb._faces import blocking
from spnb._loop import in_loop, is_background, on_loop, run, spawn
from spnb.errors import InvalidInput
from spnb.live.hook_feed import Feed
from spnb.live.status import RANK, advance
from spnb.models import Message, Room

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["NAMES", "Hooked", "attach", "in_force", "off", "on", "room_changed"]

log = logging.getLogger(__name__)

Hook = Callable[..., Any]
F = TypeVar("F", bound=Hook)

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
"""What can be hooked: a room's new state, a finding of the automatic moderation, a message in the chat of any room."""

MOST_KNOWN = 10_000
IN_FORCE_SECONDS = 20.0
"""How long `on()` waits for real time; a hook is in force later, then, and it is told so."""


class Hooked:
    """A hook that is set: called, it ends. Awaited, it is in force, which matters on spnb's own loop alone."""

    def __init__(self, name: str, hook: Hook) -> None:
        self.name, self.hook = name, hook

    def __call__(self) -> None:
        """End it."""
        _registry.remove(self)

    def __await__(self) -> Generator[Any, None, Hooked]:
        return self._in_force().__await__()

    async def _in_force(self) -> Hooked:
        await on_loop(_registry.in_force)()
        return self

    def __repr__(self) -> str:
        return f"<hook of {self.name}: {getattr(self.hook, '__qualname__', self.hook)}>"


@overload
def on(name: str) -> Callable[[F], F]: ...


@overload
def on(name: str, hook: Hook) -> Hooked: ...


def on(name: str, hook: Hook | None = None) -> Any:
    """Have a function called when something happens to any room of any connection; also as a decorator.

    social.plus: `RoomRepository.onRoomStartBroadcasting`, `RoomRepository.onRoomEndBroadcasting`,
    `RoomRepository.onRoomWaitingReconnect`, `RoomRepository.onRoomRecordedAvailable`,
    `RoomRepository.onRoomTerminated`.

    It is in force when this returns: what happens afterwards is told, in rooms on air and off it. Only on spnb's own
    loop, inside a coroutine hook, nothing can be waited for: `await` there what this returns. What was said while real
    time was away is not told; what became of rooms meanwhile is.

    A plain function gets the room as it was at that moment (a `LiveRoom`) and runs on a thread of its own, one call
    after the other, so it may use everything that blocks. A coroutine function gets the async twin and runs on spnb's
    loop. For `chat.message` it gets the `Message`, and the room as well where it takes two. An error in a hook is
    logged and stops nothing.

        @spnb.on("room.live")
        def greet(room):
            room.open_chat().send("We are live!")

        @spnb.on("chat.message")
        def moderate(message, room):
            if "buy" in message.text:
                room.chat.delete(message)

    Args:
        name: one of `room.live`, `room.waitingReconnect`, `room.ended`, `room.recorded`, `room.terminated`,
            `room.error`, `room.flagged`, `chat.message`; `room.*` for all of a kind.
        hook: the function; without it, a decorator.

    Returns:
        Called, it ends the hook; as a decorator, the function itself (`spnb.off(function)` ends it).

    Raises:
        InvalidInput: no such thing ever happens; or what is to be called is no function of as many arguments.
    """
    if not isinstance(name, str) or not any(fnmatchcase(known, name) for known in NAMES):
        raise InvalidInput(f"nothing is called {name!r}: choose from {', '.join(NAMES)}, or a kind such as room.*")
    if hook is None:

        def decorated(function: F) -> F:
            _registry.add(name, function)
            return function

        return decorated
    return _registry.add(name, hook)


def off(hook: Hook) -> None:
    """End a hook, whatever it was hooked to; one that is none is no error.

    Args:
        hook: the function, or what `on()` gave for it.

    Raises:
        InvalidInput: it is neither.
    """
    if not callable(hook):
        raise InvalidInput(f"a hook is a function, not {type(hook).__name__}")
    _registry.remove(hook)


async def in_force(client: AsyncClient[Any]) -> None:
    """A connection is there: the hooks hear of its rooms, and this returns when they do. On the background loop."""
    _registry.attach(client)
    await _registry.in_force()


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
        self._hooks: dict[Hooked, bool] = {}
        """With whether it takes the room beside a message."""
        self._clients: WeakKeyDictionary[AsyncClient[Any], Feed | None] = WeakKeyDictionary()
        self._known: OrderedDict[tuple[str, str], Room] = OrderedDict()
        self._messages: OrderedDict[str, None] = OrderedDict()
        self._worker = _Worker()

    def add(self, name: str, hook: Hook) -> Hooked:
        hooked = Hooked(name, hook)
        takes_room = _takes_room(name, hook)
        self._hooks[hooked] = takes_room
        in_loop(self._update_feeds)
        if not is_background():
            run(self.in_force())
        return hooked

    def remove(self, hook: Hook) -> None:
        for known in list(self._hooks):
            if hook in (known, known.hook):
                self._hooks.pop(known, None)
        in_loop(self._update_feeds)

    def wants(self, name: str) -> bool:
        return any(fnmatchcase(name, known.name) for known in list(self._hooks))

    async def in_force(self) -> None:
        feeds = [feed for feed in list(self._clients.values()) if feed is not None and not feed.closed]
        if not feeds:
            return
        try:
            async with asyncio.timeout(IN_FORCE_SECONDS):
                there = all(await asyncio.gather(*(feed.in_force() for feed in feeds)))
        except TimeoutError:
            there = False
        if not there:
            log.warning("a service or its real time is away: hooks hear of it when it is back")

    def attach(self, client: AsyncClient[Any]) -> None:
        if client not in self._clients:
            self._clients[client] = None
            if self._hooks:
                self._update_feeds()

    def _update_feeds(self) -> None:
        """Follow while there are hooks, and not longer."""
        for client, feed in list(self._clients.items()):
            if self._hooks and (feed is None or feed.closed) and client.realtime.state != "closed":
                self._clients[client] = Feed(client, self)
            elif not self._hooks and feed is not None:
                feed.close()
                self._clients[client] = None
            elif feed is not None:
                feed.update()
        if not self._hooks:
            self._known.clear()  # not the messages: another connection may still bring one that is known

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

    def heard(self, client: AsyncClient[Any], message: Message, room: Room) -> None:
        if message.message_id in self._messages:
            return
        self._messages[message.message_id] = None
        if len(self._messages) > MOST_KNOWN:
            self._messages.popitem(last=False)
        self._tell(client, "chat.message", room, message)

    def _tell(self, client: AsyncClient[Any], name: str, room: Room, message: Message | None = None) -> None:
        for known, takes_room in list(self._hooks.items()):
            if not fnmatchcase(name, known.name):
                continue
            subjects: list[Any] = [] if message is None else [message]
            if message is None or takes_room:
                subjects.append(client.hand_out(room))
            if inspect.iscoroutinefunction(known.hook):
                spawn(_awaited(known.hook, subjects, name))
            else:
                self._worker.do(known.hook, [blocking(subject) for subject in subjects], name)


def _takes_room(name: str, hook: Hook) -> bool:
    """Whether a function takes two arguments: a message and its room.

    Raises:
        InvalidInput: it takes as many as there never are.
    """
    if not callable(hook):
        raise InvalidInput(f"a hook is a function, not {type(hook).__name__}")
    try:
        parameters = inspect.signature(hook).parameters.values()
    except ValueError:
        return False  # written in C, and does not tell
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed_by_name = any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters)
    least = len([one for one in positional if one.default is one.empty])
    both = least == 2 and not any(fnmatchcase(known, name) for known in NAMES if known != "chat.message")
    any_number = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    if needed_by_name or not (positional or any_number) or (least > 1 and not both):
        wanted = "a message, or a message and its room" if name.startswith("chat") else "one argument"
        raise InvalidInput(f"a hook of {name} is called with {wanted}: {getattr(hook, '__name__', hook)} takes others")
    return both


async def _awaited(hook: Hook, subjects: list[Any], name: str) -> None:
    try:
        await hook(*subjects)
    except Exception:
        log.exception("a hook of %s failed", name)


class _Worker:
    """Runs plain hooks, one after the other, on a thread that keeps no program from ending."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Hook, list[Any], str]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, hook: Hook, subjects: list[Any], name: str) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="spnb-hooks", daemon=True)
            self._thread.start()
        self._jobs.put((hook, subjects, name))

    def _work(self) -> None:
        while True:
            hook, subjects, name = self._jobs.get()
            try:
                hook(*subjects)
            except Exception:
                log.exception("a hook of %s failed", name)


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
