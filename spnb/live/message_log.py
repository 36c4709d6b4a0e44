"""`MessageLog`: the messages of one feed in order, none twice and none missing, from events that come as they please.

Messages are numbered within their feed (`segment`, from 1). So an event either continues what was told, repeats it, or
shows a gap; a gap is closed by reading the service. A number that a read does not show was deleted.
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
        self._gone: set[int] = set()
        self._began_after = 0
        self.heard = 0
        """How many events came so far: to be noted when a read begins, and given with what it brought."""
        self.settled = 0
        """All messages up to this number were told, or are known not to be there."""
        self.doubtful: set[str] = set()
        """Ids of messages whose newest state is uncertain, since events about them may have come in any order."""

    @property
    def missing(self) -> bool:
        """Whether there are messages which were not heard of, before one that was."""
        return bool(self._ahead)

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
        if segment <= self.settled:
            return self._renew(state, own)
        other = self._ahead.get(segment)
        if other is None or _later(state, other):
            self._ahead[segment] = state
        return self._advance(self.settled)

    def read(self, messages: Sequence[Message], *, after: int, heard: int, to_end: bool) -> list[ChatChange]:
        """A read brought the messages that are there, from number `after` + 1 on.

        Args:
            messages: without deleted ones.
            after: what is up to this number was not asked for.
            heard: `heard` when the read began: what events told since is newer.
            to_end: whether there were no more behind them, or perhaps the next page of a list.
        """
        there = {message.segment: message for message in messages}
        upto = max(there, default=after)

        def is_gone(segment: int, known: _Known) -> bool:
            covered = after < segment <= upto or (to_end and segment > upto and known.heard <= heard)
            return covered and segment not in there

        changes: list[ChatChange] = []
        for segment, known in list(self._kept.items()):
            if is_gone(segment, known):
                changes += self._delete(segment, known.message)
        for segment in sorted(there):
            message = there[segment]
            state = _Known(message, message.updated_at or LONG_AGO, LONG_AGO, heard)
            if segment <= self.settled:
                changes += self._renew(state, (), whole=True)
                continue
            other = self._ahead.get(segment)
            if other is None or not _newer(other, state):
                self._ahead[segment] = state
        for segment in [segment for segment, known in self._ahead.items() if is_gone(segment, known)]:
            del self._ahead[segment]
        return changes + self._advance(upto if after <= self.settled else self.settled)

    def settle(self, asked: Iterable[str], messages: Iterable[Message], *, heard: int) -> list[ChatChange]:
        """A read by id brought the newest states of the doubtful messages that were asked for, deleted ones too."""
        self.doubtful.difference_update(asked)
        changes: list[ChatChange] = []
        for message in messages:
            if message.segment <= self.settled:
                state = _Known(message, message.updated_at or LONG_AGO, LONG_AGO, heard)
                changes += self._renew(state, (), whole=True)
        return changes

    def _advance(self, upto: int) -> list[ChatChange]:
        """Tell what is due: everything heard of up to `upto`, and what follows on without a gap."""
        changes: list[ChatChange] = []
        for segment in sorted(self._ahead):
            if segment > upto and segment != max(self.settled, upto) + 1:
                break
            state = self._ahead.pop(segment)
            self.settled = segment
            if state.message.is_deleted:
                self._bury(segment)
            else:
                self._remember(segment, state)
                changes.append(ChatChange("added", state.message))
        self.settled = max(self.settled, upto)
        return changes

    def _renew(self, state: _Known, own: Iterable[str], *, whole: bool = False) -> list[ChatChange]:
        message, segment = state.message, state.message.segment
        if segment in self._gone:
            return []
        known = self._kept.get(segment)
        if known is None:
            if whole or segment <= self._began_after or (self._kept and segment > next(iter(self._kept))):
                return []  # not asked for, or not there when it was
            # Too old to be remembered: told as it comes.
            if message.is_deleted:
                return self._delete(segment, message)
            return [ChatChange("changed", message)]
        if message.is_deleted:
            return self._delete(segment, known.message)
        if whole:
            if _same(known.message, message, own=True):
                return []
            if _newer(known, state):
                # Events have overtaken the read, and may themselves have come in any order.
                self.doubtful.add(message.message_id)
                return []
        else:
            if _same(known.message, message):
                return []
            self.doubtful.add(message.message_id)
            message = _with_own(message, known.message, own)
            if not _later(state, known):
                return []
        state.message = message
        self._kept[segment] = state
        return [] if _same(known.message, message, own=True) else [ChatChange("changed", message)]

    def _delete(self, segment: int, last: Message) -> list[ChatChange]:
        self._kept.pop(segment, None)
        self.doubtful.discard(last.message_id)
        self._bury(segment)
        return [ChatChange("deleted", last)]

    def _bury(self, segment: int) -> None:
        self._gone.add(segment)
        if len(self._gone) > 2 * self._keep:
            self._gone = set(sorted(self._gone)[-self._keep :])

    def _remember(self, segment: int, state: _Known) -> None:
        self._kept[segment] = state
        while len(self._kept) > self._keep:
            _, oldest = self._kept.popitem(last=False)
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
