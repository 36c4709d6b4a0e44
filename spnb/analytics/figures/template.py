"""One look for all figures, in light and dark: step lines for counts, units on axes, colours that colour-blind readers
tell apart (Okabe and Ito, 2008), times to the second."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Any
from unicodedata import east_asian_width

import plotly.graph_objects as go

from spnb.analytics.shown import clock

__all__ = ["COLOURS", "GRADES", "SYMBOLS", "clock", "figure", "heat", "template", "title_of", "without_numbers"]

COLOURS = {
    "viewers": "#0072B2",
    "messages": "#E69F00",
    "reactions": "#CC79A7",
    "joins": "#009E73",
    "leaves": "#D55E00",
    "moments": "#D55E00",
}
GRADES = {"good": "#009E73", "fair": "#E69F00", "poor": "#D55E00"}
SYMBOLS = {"good": "circle", "fair": "diamond", "poor": "x"}
"""Each grade has a symbol of its own: no meaning by colour alone."""
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
CLEAR = "rgba(0,0,0,0)"
INK = {False: "#1f2328", True: "#e6e6e6", None: "#767676"}
"""By `dark`; None is read on white (4.5 to 1) and on a dark theme's #111111 (4.2 to 1) alike: no
colour has more than 4.35 to 1 on both."""
PAPER = {False: "#ffffff", True: "#111111", None: CLEAR}
GRID = {False: "#e3e6ea", True: "#333333", None: "rgba(118,118,118,0.3)"}
HOVER = {False: (PAPER[False], INK[False]), True: (PAPER[True], INK[True]), None: ("#1f2328", "#ffffff")}
"""Paper and ink of what a pointer shows."""


def template(dark: bool | None) -> Any:
    """The template; None for one that any theme shows on its own paper."""
    paper, ink = HOVER[dark]
    axis = {"gridcolor": GRID[dark], "zerolinecolor": GRID[dark], "linecolor": GRID[dark], "automargin": True}
    apart = {"ticks": "outside", "ticklen": 7, "tickcolor": PAPER[dark]}  # the lowest label from the leftmost
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK[dark]},
            "paper_bgcolor": PAPER[dark],
            "plot_bgcolor": PAPER[dark],
            "colorway": list(SERIES),
            "xaxis": {**axis, **apart},
            "yaxis": {**axis, "rangemode": "tozero"},
            "hovermode": "x unified",
            "hoverlabel": {"bgcolor": paper, "font": {"color": ink}},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "margin": {"l": 60, "r": 20, "t": 90, "b": 50},
            "height": 450,
            "title": {"y": 0.97, "yanchor": "top", "x": 0, "xanchor": "left", "xref": "paper", "font": {"size": 16}},
        }
    )


def figure(*traces: Any, title: str, dark: bool | None, **layout: Any) -> Any:
    """A figure in the house's look; of a single trace there is no legend, nor room for one."""
    made = go.Figure(list(traces))
    made.update_layout(template=template(dark), title_text=title, **layout)
    if len(traces) == 1:
        made.update_layout(margin_t=55, showlegend=False)
    return made


def without_numbers(made: Any, why: str) -> Any:
    """A figure of what nobody knows: words in place of empty axes."""
    made.update_xaxes(visible=False)
    made.update_yaxes(visible=False)
    made.add_annotation(text=f"n/a: {why}", x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    return made


def heat(dark: bool | None) -> str:
    """Colours of a heat map: what is more stands out from the paper more."""
    return "Cividis" if dark else "Cividis_r"


def title_of(text: object, most: int = 80) -> str:
    """User content for a figure, where plotly would read tags: it is text, whatever it holds, and not longer than
    `most` narrow characters."""
    plain = " ".join(str(text).split())
    widths = list(accumulate(1 + (east_asian_width(one) in "WF") for one in plain))
    cut = plain if not widths or widths[-1] <= most else plain[: bisect_left(widths, most)] + "…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
