"""The automatic moderation: passes, flags, terminates; told by events, shown on every face, felt by the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

import spnb
from spnb.broadcast.events import Ended
from spnb.errors import NotFound, RoomOver, SandboxError
from spnb.models import Room
from spnb.sandbox import SandboxInfo
from spnb.sandbox.server.settings import Thresholds
from spnb.widgets import Player, RoomCard, RoomTable, Studio
from spnb.widgets.moderation import finding, verdict
from tests.conftest import RunningSandbox, start_sandbox
from tests.widgets.test_widgets import command, until


def info_of(sandbox: RunningSandbox) -> SandboxInfo:
    return SandboxInfo.read(sandbox.info)


def test_who_may_say_what_was_found_about_which_room(sandbox: RunningSandbox) -> None:
    info = info_of(sandbox)
    with spnb.connect("judged", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Idle")
        path = f"{sandbox.url}/sandbox/rooms/{room.room_id}/moderation"
        body = {"category": "violence", "confidence": 0.9}
        assert httpx.post(path, json=body, trust_env=False, timeout=60).status_code == 401
        key = {"X-API-Key": sandbox.api_key}
        for wrong in ({}, {"category": "violence", "confidence": 1.1}, {"category": "", "confidence": 0.5}, "x"):
            assert httpx.post(path, json=wrong, headers=key, trust_env=False, timeout=60).status_code == 422
        with pytest.raises(SandboxError, match="only what is on air"):
            info.moderate(room.room_id, "violence", 0.9)
        with pytest.raises(SandboxError, match="nobody"):
            info.moderate("nobody", "violence", 0.9)
        with pytest.raises(ValueError, match="above terminate"):
            Thresholds(flag=0.8, terminate=0.5)


@pytest.mark.media
def test_a_stream_is_flagged_and_goes_on_and_is_terminated_and_ends(sandbox: RunningSandbox) -> None:
    info = info_of(sandbox)
    with spnb.connect("moderated", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Watched over")
        post = room.post(text="Look at this")
        told: list[str] = []
        ends = [
            spnb.on("room.flagged", lambda one: told.append(f"flagged {one.status}")),
            spnb.on("room.terminated", lambda one: told.append(one.status)),
        ]
        card, table, player, studio = RoomCard(room), RoomTable(sp), Player(room), Studio(sp, room, countdown=0)
        command(studio, "start", source="test-card")
        until(lambda: studio.phase == "live" and studio.status == "live")
        show = studio.broadcast
        assert show is not None
        over: list[Any] = []
        show.observe(lambda event: over.append(event) if isinstance(event, Ended) else None)
        with pytest.raises(SandboxError, match="choose from"):
            info.moderate(room.room_id, "boredom", 0.9)

        assert info.moderate(room.room_id, "violence", 0.39) == "pass"
        assert info.moderate(room.room_id, "profanity", 0.4) == "flag"
        assert info.moderate(room.room_id, "profanity", 0.5) == "flag"
        assert info.moderate(room.room_id, "violence", 0.7) == "flag"
        until(lambda: studio.moderation == card.moderation == "flagged: profanity, violence")
        assert studio.phase == "live"
        assert show.on_air
        found = room.refresh().moderation
        assert found is not None
        assert [(label.category, label.threshold) for label in found.flag_labels] == [
            ("profanity", 0.4),
            ("violence", 0.4),
        ]
        until(lambda: told[:1] == ["flagged live"])

        assert info.moderate(room.room_id, "violence", 0.75) == "terminate"
        until(lambda: studio.phase == "ended" and over)
        assert not show.on_air
        assert "ended this stream for violence" in studio.error
        assert player.status == card.status == "terminated"
        assert not player.playable
        assert card.moderation == "terminated: violence"
        row = next(row for row in table.rooms if row["id"] == room.room_id)
        until(lambda: any(row["moderation"] == "terminated: violence" for row in table.rooms))
        assert row["title"] == "Watched over"
        until(lambda: told[-1] == "terminated")
        assert told.count("terminated") == 1
        events = [entry.what for entry in room.timeline()]
        assert "room.didUpdate" in events
        assert "room.terminated" in events
        with pytest.raises(NotFound):
            sp.posts.get(post.post_id)
        with pytest.raises(RoomOver, match="terminated"):
            room.recording(timeout=10)
        with pytest.raises(SandboxError, match="terminated"):
            info.moderate(room.room_id, "violence", 1)
        with pytest.raises(spnb.errors.BadRequest):
            room.broadcaster_data()
        for widget in (card, table, player, studio):
            widget.close()
        for end in ends:
            end()
        closed = Studio(sp, room)
        assert closed.phase == "ended"
        assert "create a new room" in closed.error
        closed.close()


@pytest.mark.media
def test_thresholds_are_settings_and_the_service_tells_them(tmp_path: Path) -> None:
    running = start_sandbox(tmp_path, "--flag-at", "0.1", "--terminate-at", "0.2", "--no-rate-limit")
    try:
        with spnb.connect("strict", url=running.url, api_key=running.api_key) as sp:
            room = sp.rooms.create("Strictly watched")
            headers = {"Authorization": f"Bearer {sp.access_token()}"}
            answer = httpx.get(
                f"{running.url}/api/v3/network-settings/video-streaming", headers=headers, trust_env=False, timeout=60
            ).json()
            assert {
                (one["flagThreshold"], one["terminateThreshold"]) for one in answer["moderation"]["categories"]
            } == {(0.1, 0.2)}
            with room.go_live(spnb.TestCard(320, 180)) as show:
                room.until("live", timeout=60)
                assert info_of(running).moderate(room.room_id, "violence", 0.2) == "terminate"
                assert show.wait_ended(20)
            assert room.refresh().status == "terminated"
    finally:
        running.stop()


def test_findings_in_words() -> None:
    plain = Room(room_id="r")
    assert finding(plain) == ""
    assert finding(plain.model_copy(update={"status": "terminated"})) == "terminated"
    assert "Moderation has ended this stream." in verdict(plain)
