"""A measured figure and the bar it must meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Figure", "at_least", "at_most", "quantile"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, in which unit, against which bar."""

    name: str
    value: float
    unit: str
    bar: float
    sense: Literal["≤", "≥"]
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the figure meets its bar."""
        return self.value <= self.bar if self.sense == "≤" else self.value >= self.bar


def at_most(name: str, value: float, bar: float, unit: str, note: str = "") -> Figure:
    """A figure that must not exceed its bar."""
    return Figure(name, value, unit, bar, "≤", note)


def at_least(name: str, value: float, bar: float, unit: str, note: str = "") -> Figure:
    """A figure that must reach its bar."""
    return Figure(name, value, unit, bar, "≥", note)


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of `values` (`share` 0.5 is the median, 0.95 the 95th percentile)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
