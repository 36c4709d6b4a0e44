"""Figures of many streams: cards, weekday × hour, comparisons, leaderboards, cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.dataset import Dataset
from spnb.analytics.figures.stream import MOST_POINTS, UNWATCHED, thinned, ticks
from spnb.analytics.figures.template import COLOURS, INK, clock, figure, heat, title_of, without_numbers
from spnb.analytics.metrics.concurrency import concurrency
from spnb.analytics.polled import polled_steps
from spnb.analytics.portfolio import CARDS, WEEKDAYS, Overview, grouped
from spnb.analytics.shown import LABELS
from spnb.analytics.shown import change as in_words
from spnb.analytics.windows import moments_of
from spnb.errors import InvalidInput

__all__ = ["cohort_grid", "funnel_steps", "kpi_cards", "leaderboard", "streams_compared", "weekday_hours"]

FEWEST_POINTS = 2_000
"""Of each of many streams in one figure."""
TITLES = {name: LABELS[name] for name in CARDS} | {
    "peak_viewers": "Peak viewers",
    "average_viewers": "Average viewers",
    "engagement_rate": "(Messages + reactions) ÷ live viewers",
}


@checked
def kpi_cards(overview: Overview, *, dark: bool | None = False, names: Sequence[str] = tuple(TITLES)[:6]) -> Any:
    """The cards of a period, each with its change against the period before and a sparkline by day.

    A change from nothing is n/a.
    """
    last = overview.end - pd.Timedelta(milliseconds=1)  # the period ends before its end
    made = figure(title=f"{overview.start:%d %b %Y} – {last:%d %b %Y}", dark=dark, height=260)
    width = 1 / len(names)
    for place, name in enumerate(names):
        card: dict[Any, Any] = overview.cards.loc[name].to_dict()
        left, right = place * width + 0.01, (place + 1) * width - 0.01
        change = in_words(float(card["change"]))
        number = float(card["now"])
        # the exact one is in the table; a card of millions needs no hundredths
        now = "n/a" if np.isnan(number) else f"{number:,.{0 if abs(number) >= 1000 else 2}f}".removesuffix(".00")
        middle = {"x": (left + right) / 2, "xref": "paper", "yref": "paper", "showarrow": False, "xanchor": "center"}
        made.add_annotation(text=TITLES[name], y=1.0, font={"size": 13}, **middle)
        made.add_annotation(text=f"<b>{now}</b>", y=0.86, font={"size": 24}, **middle)
        made.add_annotation(text=f"{change} vs before", y=0.56, font={"size": 12, "color": INK[dark]}, **middle)
        axis = "" if place == 0 else str(place + 1)
        made.add_scatter(
            x=overview.trend["day"].dt.tz_localize(None),
            y=overview.trend[name],
            xaxis=f"x{axis}",
            yaxis=f"y{axis}",
            name=TITLES[name],
            mode="lines",
            line={"shape": "hv", "color": COLOURS["viewers"]},
            showlegend=False,
            hovertemplate="%{x|%a %d %b}: %{y:,.2f}<extra></extra>",
        )
        made.update_layout(
            {
                f"xaxis{axis}": {"domain": [left, right], "visible": False, "anchor": f"y{axis}"},
                f"yaxis{axis}": {"domain": [0, 0.4], "visible": False, "anchor": f"x{axis}", "rangemode": "tozero"},
            }
        )
    made.update_layout(hovermode="closest", margin_t=75)
    return made


@checked
def weekday_hours(
    dataset: Dataset, *, metric: str = "average_viewers", time_zone: str = "UTC", dark: bool | None = False
) -> Any:
    """Weekday × hour of going on air, in one zone; empty where no stream began."""
    table = grouped(dataset, ["weekday", "hour"], time_zone=time_zone)
    if metric not in table.columns:
        raise InvalidInput(f"there is no metric {metric!r}: choose from {', '.join(table.columns)}")
    grid, count = (
        table[name].unstack("hour").reindex(index=list(WEEKDAYS), columns=range(24)) for name in (metric, "streams")
    )
    title = TITLES.get(metric, metric.replace("_", " "))
    known = table[metric].dropna()
    made = figure(
        go.Heatmap(
            z=grid.to_numpy(dtype=float),
            x=[f"{hour:02}" for hour in range(24)],
            y=list(WEEKDAYS),
            customdata=count.fillna(0).to_numpy(dtype=int),
            colorbar={"title": title},
            zmin=0,
            zmax=float(known.max()) if len(known) and known.max() > 0 else 1,
            colorscale=heat(dark),
            hovertemplate="%{y} %{x}:00: %{z:,.1f}, %{customdata} streams<extra></extra>",
            xgap=1,
            ygap=1,
        ),
        title=f"{title} by weekday and hour of going on air",
        dark=dark,
    )
    made.update_yaxes(autorange="reversed", showgrid=False)
    made.update_xaxes(title=f"hour of going on air, {time_zone}", type="category", showgrid=False)
    made.update_layout(hovermode="closest")
    return made if len(known) else without_numbers(made, f"no stream here has a number for {title.lower()}")


@checked
def streams_compared(
    dataset: Dataset, room_ids: Sequence[str], *, align: Literal["start", "share"] = "start", dark: bool | None = False
) -> Any:
    """Concurrent viewers of several streams, aligned at their start or by share of their length.

    Of a stream that was only counted its polls are drawn; one of which nobody knows its viewers is left out.

    Raises:
        InvalidInput: `align` is neither.
    """
    if align not in ("start", "share"):
        raise InvalidInput(f"align is start or share, not {align!r}")
    chosen = dataset.of_rooms(room_ids)
    steps = concurrency(chosen.views, chosen.windows)
    unknown = chosen.kpis["views"].isna()
    lengths = chosen.kpis["duration_seconds"]
    began = pd.Series(moments_of(chosen.windows.begin), index=chosen.windows.names)
    made = figure(title="Streams compared", dark=dark)
    for room in room_ids:
        polls = chosen.presence[chosen.presence["room_id"] == room]
        whole = polled_steps(polls) if unknown[room] else steps[steps["room_id"] == room]
        mine = thinned(whole, max(MOST_POINTS // len(room_ids), FEWEST_POINTS))
        if mine.empty:
            continue  # nobody knows how many watched
        row = chosen.rooms[chosen.rooms["room_id"] == room].iloc[0]
        seconds = (mine["at"] - began[room]).dt.total_seconds().to_numpy()
        length = float(lengths[room])
        x = np.append(seconds, length) if align == "start" else np.append(seconds, length) / (length or 1.0) * 100
        y = [*mine["viewers"], mine["viewers"].iloc[-1] if len(mine) else 0]
        made.add_scatter(
            x=x,
            y=y,
            name=_named(row["title"] or room, row["live_at"], 24) + (", as polled" if unknown[room] else ""),
            line={"shape": "hv"},
            customdata=[clock(second) for second in (*seconds, length)],
            hovertemplate="%{y} watching at %{customdata}",
        )
    if not made.data:
        return without_numbers(made, UNWATCHED)
    made.update_yaxes(title="viewers")
    if align == "share":
        made.update_xaxes(title="share of the stream, %", range=[0, 100])
    else:
        longest = float(lengths.max(skipna=True)) if lengths.notna().any() else 0.0
        made.update_xaxes(title="time since the stream began, HH:MM:SS", **ticks(longest))
    return made


def _named(title: object, live_at: pd.Timestamp, most: int) -> str:
    """A stream's title with its day: series bear the same title week after week."""
    return title_of(title, most) + ("" if pd.isna(live_at) else f", {live_at:%d %b}")


