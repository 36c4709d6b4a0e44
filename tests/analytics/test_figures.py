"""Figures, judged by the data in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics import figures
from spnb.analytics.dataset import Dataset
from spnb.analytics.figures.stream import thinned
from spnb.analytics.figures.template import COLOURS, clock, title_of
from spnb.errors import InvalidInput, TableError
from tests.analytics.season import season


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return analytics.load(season(streams=12, seed=1))


@pytest.fixture(scope="module")
def report(dataset: Dataset) -> analytics.StreamReport:
    return dataset.report("s3", sensitivity=0.9)


def trace(made, name: str):
    return next(one for one in made.data if one.name and one.name.startswith(name))


@pytest.mark.parametrize("dark", [False, True])
def test_the_stack_shows_exact_steps_on_a_shared_axis(report: analytics.StreamReport, dark: bool) -> None:
    made = figures.stream_stack(report, dark=dark)
    viewers = trace(made, "viewers")
    zero = report.concurrency["at"].iloc[0]
    assert viewers.line.shape == "hv"  # steps, never interpolated
    assert list(viewers.y[:-1]) == report.concurrency["viewers"].tolist()
    assert list(viewers.x[:-1]) == (report.concurrency["at"] - zero).dt.total_seconds().tolist()
    assert viewers.x[-1] == report.kpis["duration_seconds"]
    assert viewers.customdata[-1] == clock(report.kpis["duration_seconds"])
    assert sum(trace(made, "messages").y) == report.kpis["messages"]
    assert sum(trace(made, "reactions").y) == report.kpis["reactions"]
    assert max(viewers.y) == report.kpis["peak_viewers"]
    assert made.layout.yaxis.title.text == "viewers"
    assert f"per {report.bin_seconds:g} s" in made.layout.yaxis2.title.text
    assert "HH:MM:SS" in made.layout.xaxis.title.text
    assert made.layout.title.text == "&lt;b&gt;Stream&lt;/b&gt; 3"  # markup in a title is text
    assert (made.layout.template.layout.paper_bgcolor == "#111111") == dark
    if len(report.moments):
        assert len(trace(made, "moments").x) == len(report.moments) == len(made.layout.shapes)


def test_figures_that_follow_the_theme_are_read_on_either_paper(report: analytics.StreamReport) -> None:
    """They have no paper of their own, so that the theme may change while they are shown."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for one in report.figures(dark=None).values():
        look = one.layout.template.layout
        assert look.paper_bgcolor == look.plot_bgcolor == "rgba(0,0,0,0)"
        inks = {look.font.color, *(note.font.color or look.font.color for note in one.layout.annotations)}
        for ink in inks:
            for paper in ("#ffffff", "#111111"):  # JupyterLab's own
                light, dim = sorted((luminance(ink), luminance(paper)), reverse=True)
                assert (light + 0.05) / (dim + 0.05) > 4, (ink, paper)
    assert "color-scheme:light dark" in report.to_html(dark=None)


def test_a_time_zone_is_chosen_once_for_the_page(report: analytics.StreamReport) -> None:
    made = report.figures(time_zone="Asia/Tokyo")
    first = pd.Timestamp(trace(made["stack"], "viewers").x[0])
    assert first == report.concurrency["at"].iloc[0].tz_convert("Asia/Tokyo").tz_localize(None)
    assert made["stack"].layout.xaxis.title.text == "time, Asia/Tokyo"
    assert set(made) == {"stack", "retention", "joins_leaves", "health"}
    with pytest.raises(InvalidInput, match="no time zone 'Mars'"):
        report.figures(time_zone="Mars")


