"""Every number of every stream, in one pass over the tables; the same numbers that the single metrics give."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spnb.analytics.events import Events, net
from spnb.analytics.metrics.audience import marked, returned
from spnb.analytics.metrics.chat import chat_columns
from spnb.analytics.metrics.concurrency import averaged, sweep
from spnb.analytics.polled import POLLED, polled
from spnb.analytics.quality import Quality, Step
from spnb.analytics.reckon import over_events, over_sessions, same_people
from spnb.analytics.sessions import Sessions
from spnb.analytics.store import Part
from spnb.analytics.windows import NEVER, Windows, milliseconds, moments_of

if TYPE_CHECKING:
    from spnb.analytics.dataset import Dataset

__all__ = ["KPIS", "kpis_of"]

KPIS: Mapping[str, str] = MappingProxyType(
    {
        "duration_seconds": "live duration, on air to off air",
        "views": "sessions started, repeats counted, reconnects within 30 s not",
        "replay_views": "views of the recording",
        "unique_viewers": "distinct users with a session, live or of the recording",
        "live_viewers": "distinct users with a live session",
        "watch_seconds": "seconds played, live or of the recording, without pauses and buffering",
        "minutes_watched": "watch time ÷ 60",
        "minutes_per_viewer": "minutes watched live ÷ live viewers",
        "view_seconds": "watch time live ÷ live views",
        "replay_viewers": "distinct users with a session of the recording",
        "replay_watch_seconds": "seconds played of the recording",
        "replay_minutes_per_viewer": "minutes watched of the recording ÷ replay viewers",
        "replay_view_seconds": "watch time of the recording ÷ replay views",
        "peak_viewers": "most distinct users watching at once",
        "peak_at": "when there were first that many",
        "average_viewers": "live viewer-seconds ÷ live duration",
        "polled_peak_viewers": "most viewers in any poll",
        "polled_average_viewers": "polled counts, each held until the next, over the time polled",
        "polled_every_seconds": "mean pause between polls",
        "messages": "messages while live, deleted ones not",
        "deleted_messages": "deleted messages",
        "chatters": "distinct users who wrote",
        "messages_per_chatter": "messages ÷ chatters",
        "messages_per_minute": "messages ÷ live minutes",
        "chat_penetration": "chatters ÷ live viewers",
        "reactions": "reactions given − taken back while live, of no name below 0",
        "engagement_rate": "(messages + reactions) ÷ live viewers",
        "returning_viewers": "live viewers who saw an earlier stream of the same creator",
        "returning_share": "returning viewers ÷ live viewers",
    }
)
"""Each number's definition, to be shown beside it."""
AUDIENCE = (
    *("views", "replay_views", "unique_viewers", "live_viewers", "watch_seconds", "peak_viewers", "peak_at"),
    *("average_viewers", "replay_viewers", "replay_watch_seconds", "returning_viewers"),
)
"""What only watch sessions tell."""
EVENTS = {
    "messages": ("messages", "deleted_messages", "chatters", "messages_per_chatter", "messages_per_minute"),
    "reactions": ("reactions",),
}
"""What only these tables tell."""


def kpis_of(dataset: Dataset) -> pd.DataFrame:
    """All numbers of each stream, one row per stream, `room_id` as index, beside the columns of the rooms table.

    Ratios are NaN where there is nothing to divide by, and so is what no table of the source could know: 0 says that a
    table was there and empty. Where a stream has both sessions and polls, sessions make its numbers, and the polls
    stand beside them. What was mended on the way is in `frame.attrs["quality"]`.
    """
    rooms = dataset.rooms
    windows = dataset.windows
    guessed = int(((Windows.of(rooms, dataset.as_of).begin == NEVER) & (windows.begin != NEVER)).sum())
    index = pd.Index(rooms["room_id"], name="room_id")
    audience, quality = _audience(dataset, windows, index, rooms)
    written, more = _events(dataset, windows, index)
    made = rooms.set_index("room_id").assign(**audience, **written)
    made[list(POLLED)] = polled(dataset.table("presence")).reindex(made.index)
    with_sessions = made.pop("with_sessions")
    counted_only = made["polled_peak_viewers"].gt(0) & ~with_sessions
    unknown = counted_only if "views" in dataset.known else pd.Series(True, index=made.index)
    for name in AUDIENCE if unknown.any() else ():
        made[name] = made[name].mask(unknown)
    for table, names in EVENTS.items():
        if table not in dataset.known:
            made[list(names)] = np.nan
    both = with_sessions & made["polled_peak_viewers"].gt(made["peak_viewers"])
    more += Quality.of(
        [
            Step("stream without its times", "rooms", guessed, "its window is that of all its rows"),
            Step(
                "counted by polling only", "views", int(counted_only.sum()), "peak and average as polled; the rest n/a"
            ),
            Step(
                "more polled than in sessions", "presence", int(both.sum()), "sessions count; see polled_peak_viewers"
            ),
        ]
    )
    live = made["live_viewers"].where(made["live_viewers"] > 0)
    made["minutes_watched"] = made["watch_seconds"] / 60
    seconds, views = made["watch_seconds"] - made["replay_watch_seconds"], made["views"] - made["replay_views"]
    made["minutes_per_viewer"] = seconds / 60 / live
    made["view_seconds"] = seconds / views.where(views > 0)
    again = made["replay_viewers"].where(made["replay_viewers"] > 0)
    made["replay_minutes_per_viewer"] = made["replay_watch_seconds"] / 60 / again
    made["replay_view_seconds"] = made["replay_watch_seconds"] / made["replay_views"].where(made["replay_views"] > 0)
    made["chat_penetration"] = made["chatters"] / live
    made["engagement_rate"] = (made["messages"] + made["reactions"]) / live
    made["returning_share"] = made["returning_viewers"] / live
    made = made[[*[name for name in made.columns if name not in KPIS], *KPIS]]
    made.attrs["quality"] = quality + more
    return made


