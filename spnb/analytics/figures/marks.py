"""What happened, drawn over a stream's curves: a line at each annotation with its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spnb.analytics.annotations import checked_annotations
from spnb.analytics.figures.template import title_of
from spnb.analytics.report import StreamReport

__all__ = ["annotate"]

MOST_CHARACTERS = 24
MOST_WORDED = 12
"""More words would cover each other: the rest are lines alone."""
LEVELS = 3
"""Words that stand near each other take turns in height."""
LINE = "#777777"


def annotate(
    made: Any, report: StreamReport, annotations: Any, place: Any, window: tuple[pd.Timestamp, pd.Timestamp]
) -> None:
    """Draw the annotations of the report's stream onto a figure over time.

    Args:
        made: the figure.
        annotations: a frame of `room_id, at, what`; None draws nothing, other streams' are left out.
        place: how times stand on its axis (see `axis_of`).
        window: begin and end of the stream.
    """
    if annotations is None:
        return
    marks = checked_annotations(annotations)
    mine = marks[marks["room_id"] == report.room["room_id"]].sort_values("at", kind="stable")
    if mine.empty:
        return
    told, (begin, end) = len(mine), window
    if end > begin:  # what was before and after is not to stretch the stream
        mine = mine[mine["at"].between(begin, end)]
    x = np.asarray(place(mine["at"]))
    words = [title_of(what, MOST_CHARACTERS) for what in mine["what"]]
    for number, (at, text) in enumerate(zip(x, words, strict=True)):
        made.add_shape(
            type="line", x0=at, x1=at, yref="paper", y0=0, y1=1, line={"color": LINE, "width": 1, "dash": "dash"}
        )
        if number < MOST_WORDED:
            made.add_annotation(
                x=at,
                yref="paper",
                y=1 - 0.07 * (number % LEVELS),
                text=text,
                showarrow=False,
                xanchor="left",
                yanchor="top",
                xshift=3,
                font={"size": 11},
            )
    notes = {f"{len(mine) - MOST_WORDED} more lines without words": len(mine) > MOST_WORDED}
    notes[f"{told - len(mine)} more before or after the stream"] = told > len(mine)
    if any(notes.values()):
        made.add_annotation(
            x=1, xref="paper", y=0, yref="paper", xanchor="right", yanchor="bottom", showarrow=False, font={"size": 11},
            text="; ".join(text for text, holds in notes.items() if holds),
        )  # fmt: skip
