"""Figures of one stream: viewers, chat and reactions on one time axis; retention; joins and leaves; health."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from spnb._arguments import checked
from spnb.analytics.figures.marks import annotate
from spnb.analytics.figures.template import COLOURS, GRADES, SYMBOLS, clock, figure, title_of, without_numbers
from spnb.analytics.metrics.retention import Retention
from spnb.analytics.report import StreamReport
from spnb.analytics.windows import zone_named

__all__ = [
    "MOST_POINTS",
    "axis_of",
    "begin_of",
    "clocks",
    "grade_marks",
    "health_strip",
    "joins_and_leaves",
    "retention_curve",
    "stream_stack",
    "thinned",
    "ticks",
    "time_axis",
    "viewers_curve",
    "whole",
]

MOST_POINTS = 20_000
"""Points a browser draws easily; of more, those that make the line's shape are kept."""
UNWATCHED = "nobody told who watched, or how many"
USUAL, USUAL_SHADE = "#777777", "rgba(119, 119, 119, 0.25)"
SHADE = "rgba(0, 114, 178, 0.3)"
"""The viewers' colour, thin enough for what lies behind."""
DOMAINS: dict[int, list[list[float]]] = {1: [[0, 1]], 2: [[0.4, 1], [0, 0.32]], 3: [[0.46, 1], [0.23, 0.41], [0, 0.18]]}
"""Of panels above each other, the share of the height that each takes: one that is empty takes none."""
HEIGHTS = {1: 450, 2: 540, 3: 620}
TICKS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@checked
def stream_stack(
    report: StreamReport, *, dark: bool | None = False, time_zone: str | None = None, annotations: Any = None
) -> Any:
    """Concurrent viewers as exact steps, chat and reactions per bin, on one time axis, with the moments marked.

    What nobody knows, or did, has no panel.

    Args:
        report: the stream.
        dark: for dark themes; None for whichever shows it, now and when it changes.
        time_zone: clock times of this zone on the axis; without it time since the stream began.
        annotations: what happened, to be drawn over it: a frame as `effects` takes it.

    Raises:
        TableError: the annotations lack a column, or a zone.
    """
    zero = begin_of(report)
    place = axis_of(zero, time_zone)
    totals = report.reactions.groupby("at")[["reactions"]].sum().reset_index()
    bars: dict[str, pd.DataFrame] = {"messages": report.chat, "reactions": totals}
    shown = [name for name, frame in bars.items() if frame[name].sum() > 0]
    panels = ["viewers", *shown] if len(report.concurrency) or not shown else shown
    axes = {name: "y" if number == 1 else f"y{number}" for number, name in enumerate(panels, 1)}
    traces: list[Any] = []
    if "viewers" in panels:
        traces += [*_usual(report, place, zero), _viewers(report, place, zero)]
    for name in shown:
        traces.append(_bars(bars[name]["at"], bars[name][name], name, place, zero, axes[name], report.bin_seconds))
    if len(report.moments):
        traces.append(_moments(report, panels[0], bars.get(panels[0]), place))
    made = figure(*traces, title=title_of(report.room["title"]), dark=dark, height=HEIGHTS[len(panels)])
    per = f"per {report.bin_seconds:g} s"
    for name, domain in zip(panels, DOMAINS[len(panels)], strict=True):
        counts = report.concurrency["viewers"] if name == "viewers" else bars[name][name]
        curve = "viewers, as polled" if report.as_polled and len(report.concurrency) else "viewers"
        title = curve if name == "viewers" else f"{name}<br>{per}"
        made.update_layout({f"yaxis{axes[name][1:]}": {"domain": domain, "title": title, **whole(counts)}})
    made.update_layout(
        bargap=0,
        xaxis={"anchor": axes[panels[-1]], "showspikes": True, "spikemode": "across", "spikethickness": 1},
    )
    time_axis(made, report, zero, time_zone)
    for moment in report.moments.itertuples():
        first, last_x = place(pd.Series([moment.start, moment.end]))
        made.add_shape(
            type="rect", yref="paper", y0=0, y1=1, x0=first, x1=last_x,
            fillcolor=COLOURS["moments"], opacity=0.15, line_width=0, layer="below",
        )  # fmt: skip
    annotate(made, report, annotations, place, (zero, _end(report, zero)))
    return made


