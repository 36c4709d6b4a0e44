"""A period on one page: what it was beside the one before, its best streams, and groups of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from spnb._arguments import checked_class
from spnb.analytics.kpis import KPIS
from spnb.analytics.portfolio import Overview, grouped, overview
from spnb.analytics.report import Named
from spnb.errors import InvalidInput

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset

__all__ = ["PeriodReport", "period_report"]


@checked_class
@dataclass(frozen=True, slots=True)
class PeriodReport:
    """The streams of a period; `Dataset.where` takes a group of them first.

    Attributes:
        overview: the period with the one before.
        dataset: the streams that went on air in it.
        streams: their rows of `Dataset.kpis`, the best first.
        groups: as `spnb.analytics.grouped` has them.
        by: by what they are grouped, and `metric`: by what the best are told.
        best: how many streams are drawn.
    """

    overview: Overview
    dataset: Dataset
    streams: pd.DataFrame
    groups: pd.DataFrame
    by: str
    metric: str
    best: int

    def __repr__(self) -> str:
        start, end = (f"{at:%Y-%m-%d %H:%M}" for at in (self.overview.start, self.overview.end))
        return f"PeriodReport({start} to {end} {self.overview.end:%Z}, {len(self.streams)} streams)"

    def figures(self, *, dark: bool | None = False) -> dict[str, Any]:
        """The page's figures by name: `cards`; `best`, `curves` and `groups` where there is something to tell."""
        from spnb.analytics.figures.page import period_figures

        return Named(period_figures(self, dark=dark))

    def to_html(self, *, dark: bool | None = False) -> str:
        """The page as one file that needs no network. Titles and names are text in it, whatever they hold."""
        from spnb.analytics.figures.html import period_html

        return period_html(self, dark=dark)


def period_report(
    dataset: Dataset, start: Any, end: Any, *, by: str, metric: str, best: int, time_zone: str
) -> PeriodReport:
    """See `Dataset.period`."""
    if metric not in KPIS or metric == "peak_at":
        raise InvalidInput(f"{metric!r} is none of the numbers that streams are told by: see spnb.analytics.KPIS")
    made = overview(dataset, start, end, time_zone=time_zone)
    part = dataset.between(made.start, made.end)
    streams = part.kpis.sort_values([metric, "live_at"], ascending=[False, True], na_position="last")
    return PeriodReport(made, part, streams, grouped(part, by, time_zone=time_zone), by, metric, best)
