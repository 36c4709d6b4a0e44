"""Reactions of one room as they are given: floating ones, and those on its post and on the messages of its chat."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from spnb.analytics.capture.gaps import Gaps
from spnb.analytics.capture.lines import milliseconds
from spnb.analytics.capture.writer import CaptureWriter
from spnb.analytics.sources.records import reaction_row
from spnb.client import AsyncClient
from spnb.errors import Forbidden, NotFound, ServiceError, Unreachable
from spnb.live.reactions import reactions_of, reactors_of
from spnb.models import LiveReaction, Message, Post, Reactor
from spnb.realtime import Event, unheeded

__all__ = ["ReactionCapture"]

log = logging.getLogger(__name__)

AGAIN_SECONDS, AGAIN_LONGEST = 1.0, 30.0
DOUBT_SECONDS = 2.0
"""Events and reads of a message come in any order: only a count that still differs after this is looked into."""


class ReactionCapture:
    """Follows the reactions of a room. Lives on the background loop.

    Args:
        client: the connection.
        room_id: the room.
        writer, gaps: where rows and gaps go.
        heard: called at each sign of life of the real-time connection.
    """

    def __init__(
        self, client: AsyncClient[Any], room_id: str, writer: CaptureWriter, gaps: Gaps, heard: Callable[[], None]
    ) -> None:
        self._client = client
        self._room_id = room_id
        self._writer = writer
        self._gaps = gaps
        self._heard = heard
        self._ends: list[Callable[[], None]] = []
        self._posts: list[Post] = []
        self._granted: set[str] = set()
        self._topics: set[str] = set()
        self._read_soon = asyncio.Event()
        self._whole: set[str] = set()
        self._on_posts: dict[str, tuple[str, Reactor]] = {}
        self._on_messages: Counter[str] = Counter()
        self._doubtful: dict[str, int] = {}

    def close(self) -> None:
        """Follow no longer."""
        for end in self._ends:
            end()
        self._ends = []

    # -- the post

    async def follow_post(self, post_id: str) -> None:
        """Follow the post that carries the room and the one around it; for ever."""
        wait = AGAIN_SECONDS
        while not self._posts:
            try:
                post = await self._client.posts.get(post_id)
                around = [await self._client.posts.get(post.parent_post_id)] if post.parent_post_id else []
                self._posts = [one for one in (post, *around) if one.path]
                break
            except (Forbidden, NotFound):
                self._gaps.open(self._room_id, "reactions", self._client.clock.now(), "the post may not be read")
                return
            except (ServiceError, Unreachable) as error:
                log.info("reactions cannot be followed yet: %s", type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(AGAIN_LONGEST, wait * 2)
        self._topics = {f"{post.path}/liveReaction" for post in self._posts}
        realtime = self._client.realtime
        for post in self._posts:
            topic = f"{post.path}/liveReaction"
            self._ends.append(realtime.subscribe(topic, self._floated, settled=partial(self._settled, topic)))
            self._ends.append(realtime.subscribe(str(post.path), self._post_event, settled=unheeded))
        while True:
            # After each connection, and whenever somebody reacted: events carry no time, the list does.
            await self._read_soon.wait()
            self._read_soon.clear()
            try:
                await self.read_posts()
            except (ServiceError, Unreachable) as error:
                log.info("reactions could not be read: %s", type(error).__name__)
                self._read_soon.set()
                await asyncio.sleep(wait)
                wait = min(AGAIN_LONGEST, wait * 2)
            else:
                wait = AGAIN_SECONDS

    def _settled(self, topic: str, granted: bool) -> None:
        if granted:
            self._granted.add(topic)
            if self._granted == self._topics:
                self._gaps.close(self._room_id, "reactions")
        else:
            self._gaps.open(
                self._room_id, "reactions", self._client.clock.now(), "the broker refuses floating reactions"
            )
        self._read_soon.set()

    def away(self) -> None:
        """The real-time connection is gone; each topic is granted anew when it comes back."""
        self._granted.clear()
        self._whole.clear()

    def _floated(self, event: Event) -> None:
        self._heard()
        for reaction in reactions_of(event):
            # The post may carry several rooms' reactions, and senders one buffer for two rooms.
            if reaction.occurred_at is not None and reaction.room_id in (None, self._room_id):
                self._writer.put("reactions", self._floating_row(reaction, reaction.occurred_at))

    def _floating_row(self, reaction: LiveReaction, at: datetime) -> dict[str, Any]:
        """The wire gives floating reactions no id: who, how and when to the millisecond tells one from another."""
        said = "\n".join((self._room_id, reaction.user_id or "", reaction.reaction_name, str(milliseconds(at))))
        return {
            "reaction_id": f"live-{hashlib.sha256(said.encode()).hexdigest()[:24]}",
            "room_id": self._room_id,
            "user_id": reaction.user_id,
            "name": reaction.reaction_name,
            "at": at,
        }

    def _post_event(self, event: Event) -> None:
        self._heard()
        if event.type == "post.addReaction":
            self._read_soon.set()
        elif event.type == "post.removeReaction":
            self._taken_back(event.data.get("reactor"), event.sent_at)
            self._read_soon.set()

    async def read_posts(self) -> None:
        """Read who reacted to the post: all after each connection, else as far back as is known. What was known and is
        not there was taken back since."""
        for post in self._posts:
            known = post.post_id in self._whole
            self._whole.discard(post.post_id)
            listed = set()
            async for reactor in self._client.reactions.query(post.post_id, "post", page_size=100):
                new = self._writer.put("reactions", reaction_row(self._room_id, reactor))
                if known and not new:
                    break  # newest first: what follows is known
                listed.add(reactor.reaction_id)
                self._on_posts[reactor.reaction_id] = (post.post_id, reactor)
            if not known:
                for place, reactor in list(self._on_posts.values()):
                    if place == post.post_id and reactor.reaction_id not in listed:
                        self._taken_back(reactor, None)
            self._whole.add(post.post_id)

    # -- messages of the chat

    def follow_chat(self, path: str) -> None:
        """Follow the reactions on messages of a channel."""
        self._ends.append(self._client.realtime.subscribe(f"{path}/#", self._channel_event, settled=unheeded))

    def _channel_event(self, event: Event) -> None:
        self._heard()
        if event.type not in ("message.reactionAdded", "message.reactionRemoved"):
            return
        for message_id, body in reactors_of(event.data):
            if event.type == "message.reactionAdded":
                self._on_messages[message_id] += self._given(body)
            else:
                self._on_messages[message_id] -= self._taken_back(body, event.sent_at)

    def _given(self, body: Any) -> bool:
        try:
            return self._writer.put("reactions", reaction_row(self._room_id, Reactor.model_validate(body)))
        except ValidationError:
            return False

    def _taken_back(self, body: Any, at: datetime | None) -> bool:
        try:
            reactor = Reactor.model_validate(body)
        except ValidationError:
            return False
        self._on_posts.pop(reactor.reaction_id, None)
        if self._writer.knows(self._room_id, "reactions", reactor.reaction_id, False):
            return False
        known = self._writer.knows(self._room_id, "reactions", reactor.reaction_id, True)
        if reactor.created_at is not None and not known:
            self._writer.put("reactions", reaction_row(self._room_id, reactor))
        return self._writer.put("reactions", reaction_row(self._room_id, reactor, at=at or self._client.clock.now()))

    def seen(self, message: Message) -> None:
        """A message, as it is: where it has other reactions than are known, they are read soon."""
        count = sum(message.reactions.values())
        if count != self._on_messages[message.message_id]:
            self._doubtful[message.message_id] = count
        else:
            self._doubtful.pop(message.message_id, None)

    async def settle_messages(self) -> None:
        """Read the reactions of messages whose number does not fit; for ever."""
        while True:
            before = dict(self._doubtful)
            await asyncio.sleep(DOUBT_SECONDS)
            for message_id in before.keys() & self._doubtful.keys():
                count = self._doubtful.pop(message_id)
                if count == self._on_messages[message_id]:
                    continue
                try:
                    await self._read_message(message_id)
                except NotFound:
                    continue
                except (ServiceError, Unreachable) as error:
                    log.info("reactions of a message could not be read: %s", type(error).__name__)
                    self._doubtful.setdefault(message_id, count)
                    break

    async def _read_message(self, message_id: str) -> None:
        found = 0
        async for reactor in self._client.reactions.query(message_id, "message", page_size=100):
            self._writer.put("reactions", reaction_row(self._room_id, reactor))
            found += 1
        self._on_messages[message_id] = found

    async def read_doubtful(self) -> None:
        """Read now what is in doubt, at the end."""
        for message_id in list(self._doubtful):
            await self._read_message(message_id)
            self._doubtful.pop(message_id, None)
