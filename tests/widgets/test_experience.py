"""What a page's player meets comes to the kernel, and into a capture of the same process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import spnb
from spnb import analytics
from spnb.live.played import Played
from spnb.widgets import experience
from tests.conftest import RunningSandbox
from tests.widgets.test_widgets import command, state_of, until


def test_what_a_player_meets_is_captured(sandbox: RunningSandbox, tmp_path: Path) -> None:
    with spnb.connect("viewer-met", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Met")
        player = spnb.Player(room)
        with spnb.capture(room, tmp_path / "captured") as capture:
            told: list[dict[str, Any]] = [
                {"kind": "asked"},
                {"kind": "started", "value": 1.25},
                {"kind": "waited", "value": 3},
                {"kind": "played", "value": 57},
                {"kind": "failed", "detail": "no answer " * 99},
            ]
            for event in told:
                command(player, "met", session="v1", **event)
            for event in ({"kind": "felt"}, {"kind": "asked", "session": ""}, {"kind": "asked", "session": 7}):
                command(player, "met", **{"session": "v2", **event})  # what no player of ours tells
            command(player, "met", session="v3", kind="delay", value="late")
            until(lambda: len(player.met) == 6)
            until(lambda: capture.rows.get("playback", 0) >= 6)
        assert [row["kind"] for row in player.met] == [*(event["kind"] for event in told), "delay"]
        assert all(len(row["detail"]) <= 200 for row in player.met)
        assert "no answer" not in json.dumps(state_of(player))
        made = analytics.load(tmp_path / "captured")
        line = analytics.metrics.experience_summary(made.playback).loc[room.room_id]
        assert (line["startup_seconds"], line["waiting_share"], line["failures"]) == (1.25, 0.05, 1.0)
        assert set(made.playback["user_id"]) == {"viewer-met"}
        assert made.playback["value"].isna().sum() == 3
        own = analytics.load({"playback": pd.DataFrame(player.met)})
        assert own.playback["kind"].tolist() == [row["kind"] for row in player.met]
        player.close()


def test_what_is_met_stays_with_its_room(sandbox: RunningSandbox) -> None:
    with spnb.connect("viewer-met", url=sandbox.url, api_key=sandbox.api_key) as sp:
        one, other = sp.rooms.create("One"), sp.rooms.create("Other")
        now = spnb.LiveNow(sp)
        command(now, "met", session="early", kind="asked")  # nothing is chosen
        for room, session in ((one, "v1"), (other, "v2")):
            command(now, "select", room=room.room_id)
            until(lambda room=room: now._room is not None and now._room.room_id == room.room_id)
            command(now, "met", session=session, kind="started", value=1)
        command(now, "met", session="v1", kind="left")
        until(lambda: len(now.met) == 3)
        told = [(row["room_id"], row["session_id"], row["kind"]) for row in now.met]
        assert told == [(one.room_id, "v1", "started"), (other.room_id, "v2", "started"), (one.room_id, "v1", "left")]
        now.close()


def test_a_page_that_is_closed_hard_has_left(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with spnb.connect("viewer-met", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Left without a word")
        player = spnb.Player(room)
        command(player, "met", session="waits", kind="asked")
        command(player, "met", session="plays", kind="asked")
        command(player, "met", session="plays", kind="started", value=1)
        until(lambda: len(player.met) == 3)
        monkeypatch.setattr(experience, "SILENT_SECONDS", 0.0)
        command(player, "met", session="gone", kind="asked")
        command(player, "met", session="back", kind="here")  # a sign of life is no row
        until(lambda: len(player.met) == 6)
        gone = [row for row in player.met if row["session_id"] == "gone"]
        assert [row["kind"] for row in gone] == ["asked", "left"]
        assert gone[0]["at"] == gone[1]["at"]  # when it was heard last
        assert gone[1]["detail"] == "its page was heard no more"
        # What was thought to have left goes on, where it was; what goes with its widget is told too.
        monkeypatch.undo()
        command(player, "met", session="back", kind="started", value=2)
        until(lambda: len(player.met) == 7)
        player.close()
        until(lambda: len(player.met) == 10)
        made = analytics.metrics.experience(pd.DataFrame(player.met)).set_index("session_id")
        assert made["outcome"].to_dict() == {"waits": "left", "plays": "started", "gone": "left", "back": "started"}
        line = analytics.metrics.experience_summary(pd.DataFrame(player.met)).loc[room.room_id]
        assert line["exits_before_start"] == 0.5


def test_a_capture_without_players_says_that_nobody_knows(sandbox: RunningSandbox, tmp_path: Path) -> None:
    with spnb.connect("viewer-met", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Met by nobody")
        with spnb.capture(room, tmp_path / "captured") as capture:
            capture.flush()
            assert "playback" not in capture.dataset().known
        assert "playback" not in analytics.load(tmp_path / "captured").known


def test_each_reader_takes_each_event_once_and_the_oldest_go() -> None:
    log = Played(most=3)
    first, place = log.since(0)
    for number in range(5):
        log.tell({"number": number})
    assert (first, place) == ([], 0)
    rows, place = log.since(place)
    assert [row["number"] for row in rows] == [2, 3, 4]
    log.tell({"number": 5})
    assert log.since(place) == ([{"number": 5}], 6)
    assert log.since(6) == ([], 6)
