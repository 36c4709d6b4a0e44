"""What one stream's counts do by chance, as far as is known by now: for questions while live, in the words of `bursts`.

On a square root's scale (Anscombe, 1948) counts whose variance is a multiple of their mean spread alike at every rate.
The usual is the median, which a surge cannot lift; the spread comes from the lower half of the deviations, which a
surge cannot widen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spnb.analytics.metrics.bursts import in_deviations, own_variance, scaled

__all__ = ["Chance", "chance_of"]


@dataclass(frozen=True, slots=True)
class Chance:
    """What is usual within one window.

    Attributes:
        usual: events.
        dispersion: variance ÷ mean.
        highest: most events in any window before.
    """

    usual: float
    dispersion: float
    highest: float

    def score(self, count: float) -> float:
        """How far a count stands out, in the stream's own standard deviations."""
        away = scaled(count) - scaled(self.usual)
        return float(in_deviations(away, self.dispersion, max(self.usual / self.dispersion, 1.0)))


def chance_of(bins: Sequence[int], span: int, least: float) -> Chance:
    """The chance of a stream so far.

    Args:
        bins: events of each bin, one after the other, as many as a window has at least.
        span: so many bins are a window.
        least: the dispersion is never taken for less.
    """
    counts = np.convolve(np.asarray(bins, dtype=np.float64), np.ones(span), "valid")
    values = scaled(counts)
    own = own_variance(values - np.median(values))
    return Chance(float(np.median(counts)), max(own, least), float(counts.max()))
