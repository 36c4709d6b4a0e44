"""The kernel's side of dashboards: what a page asks for and gets, what is refused, what is kept of a long stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spnb
from spnb import analytics
from spnb.errors import InvalidInput
from spnb.widgets import Dashboard, LiveDashboard, StreamReport
from spnb.widgets.live_series import LiveSeries
from spnb.widgets.stream_page import page_of
from tests.analytics.season import quiet_past, season
from tests.conftest import RunningSandbox
from tests.widgets.test_widgets import Sent, command, state_of, until


@pytest.fixture(scope="module")
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("dashboard-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


@pytest.fixture(scope="module")
def dataset() -> analytics.Dataset:
    return analytics.load(season(streams=60, seed=4))


def answered(widget: Any, do: str, **content: Any) -> tuple[dict[str, Any], Any]:
    sent = Sent(widget)
    command(widget, do, **content)
    until(lambda: sent.messages)
    answer: tuple[dict[str, Any], Any] = sent.messages[0]
    return answer


def test_only_the_shown_page_travels(dataset: analytics.Dataset) -> None:
    board = Dashboard(dataset, start=dataset.rooms["created_at"].min().date())
    first, _ = answered(board, "look", ask=1, look={})
    assert (len(first["rows"]), first["count"], first["pages"], len(first["cards"])) == (25, 60, 3, 8)
    assert first["client"] == "page"
    again, _ = answered(board, "look", ask=2, look={"page": 99}, have=first["period"])
    assert "cards" not in again
    assert (again["look"]["page"], len(again["rows"])) == (2, 10)
    assert len(json.dumps(again)) < 8_000
    assert len(board.table) == 60
    assert first["cards"][0]["value"] == "60"
    assert board.overview.cards.loc["streams", "now"] == 60
    # no row stands in a trait: neither in the page's state nor in a saved notebook
    assert "Stream</b>" not in state_of(board)
    assert "Dashboard: 60 streams" in repr(board)
    board.close()


def test_what_makes_no_sense_is_refused_in_words(dataset: analytics.Dataset) -> None:
    board = Dashboard(dataset)
    for wrong, word in (
        ({"start": "2026-13-01"}, "no day"),
        ({"start": "2026-05-02", "end": "2026-05-01"}, "before it starts"),
        ({"zone": "Mars/Crater"}, "no time zone"),
        ({"sort": "fame"}, "no column"),
    ):
        command(board, "look", look=wrong)
        until(lambda word=word: word in board.error)
    told, _ = answered(board, "look", look="nonsense")
    assert told["count"]
    assert board.error == ""
    command(board, "stream", room="nowhere")
    until(lambda: "no stream nowhere" in board.error)
    command(board, "moment", seconds=-1)
    until(lambda: "a moment is in seconds" in board.error)
    for make in (
        lambda: Dashboard({"rooms": []}),
        lambda: Dashboard(dataset, time_zone="Mars"),
        lambda: Dashboard(dataset, start="2026-05-02", end="2026-05-01"),
        lambda: Dashboard(dataset, colour="red"),
        lambda: StreamReport(dataset),
        lambda: StreamReport(dataset.report("s1"), time_zone="Mars"),
    ):
        with pytest.raises(InvalidInput):
            make()
    board.close()


def test_an_audience_without_streams_has_a_dashboard() -> None:
    board = Dashboard(analytics.load({"rooms": pd.DataFrame({"room_id": pd.Series([], dtype=object)})}))
    told, _ = answered(board, "look", look={})
    assert (told["rows"], told["count"], told["pages"]) == ([], 0, 1)
    assert {card["change"] for card in told["cards"]} == {"n/a"}
    text = answered(board, "csv")[1][0].decode("utf-8-sig")
    assert text.startswith("room_id,")
    assert repr(board).startswith("Dashboard: 0 streams, ")
    board.close()


def test_a_stream_page_shows_the_numbers_of_its_report(dataset: analytics.Dataset) -> None:
    board = Dashboard(dataset, time_zone="Europe/Berlin")
    page, buffers = answered(board, "stream", room="s3", dark=True, ask=7)
    assert (page["ask"], page["room"], page["title"]) == (7, "s3", "<b>Stream</b> 3")
    assert [json.loads(buffer)["layout"]["template"]["layout"]["font"]["color"] for buffer in buffers] == [
        "#e6e6e6"
    ] * 4
    exact = dataset.kpis.loc["s3"]
    numbers = {number["name"]: number["value"] for number in page["numbers"]}
    assert numbers["views"] == f"{exact['views']}"
    assert numbers["unique_viewers"] == f"{exact['unique_viewers']}"
    assert set(numbers) == set(analytics.KPIS)
    assert set(page["cards"]) <= set(numbers)
    assert numbers["peak_at"].endswith(("CET", "CEST"))
    assert board.room == "s3"
    command(board, "back")
    until(lambda: board.room == "")
    board.close()
    report = StreamReport(dataset.report("s3"), time_zone="Asia/Tokyo")
    timed, buffers = answered(report, "stream", room="any", clock_times=True)
    assert json.loads(buffers[0])["layout"]["xaxis"]["title"]["text"] == "time, Asia/Tokyo"
    assert timed["clock_times"]
    command(report, "moment", seconds=12)
    until(lambda: report.moment == 12.0)
    assert f"Views: {exact['views']}" in repr(report)
    report.close()


def test_what_nobody_counted_is_no_zero(sp: Any) -> None:
    room = sp.rooms.create("Never counted")
    made = analytics.load(sp, room_ids=[room.room_id])
    assert list(made.rooms["room_id"]) == [room.room_id]
    page, _ = page_of(made.report(room.room_id))
    numbers = {number["name"]: number["value"] for number in page["numbers"]}
    assert (numbers["views"], numbers["peak_viewers"], numbers["messages"]) == ("n/a", "n/a", "0")
    assert any("without watch sessions" in step for step in page["quality"])


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.one_of(st.none(), st.integers(0, 50)), st.integers(0, 9), st.integers(0, 9)),
        max_size=60,
    ),
    st.integers(2, 20),
)
def test_a_live_series_keeps_peak_and_counts_and_stays_small(seconds: Any, most: int) -> None:
    series = LiveSeries(most)
    for second, viewers, messages, reactions in seconds:
        series.add(second + 0.3, viewers, messages, reactions)
    assert len(series.viewers) == len(series.messages) == len(series.reactions) <= most
    for place, count in enumerate(series.viewers):
        inside = [one for one in seconds if one[0] // series.width == place]
        assert count == max((one[1] for one in inside if one[1] is not None), default=None)
        assert series.messages[place] == sum(one[2] for one in inside)
        assert series.reactions[place] == sum(one[3] for one in inside)


def test_a_live_dashboard_counts_an_hour_and_does_not_grow(sp: Any) -> None:
    board = LiveDashboard(sp.rooms.create("Long"))
    sent = Sent(board)
    audience = board._room.audience
    for second in range(3600):
        audience._count = 500 if second == 1234 else second % 40
        board._fresh = [second % 3, 1]
        board._tick(float(second))
    assert (board.peak, board.peak_at) == (500, 1234.0)
    assert (board.messages, board.reactions) == (3600, 3600)
    assert (board.series.width, len(board.series.viewers)) == (4, 900)
    assert max(board.series.viewers) == 500
    assert len(board._minute) <= 60
    assert len(sent.messages) == 3600
    assert max(len(json.dumps(content)) for content, _ in sent.messages) < 250
    last = sent.messages[-1][0]
    assert last["reactionRate"] == 60
    told, _ = answered(board, "hello")
    assert sum(told["series"][1]) == 3600
    assert len(json.dumps(told)) < 20_000
    assert "at most 500" in repr(board)
    board.close()


def test_the_last_second_before_the_end_counts_and_nothing_after(sp: Any, sandbox: RunningSandbox) -> None:
    room = sp.rooms.create("Short")
    room.post()
    quick = analytics.AlertRules(fewest_messages=5, burst_score=0.5)
    alerts = analytics.Alerts(usual=quiet_past(room.record.created_by), rules=quick)
    board = LiveDashboard(room, alerts=alerts)
    sent = Sent(board)
    command(board, "stream", room="it")
    with room.go_live(spnb.TestCard(320, 180)):
        room.until("live")
        until(lambda: board.sent_messages > 0)
        for number in range(5):
            room.chat.send(f"message {number}")
        until(lambda: board.messages + board._fresh[0] == 5)
        until(lambda: board.banner)
        assert board.banner[0][1].startswith("the chat bursts: 5 messages")
    until(lambda: board.over)
    assert board.messages == 5
    assert board.changes[0][1] == "live"
    assert any(content.get("type") == "ended" for content, _ in sent.messages)
    assert board._ticking is None
    page, _ = answered(board, "reload", room="it")
    numbers = {number["name"]: number["value"] for number in page["numbers"]}
    assert numbers["messages"] == "5"
    assert numbers["views"] == "n/a"  # read by REST: the service tells of no watch sessions
    until(lambda: board.player is not None)
    board.close()
