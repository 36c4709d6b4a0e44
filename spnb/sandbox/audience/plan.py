"""The plan of a live audience: who comes and goes when, who says what, what was planted. Pure: a seed gives it whole.

Times are seconds since the audience began. Viewers arrive in waves and a trickle, many drop off early, some lose their
connection and come back, planted moments make them write and react, some ask, and one is a troll.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import accumulate
from typing import Literal

from spnb.errors import InvalidInput
from spnb.sandbox.audience.words import BURSTS, CHAT, MOMENTS, QUESTIONS, REACTIONS, TROLL

__all__ = [
    "Act",
    "AudiencePlan",
    "Moment",
    "Reaction",
    "Said",
    "WatchSession",
    "check_sizes",
    "plan_audience",
    "timeline",
]

MOST_VIEWERS, MOST_SECONDS, MOST_MESSAGES = 20_000, 21_600.0, 1_000_000
BURST_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Moment:
    """Something happens that viewers answer; `strength` is the share of those present who write."""

    at: float
    kind: str
    strength: float


@dataclass(frozen=True, slots=True)
class WatchSession:
    """One watch session of a viewer, `[start, end)`; `again` where the viewer was there before."""

    number: int
    viewer: int
    start: float
    end: float
    again: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A chat message. `reply_to` is the number of an earlier one."""

    number: int
    viewer: int
    at: float
    text: str
    kind: Literal["chat", "question", "burst", "troll"]
    reply_to: int | None


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction: floating over the picture, to the stream's post, or to the message of number `subject`."""

    viewer: int
    at: float
    name: str
    to: Literal["floating", "post", "message"]
    subject: int | None = None


@dataclass(frozen=True, slots=True)
class AudiencePlan:
    """All that an audience does, and with it the truth of what an analysis should find."""

    seed: int
    viewers: int
    seconds: float
    moments: tuple[Moment, ...]
    sessions: tuple[WatchSession, ...]
    messages: tuple[Said, ...]
    reactions: tuple[Reaction, ...]
    troll: int | None

    def concurrency(self) -> list[tuple[float, int]]:
        """How many watch: steps of (seconds, viewers from then on); who leaves is counted before who joins."""
        steps = sorted(
            [(session.start, 1) for session in self.sessions] + [(session.end, -1) for session in self.sessions]
        )
        counts = accumulate(step for _, step in steps)
        return [(at, count) for (at, _), count in zip(steps, counts, strict=True)]

    @property
    def peak(self) -> int:
        """The most viewers at once."""
        return max((count for _, count in self.concurrency()), default=0)


@dataclass(frozen=True, slots=True, order=True)
class Act:
    """One thing to do at a time; `order` keeps a viewer's acts of one instant apart."""

    at: float
    order: int
    viewer: int
    kind: Literal["join", "beat", "leave", "say", "react", "float"] = field(compare=False)
    session: WatchSession | None = field(default=None, compare=False)
    said: Said | None = field(default=None, compare=False)
    reactions: tuple[Reaction, ...] = field(default=(), compare=False)


