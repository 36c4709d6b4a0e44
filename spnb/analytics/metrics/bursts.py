"""Bursts in one stream's counts: where they stand out from what was usual around them, by the stream's own chance.

Counts of five seconds are smoothed on three scales, from half a minute to some minutes, so that a short cry and a long
surge are both seen. On a square root's scale (Anscombe, 1948) the spread of counts whose variance is a multiple of
their mean is the same at every rate. How wide that spread is, each stream tells by itself: by the lower half of its
deviations, which no surge can inflate (real half-minutes of chat vary by ten to twenty-five times their mean, tweets
by once). Its variance is never taken for less than 3.5 times Poisson's, for it is an estimate. What is usual is, for a
cry, the median of the half-hour around it, since people pick what stands out from just before; for a long surge that of
90 minutes, which half an hour of it cannot lift.

The parameters are few on purpose and chosen on twenty labelled streams and on planted ones, none for a single stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BIN_SECONDS",
    "Burst",
    "Height",
    "bursts_of",
    "heights",
    "in_deviations",
    "own_variance",
    "scaled",
    "together",
]

BIN_SECONDS = 5.0
SCALES = (2, 8, 24)
"""Bins of the Gaussians' standard deviations: 10 s, 40 s and 2 min."""
LENGTHS = 8
"""A scale is asked only of streams at least so many times as long."""
AROUND = (360, 720, 1080)
"""Bins around each that make its median, by scale: 30 min, an hour, 90 min."""
ANEW = 12
"""The median is taken anew once a minute."""
ENOUGH = 24
"""Two minutes: of less nobody can say what is usual."""
DOUBT = 2.5
"""Added to the variance, in Poisson's: a stream's own is only an estimate."""
SKEW = 0.5
"""Of few clusters the upper tail is longer than the lower half tells: this share more variance, over their number."""
BESIDE, HIGHER = 0.6, 2.0
"""The threshold is this share of the stream's highest score, up to so many times its own."""
APART = 12
"""Bursts less than a minute apart are one."""
OFFSET = 0.375

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Height:
    """How far each bin stands out.

    Attributes:
        scores: by scale, in the stream's own standard deviations.
        usual: events per bin that are usual around each.
        counts: smoothed on the shortest scale.
    """

    scores: tuple[Numbers, ...]
    usual: Numbers
    counts: Numbers


@dataclass(frozen=True, slots=True)
class Burst:
    """From bin `first` up to bin `after` something happened, most of all in bin `top`."""

    first: int
    after: int
    top: int
    score: float


def scaled(counts: Any) -> Any:
    """Counts on the square root's scale, where Poisson's standard deviation is 1 at every rate."""
    return 2 * np.sqrt(counts + OFFSET)


def own_variance(away: Numbers) -> float:
    """A stream's own variance on that scale, by the lower half of its deviations from what is usual."""
    low = away[away <= 0]
    return (1.4826 * float(np.median(-low)) if len(low) else 1.0) ** 2


def in_deviations(away: Any, own: float, clusters: Any) -> Any:
    """Deviations in the stream's own standard deviations.

    Args:
        away: from what is usual, on the scale.
        own: the stream's variance there.
        clusters: so many events that come together make what is usual.
    """
    return away / np.sqrt(own * (1 + SKEW / clusters) + DOUBT)


def heights(counts: NDArray[np.int64]) -> Height:
    """How far each bin of one stream stands out.

    Args:
        counts: events of each five seconds.
    """
    total = len(counts)
    nothing = np.zeros(total)
    if total < ENOUGH or not counts.any():
        return Height(tuple(nothing for _ in SCALES), nothing, nothing)
    some = counts[counts > 0]
    # Where most bins are empty the lower half tells nothing: there the usual size of what comes at once does.
    at_once = float(np.median(some)) if 2 * len(some) < total else 1.0
    scores, usual, shortest = [], nothing, nothing
    for place, scale in enumerate(SCALES):
        if total < LENGTHS * scale:
            scores.append(np.full(total, -np.inf))
            continue
        smooth = _smoothed(counts, scale)
        bins = scale * 2 * np.sqrt(np.pi)  # so many independent ones lie under the Gaussian
        values = scaled(smooth * bins)
        median = _medians(values, AROUND[place])
        away = values - median
        own = max(own_variance(away), at_once, 1.0)
        scores.append(in_deviations(away, own, np.maximum(median**2 / 4, own) / own))
        if place < 2:
            usual = np.maximum(median**2 / 4 - OFFSET, 0) / bins
        if place == 0:
            shortest = smooth
    return Height(tuple(scores), usual, shortest)


