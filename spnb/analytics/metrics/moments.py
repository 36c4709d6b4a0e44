"""Moments: windows in which chat and reactions stand out from what was usual around them, each with its reason.

How far they stand out is judged by the stream's own chance; `spnb.analytics.metrics.bursts` says how. A quiet, steady,
growing or merely loud stream has no moment; what stands out has, and the tallest burst is never left out where a lower
one is told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.events import Events, events_of
from spnb.analytics.metrics.bins import Bins, bin_milliseconds
from spnb.analytics.metrics.bursts import BIN_SECONDS, ENOUGH, Burst, Height, bursts_of, heights, together
from spnb.analytics.shown import clock
from spnb.analytics.windows import Whole, moments_of
from spnb.errors import InvalidInput

__all__ = ["DELAY_SECONDS", "moments", "moments_in", "threshold_of"]

DELAY_SECONDS = 10.0
"""So long after the event chat is busiest at the earliest: people see, think and type."""
FEWEST = 5
"""Events that make a moment at least."""
COLUMNS = ("room_id", "start", "end", "peak_at", "seconds", "score", "messages", "chatters", "reactions",
           "usual_messages", "usual_reactions", "why")  # fmt: skip


def threshold_of(sensitivity: float) -> float:
    """The score from which on something is a moment: 4.35 at sensitivity 0, 2.65 at 0.5, 0.95 at 1.

    Raises:
        InvalidInput: the dial goes from 0 to 1.
    """
    if not 0 <= sensitivity <= 1:
        raise InvalidInput(f"sensitivity goes from 0 (only the loudest) to 1 (everything), not {sensitivity!r}")
    return 4.35 - 3.4 * sensitivity


@checked
def moments(
    messages: Any = None,
    reactions: Any = None,
    rooms: Any = None,
    *,
    sensitivity: float = 0.5,
    as_of: Any = None,
) -> pd.DataFrame:
    """The moments of each stream.

    Args:
        messages: the messages table.
        reactions: the reactions table; one of the two may be missing.
        rooms: the rooms table, for the live windows.
        sensitivity: 0 finds only the loudest, 1 nearly everything.
        as_of: end of the window of rooms still on air.

    Returns:
        `room_id, start, end, peak_at, seconds, score, messages, chatters, reactions, usual_messages, usual_reactions,
        why`: from `start` to `end` chat or reactions stood out, most of all at `peak_at`. `seconds` is where to look:
        that many seconds after the stream's beginning happened what they answer, ten seconds before the peak, for chat
        lags behind the picture. `score` is the height in standard deviations of the stream's own chance; `messages`
        by so many `chatters` and `reactions` fell into the window, where so many were usual; `why` says it in words.
        In order of time.
    """
    threshold_of(sensitivity)
    tables = {name: table for name, table in (("messages", messages), ("reactions", reactions)) if table is not None}
    if not tables:
        raise InvalidInput("moments need messages or reactions")
    made = events_of(rooms, as_of=as_of, **tables)
    frame = moments_in(made.get("messages"), made.get("reactions"), sensitivity=sensitivity)
    return frame.sort_values(["room_id", "start"], ignore_index=True)


def moments_in(messages: Events | None, reactions: Events | None, *, sensitivity: float = 0.5) -> pd.DataFrame:
    """The moments of events that share their rooms; see `moments`."""
    some = messages if messages is not None else reactions
    assert some is not None  # noqa: S101 - callers have one of them
    bins = Bins.of(some.windows, bin_milliseconds(BIN_SECONDS))
    threshold = threshold_of(sensitivity)
    kinds = [events for events in (messages, reactions) if events is not None]
    counts = [bins.counted(events.room[events.counts], events.at[events.counts]) for events in kinds]
    none = np.zeros(int(bins.offsets[-1]), dtype=np.int64)
    written = counts[0] if messages is not None else none
    reacted = counts[-1] if reactions is not None else none
    found: list[tuple[int, Burst, float, float]] = []
    lively = np.bincount(bins.room, written + reacted, len(bins.sizes)) >= FEWEST
    for room in np.flatnonzero(lively & (bins.sizes >= ENOUGH)).tolist():
        mine = slice(int(bins.offsets[room]), int(bins.offsets[room + 1]))
        chat, floating = heights(written[mine]), heights(reacted[mine])
        for burst in bursts_of(_either(chat, floating), threshold):
            span = slice(burst.first, burst.after)
            if written[mine][span].sum() + reacted[mine][span].sum() >= FEWEST:
                found.append((room, burst, float(chat.usual[span].sum()), float(floating.usual[span].sum())))
    return _frame(bins, found, written, reacted, messages)


def _either(chat: Height, floating: Height) -> Height:
    if not floating.counts.any():
        return chat
    return together(chat, floating) if chat.counts.any() else floating


def _frame(
    bins: Bins, found: list[tuple[int, Burst, float, float]], written: Whole, reacted: Whole, messages: Events | None
) -> pd.DataFrame:
    room = np.array([room for room, *_ in found], dtype=np.int64)
    first, after, top = (
        np.array([getattr(burst, name) for _, burst, *_ in found], dtype=np.int64) for name in ("first", "after", "top")
    )
    begin, finish = bins.windows.begin[room], bins.windows.finish[room]
    start, end = begin + first * bins.width, np.minimum(begin + after * bins.width, finish)
    peak = np.minimum(begin + top * bins.width + bins.width // 2, finish)
    seconds = np.maximum((peak - begin) / 1000.0 - DELAY_SECONDS, 0.0)
    places = bins.offsets[room]
    columns: dict[str, Any] = {
        "room_id": bins.windows.names[room],
        "start": moments_of(start),
        "end": moments_of(end),
        "peak_at": moments_of(peak),
        "seconds": seconds,
        "score": np.array([burst.score for _, burst, *_ in found], dtype=np.float64),
        "messages": _between(written, places + first, places + after),
        "chatters": _writers(messages, room, start, end),
        "reactions": _between(reacted, places + first, places + after),
        "usual_messages": np.array([usual for *_, usual, _ in found], dtype=np.float64),
        "usual_reactions": np.array([usual for *_, usual in found], dtype=np.float64),
    }
    made = pd.DataFrame(columns)
    made["why"] = [_why(*row) for row in zip(*(columns[name] for name in COLUMNS[6:11]), (end - start) / 1000.0,
                                             strict=True)]  # fmt: skip
    return made


def _writers(messages: Events | None, room: Whole, start: Whole, end: Whole) -> Whole:
    """Distinct users who wrote in each window."""
    made = np.zeros(len(room), dtype=np.int64)
    if messages is None or len(room) == 0:
        return made
    counts = messages.counts
    at_room, at, user = messages.room[counts], messages.at[counts], messages.user[counts]
    wanted = np.isin(at_room, room)
    at_room, at, user = at_room[wanted], at[wanted], user[wanted]
    order = np.lexsort((at, at_room))
    at_room, at, user = at_room[order], at[order], user[order]
    heads = np.searchsorted(at_room, np.arange(int(room.max()) + 2))
    for place, (mine, low, high) in enumerate(zip(room.tolist(), start.tolist(), end.tolist(), strict=True)):
        here = slice(heads[mine], heads[mine + 1])
        first, after = np.searchsorted(at[here], (low, high))
        made[place] = len(np.unique(user[here][first:after]))
    return made


def _why(
    messages: int, chatters: int, reactions: int, usual_messages: float, usual_reactions: float, seconds: float
) -> str:
    """A moment's reason in words."""
    told = []
    if messages:
        people = f"{chatters:,} {'person' if chatters == 1 else 'people'}"
        told.append(f"{messages:,} message{'' if messages == 1 else 's'} by {people}, usual {usual_messages:,.0f}")
    if reactions:
        told.append(f"{reactions:,} reaction{'' if reactions == 1 else 's'}, usual {usual_reactions:,.0f}")
    return f"{'; '.join(told)}, in {clock(seconds)}"


def _between(values: NDArray[Any], first: Whole, after: Whole) -> NDArray[Any]:
    running = np.concatenate((np.zeros(1, dtype=values.dtype), np.cumsum(values)))
    made: NDArray[Any] = running[after] - running[first]
    return made
