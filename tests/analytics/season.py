"""A small season: streams of a few creators with audiences that come back, write and react."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spnb import analytics

BEGIN = pd.Timestamp("2026-02-20T17:00:00Z")


def season(*, streams: int, seed: int, viewers: int = 40) -> dict[str, pd.DataFrame]:
    draw = np.random.default_rng(seed)
    rooms, views, messages, reactions, presence, status, health = [], [], [], [], [], [], []
    for number in range(streams):
        live = BEGIN + pd.Timedelta(hours=float(31 * number + draw.integers(0, 4)))
        length = float(draw.integers(900, 3600))
        ended = live + pd.Timedelta(seconds=length)
        room = f"s{number}"
        rooms.append(
            (
                room,
                f"<b>Stream</b> {number}",
                f"creator{number % 3}",
                "talk",
                "coHosts",
                "recorded",
                live - pd.Timedelta("5min"),
                live,
                ended,
            )
        )
        status += [(room, "live", live), (room, "ended", ended)]
        for place in range(int(draw.integers(5, viewers))):
            user = f"u{draw.integers(0, viewers)}"
            start = live + pd.Timedelta(milliseconds=int(draw.uniform(-60, length) * 1000))
            stay = float(draw.exponential(600))
            end = start + pd.Timedelta(milliseconds=int(stay * 1000))
            views.append((f"{room}-{place}", room, user, start, end, round(stay * 0.9, 3), False))
            for _ in range(draw.poisson(1.5)):
                at = live + pd.Timedelta(milliseconds=int(draw.uniform(0, length) * 1000))
                messages.append(
                    (
                        f"{room}-m{len(messages)}",
                        room,
                        f"c{room}",
                        user,
                        at,
                        bool(draw.random() < 0.05),
                        bool(draw.random() < 0.1),
                        int(draw.integers(1, 80)),
                    )
                )
            for _ in range(draw.poisson(1)):
                at = live + pd.Timedelta(milliseconds=int(draw.uniform(0, length) * 1000))
                reactions.append(
                    (f"{room}-r{len(reactions)}", room, user, str(draw.choice(["like", "fire"])), at, True)
                )
        for second in range(0, int(length), 60):
            at = live + pd.Timedelta(seconds=second)
            presence.append((room, at, int(draw.integers(0, 30))))
            health.append((room, at, float(draw.normal(2000, 100)), float(draw.normal(29, 2)), 30.0))
    # the service's own duration, floored, stands among the rooms: it must not be taken for the exact one
    lengths = [float(int((ended - live).total_seconds())) for *_, live, ended in rooms]
    return {
        "rooms": pd.DataFrame(
            rooms,
            columns=[
                "room_id",
                "title",
                "creator_id",
                "community_id",
                "type",
                "status",
                "created_at",
                "live_at",
                "ended_at",
            ],
        ).assign(duration_seconds=lengths),
        "views": pd.DataFrame(
            views, columns=["session_id", "room_id", "user_id", "start", "end", "watch_seconds", "replay"]
        ),
        "messages": pd.DataFrame(
            messages,
            columns=["message_id", "room_id", "channel_id", "user_id", "created_at", "deleted", "is_reply", "length"],
        ),
        "reactions": pd.DataFrame(reactions, columns=["reaction_id", "room_id", "user_id", "name", "at", "added"]),
        "presence": pd.DataFrame(presence, columns=["room_id", "at", "viewers"]),
        "status": pd.DataFrame(status, columns=["room_id", "status", "at"]),
        "health": pd.DataFrame(health, columns=["room_id", "at", "bitrate_kbps", "fps", "target_fps"]),
    }


def troubled(tables: dict[str, pd.DataFrame], *, seed: int) -> dict[str, pd.DataFrame]:
    """The season as trouble leaves it: ends missing, before starts or after the stream's, replays, tabs and reconnects,
    doubles, streams on air, without times, or ended before they began."""
    draw = np.random.default_rng(seed)
    rooms, views = tables["rooms"].copy(), tables["views"].copy()
    some = draw.permutation(len(rooms))
    rooms.loc[some[0], "ended_at"] = pd.NaT
    rooms.loc[some[1], ["live_at", "ended_at"]] = pd.NaT
    rooms.loc[some[2], "ended_at"] = rooms.loc[some[2], "live_at"] - pd.Timedelta("1min")
    rooms.loc[some[3], "creator_id"] = None
    rooms.loc[some[4], "live_at"] = rooms.loc[some[5], "live_at"]  # two begin at once
    dice = draw.random(len(views))
    views.loc[dice < 0.1, "end"] = pd.NaT
    backward = (dice >= 0.1) & (dice < 0.2)
    views.loc[backward, "end"] = views.loc[backward, "start"] - pd.Timedelta("3s")
    views.loc[(dice >= 0.05) & (dice < 0.25), "watch_seconds"] = np.nan
    views.loc[(dice >= 0.25) & (dice < 0.35), "watch_seconds"] *= 3
    views.loc[(dice >= 0.35) & (dice < 0.45), "replay"] = True
    empty = (dice >= 0.45) & (dice < 0.5)
    views.loc[empty, "end"] = views.loc[empty, "start"]
    late = (dice >= 0.5) & (dice < 0.55)
    views.loc[late, ["start", "end"]] += pd.Timedelta("2h")
    again = views[(dice >= 0.6) & (dice < 0.7)]
    away = pd.to_timedelta(draw.integers(-400, 60, len(again)), unit="s")
    back = again.assign(
        session_id=again["session_id"] + "b", start=again["end"] + away, end=again["end"] + pd.Timedelta("5min")
    )
    doubled = views[dice > 0.9].assign(watch_seconds=lambda rows: rows["watch_seconds"] - 1)
    nameless = views[(dice > 0.7) & (dice < 0.75)].assign(
        session_id=None, start=lambda rows: rows["start"] + pd.Timedelta("1s")
    )
    views = pd.concat([views, back, doubled, nameless], ignore_index=True)
    # doubles agree in it; some people moved, of some nobody knows
    place = views["user_id"].str[1:].astype(int) + views["room_id"].str[1:].astype(int) // 3
    views["country"] = place.map(lambda number: ("DE", "FR", None, "DE")[number % 4])
    return {**tables, "rooms": rooms, "views": views}


def quiet_past(host: str) -> analytics.Dataset:
    """Ten hours of a host's in which one message was written."""
    begin = pd.Timestamp("2026-03-01T00:00Z")
    rooms = {"room_id": ["past"], "creator_id": [host], "live_at": [begin], "ended_at": [begin + pd.Timedelta("10h")]}
    messages = {"room_id": ["past"], "user_id": ["u"], "created_at": [begin + pd.Timedelta("1h")]}
    return analytics.load({"rooms": pd.DataFrame(rooms), "messages": pd.DataFrame(messages)})
