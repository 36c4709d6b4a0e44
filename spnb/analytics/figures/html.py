"""A stream's page as one file: figures, numbers with their definitions, moments and what was mended. No network."""

from __future__ import annotations

from html import escape

from spnb.analytics.figures.page import page_figures
from spnb.analytics.figures.template import FONT, INK, PAPER, clock
from spnb.analytics.kpis import KPIS
from spnb.analytics.report import StreamReport
from spnb.analytics.shown import LABELS, shown
from spnb.errors import TableError

__all__ = ["page_html"]

MOST_ROWS = 1_000_000
STYLE = (
    "body{{font:15px {font};color:{ink};background:{paper};max-width:1100px;margin:2em auto;padding:0 1em}}"
    "td,th{{text-align:left;padding:.2em 1em .2em 0;vertical-align:top}}h1{{font-size:1.5em}}small{{opacity:.75}}"
)


def page_html(report: StreamReport, *, dark: bool = False) -> str:
    """The page; see `StreamReport.to_html`."""
    rows = sum(map(len, (report.concurrency, report.chat, report.reactions, report.joins_leaves, report.moments)))
    if rows > MOST_ROWS:
        raise TableError(
            f"a page of {rows:,} rows would choke a browser: save the rows with dataset.save(…), "
            f"or show report.figures()"
        )
    title = escape(str(report.room["title"]) or str(report.room["room_id"]))
    style = STYLE.format(font=FONT, ink=INK[dark], paper=PAPER[dark])
    script: bool | str = True  # plotly itself, once, with the first figure
    charts = []
    for made in page_figures(report, dark=dark).values():
        charts.append(made.to_html(full_html=False, include_plotlyjs=script, config={"displaylogo": False}))
        script = False
    numbers = "".join(
        f"<tr><th>{escape(LABELS[name])}</th><td>{escape(shown(name, report.kpis[name]))}</td>"
        f"<td><small>{escape(about)}</small></td></tr>"
        for name, about in KPIS.items()
    )
    moments = "".join(
        f"<tr><td>{clock(second)}</td><td>{escape(why)}</td><td>{score:.1f}</td></tr>"
        for second, why, score in report.moments[["seconds", "why", "score"]].itertuples(index=False, name=None)
    )
    head = "<tr><th>time</th><th>why</th><th>score</th></tr>"
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title><style>{style}</style>"
        f"</head><body><h1>{title}</h1>{''.join(charts)}<h2>Numbers</h2><table>{numbers}</table>"
        f"<h2>Moments</h2>{f'<table>{head}{moments}</table>' if moments else '<p>None stood out.</p>'}"
        f"<h2>Data quality</h2>{report.quality._repr_html_()}</body></html>"
    )
