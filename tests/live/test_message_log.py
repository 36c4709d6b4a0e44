"""Whatever is lost, doubled or reordered: the list holds every message once, in order, in its newest state."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from spnb.live.message_log import ChatChange, MessageLog
from spnb.models import Message

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PAGE = 4


class Service:
    """The truth: messages by number, and the events it sends."""

    def __init__(self) -> None:
        self.now = EPOCH
        self.messages: dict[int, Message] = {}
        self.events: list[tuple[Message, dt.datetime, tuple[str, ...]]] = []

    def _write(self, message: Message, own: tuple[str, ...] = ()) -> None:
        self.messages[message.segment] = message
        # An event does not say how its reader reacted.
        self.events.append((message.model_copy(update={"my_reactions": []}), self.now, own))

    def tick(self) -> None:
        self.now += dt.timedelta(milliseconds=1)

    def send(self) -> None:
        segment = len(self.messages) + 1
        self._write(
            Message(
                message_id=f"m{segment}", segment=segment, data={"text": "first"}, updated_at=self.now, reactions={}
            )
        )

    def edit(self, which: int) -> None:
        if (message := self._there(which)) is not None:
            text = {"text": f"edited at {self.now.timestamp()}"}
            self._write(message.model_copy(update={"data": text, "updated_at": self.now}))

    def delete(self, which: int) -> None:
        if (message := self._there(which)) is not None:
            self._write(message.model_copy(update={"is_deleted": True, "data": {}, "updated_at": self.now}))

    def react(self, which: int) -> None:
        """A reaction leaves `updated_at` as it is."""
        if (message := self._there(which)) is not None:
            mine = not message.my_reactions
            count = message.reactions.get("like", 0) + (1 if mine else -1)
            change = {"reactions": {"like": count}, "my_reactions": ["like"] if mine else []}
            self._write(message.model_copy(update=change), ("+like" if mine else "-like",))

    def _there(self, which: int) -> Message | None:
        alive = self.alive()
        return alive[which % len(alive)] if alive else None

    def alive(self) -> list[Message]:
        return [message for message in self.messages.values() if not message.is_deleted]


class Reader:
    """Keeps a list by what the log tells, as a widget does, and reads as a follower does."""

    def __init__(self, service: Service, *, in_order: bool = True) -> None:
        self.in_order = in_order
        self.service = service
        self.log = MessageLog("me")
        self.shown: dict[int, Message] = {}
        self.added: list[int] = []
        self.reading: tuple[list[Message], int, int] | None = None

    def hear(self, event: tuple[Message, dt.datetime, tuple[str, ...]]) -> None:
        message, sent_at, own = event
        self.take(self.log.news(message, sent_at=sent_at, own=own))

    def take(self, changes: list[ChatChange]) -> None:
        for change in changes:
            assert change.message is not None
            segment = change.message.segment
            if change.kind == "added":
                assert segment not in self.shown, "twice"
                if self.in_order:
                    assert not self.added or segment > self.added[-1], "out of order, or twice"
                self.added.append(segment)
                self.shown[segment] = change.message
            elif change.kind == "changed":
                assert segment in self.shown, "a change of what is not shown"
                self.shown[segment] = change.message
            else:
                assert self.shown.pop(segment, None) is not None, "deleted twice, or never shown"
                there = {message.message_id for message in self.service.alive()}
                assert change.message.message_id not in there, "only a read takes away"

    def begin_read(self) -> None:
        found, after = [], 0
        newest = self.service.alive()[::-1]
        for start in range(0, len(newest), PAGE):
            page = newest[start : start + PAGE]
            found += page
            if page[-1].segment <= self.log.settled:
                after = page[-1].segment - 1
                break
        self.reading = (found, after, self.log.heard)

    def end_read(self) -> None:
        if self.reading is not None:
            found, after, heard = self.reading
            self.reading = None
            self.take(self.log.read(found, after=after, heard=heard, to_end=True))

    def act(self, action: str, *which: int) -> None:
        """One step of a script: of the service, of its events on their way, or of this reader."""
        events = self.service.events
        if action in ("hear", "double", "lose"):
            if events:
                at = which[0] % len(events)
                event = events[at] if action == "double" else events.pop(at)
                if action != "lose":
                    self.hear(event)
        elif action in ("begin", "end", "ask"):
            {"begin": self.begin_read, "end": self.end_read, "ask": self.ask}[action]()
        else:
            getattr(self.service, action)(*which)

    def no_gap(self) -> None:
        alive = {message.segment for message in self.service.alive()}
        assert {segment for segment in alive if segment <= self.log.settled} <= set(self.shown)

    def settle(self) -> None:
        """What a follower does in the end: read from the end back, then what is still in doubt."""
        self.take(self.log.read(self.service.alive(), after=0, heard=self.log.heard, to_end=True))
        while self.log.doubtful or self.log.unconfirmed:
            self.ask()

    def ask(self) -> None:
        """Read by id what is in doubt."""
        asked = {*self.log.doubtful, *self.log.unconfirmed}
        known = [message for message in self.service.messages.values() if message.message_id in asked]
        self.take(self.log.settle(asked, known, heard=self.log.heard))


numbers = st.integers(0, 30)
actions = st.one_of(
    st.just(("send",)),
    st.just(("send",)),
    st.tuples(st.sampled_from(["edit", "delete", "react"]), numbers),
    st.tuples(st.just("hear"), numbers),
    st.tuples(st.just("hear"), numbers),
    st.tuples(st.just("double"), numbers),
    st.tuples(st.just("lose"), numbers),
    st.sampled_from([("tick",), ("begin",), ("end",), ("ask",)]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(actions, max_size=60))
def test_any_loss_doubling_and_order_gives_what_the_service_has(script: list[Any]) -> None:
    service = Service()
    reader = Reader(service)
    for action, *which in script:
        reader.act(action, *which)
        reader.no_gap()
    reader.end_read()
    reader.settle()
    truth = {message.segment: message for message in service.alive()}
    assert reader.shown == truth
    assert list(reader.shown) == sorted(truth)
    assert not reader.log.missing


@given(st.permutations(range(1, 9)))
def test_what_comes_in_any_order_is_told_in_order_without_a_read(order: list[int]) -> None:
    log = MessageLog()
    told = []
    for segment in order:
        told += log.news(Message(message_id=f"m{segment}", segment=segment))
    assert [change.message.segment for change in told if change.message] == list(range(1, 9))
    assert not log.missing


def test_old_messages_are_forgotten_but_their_news_is_told() -> None:
    log = MessageLog(keep=3)
    for segment in range(1, 11):
        log.news(Message(message_id=f"m{segment}", segment=segment))
    assert len(log._kept) == 3
    edited = Message(message_id="m1", segment=1, data={"text": "late"})
    assert log.news(edited) == []
    assert [change.kind for change in log.settle(["m1"], [edited], heard=log.heard)] == ["changed"]
    gone = edited.model_copy(update={"is_deleted": True})
    assert log.news(gone) == []
    assert [change.kind for change in log.settle(["m1"], [gone], heard=log.heard)] == ["deleted"]
    assert log.news(gone) == []
    for segment in range(11, 40):
        message = Message(message_id=f"m{segment}", segment=segment)
        log.news(message)
        log.settle([message.message_id], [message.model_copy(update={"is_deleted": True})], heard=log.heard)
    assert len(log._gone) <= 6
    assert set(log.unconfirmed) == {"m9", "m10"}


def told_of(service: Service, kind: str, which: int) -> Message:
    """A message that an event tells of and the service never had so."""
    segment = which % (len(service.messages) + 3) + 1
    true = service.messages.get(segment, Message(message_id=f"forged{segment}", segment=segment, data={}))
    late = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    changes: dict[str, dict[str, Any]] = {
        "deleted": {"is_deleted": True},
        "edited": {"data": {"text": "forged"}},
        "under another's number": {"message_id": f"other{segment}"},
        "far ahead": {"message_id": "forged ahead", "segment": 10**9},
        "deleted ahead": {"message_id": "forged ahead", "segment": 10**9, "is_deleted": True},
    }
    return true.model_copy(update={"updated_at": late, **changes[kind]})


KINDS = ("deleted", "edited", "under another's number", "far ahead", "deleted ahead")
forgeries = st.tuples(st.sampled_from(KINDS), numbers)


@settings(max_examples=400, deadline=None)
@example([("send",), ("send",), ("lose", 0), ("hear", 0), ("under another's number", 0)])
@given(st.lists(st.one_of(actions, forgeries), max_size=60))
def test_no_forged_event_outlives_the_reads_that_follow(script: list[Any]) -> None:
    service = Service()
    reader = Reader(service, in_order=False)
    for action, *which in script:
        if action in KINDS:
            reader.hear((told_of(service, action, which[0]), service.now, ()))
        else:
            reader.act(action, *which)
    reader.end_read()
    reader.settle()
    assert reader.shown == {message.segment: message for message in service.alive()}
    assert not reader.log.missing
