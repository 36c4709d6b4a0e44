"""Engagement: two official formulas exist. Both are here, each under its own name."""

from __future__ import annotations

from typing import Any

import pandas as pd

from spnb._arguments import checked
from spnb.analytics.metrics.audience import unique_viewers, watch_time
from spnb.analytics.metrics.chat import chat
from spnb.analytics.metrics.reactions import reactions as reactions_by_name

__all__ = ["FORMULAS", "engagement"]

FORMULAS = {
    "engagement_rate": "(messages + reactions) ÷ live viewers",
    "minutes_per_viewer": "minutes watched live ÷ live viewers",
}
"""The formula of each column, to be shown beside it."""


@checked
def engagement(sessions: Any, messages: Any, reactions: Any, rooms: Any = None, *, as_of: Any = None) -> pd.DataFrame:
    """Engagement of each stream by both formulas; NaN without live viewers.

    Returns:
        `engagement_rate`, (messages + reactions) ÷ live viewers, and `minutes_per_viewer`, minutes watched live ÷
        live viewers, by `room_id`.
    """
    live = unique_viewers(sessions, rooms, replay=False, as_of=as_of)
    live = live.where(live > 0)
    written = chat(messages, rooms, as_of=as_of)["messages"].reindex(live.index, fill_value=0)
    reacted = reactions_by_name(reactions, rooms, as_of=as_of).groupby("room_id")["reactions"].sum()
    reacted = reacted.reindex(live.index, fill_value=0)
    minutes = watch_time(sessions, rooms, replay=False, as_of=as_of) / 60
    return pd.DataFrame({"engagement_rate": (written + reacted) / live, "minutes_per_viewer": minutes / live})