def plan_audience(
    *,
    viewers: int,
    seconds: float,
    seed: int,
    chat: bool = True,
    post: bool = True,
    chattiness: float = 0.5,
    moments: int | None = None,
) -> AudiencePlan:
    """Plan an audience.

    Args:
        viewers: how many people, 1 to 20 000.
        seconds: how long, 1 to 21 600.
        seed: the same seed and sizes give the same plan.
        chat: whether there is a chat to write in.
        post: whether there is a post to react to; floating reactions belong to it too.
        chattiness: messages a viewer writes in a minute, on average, apart from bursts.
        moments: how many moments are planted [default: one for each 30 s, at least one, at most six].

    Raises:
        InvalidInput: a size is out of bounds.
    """
    check_sizes(viewers, seconds, seed, chattiness, moments)
    rng = random.Random(f"{seed}/{viewers}/{seconds}")
    count = max(1, min(6, int(seconds // 30))) if moments is None else moments
    planted = tuple(
        Moment(
            round(seconds * (0.12 + 0.76 * (number + rng.uniform(0.25, 0.75)) / max(count, 1)), 3),
            rng.choice(MOMENTS),
            round(rng.uniform(0.15, 0.4), 3),
        )
        for number in range(count)
    )
    sessions = _sessions(rng, viewers, seconds)
    troll = rng.choice(sessions).viewer if chat and viewers >= 5 else None
    messages = _messages(rng, sessions, planted, chattiness, troll) if chat else ()
    reactions = _reactions(rng, sessions, planted, messages, chattiness) if post else ()
    return AudiencePlan(seed, viewers, seconds, planted, sessions, messages, reactions, troll)


def check_sizes(viewers: int, seconds: float, seed: int, chattiness: float, moments: int | None) -> None:
    """Refuse sizes that are out of bounds; see `plan_audience`."""
    for what, value, least, most in (
        ("viewers", viewers, 1, MOST_VIEWERS),
        ("seconds", seconds, 1, MOST_SECONDS),
        ("seed", seed, 0, 2**63),
        ("chattiness", chattiness, 0, 60),
        ("moments", moments or 0, 0, 100),
    ):
        if not least <= value <= most:
            raise InvalidInput(f"{what} must be {least:g} to {most:g}, got {value}")
    if viewers * seconds / 60 * chattiness > MOST_MESSAGES:
        raise InvalidInput(f"that is over {MOST_MESSAGES} messages: take fewer viewers or seconds, or less chattiness")


def _sessions(rng: random.Random, viewers: int, seconds: float) -> tuple[WatchSession, ...]:
    found: list[tuple[float, float, int, bool]] = []
    second_wave = rng.uniform(0.25, 0.55)
    for viewer in range(viewers):
        wave = rng.random()
        if wave < 0.5:
            arrive = rng.expovariate(1 / 0.1)
        elif wave < 0.7:
            arrive = second_wave + rng.expovariate(1 / 0.05)
        else:
            arrive = rng.uniform(0, 0.84)
        start = min(arrive, 0.84) * seconds
        habit = rng.random()
        if habit < 0.25:
            stay = rng.expovariate(1 / (0.12 * seconds))
        elif habit < 0.5:
            stay = rng.uniform(0.2, 0.9) * seconds
        else:
            stay = seconds
        # Whoever stays to the end leaves within the last seconds, not all in the same instant.
        end = min(seconds - rng.uniform(0, min(6, 0.15 * seconds)), start + max(0.005 * seconds, stay))
        stretches = [(start, end)]
        if rng.random() < 0.12 and end - start > 2:
            # The connection is lost for a while.
            lost = rng.uniform(start + 0.5, end - 1)
            back = min(end - 0.2, lost + rng.uniform(0.3, 6))
            stretches = [(start, lost), (back, end)]
        found += [(begin, finish, viewer, number > 0) for number, (begin, finish) in enumerate(stretches)]
    found.sort()
    return tuple(
        WatchSession(number, viewer, round(start, 3), round(end, 3), again)
        for number, (start, end, viewer, again) in enumerate(found)
    )


class _Presence:
    """Draws moments at which viewers watch, in proportion to the time they spend."""

    def __init__(self, rng: random.Random, sessions: tuple[WatchSession, ...]) -> None:
        self._rng = rng
        self._sessions = sessions
        self._sums = list(accumulate(session.end - session.start for session in sessions))
        self.total = self._sums[-1]

    def anyone(self) -> tuple[int, float]:
        session = self._sessions[
            min(bisect_right(self._sums, self._rng.uniform(0, self.total)), len(self._sessions) - 1)
        ]
        return session.viewer, self._rng.uniform(session.start, session.end)

    def at(self, moment: float) -> list[WatchSession]:
        return [session for session in self._sessions if session.start <= moment and session.end > moment + 1]

    def answer(self, session: WatchSession, moment: float) -> float:
        """When somebody answers a moment: soon, and before they go."""
        at = moment + min(self._rng.gammavariate(2, 1.2), BURST_SECONDS)
        return at if at < session.end else self._rng.uniform(moment, session.end)


def _messages(
    rng: random.Random,
    sessions: tuple[WatchSession, ...],
    moments: tuple[Moment, ...],
    chattiness: float,
    troll: int | None,
) -> tuple[Said, ...]:
    presence = _Presence(rng, sessions)
    drafts: list[tuple[float, int, str, Literal["chat", "question", "burst", "troll"]]] = []
    for _ in range(round(presence.total / 60 * chattiness)):
        viewer, at = presence.anyone()
        if rng.random() < 0.1:
            drafts.append((at, viewer, rng.choice(QUESTIONS), "question"))
        else:
            drafts.append((at, viewer, rng.choice(CHAT), "chat"))
    for moment in moments:
        here = presence.at(moment.at)
        for session in rng.sample(here, int(len(here) * moment.strength)):
            cry = rng.choice(BURSTS[moment.kind])
            drafts.append((presence.answer(session, moment.at), session.viewer, cry, "burst"))
    for session in sessions:
        if session.viewer == troll:
            for _ in range(min(30, 2 + int((session.end - session.start) / 8))):
                drafts.append((rng.uniform(session.start, session.end), session.viewer, rng.choice(TROLL), "troll"))
    drafts.sort()
    said: list[Said] = []
    for number, (at, viewer, text, kind) in enumerate(drafts):
        # Who answers has read it: a second before at least.
        reply = None
        if kind == "chat" and number and rng.random() < 0.08:
            earlier = rng.randrange(max(0, number - 20), number)
            reply = earlier if at - said[earlier].at >= 1 else None
        said.append(Said(number, viewer, round(at, 3), text, kind, reply))
    return tuple(said)


def _reactions(
    rng: random.Random,
    sessions: tuple[WatchSession, ...],
    moments: tuple[Moment, ...],
    messages: tuple[Said, ...],
    chattiness: float,
) -> tuple[Reaction, ...]:
    presence = _Presence(rng, sessions)
    found: list[Reaction] = []
    for _ in range(round(presence.total / 60 * chattiness)):
        viewer, at = presence.anyone()
        found.append(Reaction(viewer, round(at, 3), rng.choice(REACTIONS), "floating"))
    for moment in moments:
        for session in presence.at(moment.at):
            if rng.random() < 1.5 * moment.strength:
                at = presence.answer(session, moment.at)
                found.append(Reaction(session.viewer, round(at, 3), rng.choice(REACTIONS), "floating"))
    lovers = rng.sample(sessions, max(1, len(sessions) // 20))
    # A person's like counts once, however often they come back.
    once: set[tuple[int, int | None, str]] = set()
    for session in lovers:
        name, at = rng.choice(REACTIONS), rng.uniform(session.start, session.end)
        if (session.viewer, None, name) not in once:
            once.add((session.viewer, None, name))
            found.append(Reaction(session.viewer, round(at, 3), name, "post"))
    for said in messages:
        if rng.random() < 0.1:
            here = presence.at(said.at + 1)
            for session in rng.sample(here, min(len(here), rng.randrange(1, 4))):
                key = (session.viewer, said.number, rng.choice(REACTIONS))
                once.add(key)
                at = rng.uniform(said.at + 1, min(session.end, said.at + 10))
                found.append(Reaction(session.viewer, round(at, 3), key[2], "message", said.number))
    found.sort(key=lambda reaction: (reaction.at, reaction.viewer))
    return tuple(found)


def timeline(plan: AudiencePlan, *, beat: float) -> Iterator[Act]:
    """All acts in the order of time, made as they are asked for.

    Args:
        plan: what happens.
        beat: seconds between a viewer's heartbeats; a watch session is told anew with each.
    """
    return merge(_coming_and_going(plan, beat), _saying(plan), _floating(plan), _reacting(plan))


def _coming_and_going(plan: AudiencePlan, beat: float) -> Iterator[Act]:
    return merge(*(_sat(session, beat) for session in plan.sessions))


def _sat(session: WatchSession, beat: float) -> Iterator[Act]:
    yield Act(session.start, 0, session.viewer, "join", session=session)
    at = session.start + beat
    while at < session.end:
        yield Act(at, 1, session.viewer, "beat", session=session)
        at += beat
    yield Act(session.end, 4, session.viewer, "leave", session=session)


def _saying(plan: AudiencePlan) -> Iterator[Act]:
    return (Act(said.at, 2, said.viewer, "say", said=said) for said in plan.messages)


def _reacting(plan: AudiencePlan) -> Iterator[Act]:
    for reaction in plan.reactions:
        if reaction.to != "floating":
            yield Act(reaction.at, 3, reaction.viewer, "react", reactions=(reaction,))


def _floating(plan: AudiencePlan) -> Iterator[Act]:
    """Floating reactions as SDKs send them: buffered, once a second."""
    buffers: dict[tuple[int, int], list[Reaction]] = {}
    for reaction in plan.reactions:
        if reaction.to == "floating":
            buffers.setdefault((int(reaction.at), reaction.viewer), []).append(reaction)
    acts = (Act(some[-1].at, 3, viewer, "float", reactions=tuple(some)) for (_, viewer), some in buffers.items())
    return iter(sorted(acts))