def _audience(
    dataset: Dataset, windows: Windows, index: pd.Index[Any], rooms: pd.DataFrame
) -> tuple[dict[str, Any], Quality]:
    def reduce(sessions: Sessions, part: Part) -> tuple[Any, ...]:
        count = len(sessions.windows.names)
        is_view, once = sessions.is_view(), sessions.is_viewer()
        swept = sweep(sessions, steps=False)
        seconds = sessions.windows.seconds
        columns = {
            "duration_seconds": seconds,
            "views": np.bincount(sessions.room[is_view], minlength=count),
            "replay_views": np.bincount(sessions.room[is_view & sessions.replay], minlength=count),
            "unique_viewers": np.bincount(sessions.room[once], minlength=count),
            "live_viewers": np.bincount(sessions.room[sessions.first & ~sessions.replay], minlength=count),
            "replay_viewers": np.bincount(sessions.room[sessions.first & sessions.replay], minlength=count),
            "replay_watch_seconds": np.bincount(sessions.room, sessions.watched * sessions.replay, count),
            "with_sessions": np.ones(count, dtype=bool),
            "watch_seconds": np.bincount(sessions.room, sessions.watched, count),
            "peak_viewers": swept.peak,
            "peak_at": swept.peak_at,
            "average_viewers": averaged(swept.seconds, seconds),
        }
        # sessions are in order of room, user and replay: whoever watched live did so first
        viewers = marked(sessions.user[once], ~sessions.replay[once])
        return part.rooms, columns, viewers, part.users, sessions.quality

    known = windows.seconds
    made: dict[str, NDArray[Any]] = {
        "duration_seconds": known,
        "views": np.zeros(len(index), dtype=np.int64),
        "replay_views": np.zeros(len(index), dtype=np.int64),
        "unique_viewers": np.zeros(len(index), dtype=np.int64),
        "live_viewers": np.zeros(len(index), dtype=np.int64),
        "replay_viewers": np.zeros(len(index), dtype=np.int64),
        "replay_watch_seconds": np.zeros(len(index)),
        "with_sessions": np.zeros(len(index), dtype=bool),
        "watch_seconds": np.zeros(len(index)),
        "peak_viewers": np.zeros(len(index), dtype=np.int64),
        "peak_at": np.full(len(index), NEVER),
        "average_viewers": np.where(known > 0, 0.0, np.nan),
    }
    parts = over_sessions(dataset.store, windows, reduce)
    quality = Quality()
    # one array a part and a view of it a stream: of a large season they are most of what is held
    viewers: list[NDArray[np.uint32] | None] = [None] * len(index)
    people = same_people([users for *_, users, _ in parts])
    users = 0
    for number, (names, columns, mine, _, found) in enumerate(parts):
        places = index.get_indexer(pd.Index(names, dtype=object))
        for name, values in columns.items():
            made[name][places] = values
        renamed = marked(people[number][mine >> 1], (mine & 1) != 0) if people is not None else mine
        for place, of_room in zip(places, np.split(renamed, np.cumsum(columns["unique_viewers"])[:-1]), strict=True):
            viewers[place] = of_room
        users = max(users, int(renamed.max() >> 1) + 1 if len(renamed) else 0)
        quality += found
    creator, _ = pd.factorize(rooms["creator_id"])
    made["returning_viewers"] = returned(viewers, creator.astype(np.int64), milliseconds(rooms["live_at"]), users)
    return made | {"peak_at": moments_of(made["peak_at"])}, quality


def _events(dataset: Dataset, windows: Windows, index: pd.Index[Any]) -> tuple[dict[str, Any], Quality]:
    def chats(events: Events, part: Part) -> tuple[Any, ...]:
        return part.rooms, chat_columns(events), events.quality

    def reacted(events: Events, part: Part) -> tuple[Any, ...]:
        return part.rooms, {"reactions": net(events, events.room, len(events.windows.names))}, events.quality

    live = windows.seconds > 0
    made: dict[str, NDArray[Any]] = {
        "messages": np.zeros(len(index), dtype=np.int64),
        "deleted_messages": np.zeros(len(index), dtype=np.int64),
        "chatters": np.zeros(len(index), dtype=np.int64),
        "messages_per_chatter": np.full(len(index), np.nan),
        "messages_per_minute": np.where(live, 0.0, np.nan),
        "reactions": np.zeros(len(index), dtype=np.int64),
    }
    quality = Quality()
    for name, reduce in (("messages", chats), ("reactions", reacted)):
        for names, columns, found in over_events(dataset.store, windows, name, reduce):
            places = index.get_indexer(pd.Index(names, dtype=object))
            for column, values in columns.items():
                made[column][places] = values
            quality += found
    return made, quality
