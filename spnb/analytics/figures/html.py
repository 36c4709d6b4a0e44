"""Pages as one file: figures, numbers with their definitions, and what was mended. No network."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from spnb.analytics.figures.page import page_figures, period_figures
from spnb.analytics.figures.template import FONT, INK, PAPER, clock
from spnb.analytics.kpis import KPIS
from spnb.analytics.metrics.experience import EXPERIENCE
from spnb.analytics.period import PeriodReport
from spnb.analytics.report import StreamReport
from spnb.analytics.shown import EXPERIENCED, LABELS, change, shown
from spnb.errors import TableError

__all__ = ["page_html", "period_html"]

MOST_ROWS = 1_000_000
MOST_STREAMS = 500
"""Of a period's streams as lines of its table: all of them are in `Dataset.export`."""
STYLE = (
    ":root{{color-scheme:{scheme}}}"
    "body{{font:15px {font};color:{ink};background:{paper};max-width:1100px;margin:2em auto;padding:0 1em}}"
    "td,th{{text-align:left;padding:.2em 1em .2em 0;vertical-align:top}}h1{{font-size:1.5em}}small{{opacity:.75}}"
)
COLUMNS = ("live_at", "duration_seconds", "views", "live_viewers", "peak_viewers", "minutes_watched", "messages",
           "engagement_rate")  # fmt: skip


def page_html(report: StreamReport, *, dark: bool | None = False, annotations: Any = None) -> str:
    """The page; see `StreamReport.to_html`."""
    rows = sum(map(len, (report.concurrency, report.chat, report.reactions, report.joins_leaves, report.moments)))
    if rows > MOST_ROWS:
        raise TableError(
            f"a page of {rows:,} rows would choke a browser: save the rows with dataset.save(…), "
            f"or show report.figures()"
        )
    numbers = "".join(
        f"<tr><th>{escape(LABELS[name])}</th><td>{escape(shown(name, report.kpis[name]))}</td>"
        f"<td><small>{escape(about)}</small></td></tr>"
        for name, about in KPIS.items()
    )
    moments = "".join(
        f"<tr><td>{clock(second)}</td><td>{escape(f'{why}: {said}' if said else why)}</td><td>{score:.1f}</td></tr>"
        for second, why, score, said in _with_words(report.moments).itertuples(index=False, name=None)
    )
    head = "<tr><th>time</th><th>why</th><th>score</th></tr>"
    met = "".join(
        f"<tr><th>{escape(EXPERIENCED[str(name)])}</th><td>{escape(shown(str(name), value))}</td>"
        f"<td><small>{escape(EXPERIENCE[str(name)])}</small></td></tr>"
        for name, value in report.experience.dropna().items()
    )
    rest = (
        f"<h2>Numbers</h2><table>{numbers}</table>"
        f"{f'<h2>How it was for viewers</h2><table>{met}</table>' if met else ''}"
        f"<h2>Moments</h2>{f'<table>{head}{moments}</table>' if moments else '<p>None stood out.</p>'}"
        f"<h2>Data quality</h2>{report.quality._repr_html_()}"
    )
    title = str(report.room["title"]) or str(report.room["room_id"])
    return _page(title, page_figures(report, dark=dark, annotations=annotations), rest, dark)


def _with_words(moments: pd.DataFrame) -> pd.DataFrame:
    said = moments if "words" in moments.columns else moments.assign(words="")
    return said[["seconds", "why", "score", "words"]]


def period_html(report: PeriodReport, *, dark: bool | None = False) -> str:
    """The page; see `PeriodReport.to_html`."""
    made = report.overview
    cards = "".join(
        f"<tr><th>{escape(LABELS[str(name)])}</th><td>{escape(shown(str(name), row['now']))}</td>"
        f"<td>{escape(shown(str(name), row['before']))}</td><td>{escape(change(float(row['change'])))}</td>"
        f"<td><small>{escape(str(row['definition']))}</small></td></tr>"
        for name, row in made.cards.iterrows()
    )
    head = "<tr><th></th><th>now</th><th>before</th><th>change</th><th></th></tr>"
    few = report.streams.head(MOST_STREAMS)
    left = len(report.streams) - len(few)
    last = made.end - pd.Timedelta(milliseconds=1)  # the period ends before its end
    rest = (
        f"<h2>Numbers</h2><table>{head}{cards}</table>"
        f"<h2>Streams</h2>{_table(few, 'title', COLUMNS)}{f'<p>And {left:,} more.</p>' if left else ''}"
        f"<h2>By {escape(report.by.replace('_', ' '))}</h2>{_table(report.groups.head(MOST_STREAMS), None, GROUPED)}"
        f"<h2>Data quality</h2>{report.dataset.quality._repr_html_()}"
    )
    title = f"{made.start:%d %b %Y} – {last:%d %b %Y}"
    return _page(title, period_figures(report, dark=dark), rest, dark)


GROUPED = ("streams", "views", "live_viewers", "peak_viewers", "minutes_watched", "messages", "engagement_rate")


def _table(frame: pd.DataFrame, named: str | None, columns: tuple[str, ...]) -> str:
    names = frame.index if named is None else frame[named].where(frame[named] != "", frame.index.to_series())
    heads = "".join(f"<th>{escape('On air' if name == 'live_at' else LABELS[name])}</th>" for name in columns)
    lines = "".join(
        f"<tr><th>{escape(str(name))}</th>"
        + "".join(f"<td>{escape(shown(column, row[column]))}</td>" for column in columns)
        + "</tr>"
        for name, (_, row) in zip(names, frame.iterrows(), strict=True)
    )
    return f"<table><tr><th></th>{heads}</tr>{lines}</table>" if lines else "<p>None.</p>"


def _page(title: str, figures: Mapping[str, Any], rest: str, dark: bool | None) -> str:
    script: bool | str = True  # plotly itself, once, with the first figure
    charts = []
    for made in figures.values():
        charts.append(made.to_html(full_html=False, include_plotlyjs=script, config={"displaylogo": False}))
        script = False
    ink, paper = ("CanvasText", "Canvas") if dark is None else (INK[dark], PAPER[dark])
    style = STYLE.format(font=FONT, ink=ink, paper=paper, scheme="light dark" if dark is None else "normal")
    named = escape(title)
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{named}</title><style>{style}</style>"
        f"</head><body><h1>{named}</h1>{''.join(charts)}{rest}</body></html>"
    )