def test_retention_has_its_band_and_marks(report: analytics.StreamReport) -> None:
    made = figures.retention_curve(report.retention)
    curve = trace(made, f"{report.retention.viewers} viewers")
    np.testing.assert_allclose(curve.y, report.retention.frame["retention"] * 100)
    marks = trace(made, "marks")
    np.testing.assert_allclose(marks.y, report.retention.marks["retention"].dropna() * 100)
    assert made.data[0].y[0] >= curve.y[0] >= made.data[1].y[0]
    assert "%" in made.layout.yaxis.title.text


def test_joins_go_up_and_leaves_down(report: analytics.StreamReport) -> None:
    made = figures.joins_and_leaves(report)
    assert sum(trace(made, "joins").y) == -sum(trace(made, "leaves").y) == report.joins_leaves["joins"].sum()


def test_who_stays_until_the_end_does_not_flatten_the_rest() -> None:
    tables = season(streams=1, seed=2)
    room = tables["rooms"].iloc[0]
    crowd = pd.DataFrame(
        {"room_id": "s0", "user_id": [f"x{n}" for n in range(500)], "start": room["live_at"], "end": room["ended_at"]}
    )
    crowd["start"] += pd.to_timedelta(np.arange(500), unit="s")
    made = figures.joins_and_leaves(analytics.load({**tables, "views": crowd}).report("s0"))
    low, high = made.layout.yaxis.range
    assert low > -500
    assert high >= max(trace(made, "joins").y)
    assert "500 until the end" in [note.text for note in made.layout.annotations]
    assert min(trace(made, "leaves").y) == -500  # cut off on the screen, not in the data
    assert not [text for text in made.layout.yaxis.ticktext if text.startswith("-")]


def test_the_health_strip_says_each_grade_in_a_mark(report: analytics.StreamReport) -> None:
    made = figures.health_strip(report)
    for grade in ("good", "fair", "poor"):
        assert len(trace(made, grade).x) == (report.health["grade"] == grade).sum()
    assert len({trace(made, grade).marker.symbol for grade in ("good", "fair", "poor")}) == 3


def test_thinning_keeps_the_peak() -> None:
    draw = np.random.default_rng(0)
    steps = pd.DataFrame({"at": range(100_000), "viewers": draw.integers(0, 1000, 100_000)})
    steps.loc[777, "viewers"] = 5000
    few = thinned(steps)
    assert len(few) <= 20_000
    assert few["viewers"].max() == 5000
    assert few["at"].is_monotonic_increasing
    assert {0, 99_999} <= set(few["at"])


def test_cards_show_change_and_never_growth_from_nothing(dataset: Dataset) -> None:
    begin = dataset.rooms["created_at"].min().floor("D")
    made = analytics.overview(dataset, begin, begin + pd.Timedelta("7D"))
    assert made.cards["before"].fillna(0).eq(0).all()
    assert made.cards["change"].isna().all()
    shown = figures.kpi_cards(made)
    texts = [note.text for note in shown.layout.annotations]
    assert "n/a vs before" in texts
    assert f"<b>{made.cards.loc['views', 'now']:,.0f}</b>" in texts
    assert list(trace(shown, "Views").y) == made.trend["views"].tolist()
    later = analytics.overview(dataset, begin + pd.Timedelta("7D"), begin + pd.Timedelta("14D"))
    np.testing.assert_allclose(later.cards["before"], made.cards["now"])


def test_the_heat_map_has_every_hour_of_the_week(dataset: Dataset) -> None:
    made = figures.weekday_hours(dataset, metric="views", time_zone="Europe/Berlin").data[0]
    assert made.z.shape == (7, 24)
    assert np.nansum(made.z) == dataset.kpis["views"].sum()
    assert made.customdata.sum() == 12
    with pytest.raises(InvalidInput, match="no metric"):
        figures.weekday_hours(dataset, metric="fame")


