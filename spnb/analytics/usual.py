"""What is usual for a host, for questions while live: viewers at a second of the stream, the pace of the chat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from spnb.analytics.dataset import Dataset
from spnb.analytics.metrics import chat_rate, usual_viewers

__all__ = ["Usual", "usual_of"]

MOST_COMPARED = 50
"""Earlier streams: what was long ago no longer is."""
CHAT_BIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Usual:
    """What earlier streams of a host were like.

    Attributes:
        viewers: `seconds, streams, low, median, high`, as `metrics.usual_viewers` has it; empty where nobody knows.
        messages_per_second: mean pace of their chats; None where nobody knows.
        dispersion: variance ÷ mean of their counts in half a minute, within each stream; 0 where nobody knows.
    """

    viewers: pd.DataFrame
    messages_per_second: float | None
    dispersion: float

    def viewers_at(self, second: float) -> tuple[float, float, float] | None:
        """Low, median and high at a second of the stream; None beyond what is known."""
        steps = self.viewers["seconds"].to_numpy()
        place = int(np.searchsorted(steps, second, side="right")) - 1
        if not 0 <= place < len(steps) or second >= steps[-1] + (steps[1] - steps[0] if len(steps) > 1 else 60.0):
            return None
        row = self.viewers.iloc[place]
        return float(row["low"]), float(row["median"]), float(row["high"])

    def change(self, since: float, until: float) -> float:
        """By what factor the median falls from one second to another; 1 where it grows, or is not known."""
        before, after = self.viewers_at(since), self.viewers_at(until)
        if before is None or after is None or before[1] <= 0:
            return 1.0
        return min(1.0, after[1] / before[1])


def usual_of(past: Dataset, creator_id: str | None) -> Usual | None:
    """What is usual for a host by their newest fifty streams; None where there are none of them."""
    rooms = past.rooms[past.rooms["creator_id"] == creator_id].sort_values("live_at").tail(MOST_COMPARED)
    if rooms.empty:
        return None
    part = past.of_rooms(rooms["room_id"].tolist())
    pace, dispersion = None, 0.0
    if "messages" in part.known:
        bins = chat_rate(part.messages, part.windows, bin_seconds=CHAT_BIN_SECONDS)
        if len(bins):
            pace = float(bins["messages"].mean()) / CHAT_BIN_SECONDS
            streams = bins.groupby("room_id", observed=True)["messages"]
            mean, spread = streams.mean(), streams.var()
            ratio = (spread / mean.where(mean > 0)).dropna()
            dispersion = float(ratio.median()) if len(ratio) else 0.0
    views = part.views if "views" in part.known else part.views.iloc[:0]
    viewers = usual_viewers(views, part.windows)
    return Usual(viewers if len(views) else viewers.iloc[:0], pace, dispersion)
