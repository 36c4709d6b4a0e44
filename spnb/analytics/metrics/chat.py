"""Chat: how much, by how many, how fast. Deleted messages are counted apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb._arguments import checked
from spnb.analytics.events import Events, events_of
from spnb.analytics.metrics.audience import unique_viewers
from spnb.analytics.metrics.bins import Bins, bin_milliseconds
from spnb.analytics.windows import Whole

__all__ = ["chat", "chat_penetration", "chat_rate", "chatters", "distinct_users"]


@checked
def chat(messages: Any, rooms: Any = None, *, as_of: Any = None) -> pd.DataFrame:
    """The chat of each stream while it was live.

    Returns:
        By `room_id`: `messages` (not deleted), `deleted_messages`, `chatters` (distinct users with a message that
        stands), `messages_per_chatter` (NaN without chatters), `messages_per_minute` (of live duration; NaN without
        one).
    """
    events = events_of(rooms, as_of=as_of, messages=messages)["messages"]
    return pd.DataFrame(chat_columns(events), index=pd.Index(events.windows.names, name="room_id"))


def chat_columns(events: Events) -> dict[str, NDArray[Any]]:
    """The columns of `chat`, per room code."""
    count = len(events.windows.names)
    standing = np.bincount(events.room[events.counts], minlength=count)
    writers = distinct_users(events)
    minutes = events.windows.seconds / 60
    return {
        "messages": standing,
        "deleted_messages": np.bincount(events.room[~events.counts], minlength=count),
        "chatters": writers,
        "messages_per_chatter": standing / np.where(writers > 0, writers, np.nan),
        "messages_per_minute": standing / np.where(minutes > 0, minutes, np.nan),
    }


def distinct_users(events: Events) -> Whole:
    """Distinct users of each room with an event that counts."""
    count = len(events.windows.names)
    room, user = events.room[events.counts], events.user[events.counts]
    if len(room) == 0:
        return np.zeros(count, dtype=np.int64)
    pairs = np.sort(room * (int(user.max()) + 1) + user)
    once = np.append(True, pairs[1:] != pairs[:-1])
    made: Whole = np.bincount(pairs[once] // (int(user.max()) + 1), minlength=count)
    return made


@checked
def chatters(messages: Any, rooms: Any = None, *, as_of: Any = None) -> pd.Series[int]:
    """Distinct users who wrote in each stream's chat while it was live."""
    made: pd.Series[int] = chat(messages, rooms, as_of=as_of)["chatters"]
    return made


@checked
def chat_rate(messages: Any, rooms: Any = None, *, bin_seconds: float = 60.0, as_of: Any = None) -> pd.DataFrame:
    """Messages per minute of each bin.

    Returns:
        `room_id, at, seconds, messages, deleted_messages, per_minute`; every bin of the live window has its row. The
        last bin's rate is of the time it really lasted.
    """
    events = events_of(rooms, as_of=as_of, messages=messages)["messages"]
    bins = Bins.of(events.windows, bin_milliseconds(bin_seconds))
    frame = bins.frame()
    standing, gone = events.counts, ~events.counts
    frame["messages"] = bins.counted(events.room[standing], events.at[standing])
    frame["deleted_messages"] = bins.counted(events.room[gone], events.at[gone])
    left = (events.windows.finish - events.windows.begin)[bins.room] - bins.number * bins.width
    lasted = np.minimum(left, bins.width) / 60_000
    frame["per_minute"] = frame["messages"] / np.where(lasted > 0, lasted, np.nan)
    return frame


@checked
def chat_penetration(messages: Any, sessions: Any, rooms: Any = None, *, as_of: Any = None) -> pd.Series[float]:
    """Chatters ÷ live viewers of each stream; NaN without any. Who only saw the recording could not chat."""
    viewers = unique_viewers(sessions, rooms, replay=False, as_of=as_of)
    writers = chatters(messages, rooms, as_of=as_of).reindex(viewers.index, fill_value=0)
    return (writers / viewers.where(viewers > 0)).rename("chat_penetration")
