"""`ChatFollower`: keeps a `MessageLog` fed, with events as they come and with reads where those are not enough."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any

from spnb._lasting import Pauses
from spnb.client.chat import messages_of
from spnb.errors import NotFound, ServiceError, Unreachable, words_of
from spnb.live.message_log import ChatChange, MessageLog
from spnb.live.reactions import reactors_of
from spnb.models import Channel, Message
from spnb.realtime import Event

if TYPE_CHECKING:
    from spnb.client import AsyncClient

__all__ = ["ChatFollower"]

log = logging.getLogger(__name__)

PAGE = 100
GAP_PATIENCE = 0.15
"""Seconds to wait for an event that was overtaken, before the service is read instead."""
DOUBT_PATIENCE = 1.0
"""Seconds until the state of messages that events told of is read again; many events lead to one read."""
DELETED_PATIENCE = 0.05
"""The same for a message that is said to be deleted: moderation is to be seen at once."""
CONFIRM_PATIENCE = 5.0
"""Seconds until messages that only events told of are asked for."""
ASKED_AT_ONCE = 50
NEVER = float("inf")
FIRST_POLL = 1.0
"""Seconds between the first reads while events are away."""


class ChatFollower:
    """Follows one channel. Lives on the background loop, for one iteration.

    Args:
        client: the connection.
        channel: the channel to follow.
        also: ids of messages to be looked after, however far back they are.
    """

    def __init__(
        self, client: AsyncClient[Any], channel: Channel, *, also: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._client = client
        self._channel = channel
        self._also = also
        self._topic = f"{channel.path}/#"
        self._log = MessageLog(client.user_id)
        self._changes: list[ChatChange] = []
        self._wake = asyncio.Event()
        self._read_at = NEVER
        self._gap_at = NEVER
        self._doubt_at = self._confirm_at = NEVER
        self._doubts_read = 0.0
        self._channel_at = NEVER
        self._pauses = Pauses(FIRST_POLL)
        self._closed = False
        self.deleted: set[str] = set()
        """Messages found to be deleted, also those from before the beginning, of which no change tells; to be taken."""
        self.read_error: str | None = None
        """Why the chat could not be read last; None where it could."""

    async def batches(self, last: int | None) -> Any:
        """Changes as they are known, some at a time, beginning with the last messages (all without a number); none at
        all where only `read_error` or `deleted` has."""
        await self._client.login()
        realtime = self._client.realtime
        ends = [
            # Between a read and the moment from which events come in, a message could be missed: read once more then.
            realtime.subscribe(self._topic, self._heard, settled=lambda _granted: self._read_soon()),
            realtime.on_state(lambda _state: self._read_soon()),
        ]
        try:
            async for changes in self._beginning(last):
                yield changes
            self._plan_safety_read()
            while not self._closed:
                await self._until_due()
                problem = self.read_error
                async with self._client._reading:
                    await self._do_what_is_due()
                changes, self._changes = self._changes, []
                self.deleted |= {one.message.message_id for one in changes if one.kind == "deleted" and one.message}
                if changes or self.deleted or self.read_error != problem:
                    yield changes
        finally:
            for end in ends:
                end()

    # -- what comes in

    def _heard(self, event: Event) -> None:
        if event.type.startswith("message."):
            own = self._own_reactions(event)
            for message in messages_of(event.data):
                if message.message_feed_id in (None, self._channel.feed_id):
                    self._changes += self._log.news(message, sent_at=event.sent_at, own=own)
            if self._log.missing:
                self._gap_at = min(self._gap_at, _now() + GAP_PATIENCE)
            self._plan_doubts(DELETED_PATIENCE if event.type == "message.deleted" else DOUBT_PATIENCE)
            self._wake.set()
        elif event.type in ("channel.updated", "channel.setMuted", "channel.deleted"):
            self._channel_at = _now()
            self._wake.set()

    def _own_reactions(self, event: Event) -> list[str]:
        sign = {"message.reactionAdded": "+", "message.reactionRemoved": "-"}.get(event.type)
        if sign is None:
            return []
        return [
            f"{sign}{reactor.get('reactionName')}"
            for _, reactor in reactors_of(event.data)
            if reactor.get("userId") == self._client.user_id
        ]

    def _read_soon(self) -> None:
        self._read_at = _now()
        self._wake.set()

    # -- when to read

    async def _until_due(self) -> None:
        """Wait until there are changes to tell or something is to be read."""
        while not self._changes and not self._closed:
            wait = min(self._read_at, self._gap_at, self._doubt_at, self._confirm_at, self._channel_at) - _now()
            if wait <= 0:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _do_what_is_due(self) -> None:
        now = _now()
        gap_due, read_due = self._gap_at <= now, self._read_at <= now
        doubt_due, channel_due = min(self._doubt_at, self._confirm_at) <= now, self._channel_at <= now
        try:
            if gap_due:
                self._gap_at = NEVER
            if read_due or (gap_due and self._log.missing):
                self._read_at = NEVER
                await self._read_newest()
                self._plan_safety_read()
            if doubt_due:
                self._doubt_at = self._confirm_at = NEVER
                await self._read_doubtful()
            if channel_due:
                self._channel_at = NEVER
                channel = await self._client.channels.get(self._channel.channel_id)
                self._changes.append(ChatChange("channel", channel=channel))
                self._closed = self._closed or channel.is_deleted
        except NotFound:
            self._closed = True
        except (ServiceError, Unreachable) as error:
            log.info("chat %s could not be read: %s", self._channel.channel_id, type(error).__name__)
            self.read_error = words_of(error)
            self._again(doubt_due, channel_due)
        except Exception as error:
            # One reading's trouble must not be the last reading of all.
            log.exception("chat %s could not be read", self._channel.channel_id)
            self.read_error = words_of(error)
            self._again(doubt_due, channel_due)
        else:
            if read_due or gap_due or doubt_due or channel_due:
                self.read_error = None

    def _again(self, doubt_due: bool, channel_due: bool) -> None:
        again = _now() + self._pauses.next(followed=False)
        self._read_at = min(self._read_at, again)
        if doubt_due:
            self._doubt_at = min(self._doubt_at, again)
        if channel_due:
            self._channel_at = min(self._channel_at, again)

    def _plan_safety_read(self) -> None:
        pause = self._pauses.next(followed=self._client.realtime.is_subscribed(self._topic))
        self._read_at = min(self._read_at, _now() + pause)

    # -- reading

    async def _beginning(self, last: int | None) -> AsyncIterator[list[ChatChange]]:
        if last is None:
            async for changes in self._whole_history():
                yield changes
            return
        heard = self._log.heard
        found: list[Message] = []
        wanted = max(1, last)
        async for page in self._client.messages.pages(self._channel.feed_id, page_size=min(PAGE, wanted)):
            found += page
            if len(found) >= wanted:
                break
        found = found[:wanted]
        if len(found) == wanted:
            self._log.begin_after(found[-1].segment - (0 if last == 0 else 1))
        if last == 0:
            found = []
        changes = self._log.read(found, after=self._log.settled, heard=heard, to_end=True)
        self._changes, told = [], self._changes
        yield told + changes

    async def _whole_history(self) -> AsyncIterator[list[ChatChange]]:
        heard = self._log.heard
        async for page in self._client.messages.pages(self._channel.feed_id, page_size=PAGE, oldest_first=True):
            self._changes += self._log.read(page, after=self._log.settled, heard=heard, to_end=False)
            changes, self._changes = self._changes, []
            yield changes
            heard = self._log.heard

    async def _read_newest(self) -> None:
        """From the end back to what is known, and at least one page: it shows edits and deletions that were missed."""
        heard = self._log.heard
        found: list[Message] = []
        after = 0
        async for page in self._client.messages.pages(self._channel.feed_id, page_size=PAGE):
            found += page
            if page and page[-1].segment <= self._log.settled:
                after = page[-1].segment - 1
                break
        changes = self._log.read(found, after=after, heard=heard, to_end=True)
        if changes:
            self._pauses.anew()
        self._changes += changes
        self._log.doubtful.update(self._also())
        self._plan_doubts()

    async def _read_doubtful(self) -> None:
        heard = self._log.heard
        told_of = [name for name in reversed(self._log.unconfirmed) if name not in self._log.doubtful]
        asked = [*sorted(self._log.doubtful), *told_of][:ASKED_AT_ONCE]
        self._doubts_read = _now()
        if not asked:
            return
        messages = await self._client.messages.get_many(asked)
        self._changes += self._log.settle(asked, messages, heard=heard)
        self.deleted |= set(asked) - {message.message_id for message in messages if not message.is_deleted}
        self._plan_doubts()

    def _plan_doubts(self, patience: float = DOUBT_PATIENCE) -> None:
        if self._log.doubtful:
            self._doubt_at = min(self._doubt_at, max(_now() + patience, self._doubts_read + DOUBT_PATIENCE))
        if self._log.unconfirmed:
            self._confirm_at = min(self._confirm_at, _now() + CONFIRM_PATIENCE)


def _now() -> float:
    return asyncio.get_running_loop().time()
