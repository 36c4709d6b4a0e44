"""How it was for viewers, beside the publisher's health, on the stream's time axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from spnb._arguments import checked
from spnb.analytics.figures.stream import axis_of, begin_of, clocks, grade_marks, time_axis, whole
from spnb.analytics.figures.template import figure
from spnb.analytics.report import StreamReport

__all__ = ["experience_strip"]

BARS = {
    "starts": ("starts", "#56B4E9", ""),
    "waits": ("waits", "#E69F00", "/"),
    "exits": ("exits before start", "#999999", "x"),
    "errors": ("errors", "#D55E00", "\\"),
}
"""What is counted, its colour, and a pattern: no meaning by colour alone."""
DELAY = "#CC79A7"


@checked
def experience_strip(report: StreamReport, *, dark: bool | None = False, time_zone: str | None = None) -> Any:
    """What viewers' players met per bin: starts, waits, exits before a picture, errors; how far they were behind.

    Below stands the publisher's health in its grades, where it was measured.

    Args:
        report: the stream.
        dark: for dark themes; None for whichever shows it, now and when it changes.
        time_zone: clock times of this zone on the axis; without it time since the stream began.
    """
    zero, frame = begin_of(report), report.playback
    place = axis_of(zero, time_zone)
    middle = place(frame["at"] + pd.Timedelta(seconds=report.bin_seconds / 2))
    told = clocks(frame["at"], zero)
    traces: list[Any] = []
    for name, (label, colour, pattern) in BARS.items():
        if frame[name].sum() == 0 and name != "waits":  # no waits at all is worth seeing
            continue
        traces.append(
            go.Bar(
                x=middle,
                y=frame[name],
                width=report.bin_seconds * 1000 if middle.dtype.kind == "M" else report.bin_seconds,
                name=label,
                marker={"color": colour, "line": {"width": 0}, "pattern": {"shape": pattern}},
                customdata=np.column_stack([told, frame["waited_seconds"].round(1)]),
                hovertemplate=f"%{{y}} {label}"
                + (", %{customdata[1]} s in all" if name == "waits" else "")
                + " from %{customdata[0]}<extra></extra>",
            )
        )
    late = frame[frame["delay_seconds"].notna()]
    if len(late):
        traces.append(
            go.Scatter(
                x=place(late["at"] + pd.Timedelta(seconds=report.bin_seconds / 2)),
                y=late["delay_seconds"],
                mode="lines+markers",
                name="delay",
                yaxis="y2",
                marker={"size": 5},
                line={"color": DELAY, "dash": "dot"},
                hovertemplate="%{y:.1f} s behind<extra></extra>",
            )
        )
    judged = report.health[report.health["grade"].notna()]
    if len(judged):
        traces += grade_marks(judged, place, named="publisher ", told="publisher's health ", size=7, yaxis="y3")
    made = figure(*traces, title="How it was for viewers", dark=dark, barmode="stack", bargap=0)
    lowest = 0.14 if len(judged) else 0.0
    made.update_layout(
        yaxis={
            "title": f"sessions<br>per {report.bin_seconds:g} s",
            "domain": [lowest, 1],
            **whole(frame[list(BARS)].sum(axis=1)),
        },
        xaxis={"anchor": "y3" if len(judged) else "y"},
    )
    if len(late):
        axis = {"title": "delay, s", "overlaying": "y", "side": "right", "showgrid": False, "tickmode": "auto"}
        made.update_layout(yaxis2=axis, margin_r=60)
    if len(judged):
        axis = {"domain": [0, 0.08], "range": [-1, 1], "tickvals": [0], "ticktext": ["health"], "showgrid": False}
        made.update_layout(yaxis3={**axis, "zeroline": False}, height=480)
    time_axis(made, report, zero, time_zone)
    return made