def test_streams_are_aligned_at_their_start_or_by_share(dataset: Dataset) -> None:
    for align, end in (("start", dataset.kpis.loc["s1", "duration_seconds"]), ("share", 100)):
        made = figures.streams_compared(dataset, ["s1", "s2"], align=align)
        assert len(made.data) == 2
        assert made.data[0].x[0] == 0
        assert made.data[0].x[-1] == pytest.approx(end)
        assert max(made.data[0].y) == dataset.kpis.loc["s1", "peak_viewers"]
        assert made.data[0].name.endswith(f", {dataset.kpis.loc['s1', 'live_at']:%d %b}")
        assert made.layout.showlegend is not False
        assert ("HH:MM:SS" in made.layout.xaxis.title.text) == (align == "start")
    with pytest.raises(InvalidInput, match="align is"):
        figures.streams_compared(dataset, ["s1"], align="end")


def test_the_leaderboard_is_in_order(dataset: Dataset) -> None:
    made = figures.leaderboard(dataset.kpis, "views", most=5).data[0]
    assert list(made.x) == sorted(dataset.kpis["views"].nlargest(5))
    assert made.marker.color == COLOURS["viewers"]
    by_creator = analytics.grouped(dataset, "creator_id")
    assert len(figures.leaderboard(by_creator, "minutes_watched").data[0].x) == 3
    with pytest.raises(InvalidInput):
        figures.leaderboard(dataset.kpis, "fame")


def test_the_cohort_grid(dataset: Dataset) -> None:
    table = analytics.cohorts(dataset, period="W")
    made = figures.cohort_grid(table).data[0]
    assert made.z.shape == (len(table), len(table.columns) - 1)
    assert (made.z[:, 0] == 100).all()
    for dark, full, few in ((True, "#000000", "#ffffff"), (False, "#ffffff", "#000000"), (None, "#ffffff", "#000000")):
        known = table.assign(**{"0": 1.0, "1": 0.2})[["viewers", "0", "1"]]
        written = figures.cohort_grid(known, dark=dark).data[1]
        assert list(zip(written.text, written.textfont.color, strict=True))[:2] == [("100", full), ("20", few)]


def test_a_page_is_one_file_without_network_and_without_markup(report: analytics.StreamReport) -> None:
    page = report.to_html()
    assert "<b>Stream</b>" not in page
    assert "<script src=" not in page
    assert "&lt;b&gt;Stream&lt;/b&gt; 3" in page
    assert "distinct users with a session" in page
    assert page.count("Plotly.newPlot") >= 4


def test_a_page_too_long_for_a_browser_is_refused_with_a_way_out(report: analytics.StreamReport) -> None:
    import dataclasses

    rows = pd.DataFrame({"at": np.zeros(1_000_001), "viewers": 0})
    with pytest.raises(TableError, match=r"dataset\.save"):
        dataclasses.replace(report, concurrency=rows).to_html()


def test_titles_are_short_text() -> None:
    assert title_of("<img onerror=x>\n& more") == "&lt;img onerror=x&gt; &amp; more"
    assert len(title_of("x" * 200)) == 80
    assert title_of("長" * 200) == "長" * 39 + "…"  # wide characters take the room of two
    assert title_of("長" * 40) == "長" * 40
    assert clock(3 * 3600 + 125.4) == "03:02:05"


def test_a_stream_without_anything_has_a_page_too() -> None:
    empty = analytics.load({"rooms": pd.DataFrame({"room_id": ["r"]})})
    assert "Plotly.newPlot" in empty.report("r").to_html(dark=True)


