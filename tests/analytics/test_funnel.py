"""How far people came, by brute force; what no table could know is passed over, not zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics import figures
from spnb.errors import InvalidInput, TableError
from tests.analytics.season import season


@pytest.fixture(scope="module")
def dataset() -> analytics.Dataset:
    return analytics.load(season(streams=4, seed=21))


def drawn(dataset: analytics.Dataset, share: float, seed: int) -> pd.DataFrame:
    """Some of everybody who watched, wrote or never came."""
    draw = np.random.default_rng(seed)
    people = pd.concat([dataset.views[["room_id", "user_id"]], dataset.messages[["room_id", "user_id"]]])
    people = people.astype(object).drop_duplicates()
    absent = pd.DataFrame({"room_id": dataset.rooms["room_id"], "user_id": "never came"})
    return pd.concat([people[draw.random(len(people)) < share], absent], ignore_index=True)


def test_a_funnel_by_brute_force(dataset: analytics.Dataset) -> None:
    announced, rsvps, clicks = (drawn(dataset, share, seed) for seed, share in enumerate((0.9, 0.6, 0.5)))
    rsvps["status"] = np.where(np.arange(len(rsvps)) % 4 == 0, "interested", "going")
    made = analytics.funnel(dataset, announced=announced, rsvps=rsvps, clicks=clicks, stayed_seconds=120)
    finish = dataset.rooms.set_index("room_id")[["live_at", "ended_at"]]
    seconds: dict[tuple[str, str], float] = {}
    for view in dataset.views.itertuples():
        begin, end = finish.loc[view.room_id]
        if view.replay or view.start >= end or view.end <= begin:
            continue
        inside = (min(view.end, end) - max(view.start, begin)).total_seconds()
        pair = (view.room_id, view.user_id)
        seconds[pair] = seconds.get(pair, 0.0) + min(view.watch_seconds, inside)
    wrote = {(row.room_id, row.user_id) for row in dataset.messages.itertuples() if not row.deleted}
    sets = [
        {tuple(pair) for pair in announced[["room_id", "user_id"]].to_numpy()},
        {(row.room_id, row.user_id) for row in rsvps.itertuples() if row.status == "going"},
        set(seconds),
        {pair for pair, watched in seconds.items() if watched >= 120},
        wrote,
        {tuple(pair) for pair in clicks[["room_id", "user_id"]].to_numpy()},
    ]
    assert made["step"].tolist() == ["announced", "RSVP", "joined", "stayed 2 min", "chatted", "clicked a product"]
    through = sets[0]
    before = None
    for row, people in zip(made.itertuples(), sets, strict=True):
        through = through & people
        assert (row.people, row.through) == (len(people), len(through))
        assert row.of_first == pytest.approx(len(through) / len(sets[0]))
        if before is not None:
            assert row.share == pytest.approx(len(through) / before)
        before = len(through)
    assert 0 < before < len(sets[0])
    one = analytics.funnel(dataset, ["s1"], announced=announced)
    assert one["people"].iloc[0] == (announced["room_id"] == "s1").sum()


def test_steps_that_nobody_knows_are_passed_over(dataset: analytics.Dataset) -> None:
    chat_only = analytics.load({"rooms": dataset.rooms, "messages": dataset.messages})
    made = analytics.funnel(chat_only, announced=drawn(dataset, 0.8, 9)).set_index("step")
    assert made.loc[["RSVP", "joined", "stayed 5 min", "clicked a product"]].isna().all(axis=None)
    assert made.loc["chatted", "share"] == made.loc["chatted", "of_first"] > 0
    quiet = analytics.load({"rooms": dataset.rooms, "messages": dataset.messages.iloc[:0]})
    assert analytics.funnel(quiet).set_index("step").loc["chatted", "people"] == 0  # the table is there, and empty
    shown = figures.funnel_steps(made.reset_index())
    assert list(shown.data[0].y) == ["announced", "chatted"]
    assert "not known: RSVP, joined" in shown.layout.annotations[0].text
    with pytest.raises(TableError, match="clicks lack user_id"):
        analytics.funnel(dataset, clicks=pd.DataFrame({"room_id": ["s1"]}))
    with pytest.raises(TableError, match="no stream"):
        analytics.funnel(dataset, ["nowhere"])
    with pytest.raises(InvalidInput, match="0 s at least"):
        analytics.funnel(dataset, stayed_seconds=-1)
