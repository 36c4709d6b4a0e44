"""The plan of a past: which creators streamed when, how strongly they pull, and what was planted.

Pure: a seed and a size give the same past every time. Weeks and days have their rhythm (evenings and Saturdays are
strong), creators differ in pull by an order of magnitude, every stream has its own length and planted moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2s

import numpy as np
from numpy.typing import NDArray

from spnb.errors import InvalidInput
from spnb.sandbox.audience.words import CREATORS, MOMENTS, TITLES

__all__ = ["Creator", "History", "PastMoment", "PastStream", "plan_history"]

DAY = 86_400_000
HOUR = 3_600_000
WEEKDAYS = np.array([0.80, 0.80, 0.90, 1.00, 1.25, 1.55, 1.30])
"""Monday to Sunday: how much a day draws."""
HOURS = np.array(
    [
        *(0.10, 0.05, 0.04, 0.04, 0.05, 0.10, 0.20, 0.35, 0.50, 0.60, 0.65, 0.75),
        *(0.85, 0.70, 0.60, 0.65, 0.80, 1.10, 1.50, 1.90, 2.00, 1.70, 1.00, 0.40),
    ]
)
"""Hour of day in UTC: how much it draws."""
MOST_STREAMS, MOST_ROWS, MOST_DAYS = 20_000, 20_000_000, 3660


@dataclass(frozen=True, slots=True)
class Creator:
    """Who streams. `pull` is the share of all views that their streams draw by themselves."""

    number: int
    name: str
    pull: float


@dataclass(frozen=True, slots=True)
class PastMoment:
    """Something happened that viewers answer: `at` in milliseconds since 1970, `strength` as share of those present."""

    at: int
    kind: str
    strength: float


@dataclass(frozen=True, slots=True)
class PastStream:
    """One room of the past. Times are milliseconds since 1970; an idle one was never on air and has no `live`."""

    number: int
    creator: Creator
    community: int
    title: str
    type: str
    status: str
    created: int
    live: int | None
    ended: int | None
    recorded: int | None
    breaks: tuple[tuple[int, int], ...]
    moments: tuple[PastMoment, ...]
    views: int
    messages: int


@dataclass(frozen=True, slots=True)
class History:
    """A whole past. `run` names it: eight hex digits of all its parameters."""

    run: str
    seed: int
    fans: int
    start: int
    until: int
    creators: tuple[Creator, ...]
    streams: tuple[PastStream, ...]


def plan_history(
    *, seed: int, days: int, streams: int, views: int, messages: int, until: datetime | None = None
) -> History:
    """Plan a past.

    Args:
        seed: the same seed and sizes give the same past.
        days: how many days it covers.
        streams: how many rooms there were.
        views: watch sessions over all of them, replays included.
        messages: chat messages over all of them.
        until: when the past ends; without it the last midnight (UTC).

    Raises:
        InvalidInput: a size is out of bounds.
    """
    _check(seed, days, streams, views, messages)
    end = until or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if end.tzinfo is None:
        raise InvalidInput("until has no time zone: give it one, e.g. datetime(2026, 1, 1, tzinfo=UTC)")
    last = int(end.timestamp() * 1000)
    first = last - days * DAY
    name = f"{seed}/{days}/{streams}/{views}/{messages}/{last}"
    rng = np.random.default_rng([seed, days, streams])
    creators = _creators(rng, streams)
    starts = _starts(rng, first, last, days, streams, end)
    pulls = np.array([creator.pull for creator in creators])
    chosen = rng.choice(len(creators), streams, p=_shares(np.sqrt(pulls)))
    minutes = np.clip(rng.lognormal(np.log(55), 0.5, streams), 8, 240)
    fates = rng.choice(["recorded", "terminated", "idle"], streams, p=[0.95, 0.02, 0.03])
    fates[0] = "recorded"  # a past of one stream has one to look at
    hours = (starts // HOUR) % 24
    weights = pulls[chosen] * HOURS[hours] * WEEKDAYS[_weekday(starts)] * rng.lognormal(0, 0.35, streams)
    weights = np.where(fates == "idle", 0.0, weights * np.sqrt(minutes))
    view_counts = rng.multinomial(views, _shares(weights))
    talkative = weights * rng.lognormal(0, 0.4, streams) * (view_counts > 0)
    message_counts = rng.multinomial(messages, _shares(talkative)) if messages else np.zeros(streams, dtype=np.int64)
    planned = tuple(
        _stream(
            rng,
            number,
            creators[int(chosen[number])],
            str(fates[number]),
            int(starts[number]),
            int(minutes[number] * 60_000),
            int(view_counts[number]),
            int(message_counts[number]),
        )
        for number in range(streams)
    )
    run = blake2s(name.encode(), digest_size=4).hexdigest()
    # More than the fullest stream holds, so that its viewers are all different.
    fans = max(40, min(60_000, views // 12), int(view_counts.max() * 1.3))
    return History(run, seed, fans, first, last, creators, planned)


def _check(seed: int, days: int, streams: int, views: int, messages: int) -> None:
    for what, value, least, most in (
        ("seed", seed, 0, 2**63),
        ("days", days, 1, MOST_DAYS),
        ("streams", streams, 1, MOST_STREAMS),
        ("views", views, 0, MOST_ROWS),
        ("messages", messages, 0, MOST_ROWS),
    ):
        if not least <= value <= most:
            raise InvalidInput(f"{what} must be {least} to {most}, got {value}")
    if messages and not views:
        raise InvalidInput("messages need viewers who write them: give views too")


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _creators(rng: np.random.Generator, streams: int) -> tuple[Creator, ...]:
    count = max(1, min(len(CREATORS), streams // 4))
    pulls = np.sort(_shares(rng.pareto(1.3, count) + 0.25))[::-1]
    return tuple(Creator(number, CREATORS[number], float(pulls[number])) for number in range(count))


def _weekday(at: NDArray[np.int64]) -> NDArray[np.int64]:
    # 1970-01-01 was a Thursday.
    return (at // DAY + 3) % 7


def _starts(
    rng: np.random.Generator, first: int, last: int, days: int, streams: int, end: datetime
) -> NDArray[np.int64]:
    """Start times, sorted and all different, leaving the last stream time to end within the past."""
    midnight = end - timedelta(hours=end.hour, minutes=end.minute, seconds=end.second, microseconds=end.microsecond)
    offset = last - int(midnight.timestamp() * 1000)
    day_starts = first - offset + DAY * np.arange(days + 1, dtype=np.int64)
    day = rng.choice(day_starts, streams, p=_shares(WEEKDAYS[_weekday(day_starts)]))
    hour = rng.choice(24, streams, p=_shares(HOURS))
    at = day + hour * HOUR + rng.integers(0, HOUR, streams)
    latest = last - 9 * HOUR
    at = np.where((at < first) | (at > latest), first + rng.integers(0, latest - first, streams), at)
    ordered = np.sort(at.astype(np.int64))
    # A millisecond apart at least: their order is the order of creation.
    apart: NDArray[np.int64] = np.maximum.accumulate(ordered - np.arange(streams)) + np.arange(streams)
    return apart


def _stream(
    rng: np.random.Generator,
    number: int,
    creator: Creator,
    fate: str,
    start: int,
    length: int,
    views: int,
    messages: int,
) -> PastStream:
    title = TITLES[(creator.number * 5 + int(rng.integers(0, 4))) % len(TITLES)].format(number=number % 12 + 1)
    created = start - int(rng.integers(30_000, 900_000))
    kind = "directStreaming" if rng.random() < 0.15 else "coHosts"
    community = creator.number % 5
    count = int(rng.choice([0, 1, 2, 3, 4], p=[0.20, 0.25, 0.25, 0.20, 0.10]))
    places = (np.arange(count) + rng.uniform(0.2, 0.8, count)) / max(count, 1)
    moments = tuple(
        PastMoment(
            start + int(length * (0.08 + 0.82 * place)),
            MOMENTS[int(rng.integers(0, len(MOMENTS)))],
            round(float(rng.uniform(0.15, 0.45)), 3),
        )
        for place in places
    )
    away = start + int(length * rng.uniform(0.1, 0.9))
    back = away + int(rng.integers(2_000, 25_000))
    breaks = ((away, back),) if rng.random() < 0.18 and back < start + length else ()
    if fate == "idle":
        return PastStream(
            number, creator, community, title, kind, "idle", created, None, None, None, (), (), views, messages
        )
    ended = start + length
    recorded = ended + int(rng.integers(5_000, 90_000)) if fate == "recorded" else None
    return PastStream(
        number, creator, community, title, kind, fate, created, start, ended, recorded, breaks, moments, views, messages
    )