def together(one: Height, other: Height) -> Height:
    """Two kinds of events as one: either alone stands out, or both a little."""
    with np.errstate(invalid="ignore"):
        scores = tuple(
            np.fmax(np.maximum(a, b), (a + b) / np.sqrt(2)) for a, b in zip(one.scores, other.scores, strict=True)
        )
    return Height(scores, one.usual + other.usual, one.counts + other.counts)


def bursts_of(height: Height, threshold: float) -> list[Burst]:
    """What reaches the threshold, in order of time; the stream's tallest is always among them if there are any."""
    scores, total = height.scores, len(height.counts)
    if total < ENOUGH:
        return []
    best = np.max(scores, axis=0)
    # Beside what stands out by far, chance is no moment.
    threshold = float(np.clip(BESIDE * best.max(), threshold, HIGHER * threshold))
    open_ = np.concatenate(([False], best >= threshold / 2, [False]))
    edges = np.flatnonzero(open_[1:] != open_[:-1]).reshape(-1, 2)
    found = []
    for begin, end in edges.tolist():
        if best[begin:end].max() >= threshold:
            found += _within(height, begin, end, threshold)
    tallest = int(np.argmax(height.counts))
    if found and not any(burst.first - APART <= tallest < burst.after + APART for burst in found):
        found.append(_grown(height, 0, tallest, 0, total))
    return sorted(found, key=lambda burst: burst.top)


def _within(height: Height, begin: int, end: int, threshold: float) -> list[Burst]:
    """The highest burst of a stretch, and such others of its short scales as stand apart from it."""
    made: list[Burst] = []
    left = np.ones(end - begin, dtype=bool)
    while True:
        asked = height.scores if not made else height.scores[:2]
        values = np.array([np.where(left, scores[begin:end], -np.inf) for scores in asked])
        scale, place = np.unravel_index(int(np.argmax(values)), values.shape)
        if values[scale, place] < threshold:
            return made
        burst = _grown(height, int(scale), begin + int(place), begin, end)
        made.append(burst)
        left[max(0, burst.first - APART - begin) : max(0, burst.after + APART - begin)] = False


def _grown(height: Height, scale: int, place: int, begin: int, end: int) -> Burst:
    """A burst as far as it stays above half of its height, on the scale that saw it best."""
    values = height.scores[scale]
    low = np.flatnonzero(values[begin:end] < values[place] / 2) + begin
    after = np.searchsorted(low, place)
    first = int(low[after - 1]) + 1 if after > 0 else begin
    last = int(low[after]) if after < len(low) else end
    first, last = min(first, place), max(last, place + 1)
    top = first + int(np.argmax(height.scores[0][first:last]))
    return Burst(first, last, top, float(values[place]))


def _smoothed(counts: NDArray[np.int64], scale: int) -> Numbers:
    """Counts under a Gaussian, mirrored at the ends."""
    reach = min(4 * scale, len(counts) - 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / scale) ** 2)
    padded = np.pad(counts.astype(np.float64), reach, mode="reflect")
    return np.convolve(padded, weights / weights.sum(), "valid")


def _medians(values: Numbers, around: int) -> Numbers:
    """The rolling median, taken once a minute."""
    total = len(values)
    width = min(around + 1, total)
    centres = np.arange(0, total, ANEW)
    heads = np.clip(centres - width // 2, 0, total - width)
    several, place = np.unique(heads, return_inverse=True)
    windows = np.lib.stride_tricks.sliding_window_view(values, width)[several]
    middle = np.partition(windows, (width - 1) // 2, axis=1)[:, (width - 1) // 2]
    return np.interp(np.arange(total), centres, middle[place])
