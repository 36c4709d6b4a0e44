"""Analytics: who watched, wrote and reacted, per stream and over many, from raw rows that are yours.

    from spnb import analytics
    dataset = analytics.load(sp)               # a client, a sandbox, a folder, frames, an export, webhooks, a chat log
    dataset.kpis                               # every number of every stream
    report = dataset.report(room_id)           # one stream: concurrency, retention, chat, reactions, moments
    dataset.save("season")                     # Parquet, readable by any tool
    dataset.export("season.xlsx")              # for a spreadsheet; or .csv, table by table

`spnb.capture()` records what is live to such a folder.

Everything here loads on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spnb.analytics import figures, metrics, portable, words
    from spnb.analytics.alerts import Alert, AlertRules, Alerts
    from spnb.analytics.comparison import Comparison, compare
    from spnb.analytics.dataset import Dataset
    from spnb.analytics.event_study import effects
    from spnb.analytics.funnels import funnel
    from spnb.analytics.kpis import KPIS
    from spnb.analytics.people import new_and_returning, overlap, viewer_path, watch_percentiles
    from spnb.analytics.period import PeriodReport
    from spnb.analytics.portfolio import Overview, cohorts, grouped, overview
    from spnb.analytics.quality import Quality
    from spnb.analytics.reach import post_reach
    from spnb.analytics.reconciliation import reconcile
    from spnb.analytics.report import StreamReport
    from spnb.analytics.sessions import repaired
    from spnb.analytics.sources import console_csv, load, read_chat_log, read_console
    from spnb.analytics.streams import streams_csv, streams_table
    from spnb.analytics.tables import describe

_HOMES = {
    "Alert": "spnb.analytics.alerts",
    "AlertRules": "spnb.analytics.alerts",
    "Alerts": "spnb.analytics.alerts",
    "Comparison": "spnb.analytics.comparison",
    "Dataset": "spnb.analytics.dataset",
    "KPIS": "spnb.analytics.kpis",
    "PeriodReport": "spnb.analytics.period",
    "Overview": "spnb.analytics.portfolio",
    "Quality": "spnb.analytics.quality",
    "StreamReport": "spnb.analytics.report",
    "cohorts": "spnb.analytics.portfolio",
    "compare": "spnb.analytics.comparison",
    "console_csv": "spnb.analytics.sources",
    "effects": "spnb.analytics.event_study",
    "describe": "spnb.analytics.tables",
    "funnel": "spnb.analytics.funnels",
    "grouped": "spnb.analytics.portfolio",
    "load": "spnb.analytics.sources",
    "new_and_returning": "spnb.analytics.people",
    "overlap": "spnb.analytics.people",
    "overview": "spnb.analytics.portfolio",
    "post_reach": "spnb.analytics.reach",
    "read_chat_log": "spnb.analytics.sources",
    "read_console": "spnb.analytics.sources",
    "reconcile": "spnb.analytics.reconciliation",
    "repaired": "spnb.analytics.sessions",
    "streams_csv": "spnb.analytics.streams",
    "streams_table": "spnb.analytics.streams",
    "viewer_path": "spnb.analytics.people",
    "watch_percentiles": "spnb.analytics.people",
}
_MODULES = ("figures", "metrics", "portable", "words")

__all__ = [
    "KPIS",
    "Alert",
    "AlertRules",
    "Alerts",
    "Comparison",
    "Dataset",
    "Overview",
    "PeriodReport",
    "Quality",
    "StreamReport",
    "cohorts",
    "compare",
    "console_csv",
    "describe",
    "effects",
    "figures",
    "funnel",
    "grouped",
    "load",
    "metrics",
    "new_and_returning",
    "overlap",
    "overview",
    "portable",
    "post_reach",
    "read_chat_log",
    "read_console",
    "reconcile",
    "repaired",
    "streams_csv",
    "streams_table",
    "viewer_path",
    "watch_percentiles",
    "words",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"spnb.analytics.{name}")
    raise AttributeError(f"module 'spnb.analytics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
