"""The figures of a stream's page."""

from __future__ import annotations

from typing import Any

from spnb.analytics.figures.stream import health_strip, joins_and_leaves, retention_curve, stream_stack
from spnb.analytics.report import StreamReport

__all__ = ["page_figures"]


def page_figures(report: StreamReport, *, dark: bool = False, time_zone: str | None = None) -> dict[str, Any]:
    """The stack; retention, joins and leaves where sessions tell them; health where it was measured."""
    made = {
        "stack": stream_stack(report, dark=dark, time_zone=time_zone),
    }
    if not report.as_polled:
        made["retention"] = retention_curve(report.retention, dark=dark)
        made["joins_leaves"] = joins_and_leaves(report, dark=dark, time_zone=time_zone)
    if len(report.health):
        made["health"] = health_strip(report, dark=dark, time_zone=time_zone)
    return made
