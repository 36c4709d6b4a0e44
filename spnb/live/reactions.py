"""The floating reactions of a live room: send, count, follow."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from spnb._arguments import checked_class
from spnb._loop import aiterate, in_loop, on_loop
from spnb._twins import Blocking
from spnb.errors import InvalidInput, NotFound, ServiceError, Unreachable
from spnb.live.followed import FollowedRoom
from spnb.live.outbox import Outbox
from spnb.models import LiveReaction, Room
from spnb.observers import Observers
from spnb.realtime import Event

__all__ = ["AsyncLiveReactions", "Tally", "reactions_of", "reactors_of"]

log = logging.getLogger(__name__)

ReactionObserver = Callable[[LiveReaction], Any]

SEND_SECONDS = 1.0
"""Reactions are gathered for a second, as the service's SDKs do."""
MOST_WAITING = 10_000
MOST_IN_A_REQUEST = 200
REMEMBERED = 50_000
AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
MILLISECOND = timedelta(milliseconds=1)


class Tally:
    """Counts of reactions by name, each reaction once however often and in whichever order it is told.

    The wire gives a reaction no id of its own: who reacted how, and when to the millisecond, tells one from another
    (SDK 7.20: `liveReaction.created` holds `userId, reactionName, occurredAt` and what it refers to).

    Args:
        remembered: how many reactions are recognised when they are told again.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._known: OrderedDict[tuple[str | None, str, datetime], None] = OrderedDict()
        self.counts: Counter[str] = Counter()

    def add(self, reaction: LiveReaction) -> bool:
        """Count a reaction. Returns whether it was new."""
        key = _identity(reaction)
        if key is not None:
            if key in self._known:
                return False
            self._known[key] = None
            if len(self._known) > self._remembered:
                self._known.popitem(last=False)
        self.counts[reaction.reaction_name] += 1
        return True

    def take_back(self, reaction: LiveReaction) -> None:
        """A reaction that was counted is none: the service did not take it."""
        key = _identity(reaction)
        if key is not None and key in self._known:
            del self._known[key]
            self.counts[reaction.reaction_name] -= 1
            self.counts += Counter()  # names without any go


def _identity(reaction: LiveReaction) -> tuple[str | None, str, datetime] | None:
    at = reaction.occurred_at
    if at is None:
        return None
    return reaction.user_id, reaction.reaction_name, at.replace(microsecond=at.microsecond // 1000 * 1000)


@checked_class
class AsyncLiveReactions(Mapping[str, int]):
    """How many reactions of each name have floated since it is followed, one's own at once.

    The service keeps no counts: what floated before is not known. Following starts with the first look.

    Args:
        room: the room they float in.
    """

    def __init__(self, room: FollowedRoom) -> None:
        self._room = room
        self._client = room.client
        self._tally = Tally()
        self._observers = Observers[LiveReaction]("reactions")
        self._unfollow: list[Callable[[], None]] = []
        self._subscribing: asyncio.Task[None] | None = None
        self._post_id: str | None = None
        self._last = datetime.min.replace(tzinfo=UTC)
        self._outbox_made: Outbox[LiveReaction] | None = None
        self._refusal: ServiceError | None = None

    # -- counts

    @property
    def counts(self) -> dict[str, int]:
        """Counts by name, most first.

        Raises:
            InvalidInput: none are counted yet: following has begun just now, or no post carries the room.
        """
        return dict(self._known().most_common())

    def _known(self) -> Counter[str]:
        if not (self._began or self._tally.counts):
            raise InvalidInput(
                "no reactions are counted yet: it begins with the first look at them, once a post carries the room;"
                " the service keeps no counts of those before"
            )
        return self._tally.counts

    @property
    def _so_far(self) -> dict[str, int]:
        """`counts`, empty too where none are counted yet."""
        return dict(self._tally.counts.most_common())

    @property
    def total(self) -> int:
        """All reactions.

        Raises:
            InvalidInput: none are counted yet.
        """
        return self._known().total()

    def __getitem__(self, name: str) -> int:
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.counts)

    def __len__(self) -> int:
        return len(self._known())

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    # -- following

    def observe(self, observer: ReactionObserver) -> Callable[[], None]:
        """Have `observer` called with every reaction, one's own too, on spnb's background loop.

        Returns:
            A function that ends it. Both may be called from any thread.
        """
        self.follow()
        return self._observers.add(observer)

    def watch(self) -> AsyncIterator[LiveReaction]:
        """Every reaction from now on. Ends only when it is left."""
        return aiterate(self._watch())

    async def _watch(self) -> AsyncIterator[LiveReaction]:
        arrived: asyncio.Queue[LiveReaction] = asyncio.Queue()
        end = self.observe(arrived.put_nowait)
        try:
            while True:
                yield await arrived.get()
        finally:
            end()

    def follow(self) -> None:
        """Start counting; done by itself with the first look."""
        in_loop(self._follow)

    def stop(self) -> None:
        """Stop counting; observers hear nothing until it is followed again."""
        in_loop(self._stop)

    @property
    def following(self) -> bool:
        """Whether reactions of others come in now."""
        return any(self._client.realtime.is_subscribed(topic) for topic in self._topics)

    _topics: tuple[str, ...] = ()
    _began = False
    """Whether reactions of others have ever come in."""

    def _follow(self) -> None:
        if not self._unfollow:
            self._unfollow = [self._room.observe(self._room_changed)]
            self._room_changed(self._room.record)

    def _stop(self) -> None:
        for end in self._unfollow:
            end()
        self._unfollow = []
        self._post_id = None
        self._topics = ()
        if self._subscribing is not None:
            self._subscribing.cancel()
            self._subscribing = None

    def _room_changed(self, record: Room) -> None:
        if record.reference_id and record.reference_id != self._post_id and self._unfollow:
            self._post_id = record.reference_id
            if self._subscribing is not None:
                self._subscribing.cancel()
            self._subscribing = asyncio.create_task(self._subscribe(record.reference_id), name="spnb-reactions")

    async def _subscribe(self, post_id: str) -> None:
        """Follow the reactions of the post, its parent and children: some apps send to the one, some to the other."""
        for wait in itertools.chain(AGAIN_SECONDS, itertools.repeat(AGAIN_SECONDS[-1])):
            try:
                post = await self._client.posts.get(post_id)
                parent = await self._client.posts.get(post.parent_post_id) if post.parent_post_id else None
            except NotFound:
                return
            except (ServiceError, Unreachable) as error:
                log.info("reactions cannot be followed yet: %s", type(error).__name__)
                await asyncio.sleep(wait)
                continue
            paths = [one.path for one in (post, parent) if one is not None and one.path]
            # A post's path ends with its id.
            paths += [f"{paths[0].rpartition('/')[0]}/{child}" for child in post.children if paths]
            self._topics = tuple(f"{path}/liveReaction" for path in dict.fromkeys(paths))
            for topic in self._topics:
                self._unfollow.append(self._client.realtime.subscribe(topic, self._heard, settled=self._granted))
            return

    def _granted(self, granted: bool) -> None:
        self._began = self._began or granted

    def _heard(self, event: Event) -> None:
        if event.type != "liveReaction.created":
            return
        for reaction in reactions_of(event):
            self._count(reaction)

    def _count(self, reaction: LiveReaction) -> None:
        if self._tally.add(reaction):
            self._observers.tell(reaction)

    # -- sending

    @property
    def waiting(self) -> int:
        """How many of one's own wait to be sent: for the second they are gathered, or for the network."""
        return len(self._outbox_made) if self._outbox_made is not None else 0

    @on_loop
    async def send(self, name: str, times: int = 1) -> list[LiveReaction]:
        """React. Returns at once: what is given is counted here, gathered for a second, and kept while the network is
        away.

        Args:
            name: e.g. `heart`; at most 100 characters.
            times: how often.

        Raises:
            InvalidInput: the name is none, or no post carries the room yet.
            ServiceError: what was given before was refused; it is no longer counted.
            Unreachable: too many wait to be sent.
        """
        if not name.strip() or len(name) > 100 or times < 1:
            raise InvalidInput("a reaction has a name of 1 to 100 characters and is given at least once")
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal
        post_id = await self._post()
        given = []
        for _ in range(times):
            reaction = LiveReaction(
                reaction_name=name,
                user_id=self._client.user_id,
                reference_public_id=post_id,
                reference_type="post",
                room_id=self._room.room_id,
                occurred_at=self._moment(),
            )
            self._outbox().put(_identity(reaction), reaction)
            self._count(reaction)
            given.append(reaction)
        return given

    @on_loop
    async def flush(self) -> None:
        """Send now what waits.

        Raises:
            Unreachable, RateLimited, ServerFault: it could not be sent; it is kept.
            ServiceError: it was refused.
        """
        await self._outbox().flush()
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal

    async def _post(self) -> str:
        post_id = self._room.record.reference_id or (await self._room.refresh()).reference_id
        if not post_id:
            raise InvalidInput("reactions belong to the post that carries the room: call room.post() first")
        return post_id

    def _moment(self) -> datetime:
        """Now, to the millisecond, and never twice: it is what tells one reaction from another."""
        now = self._client.clock.now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last = max(now, self._last + MILLISECOND)
        return self._last

    def _outbox(self) -> Outbox[LiveReaction]:
        if self._outbox_made is None:
            self._outbox_made = Outbox(
                self._client,
                self._send,
                every=SEND_SECONDS,
                most=MOST_WAITING,
                batch=MOST_IN_A_REQUEST,
                refused=self._refused,
            )
        return self._outbox_made

    async def _send(self, reactions: list[LiveReaction]) -> None:
        post_id = reactions[0].reference_public_id or ""
        names = [reaction.reaction_name for reaction in reactions]
        times = [reaction.occurred_at for reaction in reactions if reaction.occurred_at is not None]
        await self._client.reactions.send_live(self._room.room_id, post_id, names, occurred_at=times)

    def _refused(self, reactions: list[LiveReaction], error: ServiceError) -> None:
        log.warning("%d reactions were refused (%d)", len(reactions), error.status)
        self._refusal = error
        for reaction in reactions:
            self._tally.take_back(reaction)

    sync = Blocking()
    """The blocking twin."""

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in self._so_far.items())
        none = "none yet" if self.following else "not followed yet: observe() or follow()"
        return f"{type(self).__name__}({told or none})"


def reactions_of(event: Event) -> Iterator[LiveReaction]:
    """The floating reactions an event tells of; malformed ones are left out."""
    for body in event.data.get("reactions") or []:
        try:
            yield LiveReaction.model_validate(body)
        except ValidationError:
            log.debug("a malformed reaction was dropped")


def reactors_of(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Who reacted to which message: `(message id, reactor)`, by the data of a message's reaction event.

    SDK 7.20 reads `reactions` as the reactors themselves; lists of who reacted have them in groups, each with what it
    refers to. Both are read.
    """
    found = data.get("reactions")
    messages = data.get("messages")
    listed = messages if isinstance(messages, list) else []
    about = next((each.get("messageId") for each in listed if isinstance(each, Mapping)), None)
    for each in found if isinstance(found, list) else []:
        if not isinstance(each, Mapping):
            continue
        subject = str(each.get("referenceId") or about or "")
        grouped = each.get("reactors")
        bodies = grouped if isinstance(grouped, list) else [each]
        yield from ((subject, body) for body in bodies if isinstance(body, Mapping))
