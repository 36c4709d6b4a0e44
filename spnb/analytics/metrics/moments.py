"""Moments: windows in which chat and reactions stand out from their own rolling median.

Counts of ten seconds, summed over half a minute, are put on a scale on which chance has the same width at every rate
(the square root of Anscombe, 1948: 2√(x + 3/8) of a Poisson count varies by 1). There each is compared with the
median of the ten minutes around it, in units of their median absolute deviation, never less than 1. A stream that is
merely loud, or grows slowly, or goes up and down within chance has no moment; what stands out has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.events import Events, events_of
from spnb.analytics.metrics.bins import Bins, bin_milliseconds
from spnb.analytics.windows import Whole, moments_of
from spnb.errors import InvalidInput

__all__ = ["moments", "moments_in", "standing_out", "threshold_of"]

BIN_SECONDS = 10.0
SUMMED = 3
"""Bins in a sum: half a minute."""
AROUND = 61
"""Sums around each that make its median: ten minutes."""
ANEW = 6
"""The median is taken anew once a minute."""
ENOUGH = 12
"""Two minutes: of less nobody can say what is usual."""
FEWEST = 5
"""Events that make a moment at least."""
ROWS_AT_ONCE = 100_000

Floats = NDArray[np.float32]


def threshold_of(sensitivity: float) -> float:
    """The robust z-score from which on something is a moment: 7 at sensitivity 0, 4 at 0.5, 1 at 1.

    Raises:
        InvalidInput: the dial goes from 0 to 1.
    """
    if not 0 <= sensitivity <= 1:
        raise InvalidInput(f"sensitivity goes from 0 (only the loudest) to 1 (everything), not {sensitivity!r}")
    return 7.0 - 6.0 * sensitivity


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
        `room_id, start, end, peak_at, seconds, score, messages, reactions, usual_messages, usual_reactions`: from
        `start` to `end` something happened, most of all around `peak_at`, `seconds` after the stream's beginning;
        `score` is the highest robust z-score; `messages` and `reactions` fell into the window, where so many were
        usual. In order of time.
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
    counts = [
        bins.counted(events.room[events.counts], events.at[events.counts])
        if events is not None
        else np.zeros(int(bins.offsets[-1]), dtype=np.int64)
        for events in (messages, reactions)
    ]
    scores, usual = zip(*(standing_out(values, bins) for values in counts), strict=True)
    # chat alone, reactions alone, or both a little
    score = np.maximum(np.maximum(*scores), (scores[0] + scores[1]) / np.float32(np.sqrt(2)))
    return _windows(bins, score, counts, usual, threshold_of(sensitivity))


def standing_out(counts: Whole, bins: Bins) -> tuple[Floats, Floats]:
    """The robust z-score of the half minute around each bin, and how many events are usual in one bin there."""
    total = len(counts)
    room, number = bins.room, bins.number
    sizes = bins.sizes[room]
    score, usual = np.zeros(total, dtype=np.float32), np.zeros(total, dtype=np.float32)
    if total == 0 or not counts.any():
        return score, usual
    running = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
    begin = bins.offsets[:-1][room] + np.clip(number - SUMMED // 2, 0, np.maximum(sizes - SUMMED, 0))
    sums = running[begin + np.minimum(SUMMED, sizes)] - running[begin]
    stable = (2 * np.sqrt(sums + 0.375)).astype(np.float32)
    lively = np.bincount(room, counts, len(bins.sizes)) > 0
    for width in np.unique(np.minimum(bins.sizes[lively & (bins.sizes >= ENOUGH)], AROUND)):
        chosen = lively & (np.minimum(bins.sizes, AROUND) == width) & (bins.sizes >= ENOUGH)
        _compared(stable, bins, np.flatnonzero(chosen), int(width), score, usual)
    return score, usual


def _compared(stable: Floats, bins: Bins, rooms: Whole, width: int, score: Floats, usual: Floats) -> None:
    """Score the bins of rooms whose medians are over `width` bins."""
    blocks = -(-bins.sizes[rooms] // ANEW)
    of_room = np.repeat(np.arange(len(rooms)), blocks)
    block = np.arange(len(of_room)) - np.repeat(np.cumsum(blocks) - blocks, blocks)
    sizes, offsets = bins.sizes[rooms][of_room], bins.offsets[rooms][of_room]
    heads = offsets + np.clip(block * ANEW + ANEW // 2 - width // 2, 0, sizes - width)
    around, middle = np.arange(width), width // 2
    for first in range(0, len(heads), ROWS_AT_ONCE):
        part = slice(first, first + ROWS_AT_ONCE)
        values = stable[heads[part, None] + around]
        median = np.partition(values, middle, axis=1)[:, middle]
        spread = np.partition(np.abs(values - median[:, None]), middle, axis=1)[:, middle] * np.float32(1.4826)
        spread = np.maximum(spread, np.float32(1))
        places = (offsets[part] + block[part] * ANEW)[:, None] + np.arange(ANEW)
        inside = places < (offsets[part] + sizes[part])[:, None]
        chosen = places[inside]
        score[chosen] = ((stable[np.minimum(places, len(stable) - 1)] - median[:, None]) / spread[:, None])[inside]
        usual[chosen] = np.broadcast_to(np.maximum(median[:, None] ** 2 / 4 - 0.375, 0) / SUMMED, places.shape)[inside]


def _windows(
    bins: Bins, score: Floats, counts: list[Whole], usual: tuple[Floats, ...], threshold: float
) -> pd.DataFrame:
    """Stretches that reach the threshold, as far as they stay above half of it; close ones are one."""
    above = score >= threshold / 2
    room = bins.room
    edge = np.ones(len(score), dtype=bool)
    edge[1:] = (above[1:] != above[:-1]) | (room[1:] != room[:-1])
    opens = np.flatnonzero(edge)
    closes = np.append(opens[1:], len(score))
    if len(opens):
        high = np.maximum.reduceat(score, opens) >= threshold
        kept = above[opens] & high
    else:
        kept = np.zeros(0, dtype=bool)
    spans: list[list[int]] = []
    for begin, end in zip(opens[kept].tolist(), closes[kept].tolist(), strict=True):
        if spans and room[spans[-1][0]] == room[begin] and begin - spans[-1][1] < SUMMED:
            spans[-1][1] = end
        else:
            spans.append([begin, end])
    first = np.array([span[0] for span in spans], dtype=np.int64)
    after = np.array([span[1] for span in spans], dtype=np.int64)
    totals = [_between(values, first, after) for values in counts]
    enough = totals[0] + totals[1] >= FEWEST
    first, after = first[enough], after[enough]
    top = np.array([a + int(np.argmax(score[a:b])) for a, b in zip(first, after, strict=True)], dtype=np.int64)
    of_room, begin = room[first], bins.windows.begin[room[first]]
    number = bins.number
    after_ms = np.minimum(begin + (number[after - 1] + 1) * bins.width, bins.windows.finish[of_room])
    return pd.DataFrame(
        {
            "room_id": bins.windows.names[of_room],
            "start": moments_of(begin + number[first] * bins.width),
            "end": moments_of(after_ms),
            "peak_at": moments_of(begin + number[top] * bins.width),
            "seconds": number[top] * (bins.width / 1000.0),
            "score": score[top].astype(np.float64),
            "messages": totals[0][enough],
            "reactions": totals[1][enough],
            "usual_messages": _between(usual[0].astype(np.float64), first, after),
            "usual_reactions": _between(usual[1].astype(np.float64), first, after),
        }
    )


def _between(values: NDArray[Any], first: Whole, after: Whole) -> NDArray[Any]:
    running = np.concatenate((np.zeros(1, dtype=values.dtype), np.cumsum(values)))
    made: NDArray[Any] = running[after] - running[first]
    return made
