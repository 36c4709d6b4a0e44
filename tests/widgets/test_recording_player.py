"""The kernel's side of the recording player: files, marks, seeking, charts, addresses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.callbacks import InputDeviceState, Points

import spnb
from spnb.errors import InvalidInput
from spnb.widgets import RecordingPlayer, RoomCard
from tests.conftest import RunningSandbox
from tests.recordings.planted import film, plant
from tests.widgets.test_widgets import Sent, command, state_of, until


@pytest.fixture(scope="module")
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("replay-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


@pytest.fixture(scope="module")
def viewer(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("replay-viewer", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


@pytest.fixture(scope="module")
def room(sp: Any, sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("films")
    made = sp.rooms.create("Replayed")
    plant(sandbox, made.room_id, [film(folder / "a.mp4", 2), film(folder / "b.mp4", 1, first=50)])
    made.refresh()
    return made


def click(figure: Any, x: Any) -> None:
    """What plotly does when the first trace is clicked at `x`."""
    trace = figure.data[0]
    points = Points(point_inds=[0], xs=[x], ys=[0], trace_name=trace.name, trace_index=0)
    trace._dispatch_on_click(points, InputDeviceState())


def test_what_was_on_screen_stands_in_the_replay_where_it_stood(sp: Any, viewer: Any, room: Any) -> None:
    chat = room.chat
    theirs = viewer.rooms.get(room.room_id).chat
    gone = theirs.send("I take this back")
    chat.show(theirs.send("<b>Why?</b>"))
    chat.show(gone)
    chat.hide()
    chat.show("Thank you")
    theirs.delete(gone)  # who does not moderate cannot take it out of what is kept
    assert len(chat.placards) == 3  # as far as is known here
    chat.refresh()
    assert len(chat.placards) == 2
    player = RecordingPlayer(viewer.rooms.get(room.room_id))
    until(lambda: player.placards)
    why, thanks = player.placards
    assert (why["text"], why["name"], thanks["text"], thanks["until"]) == (
        "<b>Why?</b>",
        "replay-viewer",
        "Thank you",
        None,
    )
    assert 0 <= why["at"] <= why["until"] <= thanks["at"]
    card = RoomCard(viewer.rooms.get(room.room_id))
    command(card, "play", kind="recording")
    until(lambda: card.placards)
    assert card.placards == player.placards
    card.close()
    player.close()


def test_files_marks_and_addresses(room: Any, viewer: Any) -> None:
    player = RecordingPlayer(viewer.rooms.get(room.room_id), marks=[(2.5, "second"), (0, "<b>first</b>")])
    sent = Sent(player)
    until(lambda: len(player.files) == 2)
    assert player.duration == pytest.approx(3, abs=0.15)
    assert [mark["label"] for mark in player.marks] == ["<b>first</b>", "second"]
    player.mark(1, "between")
    assert [mark["at"] for mark in player.marks] == [0, 1, 2.5]
    command(player, "play", file=1)
    until(lambda: sent.messages)
    told, _ = sent.messages.pop()
    assert (told["type"], told["file"], told["client"]) == ("play", 1, "page")
    for wrong in (2, -1, "x", None):
        command(player, "play", file=wrong)
        until(lambda: sent.messages)
        assert sent.messages.pop()[0]["type"] == "wait"
    command(player, "play", file=0, stale=True)
    until(lambda: sent.messages)
    assert sent.messages.pop()[0]["url"]
    command(player, "at", seconds=1.5, playing=True)
    until(lambda: player.current_time == 1.5 and player.playing)
    command(player, "at", seconds=-1)
    command(player, "watched", session="s", seconds=1.0)
    until(lambda: [one.watch_seconds for one in player.watched] == [1.0])
    assert "/media/" not in state_of(player)
    assert told["url"] not in state_of(player)
    assert "RecordingPlayer: Replayed (recorded, 2 file(s), 3 s)" in repr(player)
    player.close()


def test_seeking_stays_in_the_recording(room: Any) -> None:
    player = RecordingPlayer(room)
    sent = Sent(player)
    until(lambda: player.files)
    player.seek(2)
    assert sent.messages.pop()[0] == {"type": "seek", "seconds": 2.0}
    player.seek(99)
    assert player.current_time == player.duration
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(InvalidInput):
            player.seek(wrong)
    for marks in ([(-1, "x")], [(1, "x")] * 501):
        with pytest.raises(InvalidInput):
            RecordingPlayer(room, marks=marks)
    player.close()


def test_a_click_on_a_chart_seeks_and_a_line_shows_the_moment(room: Any) -> None:
    player = RecordingPlayer(room)
    until(lambda: player.files)
    seconds = go.FigureWidget(go.Scatter(x=[0, 1, 2], y=[1, 2, 3]))
    began = room.live_at
    moments = go.FigureWidget(go.Scatter(x=pd.to_datetime([began, began + timedelta(seconds=1)]), y=[1, 2]))
    end = player.follow(seconds)
    player.follow(moments)
    click(seconds, 1.25)
    assert player.current_time == 1.25
    assert seconds.layout.shapes[0].x0 == 1.25
    click(moments, (began + timedelta(seconds=2)).strftime("%Y-%m-%d %H:%M:%S.%f"))
    assert player.current_time == pytest.approx(2, abs=0.01)
    shown = moments.layout.shapes[0].x0
    assert abs((pd.Timestamp(shown) - pd.Timestamp(began)).total_seconds() - 2) < 0.01
    for x, wanted in ((np.int64(1), 1), (timedelta(seconds=0.5), 0.5), (pd.Timestamp(began), 0), (-5, 0)):
        click(seconds, x)
        assert player.current_time == pytest.approx(wanted)
    click(seconds, "a category")
    assert player.current_time == 0
    end()
    click(seconds, 1.5)
    assert player.current_time == 0
    with pytest.raises(InvalidInput, match="FigureWidget"):
        player.follow(go.Figure())
    player.close()


def test_it_waits_for_the_recording_and_says_where_there_is_none(
    sp: Any, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    later = sp.rooms.create("Later")
    player = RecordingPlayer(later)
    sent = Sent(player)
    command(player, "play", file=0)
    until(lambda: sent.messages)
    assert sent.messages.pop()[0]["type"] == "wait"
    plant(sandbox, later.room_id, [film(tmp_path / "later.mp4", 1)])
    later.refresh()
    until(lambda: len(player.files) == 1)
    player.close()
    empty = sp.rooms.create("Nothing came")
    plant(sandbox, empty.room_id, [])
    empty.refresh()
    nothing = RecordingPlayer(empty)
    until(lambda: "Nothing was recorded" in nothing.error)
    nothing.close()