@checked
def viewers_curve(
    report: StreamReport, *, dark: bool | None = False, time_zone: str | None = None, annotations: Any = None
) -> Any:
    """Concurrent viewers alone, as exact steps; of a stream that was only counted, its polls.

    Args:
        report: the stream.
        dark: for dark themes; None for whichever shows it, now and when it changes.
        time_zone: clock times of this zone on the axis; without it time since the stream began.
        annotations: what happened, to be drawn over it: a frame as `effects` takes it.

    Raises:
        TableError: the annotations lack a column, or a zone.
    """
    zero = begin_of(report)
    place = axis_of(zero, time_zone)
    title = title_of(report.room["title"])
    made = figure(*_usual(report, place, zero), _viewers(report, place, zero), title=title, dark=dark)
    if not len(report.concurrency):
        return without_numbers(made, UNWATCHED)
    made.update_yaxes(title="viewers, as polled" if report.as_polled else "viewers", **whole(made.data[-1].y))
    time_axis(made, report, zero, time_zone)
    annotate(made, report, annotations, place, (zero, _end(report, zero)))
    return made


def _usual(report: StreamReport, place: Any, zero: pd.Timestamp) -> list[Any]:
    """What was usual for the host at that minute: a band from the 10th to the 90th percentile, and the median."""
    frame = report.usual[report.usual["seconds"] <= (_end(report, zero) - zero).total_seconds()]
    if frame.empty or report.as_polled:
        return []
    x = place(pd.Series(zero + pd.to_timedelta(frame["seconds"], unit="s")))
    edge = {"mode": "lines", "line": {"shape": "hv", "width": 0, "color": USUAL}}
    return [
        go.Scatter(x=x, y=frame["high"], showlegend=False, hoverinfo="skip", **edge),
        go.Scatter(
            x=x, y=frame["low"], fill="tonexty", fillcolor=USUAL_SHADE, showlegend=False, hoverinfo="skip", **edge
        ),
        go.Scatter(
            x=x,
            y=frame["median"],
            mode="lines",
            name="usual for this host",
            line={"shape": "hv", "width": 1, "dash": "dot", "color": USUAL},
            customdata=frame[["low", "high", "streams"]],
            hovertemplate="usual %{y:.0f}, %{customdata[0]:.0f} to %{customdata[1]:.0f} in %{customdata[2]} streams"
            "<extra></extra>",
        ),
    ]


def _viewers(report: StreamReport, place: Any, zero: pd.Timestamp) -> Any:
    steps = thinned(report.concurrency)
    at = pd.concat([steps["at"], pd.Series([_end(report, zero)])], ignore_index=True) if len(steps) else steps["at"]
    return go.Scatter(
        x=place(at),
        y=[*steps["viewers"], *steps["viewers"].iloc[-1:]],
        mode="lines",
        name="viewers, as polled" if report.as_polled else "viewers",
        line={"shape": "hv", "color": COLOURS["viewers"], "width": 1.5},
        fill="tozeroy",
        fillcolor=SHADE,
        customdata=clocks(at, zero),
        hovertemplate="%{y} watching at %{customdata}<extra></extra>",
    )


def _moments(report: StreamReport, panel: str, bars: pd.DataFrame | None, place: Any) -> Any:
    """The moments on the curve of the topmost panel."""
    held = report.concurrency if bars is None else bars
    places = np.searchsorted(held["at"].to_numpy(), report.moments["peak_at"].to_numpy(), side="right") - 1
    return go.Scatter(
        x=place(report.moments["peak_at"]),
        y=held[panel].to_numpy()[np.maximum(places, 0)] if len(held) else np.zeros(len(places)),
        mode="markers",
        name="moments",
        marker={"symbol": "star", "size": 13, "color": COLOURS["moments"], "line": {"width": 1}},
        customdata=np.column_stack(
            [
                [clock(second) for second in report.moments["seconds"]],
                report.moments["why"],
                report.moments["score"].round(1),
            ]
        ),
        hovertemplate="moment at %{customdata[0]}: %{customdata[1]}, score %{customdata[2]}<extra></extra>",
    )


