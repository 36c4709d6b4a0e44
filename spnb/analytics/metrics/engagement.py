"""Engagement: two official formulas exist. Both are here, each under its own name."""

from __future__ import annotations

from typing import Any

import pandas as pd

from spnb.analytics.metrics.audience import unique_viewers, watch_time
from spnb.analytics.metrics.chat import chat
from spnb.analytics.metrics.reactions import reactions as reactions_by_name

__all__ = ["FORMULAS", "engagement"]

FORMULAS = {
    "engagement_rate": "(messages + reactions) ÷ live viewers",
    "minutes_per_viewer": "minutes watched ÷ unique viewers",
}
"""The formula of each column, to be shown beside it."""


def engagement(sessions: Any, messages: Any, reactions: Any, rooms: Any = None, *, as_of: Any = None) -> pd.DataFrame:
    """Engagement of each stream by both formulas; NaN without viewers.

    Returns:
        `engagement_rate`, (messages + reactions) ÷ live viewers, and `minutes_per_viewer`, minutes watched ÷ unique
        viewers, by `room_id`.
    """
    viewers = unique_viewers(sessions, rooms, as_of=as_of)
    viewers = viewers.where(viewers > 0)
    live = unique_viewers(sessions, rooms, replay=False, as_of=as_of)
    live = live.where(live > 0)
    written = chat(messages, rooms, as_of=as_of)["messages"].reindex(viewers.index, fill_value=0)
    reacted = reactions_by_name(reactions, rooms, as_of=as_of).groupby("room_id")["reactions"].sum()
    reacted = reacted.reindex(viewers.index, fill_value=0)
    minutes = watch_time(sessions, rooms, as_of=as_of) / 60
    return pd.DataFrame({"engagement_rate": (written + reacted) / live, "minutes_per_viewer": minutes / viewers})
