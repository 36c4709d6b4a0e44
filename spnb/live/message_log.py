"""`MessageLog`: the messages of one feed in order, none twice and none missing, from events that come as they please.

Messages are numbered within their feed (`segment`, from 1). So an event either continues what was told, repeats it, or
shows a gap; a gap is closed by reading the service. A number that a read does not show was deleted.

Events are hints: what one tells is shown at once, but for a deletion, and asked for by id soon after; what is read
replaces it. Only a read takes a message away.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from spnb.models import Channel, Message

__all__ = ["ChatChange", "MessageLog"]

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChatChange:
    """Something that happened in a chat."""

    kind: Literal["added", "changed", "deleted", "channel"]
    """A message was sent; edited, reacted to or flagged; deleted. Or the channel has changed: slow mode, mute, pin."""
    message: Message | None = None
    """The message as it is now; for a deleted one as it last was."""
    channel: Channel | None = None


@dataclass(slots=True)
class _Known:
    message: Message
    updated: datetime
    sent: datetime
    """When the service told of this state; it orders states that share an `updated_at`, as reactions do."""
    heard: int
    """Count of events at the time it was heard of."""

    @classmethod
    def read(cls, message: Message, heard: int) -> _Known:
        """What a read brought that began after so many events."""
        return cls(message, message.updated_at or LONG_AGO, LONG_AGO, heard)


class MessageLog:
    """Turns events and reads into changes, each message added once and in order.

    Pure: it reads nothing itself. `missing` says when a read is due, `doubtful` which messages one is due for.

    Args:
        user_id: whose own reactions are kept track of.
        keep: how many of the newest messages are remembered, for telling edits from repetitions.
    """

    def __init__(self, user_id: str = "", *, keep: int = 1000) -> None:
        self._user_id = user_id
        self._keep = keep
        self._kept: OrderedDict[int, _Known] = OrderedDict()
        self._ahead: dict[int, _Known] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._began_after = 0
        self._forgotten = 0  # what is up to this number was told, and is not remembered any more
        self.heard = 0
        """How many events came so far: to be noted when a read begins, and given with what it brought."""
        self.settled = 0
        """All messages up to this number were told, or are known not to be there."""
        self.doubtful: set[str] = set()
        """Ids of messages whose newest state is uncertain, since events about them may have come in any order."""
        self.unconfirmed: OrderedDict[str, None] = OrderedDict()
        """Ids of messages that only an event has told of, in the order they came."""
        self._contradicted = False

    @property
    def missing(self) -> bool:
        """Whether messages were not heard of before one that was, or events told of two under one number."""
        return bool(self._ahead) or self._contradicted

    def begin_after(self, segment: int) -> None:
        """What is up to this number is not to be told."""
        self._began_after = segment
        self.settled = max(self.settled, segment)
        self._ahead = {number: state for number, state in self._ahead.items() if number > self.settled}

    def news(self, message: Message, *, sent_at: datetime | None = None, own: Iterable[str] = ()) -> list[ChatChange]:
        """An event brought this state of a message.

        Args:
            sent_at: when the service sent the event.
            own: the user's own reactions to it, as the event changes them: `+name` or `-name`.
        """
        self.heard += 1
        state = _Known(message, message.updated_at or LONG_AGO, sent_at or LONG_AGO, self.heard)
        segment = message.segment
        if message.message_id in self._gone:
            return []
        if message.is_deleted:
            # Of one that was never shown there is nothing to take away; whether others are, a read tells.
            if segment <= self.settled:
                self._doubt(message.message_id)
            return []
        if segment <= self.settled:
            return self._renew(state, own)
        other = self._ahead.get(segment)
        if other is not None and other.message.message_id != message.message_id:
            self._contradicted = True
        if other is None or _later(state, other):
            self._ahead[segment] = state
        return self._advance(self.settled, told=True)

    def read(self, messages: Sequence[Message], *, after: int, heard: int, to_end: bool) -> list[ChatChange]:
        """A read brought the messages that are there, from number `after` + 1 on.

        Args:
            messages: without deleted ones.
            after: what is up to this number was not asked for.
            heard: `heard` when the read began: what events told since is newer.
            to_end: whether there were no more behind them, or perhaps the next page of a list.
        """
        there = {message.segment: message for message in messages if message.message_id not in self._gone}
        upto = max(there, default=after)
        self._contradicted = False

        def is_gone(segment: int, known: _Known) -> bool:
            covered = after < segment <= upto or (to_end and segment > upto and known.heard <= heard)
            if covered and segment in there:
                return known.message.message_id != there[segment].message_id
            return covered

        changes: list[ChatChange] = []
        for segment, known in list(self._kept.items()):
            if is_gone(segment, known):
                changes += self._delete(segment, known.message)
                if segment in there:  # its number is another's, who was never heard of
                    message = there[segment]
                    self._remember(segment, _Known.read(message, heard))
                    changes.append(ChatChange("added", message))
                if segment > upto and segment == self.settled:
                    # It may never have been there: the next message may have its number.
                    self.settled = max(upto, after, next(reversed(self._kept), 0))
        for segment in sorted(there):
            message = there[segment]
            state = _Known.read(message, heard)
            self.unconfirmed.pop(message.message_id, None)
            if segment <= self.settled:
                changes += self._renew(state, (), whole=True)
                continue
            other = self._ahead.get(segment)
            if other is None or other.message.message_id != message.message_id or not _newer(other, state):
                self._ahead[segment] = state
        for segment in [segment for segment, known in self._ahead.items() if is_gone(segment, known)]:
            del self._ahead[segment]
        return changes + self._advance(upto if after <= self.settled else self.settled)

    def settle(self, asked: Iterable[str], messages: Iterable[Message], *, heard: int) -> list[ChatChange]:
        """A read by id brought the newest states of the doubtful messages that were asked for, deleted ones too."""
        wanted = set(asked)
        self.doubtful -= wanted
        for message_id in wanted:
            self.unconfirmed.pop(message_id, None)
        changes: list[ChatChange] = []
        for message in messages:
            wanted.discard(message.message_id)
            if message.segment <= self.settled:
                state = _Known.read(message, heard)
                changes += self._renew(state, (), whole=True, asked=True)
        for segment, known in list(self._kept.items()):
            if known.message.message_id in wanted and known.heard <= heard:
                # Nothing is known of it there: it is gone without a trace, or never was.
                changes += self._delete(segment, known.message)
                if segment == self.settled:
                    self.settled = next(reversed(self._kept), segment - 1)
        return changes

    def _doubt(self, message_id: str) -> None:
        if len(self.doubtful) < self._keep:
            self.doubtful.add(message_id)
        else:
            self._contradicted = True  # a flood: the newest page is read instead

    def _advance(self, upto: int, *, told: bool = False) -> list[ChatChange]:
        """Tell what is due: everything heard of up to `upto`, and what follows on without a gap.

        Args:
            told: whether an event leads to it, not a read.
        """
        changes: list[ChatChange] = []
        for segment in sorted(self._ahead):
            if segment > upto and segment != max(self.settled, upto) + 1:
                break
            state = self._ahead.pop(segment)
            self.settled = segment
            self._remember(segment, state)
            changes.append(ChatChange("added", state.message))
            if told:
                self.unconfirmed[state.message.message_id] = None
                while len(self.unconfirmed) > self._keep:
                    self.unconfirmed.popitem(last=False)
        self.settled = max(self.settled, upto)
        return changes

    def _renew(
        self, state: _Known, own: Iterable[str], *, whole: bool = False, asked: bool = False
    ) -> list[ChatChange]:
        message, segment = state.message, state.message.segment
        if message.message_id in self._gone:
            return []
        known = self._kept.get(segment)
        if known is None:
            if segment <= self._began_after:
                return []  # not asked for
            if segment > self._forgotten:
                # Not there when it was asked for: a read tells whether it is now.
                if not whole:
                    self._doubt(message.message_id)
                elif not message.is_deleted:
                    self._remember(segment, state)
                    return [ChatChange("added", message)]
                return []
            # Too old to be remembered: told as it is read.
            if not whole:
                self._doubt(message.message_id)
                return []
            if not asked:
                return []
            return self._delete(segment, message) if message.is_deleted else [ChatChange("changed", message)]
        if known.message.message_id != message.message_id:
            if not whole:
                self._contradicted = True
            return []
        if message.is_deleted:
            return self._delete(segment, known.message)
        if whole:
            if _same(known.message, message, own=True):
                return []
            if _newer(known, state):
                # Events have overtaken the read, and may themselves have come in any order.
                self._doubt(message.message_id)
                return []
        else:
            if _same(known.message, message):
                return []
            self._doubt(message.message_id)
            message = _with_own(message, known.message, own)
            if not _later(state, known):
                return []
        state.message = message
        self._kept[segment] = state
        return [] if _same(known.message, message, own=True) else [ChatChange("changed", message)]

    def _delete(self, segment: int, last: Message) -> list[ChatChange]:
        self._kept.pop(segment, None)
        self.doubtful.discard(last.message_id)
        self.unconfirmed.pop(last.message_id, None)
        self._gone[last.message_id] = None
        while len(self._gone) > 2 * self._keep:
            self._gone.popitem(last=False)
        return [ChatChange("deleted", last)]

    def _remember(self, segment: int, state: _Known) -> None:
        late = bool(self._kept) and segment < next(reversed(self._kept))
        self._kept[segment] = state
        if late:
            self._kept = OrderedDict(sorted(self._kept.items()))
        while len(self._kept) > self._keep:
            number, oldest = self._kept.popitem(last=False)
            self._forgotten = max(self._forgotten, number)
            self.doubtful.discard(oldest.message.message_id)


def _later(one: _Known, other: _Known) -> bool:
    return (one.updated, one.sent) >= (other.updated, other.sent)


def _newer(heard: _Known, read: _Known) -> bool:
    """Whether an event told of it after the read was asked for. What an event says of its time proves nothing."""
    return heard.heard > read.heard


SHOWN = ("data", "reactions", "flag_count", "child_count", "metadata", "mentioned_users", "tags", "updated_at")


def _same(one: Message, other: Message, *, own: bool = False) -> bool:
    names = (*SHOWN, "my_reactions") if own else SHOWN
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _with_own(message: Message, known: Message, own: Iterable[str]) -> Message:
    """An event does not say how its reader reacted: that is known, or is what this very event tells."""
    mine = list(known.my_reactions)
    for change in own:
        name = change[1:]
        if name in mine:
            mine.remove(name)
        if change.startswith("+"):
            mine.append(name)
    creator = message.creator or known.creator
    return message.model_copy(update={"my_reactions": mine, "creator": creator})
