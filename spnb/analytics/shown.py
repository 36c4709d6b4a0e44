"""Numbers as people read them: each with its unit, n/a where there is nothing to tell."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["EXPERIENCED", "LABELS", "change", "clock", "shown"]

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "streams": "Streams",
        "duration_seconds": "Duration",
        "views": "Views",
        "replay_views": "Replay views",
        "unique_viewers": "Unique viewers",
        "live_viewers": "Live viewers",
        "watch_seconds": "Watch time",
        "minutes_watched": "Minutes watched",
        "minutes_per_stream": "Minutes per stream",
        "minutes_per_viewer": "Minutes per viewer",
        "view_seconds": "Average view",
        "replay_viewers": "Replay viewers",
        "replay_watch_seconds": "Replay watch time",
        "replay_minutes_per_viewer": "Replay minutes per viewer",
        "replay_view_seconds": "Average replay view",
        "peak_viewers": "Peak viewers",
        "peak_at": "Peak at",
        "average_viewers": "Average viewers",
        "polled_peak_viewers": "Peak as polled",
        "polled_average_viewers": "Average as polled",
        "polled_every_seconds": "Seconds between polls",
        "messages": "Messages",
        "deleted_messages": "Deleted messages",
        "chatters": "Chatters",
        "messages_per_chatter": "Messages per chatter",
        "messages_per_minute": "Messages per minute",
        "chat_penetration": "Viewers who chat",
        "reactions": "Reactions",
        "engagement_rate": "Engagement",
        "returning_viewers": "Returning viewers",
        "returning_share": "Returning share",
    }
)
"""What each number is called where there is room for two words."""
EXPERIENCED: Mapping[str, str] = MappingProxyType(
    {
        "sessions": "Players' sessions",
        "started_share": "Started",
        "startup_seconds": "Start-up, seconds",
        "startup_seconds_p95": "Start-up, slowest 5 %",
        "exits_before_start": "Exits before start",
        "start_failures": "Start failures",
        "failures": "Failures while playing",
        "waiting_share": "Time waited",
        "waits_per_hour": "Waits per hour",
        "switches_per_hour": "Quality switches per hour",
        "delay_seconds": "Delay, seconds",
    }
)
"""The same for `metrics.EXPERIENCE`."""
SHARES = (
    *("chat_penetration", "returning_share"),
    *("started_share", "exits_before_start", "start_failures", "failures", "waiting_share"),
)
LENGTHS = ("duration_seconds", "watch_seconds", "view_seconds", "replay_watch_seconds", "replay_view_seconds")


def clock(seconds: float) -> str:
    """Seconds as HH:MM:SS."""
    whole = max(0, round(float(seconds)))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def shown(name: str, value: Any, *, time_zone: str = "UTC") -> str:
    """One of `spnb.analytics.KPIS`, or of an overview's cards, in words.

    Args:
        name: which number.
        value: its value.
        time_zone: the zone of points in time.
    """
    if pd.isna(value):
        return "n/a"
    if isinstance(value, pd.Timestamp):
        return f"{value.tz_convert(time_zone):%Y-%m-%d %H:%M:%S %Z}"
    if name in LENGTHS:
        return clock(value)
    if name in SHARES:
        return f"{float(value):.1%}"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{float(value):,.2f}" if abs(float(value)) < 1000 else f"{float(value):,.1f}"


def change(share: float) -> str:
    """A change in words: nothing before is n/a, the same is ±0 %, and less than half a percent is no zero."""
    if np.isnan(share):
        return "n/a"
    if share == 0:
        return "±0%"
    return f"{'▲' if share > 0 else '▼'} {share:+.{0 if abs(share) >= 0.005 else 2}%}"
