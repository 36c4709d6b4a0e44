"""A period and a group on one page."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics.figures import viewers_curve
from spnb.errors import InvalidInput
from tests.analytics.season import season


@pytest.fixture(scope="module")
def dataset() -> analytics.Dataset:
    tables = season(streams=12, seed=8)
    tables["rooms"].loc[3, "title"] = "<script>alert(1)</script>"
    tables["views"] = tables["views"].assign(country=["DE", "FR"] * (len(tables["views"]) // 2) + ["DE"] *
                                             (len(tables["views"]) % 2))  # fmt: skip
    return analytics.load(tables)


def test_a_period_shows_its_streams_beside_those_before_and_nothing_else(dataset: analytics.Dataset) -> None:
    began = dataset.rooms["live_at"]
    start, end = began.min().floor("D"), began.max().floor("D")
    made = dataset.period(start, end, by="country", best=3)
    inside = dataset.rooms[began.between(start, end, inclusive="left")]
    assert set(made.streams.index) == set(inside["room_id"])
    assert made.streams["minutes_watched"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(made.overview.cards, analytics.overview(dataset, start, end).cards)
    assert set(made.groups.index) == {"DE", "FR"}
    drawn = made.figures()
    assert set(drawn) == {"cards", "best", "curves", "groups"}
    assert len(drawn["best"].data[0].x) == len(drawn["curves"].data) == 3
    page = made.to_html()
    assert len(page) - len(re.search(r"<script.*?>/\*\*.*?</script>", page, re.DOTALL)[0]) < 2_000_000
    assert page.count("Plotly.newPlot") == 4
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_period_of_what_nobody_knows_has_words_for_it_and_no_empty_figure(dataset: analytics.Dataset) -> None:
    blind = analytics.load({"rooms": dataset.rooms, "messages": dataset.messages})
    made = blind.period(dataset.rooms["live_at"].min(), dataset.rooms["live_at"].max(), metric="messages")
    assert set(made.figures()) == {"cards", "best", "groups"}
    assert "n/a" in made.to_html(dark=True)
    nothing = blind.period("2020-01-01", "2020-01-08")
    assert set(nothing.figures()) == {"cards"}
    assert "<p>None.</p>" in nothing.to_html()
    with pytest.raises(InvalidInput, match="numbers"):
        blind.period("2020-01-01", "2020-01-08", metric="fame")


def test_the_curve_of_viewers_alone_is_the_report_s(dataset: analytics.Dataset) -> None:
    report = dataset.report("s0")
    curve = viewers_curve(report, time_zone="Asia/Tokyo").data
    assert len(curve) == 1
    assert list(curve[0].y[:-1]) == report.concurrency["viewers"].tolist()
    counted = analytics.load({"rooms": dataset.rooms, "presence": dataset.presence}).report("s0")
    assert viewers_curve(counted).layout.yaxis.title.text == "viewers, as polled"
