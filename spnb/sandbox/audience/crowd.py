"""The crowd of one past stream: who watched when, who wrote what, who reacted; all as columns, from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spnb.sandbox.audience.history import History, PastStream
from spnb.sandbox.audience.words import BURSTS, CHAT, MOMENTS, QUESTIONS, REACTIONS

__all__ = ["TEXTS", "Chat", "Crowd", "Reacted", "Watched", "crowd_of", "peak_of"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TEXTS: tuple[str, ...] = (*CHAT, *QUESTIONS, *(cry for kind in MOMENTS for cry in BURSTS[kind]))
"""What can be said in the past; messages name it by its index."""
FIRST_QUESTION = len(CHAT)
FIRST_CRY = {
    kind: len(CHAT) + len(QUESTIONS) + sum(len(BURSTS[before]) for before in MOMENTS[: MOMENTS.index(kind)])
    for kind in MOMENTS
}
REPLAYS = 0.12
BURST_SECONDS = 45


@dataclass(frozen=True, slots=True)
class Watched:
    """Watch sessions: fan, start and end (ms since 1970), seconds played. Replays come last."""

    fan: Ints
    start: Ints
    end: Ints
    played: Floats
    replays: int


@dataclass(frozen=True, slots=True)
class Chat:
    """Messages by time: fan, time, index into `TEXTS`, parent's segment or 0, replies got, whether deleted."""

    fan: Ints
    at: Ints
    text: Ints
    parent: Ints
    replies: Ints
    deleted: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reacted:
    """Reactions by time: fan, time, index into `REACTIONS`, segment of the message or 0 for the stream's post."""

    fan: Ints
    at: Ints
    name: Ints
    segment: Ints


@dataclass(frozen=True, slots=True)
class Crowd:
    """All that a crowd did in one stream."""

    watched: Watched
    chat: Chat
    reacted: Reacted
    floated: Reacted


def crowd_of(history: History, stream: PastStream) -> Crowd:
    """The crowd of a stream, the same at every call."""
    rng = np.random.default_rng([history.seed, int(history.run, 16), stream.number])
    watched = _watched(rng, history, stream)
    chat = _chat(rng, stream, watched)
    return Crowd(watched, chat, _reacted(rng, watched, chat), _floated(rng, stream, watched))


def peak_of(start: Ints, end: Ints) -> tuple[int, int]:
    """The highest number of sessions open at once and when it was first reached; leaves count before joins."""
    if not len(start):
        return 0, 0
    at = np.concatenate([end, start])
    step = np.concatenate([np.full(len(end), -1), np.full(len(start), 1)])
    order = np.argsort(at, kind="stable")
    count = np.cumsum(step[order])
    top = int(np.argmax(count))
    return int(count[top]), int(at[order][top])


def _watched(rng: np.random.Generator, history: History, stream: PastStream) -> Watched:
    if stream.live is None or stream.ended is None or not stream.views:
        nothing = np.zeros(0, dtype=np.int64)
        return Watched(nothing, nothing, nothing, np.zeros(0), 0)
    replays = int(stream.views * REPLAYS) if stream.recorded is not None else 0
    fan, start, end = _live_sessions(rng, history, stream, stream.live, stream.ended, stream.views - replays)
    if replays and stream.recorded is not None:
        # Replays thin out over the days that follow, and end where the past ends.
        length = stream.ended - stream.live
        days = rng.exponential(2.5 * 86_400_000, replays)
        began = stream.recorded + (days % (history.until - stream.recorded - length)).astype(np.int64)
        lasted = (length * np.clip(rng.beta(0.7, 1.6, replays), 0.002, 1)).astype(np.int64)
        fan = np.concatenate([fan, rng.integers(0, history.fans, replays)])
        start, end = np.concatenate([start, began]), np.concatenate([end, began + lasted])
    played = np.round((end - start) / 1000 * rng.uniform(0.88, 1.0, len(start)), 1)
    return Watched(fan, start, end, played, replays)


