"""Small random worlds: ties, sessions of no length, overlaps, two tabs, missing ends, clocks gone wrong, empty
streams."""

from __future__ import annotations

import pandas as pd
from hypothesis import strategies as st

from tests.analytics.oracle import Session, World

# Few distinct times make ties likely; midnight and both changes of the clocks in Berlin lie in reach.
TIMES = st.one_of(st.integers(-3, 30).map(lambda n: n * 10_000), st.integers(0, 300_000))
ZEROS = ["2026-03-01T12:00:00Z", "2026-02-28T23:58:00Z", "2026-03-29T00:58:00Z", "2026-10-25T00:58:00Z"]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    rooms: dict[str, tuple[str, int | None, int | None]] = {}
    for number in range(draw(st.integers(1, 3))):
        live = draw(st.one_of(st.none(), st.integers(0, 5).map(lambda n: n * 20_000)))
        ended = None if live is None else draw(st.one_of(st.none(), TIMES.map(lambda n, live=live: live + n)))
        rooms[f"r{number}"] = (draw(st.sampled_from(["ann", "bob"])), live, ended)
    sessions = []
    for _ in range(draw(st.integers(0, 14))):
        start = draw(TIMES)
        end = draw(st.one_of(st.none(), TIMES.map(lambda n, start=start: start + abs(n)), st.just(start), TIMES))
        sessions.append(
            Session(
                draw(st.sampled_from([*rooms, "unlisted"])),
                draw(st.sampled_from(["u1", "u2", "u3", "u4"])),
                start,
                end,
                draw(st.one_of(st.none(), st.integers(-1, 400).map(float))),
                draw(st.booleans()) and draw(st.booleans()),
            )
        )
    return World(rooms, sessions, pd.Timestamp(draw(st.sampled_from(ZEROS))))


@st.composite
def timed(draw: st.DrawFn) -> World:
    """A world of three streams, each with both its times."""
    world = draw(worlds())
    for name in ("r0", "r1", "r2"):
        creator, live, ended = world.rooms.get(name, ("ann", 0, None))
        begin = live if live is not None else 0
        world.rooms[name] = (creator, begin, max(begin, ended if ended is not None else 200_000))
    world.sessions = [one for one in world.sessions if one.room != "unlisted"]
    return world