def test_annotations_are_drawn_where_they_happened(report: analytics.StreamReport) -> None:
    zero = report.concurrency["at"].iloc[0]
    marks = pd.DataFrame(
        {
            "room_id": ["s3", "s3", "s1"],
            "at": zero + pd.to_timedelta([60, 30, 5], unit="s"),
            "what": ["<b>raid", "pin", "x"],
        }
    )
    for made in (figures.viewers_curve(report, annotations=marks), report.figures(annotations=marks)["stack"]):
        lines = [shape for shape in made.layout.shapes if shape.type == "line"]
        assert [line.x0 for line in lines] == [30, 60]  # in order of time; other streams' are left out
        assert [mark.text for mark in made.layout.annotations] == ["pin", "&lt;b&gt;raid"]
        assert made.layout.annotations[0].y != made.layout.annotations[1].y
    clock_times = figures.viewers_curve(report, time_zone="Asia/Tokyo", annotations=marks)
    first = pd.Timestamp(clock_times.layout.shapes[0].x0)
    assert first == (zero + pd.Timedelta("30s")).tz_convert("Asia/Tokyo").tz_localize(None)
    many = pd.DataFrame({"room_id": "s3", "at": zero + pd.to_timedelta(range(20), unit="s"), "what": "tick"})
    crowded = figures.viewers_curve(report, annotations=many)
    assert len(crowded.layout.shapes) == 20
    assert crowded.layout.annotations[-1].text == "8 more lines without words"
    around = report.room["live_at"] + pd.to_timedelta([-600, 60, 100_000], unit="s")
    outside = pd.DataFrame({"room_id": "s3", "at": around, "what": "push"})
    drawn = figures.viewers_curve(report, annotations=outside)
    dashed = [shape for shape in drawn.layout.shapes if shape.line.dash == "dash"]
    assert [shape.x0 for shape in dashed] == [60]  # the rest would stretch the stream
    assert drawn.layout.annotations[-1].text == "2 more before or after the stream"
    assert "raid" in report.to_html(annotations=marks)
    with pytest.raises(TableError, match="annotations lack what"):
        figures.stream_stack(report, annotations=marks[["room_id", "at"]])


def test_what_nobody_knows_is_said_in_words_instead_of_empty_axes(dataset: Dataset) -> None:
    chat = analytics.load({"rooms": dataset.rooms, "messages": dataset.messages})
    rooms = dataset.rooms["room_id"].tolist()
    drawn = [
        figures.viewers_curve(chat.report("s3")),
        figures.weekday_hours(chat),
        figures.streams_compared(chat, rooms),
        figures.leaderboard(chat.kpis, "peak_viewers"),
    ]
    for made in drawn:
        assert [note.text for note in made.layout.annotations if note.text.startswith("n/a: ")]
        assert made.layout.xaxis.visible is made.layout.yaxis.visible is False
    assert figures.leaderboard(chat.kpis, "messages").layout.xaxis.visible is None


def test_polls_are_named_as_such_and_nobody_is_no_curve(dataset: Dataset) -> None:
    polled = analytics.load({"rooms": dataset.rooms, "presence": dataset.presence}).report("s3")
    assert figures.stream_stack(polled).layout.yaxis.title.text == "viewers, as polled"
    room = dataset.rooms[dataset.rooms["room_id"] == "s3"]
    nobody = analytics.load({"rooms": room, "views": dataset.views.head(0)}).report("s3")
    assert set(nobody.figures()) == {"stack"}  # 0 viewers are known, and leave no retention to draw
    assert max(trace(nobody.figures()["stack"], "viewers").y) == 0


def test_the_end_of_one_viewer_is_legible(dataset: Dataset) -> None:
    zero = dataset.rooms.set_index("room_id").loc["s3", "live_at"]
    one = {"room_id": ["s3"], "user_id": ["u"], "start": [zero], "end": [zero + pd.Timedelta("310s")]}
    made = analytics.load({"rooms": dataset.rooms, "views": pd.DataFrame(one)})
    shown = figures.retention_curve(made.report("s3").retention)
    assert trace(shown, "1 viewer, 0 still there").x[-1] == 310
    marks = trace(shown, "marks")
    places = dict(zip(marks.x, marks.textposition, strict=True))
    assert (places[30], places[300]) == ("top right", "top left")  # at the right edge there is no room
    grid = figures.weekday_hours(made).data[0]
    assert (grid.zmin, grid.zmax > 0) == (0, True)  # one number has a scale, too
