"""The figures of a stream's page, and of a period's."""

from __future__ import annotations

from typing import Any

from spnb.analytics.figures.experience import experience_strip
from spnb.analytics.figures.portfolio import kpi_cards, leaderboard, streams_compared
from spnb.analytics.figures.stream import health_strip, joins_and_leaves, retention_curve, stream_stack
from spnb.analytics.period import PeriodReport
from spnb.analytics.report import StreamReport

__all__ = ["page_figures", "period_figures"]


def page_figures(
    report: StreamReport, *, dark: bool | None = False, time_zone: str | None = None, annotations: Any = None
) -> dict[str, Any]:
    """The stack; retention, joins and leaves where there were sessions; health and experience where they were
    measured."""
    made = {
        "stack": stream_stack(report, dark=dark, time_zone=time_zone, annotations=annotations),
    }
    if not report.as_polled and report.retention.viewers:
        made["retention"] = retention_curve(report.retention, dark=dark)
        made["joins_leaves"] = joins_and_leaves(report, dark=dark, time_zone=time_zone)
    if len(report.health):
        made["health"] = health_strip(report, dark=dark, time_zone=time_zone)
    if len(report.playback):
        made["experience"] = experience_strip(report, dark=dark, time_zone=time_zone)
    return made


def period_figures(report: PeriodReport, *, dark: bool | None = False) -> dict[str, Any]:
    """The cards; the best streams with their curves, and the groups, as far as their numbers are known."""
    made = {"cards": kpi_cards(report.overview, dark=dark)}
    known = report.streams[report.streams[report.metric].notna()]
    if len(known):
        made["best"] = leaderboard(known, report.metric, most=report.best, dark=dark)
    curves = streams_compared(report.dataset, report.streams.index[: report.best].tolist(), dark=dark)
    if curves.data:
        made["curves"] = curves
    if report.metric in report.groups.columns and report.groups[report.metric].notna().sum() > 1:
        groups = leaderboard(report.groups, report.metric, most=report.best, dark=dark)
        groups.update_layout(title_text=f"{groups.layout.title.text}, by {report.by.replace('_', ' ')}")
        made["groups"] = groups
    return made
