"""What a saved notebook keeps of a widget: its last state, as text that needs neither kernel nor network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spnb
from spnb import analytics
from spnb.widgets import Dashboard, LiveNow, RecordingPlayer, RoomTable
from tests.analytics.season import season
from tests.conftest import RunningSandbox, start_sandbox
from tests.recordings.planted import film, plant
from tests.widgets.test_widgets import until

ATTACK = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("still-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


def shown(widget: Any) -> dict[str, str]:
    """What a front end is given when the widget is the last line of a cell."""
    bundle = widget._repr_mimebundle_()
    data: dict[str, str] = bundle[0] if isinstance(bundle, tuple) else bundle
    return data


def test_lists_keep_the_rooms_there_were(sp: Any) -> None:
    sp.rooms.create(ATTACK)
    sp.rooms.create("Kept two")
    rooms = RoomTable(sp)
    bundle = shown(rooms)
    assert "Kept two" in bundle["text/plain"], "the text is of the rooms, not of a list that was not read yet"
    assert "<bdi>Kept two</bdi>" in bundle["text/html"]
    assert ATTACK not in bundle["text/html"]
    assert "&lt;img src=x" in bundle["text/html"]
    assert " UTC: run the cell" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    rooms.close()
    now = LiveNow(sp)
    assert "Live now" in shown(now)["text/html"]
    now.close()


def test_what_could_not_be_read_is_no_zero(tmp_path: Path) -> None:
    gone = start_sandbox(tmp_path)
    try:
        with spnb.connect("still-late", url=gone.url, api_key=gone.api_key) as client:
            gone.stop()
            rooms, now = RoomTable(client), LiveNow(client)
            assert repr(rooms) == "Rooms: not read yet."
            assert repr(now) == "Live now: not read yet."
            assert "were not read yet" in shown(rooms)["text/html"]
            rooms.close()
            now.close()
    finally:
        gone.stop()


@pytest.mark.media
def test_a_recording_keeps_its_files_and_marks(sp: Any, sandbox: RunningSandbox, tmp_path: Path) -> None:
    room = sp.rooms.create(f"{ATTACK} recorded")
    player = RecordingPlayer(room, marks=[(3, "<b>Start</b>")])
    assert "There is no recording yet" in player.to_html()
    plant(sandbox, room.room_id, [film(tmp_path / "one.mp4", 2, size=(320, 180))])
    room.refresh()
    until(lambda: player.status == "recorded" and player._recording is not None)
    kept = shown(player)["text/html"]
    assert "1 file(s)" in kept
    assert "0:00:03" in kept
    assert "&lt;b&gt;Start&lt;/b&gt;" in kept
    assert ATTACK not in kept
    assert "/media/" not in kept
    player.close()


def test_a_dashboard_keeps_its_cards_and_rows() -> None:
    frames = season(streams=12, seed=5, viewers=20)
    frames["rooms"].loc[11, "title"] = ATTACK
    dataset = analytics.load(frames)
    board = Dashboard(dataset)
    kept = board.to_html()
    table = board.table
    assert f"{len(table)} streams, page 1 of 1" in kept
    assert all(str(title) in kept for title in table["title"].dropna() if "<" not in str(title))
    assert ATTACK not in kept
    assert "Unique viewers" in kept
    board.close()