@checked
def retention_curve(curve: Retention, *, title: str = "Retention", dark: bool | None = False) -> Any:
    """Retention in percent over time watched, with its 95 % band and the marks at 30 s, 5 min and 25 % of the
    stream."""
    frame = curve.frame
    if len(frame) > MOST_POINTS:
        frame = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, MOST_POINTS).astype(int))]
    seconds, colour = frame["seconds"], COLOURS["viewers"]
    clocks = [clock(second) for second in seconds]
    marks = curve.marks.dropna()
    longest = float(seconds.max())
    made = figure(
        go.Scatter(
            x=seconds,
            y=frame["high"] * 100,
            mode="lines",
            line={"shape": "hv", "width": 0, "color": colour},
            showlegend=False,
            hoverinfo="skip",
        ),
        go.Scatter(
            x=seconds,
            y=frame["low"] * 100,
            mode="lines",
            line={"shape": "hv", "width": 0, "color": colour},
            fill="tonexty",
            fillcolor=SHADE,
            name="95 % confidence",
            hoverinfo="skip",
        ),
        go.Scatter(
            x=seconds,
            y=frame["retention"] * 100,
            mode="lines",
            line={"shape": "hv", "color": colour, "width": 2},
            name=f"{curve.viewers} viewer{'s' * (curve.viewers != 1)}, {curve.censored} still there at the end",
            customdata=np.column_stack([clocks, frame["at_risk"]]),
            hovertemplate="%{y:.1f} % watched longer than %{customdata[0]}, of %{customdata[1]} who could"
            "<extra></extra>",
        ),
        go.Scatter(
            x=marks["seconds"],
            y=marks["retention"] * 100,
            mode="markers+text",
            text=[f"{row.mark}: {row.retention:.0%}" for row in marks.itertuples()],
            # Of a short stream, 25 % are close to the other marks.
            textposition=[
                "bottom left" if "%" in str(mark) else "top left" if at > 0.85 * longest else "top right"
                for mark, at in zip(marks["mark"], marks["seconds"], strict=True)
            ],
            marker={"size": 9, "color": COLOURS["moments"], "symbol": "diamond"},
            name="marks",
            cliponaxis=False,
            hoverinfo="skip",
        ),
        title=title_of(title),
        dark=dark,
    )
    made.update_yaxes(title="viewers still watching, %", range=[0, 112], tickvals=[0, 25, 50, 75, 100])
    made.update_xaxes(title="time watched, HH:MM:SS", range=[0, longest or 1], **ticks(longest, most=6))
    return made


@checked
def joins_and_leaves(report: StreamReport, *, dark: bool | None = False, time_zone: str | None = None) -> Any:
    """Sessions begun (up) and ended (down) per bin.

    Who was there until the end leaves in the last bin; where they would flatten all the rest, their bar is cut off and
    their number stands beside it.
    """
    zero, frame = begin_of(report), report.joins_leaves
    place = axis_of(zero, time_zone)
    made = figure(
        _bars(frame["at"], frame["joins"], "joins", place, zero, "y", report.bin_seconds),
        _bars(frame["at"], -frame["leaves"], "leaves", place, zero, "y", report.bin_seconds, shown=frame["leaves"]),
        title="Joins and leaves",
        dark=dark,
        barmode="relative",
        bargap=0,
    )
    made.update_yaxes(title=f"sessions per {report.bin_seconds:g} s<br>(leaves below)")
    time_axis(made, report, zero, time_zone)
    up, down = frame["joins"].max(), frame["leaves"].iloc[:-1].max()
    end = int(frame["leaves"].iloc[-1]) if len(frame) else 0
    deepest = max(down, up) if len(frame) > 1 else end
    if end > 2 * deepest > 0:
        made.update_yaxes(range=[-1.25 * deepest, 1.1 * up])
        made.add_annotation(
            x=place(frame["at"].iloc[-1:])[0],
            y=-1.25 * deepest,
            text=f"{end:,} until the end",
            showarrow=False,
            xanchor="right",
            yanchor="bottom",
            xshift=-6,
        )
    heights = _around_zero(max(deepest, end if end <= 2 * deepest else 0, up if len(frame) else 0))
    made.update_yaxes(tickvals=heights, ticktext=[f"{abs(height):,g}" for height in heights])
    return made


def _around_zero(most: float) -> list[float]:
    """Round numbers up to the largest, and the same below zero."""
    if not most > 0:
        return [0.0]
    size = 10.0 ** np.floor(np.log10(most / 2))
    step = max(1.0, next(size * factor for factor in (1, 2, 5, 10) if most / (size * factor) <= 4))
    above = [float(number) for number in np.arange(step, most + step, step)]
    return [*(-number for number in reversed(above)), 0.0, *above]


def grade_marks(
    health: pd.DataFrame, place: Any, *, named: str = "", told: str = "", size: int = 8, **more: Any
) -> Iterator[Any]:
    """A mark for each measurement of the publisher, at zero, in the colour and the form of its grade.

    Args:
        health: measurements with their grades.
        place: what `axis_of` gives.
        named, told: what stands before a grade in the legend, and where the mouse is.
        size: of a mark, in pixels.
        more: for all of them, as plotly has it.
    """
    for grade, colour in GRADES.items():
        mine = health[health["grade"] == grade]
        yield go.Scatter(
            x=place(mine["at"]),
            y=np.zeros(len(mine)),
            mode="markers",
            marker={"color": colour, "size": size, "symbol": SYMBOLS[grade]},
            name=f"{named}{grade}",
            hovertemplate=f"{told}{grade}<extra></extra>",
            **more,
        )