def _live_sessions(
    rng: np.random.Generator, history: History, stream: PastStream, live: int, ended: int, views: int
) -> tuple[Ints, Ints, Ints]:
    """Exactly `views` sessions. Some viewers come back: their stay is cut into pieces with short gaps between."""
    length = ended - live
    people = max(1, round(views * 0.62))
    fan = _fans(rng, history, stream, people)
    # Arrivals: a wave at the start, a second one where word has gone round, and a steady trickle.
    wave = rng.choice(3, people, p=[0.45, 0.2, 0.35])
    second = rng.uniform(0.25, 0.6)
    arrive = np.where(
        wave == 0,
        rng.exponential(0.06, people),
        np.where(wave == 1, second + rng.exponential(0.05, people), rng.uniform(0, 0.96, people)),
    )
    arrive = np.minimum(arrive, 0.98)
    # Stays: many look in briefly, some stay a good while, some to the end.
    habit = rng.choice(3, people, p=[0.4, 0.38, 0.22])
    stay = np.where(
        habit == 0,
        rng.exponential(75_000, people),
        np.where(habit == 1, length * 0.6 * rng.weibull(1.2, people), float(length)),
    )
    start = live + (arrive * length).astype(np.int64)
    end = np.minimum(start + np.maximum(stay, 1_000).astype(np.int64), ended)
    cuts = views - people
    if cuts <= 0:
        return fan, start, end
    stays = (end - start).astype(np.float64)
    cut = np.searchsorted(np.cumsum(stays), rng.uniform(0, stays.sum(), cuts)).clip(0, people - 1)
    where = start[cut] + (rng.uniform(0.02, 0.98, cuts) * stays[cut]).astype(np.int64)
    owner = np.concatenate([np.arange(people), cut])
    begin = np.concatenate([start, where])
    order = np.lexsort((begin, owner))
    owner, begin = owner[order], begin[order]
    last = np.append(owner[1:] != owner[:-1], True)
    finish = np.where(last, end[owner], np.append(begin[1:], 0))
    gap = np.minimum(rng.integers(2_000, 40_000, views), (finish - begin) // 3)
    begin = np.where(np.append(True, owner[1:] != owner[:-1]), begin, begin + gap)
    by_time = np.argsort(begin, kind="stable")
    return fan[owner][by_time], begin[by_time], finish[by_time]


def _fans(rng: np.random.Generator, history: History, stream: PastStream, people: int) -> Ints:
    """Different viewers, mostly of the creator's own following, the faithful ones more often: they return."""
    fans = history.fans
    following = np.random.default_rng([history.seed, 77, stream.creator.number]).permutation(fans)
    size = int(np.clip(fans * (0.1 + 2 * stream.creator.pull), min(fans, 2 * people), fans))
    faith = 1 / (1 + np.arange(size)) ** 0.6
    keys = rng.random(size) ** (1 / faith)
    chosen = following[np.argsort(-keys)[:people]]
    return chosen.astype(np.int64)


def _present(rng: np.random.Generator, watched: Watched, count: int, tilt: float) -> tuple[Ints, Ints]:
    """Viewers and moments at which they watch: by time spent, some keener than others."""
    live = len(watched.start) - watched.replays
    stays = (watched.end[:live] - watched.start[:live]).astype(np.float64)
    keen = (1 + watched.fan[:live] % 17) ** -tilt
    which = np.searchsorted(np.cumsum(stays * keen), rng.uniform(0, (stays * keen).sum(), count)).clip(0, live - 1)
    at = watched.start[which] + (rng.random(count) * stays[which]).astype(np.int64)
    return watched.fan[which], at


def _bursts(
    rng: np.random.Generator, stream: PastStream, watched: Watched, most: int, eagerness: float
) -> tuple[Ints, Ints, Ints]:
    """What follows moments, at most `most` in all: fans, times and the number of the moment."""
    live = len(watched.start) - watched.replays
    fans, times, numbers = [], [], []
    for number, moment in enumerate(stream.moments):
        here = np.flatnonzero(
            (watched.start[:live] <= moment.at) & (watched.end[:live] > moment.at + 1000 * BURST_SECONDS)
        )
        count = min(int(len(here) * moment.strength * eagerness), most // max(1, len(stream.moments)))
        if not count:
            continue
        delay = np.minimum(rng.gamma(2.0, 4_000, count), 1000 * BURST_SECONDS - 1).astype(np.int64)
        fans.append(watched.fan[rng.choice(here, count)])
        times.append(moment.at + delay)
        numbers.append(np.full(count, number))
    if not fans:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing
    return np.concatenate(fans), np.concatenate(times), np.concatenate(numbers)


def _chat(rng: np.random.Generator, stream: PastStream, watched: Watched) -> Chat:
    count = stream.messages if len(watched.start) - watched.replays > 0 else 0
    if not count:
        nothing = np.zeros(0, dtype=np.int64)
        return Chat(nothing, nothing, nothing, nothing, nothing, np.zeros(0, dtype=np.bool_))
    burst_fan, burst_at, burst_of = _bursts(rng, stream, watched, int(count * 0.45), 1.0)
    calm = count - len(burst_at)
    calm_fan, calm_at = _present(rng, watched, calm, 0.5)
    calm_text = rng.integers(0, FIRST_QUESTION, calm)
    asks = rng.random(calm) < 0.06
    calm_text = np.where(asks, FIRST_QUESTION + rng.integers(0, len(QUESTIONS), calm), calm_text)
    cries = np.array([FIRST_CRY[moment.kind] for moment in stream.moments] or [0])
    burst_text = cries[burst_of] + rng.integers(0, 6, len(burst_of))
    at = np.concatenate([calm_at, burst_at])
    order = np.argsort(at, kind="stable")
    segments = np.arange(1, count + 1)
    # An answer is to something said a little earlier.
    parent = np.maximum(segments - rng.geometric(0.2, count), 0)
    parent = np.where(rng.random(count) < 0.06, parent, 0)
    replies = np.bincount(parent, minlength=count + 1)[1:]
    return Chat(
        np.concatenate([calm_fan, burst_fan])[order],
        at[order],
        np.concatenate([calm_text, burst_text])[order],
        parent,
        replies,
        rng.random(count) < 0.007,
    )


def _reacted(rng: np.random.Generator, watched: Watched, chat: Chat) -> Reacted:
    """Reactions to messages (by viewers, a little later) and to the stream's post; a viewer's counts once."""
    count = len(chat.at)
    to_messages = rng.integers(0, count, int(count * 0.04)) if count else np.zeros(0, dtype=np.int64)
    to_messages = to_messages[~chat.deleted[to_messages]] if count else to_messages
    live = len(watched.start) - watched.replays
    loved = int(live * 0.03)
    if not live:
        nothing = np.zeros(0, dtype=np.int64)
        return Reacted(nothing, nothing, nothing, nothing)
    fan = watched.fan[rng.integers(0, live, len(to_messages))]
    at = chat.at[to_messages] + rng.integers(800, 20_000, len(to_messages))
    post_fan, post_at = _present(rng, watched, loved, 0.0)
    fan, at = np.concatenate([fan, post_fan]), np.concatenate([at, post_at])
    segment = np.concatenate([to_messages + 1, np.zeros(loved, dtype=np.int64)])
    name = _names(rng, len(fan))
    _, once = np.unique(np.stack([fan, segment, name]), axis=1, return_index=True)
    order = once[np.argsort(at[once], kind="stable")]
    return Reacted(fan[order], at[order], name[order], segment[order])


def _floated(rng: np.random.Generator, stream: PastStream, watched: Watched) -> Reacted:
    """Floating reactions: a few all along, showers after moments."""
    live = len(watched.start) - watched.replays
    if not live:
        nothing = np.zeros(0, dtype=np.int64)
        return Reacted(nothing, nothing, nothing, nothing)
    calm_fan, calm_at = _present(rng, watched, int(stream.messages * 0.1), 0.3)
    burst_fan, burst_at, _ = _bursts(rng, stream, watched, int(stream.messages * 0.3), 1.5)
    fan, at = np.concatenate([calm_fan, burst_fan]), np.concatenate([calm_at, burst_at])
    order = np.argsort(at, kind="stable")
    return Reacted(fan[order], at[order], _names(rng, len(fan)), np.zeros(len(fan), dtype=np.int64))


def _names(rng: np.random.Generator, count: int) -> Ints:
    return rng.choice(len(REACTIONS), count, p=[0.4, 0.25, 0.12, 0.1, 0.08, 0.05]).astype(np.int64)