@checked
def leaderboard(table: pd.DataFrame, metric: str, *, most: int = 10, dark: bool | None = False) -> Any:
    """The best streams, or groups of them, by a metric.

    Args:
        table: `dataset.kpis`, or what `grouped` returned.
        metric: one of its columns.
        most: how many.
    """
    if metric not in table.columns:
        raise InvalidInput(f"there is no metric {metric!r}: choose from {', '.join(table.columns)}")
    if not pd.api.types.is_numeric_dtype(table[metric]):
        numbers = [str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
        raise InvalidInput(f"{metric} holds no numbers to order by: choose from {', '.join(numbers)}")
    best = table.dropna(subset=[metric]).nlargest(most, metric).iloc[::-1]
    if "title" in best.columns:
        days = best["live_at"] if "live_at" in best.columns else pd.Series(pd.NaT, index=best.index)
        names = [_named(title, day, 40) for title, day in zip(best["title"], days, strict=True)]
    else:
        names = [title_of(name, 40) for name in best.index]
    labels = [f"{name}{chr(8203) * place}" for place, name in enumerate(names)]  # alike names stay apart
    made = figure(
        go.Bar(
            x=best[metric],
            y=labels,
            orientation="h",
            marker={"color": COLOURS["viewers"]},
            hovertemplate="%{y}: %{x:,.2f}<extra></extra>",
        ),
        title=f"Top {len(best)} by {TITLES.get(metric, metric.replace('_', ' ')).lower()}",
        dark=dark,
    )
    made.update_xaxes(title=TITLES.get(metric, metric.replace("_", " ")))
    made.update_yaxes(ticksuffix="  ", showgrid=False)
    made.update_layout(hovermode="closest", height=140 + 30 * len(best))
    return (
        made
        if len(best)
        else without_numbers(made, f"none here has a number for {made.layout.xaxis.title.text.lower()}")
    )


@checked
def cohort_grid(cohorts: pd.DataFrame, *, dark: bool | None = False) -> Any:
    """What `spnb.analytics.cohorts` returned: of each period's new viewers, the share that watched again, in
    percent."""
    share = cohorts.drop(columns="viewers")
    sizes = cohorts["viewers"].to_numpy()
    rows = [f"{_cohort_name(label)} ({size})" for label, size in zip(cohorts.index, sizes, strict=True)]
    values = share.to_numpy(dtype=float) * 100
    made = figure(
        go.Heatmap(
            z=values,
            x=[str(number) for number in share.columns],
            y=rows,
            zmin=0,
            zmax=100,
            colorbar={"title": "%"},
            colorscale=heat(dark),
            hovertemplate="first watched %{y}: %{z:.1f} % watched %{x} periods later<extra></extra>",
            xgap=1,
            ygap=1,
        ),
        _written(values, [str(number) for number in share.columns], rows, dark),
        title="Returning viewers",
        dark=dark,
        margin_t=55,
        showlegend=False,
    )
    made.update_yaxes(autorange="reversed", title="first watched (viewers)", type="category", showgrid=False)
    made.update_xaxes(title="periods since then", type="category", showgrid=False)
    made.update_layout(hovermode="closest", height=max(450, 140 + 22 * len(rows)))
    return made


def _written(values: NDArray[np.float64], columns: list[str], rows: list[str], dark: bool | None) -> Any:
    """Shares in per cent, each in the ink that its cell's colour leaves legible: at least 4 to 1."""
    row, column = np.nonzero(~np.isnan(values))
    return go.Scatter(
        x=[columns[place] for place in column],
        y=[rows[place] for place in row],
        mode="text",
        text=[f"{share:.0f}" for share in values[row, column]],
        textfont={"color": ["#000000" if (share >= 50) == bool(dark) else "#ffffff" for share in values[row, column]]},
        hoverinfo="skip",
    )


def _cohort_name(label: Any) -> str:
    """A period's beginning, after the value of the dimension that its viewers share, if they do."""
    *group, day = label if isinstance(label, tuple) else (label,)
    return ", ".join([*(title_of(value, 40) for value in group), f"{day:%d %b %Y}"])


@checked
def funnel_steps(table: pd.DataFrame, *, title: str = "How far people came", dark: bool | None = False) -> Any:
    """A funnel step by step: people who took every known step so far, and their share of the step before.

    Args:
        table: of `spnb.analytics.funnel`; steps that nobody knows are left out, and named below.
        title: above it.
        dark: for dark themes; None for whichever shows it, now and when it changes.
    """
    known = table[table["through"].notna()]
    shares = ["" if np.isnan(share) else f", {share:.0%} of the step before" for share in known["share"]]
    made = figure(
        go.Funnel(
            y=known["step"],
            x=known["through"],
            text=[f"{count:,.0f}{share}" for count, share in zip(known["through"], shares, strict=True)],
            textinfo="text",
            textposition="auto",
            marker={"color": COLOURS["viewers"]},
            connector={"fillcolor": "rgba(0, 114, 178, 0.15)"},
            customdata=known["people"],
            hovertemplate="%{y}: %{x:,}, of %{customdata:,} who took this step at all<extra></extra>",
        ),
        title=title_of(title),
        dark=dark,
        hovermode="closest",
    )
    unknown = table["step"][table["through"].isna()]
    if len(unknown):
        made.add_annotation(
            text=f"not known: {', '.join(unknown)}", xref="paper", yref="paper", x=0, y=-0.1, showarrow=False
        )
    return made