@checked
def health_strip(report: StreamReport, *, dark: bool | None = False, time_zone: str | None = None) -> Any:
    """The publisher's bit rate and frame rate, each measurement marked by its grade."""
    zero, frame = begin_of(report), report.health
    place = axis_of(zero, time_zone)
    traces: list[Any] = [
        go.Scatter(
            x=place(frame["at"]),
            y=frame["bitrate_kbps"],
            mode="lines",
            name="bit rate",
            line={"color": COLOURS["viewers"]},
            customdata=clocks(frame["at"], zero),
            hovertemplate="%{y:.0f} kb/s at %{customdata}<extra></extra>",
        ),
        go.Scatter(
            x=place(frame["at"]),
            y=frame["fps"],
            mode="lines",
            name="frames per second",
            yaxis="y2",
            line={"color": COLOURS["reactions"], "dash": "dot"},
            hovertemplate="%{y:.0f} frames/s<extra></extra>",
        ),
    ]
    traces += grade_marks(frame, place, cliponaxis=False)
    made = figure(*traces, title="Health of the broadcast", dark=dark)
    made.update_layout(
        yaxis={"title": "kb/s"},
        yaxis2={"title": "frames/s", "overlaying": "y", "side": "right", "showgrid": False, "tickmode": "auto"},
    )
    time_axis(made, report, zero, time_zone)
    return made


def thinned(steps: pd.DataFrame, most: int = MOST_POINTS) -> pd.DataFrame:
    """A step function with at most so many steps; the lowest and highest of each stretch stay, so no peak is lost."""
    if len(steps) <= most:
        return steps
    stretch = np.arange(len(steps)) * (most // 4) // len(steps)
    groups = steps["viewers"].reset_index(drop=True).groupby(stretch)
    kept = np.unique(
        np.concatenate([groups.idxmax(), groups.idxmin(), groups.head(1).index, groups.tail(1).index]).astype(int)
    )
    return steps.iloc[kept]


def axis_of(zero: pd.Timestamp, time_zone: str | None) -> Any:
    """How times stand on the axis: seconds since the stream began, or clock times of a zone.

    Raises:
        InvalidInput: there is no such zone.
    """
    if time_zone is None:
        return lambda at: (pd.to_datetime(pd.Series(at)) - zero).dt.total_seconds().to_numpy()
    zone_named(time_zone)
    return lambda at: pd.to_datetime(pd.Series(at)).dt.tz_convert(time_zone).dt.tz_localize(None).to_numpy()


def begin_of(report: StreamReport) -> pd.Timestamp:
    """When a stream began, as far as its page knows."""
    if len(report.chat):  # every bin of the live window has its row
        return pd.Timestamp(report.chat["at"].iloc[0])
    if len(report.concurrency):
        return pd.Timestamp(report.concurrency["at"].iloc[0])
    known = [report.room["live_at"], report.room["created_at"], report.as_of]
    return pd.Timestamp(next((time for time in known if not pd.isna(time)), pd.Timestamp(0, tz="UTC")))


def _end(report: StreamReport, zero: pd.Timestamp) -> pd.Timestamp:
    seconds = report.kpis["duration_seconds"]
    return zero + pd.Timedelta(seconds=0.0 if pd.isna(seconds) else float(seconds))


def clocks(at: Any, zero: pd.Timestamp) -> list[str]:
    """Moments as HH:MM:SS since the stream began."""
    return [clock(second) for second in (pd.to_datetime(pd.Series(at)) - zero).dt.total_seconds()]


def _bars(
    at: Any, height: Any, name: str, place: Any, zero: pd.Timestamp, axis: str, width: float, shown: Any = None
) -> Any:
    middle = place(pd.Series(at) + pd.Timedelta(seconds=width / 2))
    return go.Bar(
        x=middle,
        # Left to itself, a bar reaches half-way to the next one, however far that is.
        width=width * 1000 if middle.dtype.kind == "M" else width,
        y=height,
        name=name,
        yaxis=axis,
        marker={"color": COLOURS[name], "line": {"width": 0}},
        customdata=np.column_stack([clocks(at, zero), height if shown is None else shown]),
        hovertemplate=f"%{{customdata[1]}} {name} from %{{customdata[0]}}<extra></extra>",
    )


def whole(counts: Any) -> dict[str, Any]:
    """Of few, there are no halves."""
    return {"dtick": 1} if max(counts, default=0) < 5 else {}


def time_axis(made: Any, report: StreamReport, zero: pd.Timestamp, time_zone: str | None) -> None:
    """Name the axis and write its times."""
    if time_zone is None:
        seconds = (_end(report, zero) - zero).total_seconds()
        made.update_xaxes(title="time since the stream began, HH:MM:SS", **ticks(seconds))
    else:
        made.update_xaxes(title=f"time, {time_zone}", tickformat="%H:%M:%S")


def ticks(seconds: float, most: int = 10) -> dict[str, Any]:
    """Ticks of an axis in seconds, written as HH:MM:SS, about `most` of them."""
    step = next((tick for tick in TICKS if seconds / tick <= most), TICKS[-1])
    places = np.arange(0, seconds + 1, step)
    return {"tickvals": places, "ticktext": [clock(place) for place in places]}
