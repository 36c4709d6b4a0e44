"""The Console's export beside our own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics.reconciliation import WHOLE_MINUTES
from spnb.errors import TableError
from tests.analytics.season import season


@pytest.fixture
def dataset() -> analytics.Dataset:
    return analytics.load(season(streams=4, seed=9))


def test_an_export_of_our_own_numbers_is_equal_in_every_number(dataset: analytics.Dataset, tmp_path: Path) -> None:
    (tmp_path / "console.csv").write_text(analytics.console_csv(dataset.kpis))
    made = analytics.reconcile(dataset, tmp_path / "console.csv")
    assert len(made) == 4 * 6
    assert set(made["why"]) <= {"equal", "equal, to the second", WHOLE_MINUTES}
    assert (made["difference"].abs() < 1).all()


def test_each_difference_has_its_reason(dataset: analytics.Dataset) -> None:
    numbers = dataset.kpis.reset_index()
    theirs = numbers[
        ["room_id", "title", "created_at", "views", "unique_viewers", "minutes_watched", "messages"]
    ].copy()
    theirs["minutes_watched"] = np.floor(theirs["minutes_watched"])
    theirs.loc[0, "views"] += 3
    theirs.loc[1, "room_id"] = "elsewhere"
    made = analytics.reconcile(dataset, theirs).set_index(["room_id", "number"])
    assert "coming back within 30 s" in made.loc[("s0", "views"), "why"]
    assert made.loc[("s0", "views"), "difference"] == -3
    assert made.loc[("s2", "minutes_watched"), "why"] == "the Console cuts off parts of a minute"
    assert (made.loc["elsewhere", "why"] == "in the Console only").all()
    assert (made.loc["s1", "why"] == "here only").all()
    blind = analytics.load({"rooms": dataset.rooms, "messages": dataset.messages})
    unknown = analytics.reconcile(blind, theirs).set_index(["room_id", "number"])
    assert unknown.loc[("s0", "views"), "why"] == "not known here"
    assert unknown.loc[("s0", "messages"), "why"] == "equal"


def test_without_ids_a_stream_is_known_by_title_and_minute_and_two_alike_by_nothing(
    dataset: analytics.Dataset,
) -> None:
    theirs = dataset.kpis.reset_index()[["title", "created_at", "views"]]
    theirs["created_at"] = theirs["created_at"].dt.floor("min")
    made = analytics.reconcile(dataset, theirs)
    assert (made["why"] == "equal").all()
    assert made["room_id"].tolist() == list(dataset.kpis.index)
    alike = dataset.rooms.assign(title="Same", created_at=pd.Timestamp("2026-03-01T18:00Z"))
    twins = analytics.load({"rooms": alike, "views": dataset.views})
    lines = theirs.assign(title="Same", created_at=pd.Timestamp("2026-03-01T18:00Z"))
    assert set(analytics.reconcile(twins, lines)["why"]) == {"in the Console only", "here only"}
    with pytest.raises(TableError, match="no numbers of streams"):
        analytics.reconcile(dataset, pd.DataFrame({"title": ["x"]}))
