"""The Python side of the widgets, without a browser: state, commands, secrets, endings."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import spnb
from spnb.errors import InvalidInput
from spnb.widgets import CreateRoom, GoLive, Hub, LiveNow, Player, RoomCard, RoomStatus, RoomTable, Studio
from tests.conftest import RunningSandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
STATIC = Path(spnb.widgets.base.STATIC)


@pytest.fixture(scope="module")
def sp(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("widget-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


def until(condition: Any, seconds: float = 60) -> None:
    """Wait until something observed from outside is so."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not become so"
        time.sleep(0.02)


def state_of(widget: Any) -> str:
    """Everything the widget synchronises, the code left out."""
    return json.dumps({name: str(value) for name, value in widget.get_state().items() if name not in ("_esm", "_css")})


def command(widget: Any, do: str, *buffers: bytes, **content: Any) -> None:
    """What the page would send."""
    widget._handle_custom_msg({"do": do, "client": "page", **content}, [memoryview(buffer) for buffer in buffers])


class Sent:
    """What a widget sends to the page."""

    def __init__(self, widget: Any) -> None:
        self.messages: list[tuple[Any, Any]] = []
        widget.send = lambda content, buffers=None: self.messages.append((content, buffers))


def test_a_room_is_created_from_the_form(sp: Any) -> None:
    sp.communities.join("sandbox")
    form = CreateRoom(sp)
    until(lambda: form.communities)
    made: list[Any] = []
    form.on_created(made.append)
    assert form.room is None
    command(form, "create", title="")
    until(lambda: "title must not be empty" in form.error)
    title = "<script>alert(1)</script>"
    command(form, "create", PNG, title=title, description="D", community="sandbox", chat=True, thumbnail=True)
    until(lambda: made)
    assert form.error == ""
    assert not form.busy
    room = form.room
    assert room is not None
    assert (room.title, room.target_id) == (title, "sandbox")
    assert room.live_channel_id
    assert sp.rooms.thumbnail(room.record) == PNG
    assert form.created["title"] == title
    assert sp.access_token() not in state_of(form)
    command(form, "nonsense")
    form._handle_custom_msg("no object", [])
    assert "CreateRoom" in repr(form)
    form.close()


@pytest.mark.media
def test_going_live_and_back_by_commands(sp: Any) -> None:
    room = sp.rooms.create("by widget")
    stage = GoLive(room, countdown=0)
    steps = RoomStatus(room)
    player = Player(room)
    sent = Sent(player)
    command(stage, "start", source="file", path="")
    until(lambda: "name the media file" in stage.error)
    command(stage, "start", source="camera")
    until(lambda: "camera" in stage.error)
    assert stage.phase == "idle"
    command(stage, "start", source="test-card")
    until(lambda: stage.phase == "live" and stage.status == "live")
    command(stage, "start", source="test-card")
    until(lambda: stage.stats)
    assert stage.stats["width"] == 1280
    assert stage.live_since > 0
    until(lambda: player.playable)

    def played() -> list[Any]:
        return [content for content, _ in sent.messages if content["type"] == "play"]

    command(player, "play", kind="live")
    until(played)
    assert played()[0]["client"] == "page"
    live_url = played()[0]["url"]
    assert live_url.endswith("index.m3u8")
    assert played()[0]["subscriber"] is None, "who does not ask gets none"
    command(player, "play", kind="live", webrtc=True, ask=2)
    until(lambda: len(played()) == 2)
    assert played()[1]["ask"] == 2
    token = played()[1]["subscriber"]["token"]
    command(stage, "stop")
    until(lambda: stage.phase == "ended" and player.status == "recorded")
    command(player, "play", kind="recording", webrtc=True)
    until(lambda: len(played()) == 3)
    assert played()[2]["subscriber"] is None
    recording_url = played()[2]["url"]
    until(lambda: [stay["status"] for stay in steps.timeline][-1] == "recorded")
    assert "idle → live" in repr(steps)
    for widget in (stage, steps, player):
        state = state_of(widget)
        for secret in (live_url, recording_url, token, sp.access_token()):
            assert secret not in state
            assert secret.split("/")[4] not in state if secret.startswith("http") else True
        widget.close()
    over = GoLive(room)
    assert over.phase == "ended"
    over.close()


@pytest.mark.media
def test_closing_the_widget_ends_its_broadcast(sp: Any) -> None:
    room = sp.rooms.create("closed on air")
    stage = GoLive(room)
    command(stage, "start", source="test-card")
    until(lambda: stage.phase == "live" and stage.status == "live")
    stage.close()
    room.until("ended", "recorded", timeout=60)


@pytest.mark.media
def test_who_is_live_is_listed_with_pictures(quiet_sandbox: RunningSandbox) -> None:
    sp = spnb.connect("widget-host", url=quiet_sandbox.url, api_key=quiet_sandbox.api_key)
    room = sp.rooms.create("on the list")
    now = LiveNow(sp)
    sent = Sent(now)
    assert "nobody is on air" in repr(now)
    with room.go_live(spnb.TestCard(320, 180)):
        until(lambda: [row["title"] for row in now.rooms] == ["on the list"])
        until(lambda: any(content["type"] == "thumbnail" for content, _ in sent.messages))
        _, buffers = sent.messages[-1]
        assert buffers[0].startswith(b"\xff\xd8")
        sent.messages.clear()
        command(now, "sight", rooms=[room.room_id])
        command(now, "hello")
        until(lambda: {"rows", "thumbnail"} <= {c["type"] for c, _ in sent.messages if c.get("client") == "page"})
        assert now.room is None
        command(now, "select", room=room.room_id)
        until(lambda: now.selected == room.room_id)
        assert now.room is not None
        assert now.room.title == "on the list"
        assert "on the list" in repr(now)
    until(lambda: now.rooms == [])
    now.close()
    # Once it is recorded, the table of all rooms has the recording's picture.
    room.until("recorded")
    table = RoomTable(sp)
    told = Sent(table)
    until(lambda: any((c["type"], c.get("room")) == ("thumbnail", room.room_id) for c, _ in told.messages))
    table.close()
    sp.close()


def test_a_player_waits_where_there_is_nothing_to_play(sp: Any) -> None:
    player = Player(sp.rooms.create("quiet"))
    sent = Sent(player)
    command(player, "play", kind="live", ask=7)
    until(lambda: sent.messages)
    assert sent.messages[0][0] == {"type": "wait", "client": "page", "ask": 7}
    assert "quiet" in repr(player)
    player.close()


def test_misspelt_options_are_refused(sp: Any) -> None:
    with pytest.raises(InvalidInput, match="no option countdwon"):
        GoLive(sp.rooms.create("x"), countdwon=3)
    with pytest.raises(InvalidInput):
        CreateRoom(sp, colour="red")


LARGER = {
    "hub.js": 1_200_000,
    "charts.js": 1_250_000,
    "liveDashboard.js": 90_000,
    "cameraPreview.js": 41_000,
    "player.js": 31_000,
    "roomCard.js": 32_000,
    "liveNow.js": 40_000,
    "studio.js": 102_000,
}
"""What is carried once per page, and what has much to show; bytes."""


def test_small_widgets_stay_small_and_the_hub_is_shared() -> None:
    for path in STATIC.glob("*.js"):
        limit = LARGER.get(path.name, 30_000)
        assert path.stat().st_size < limit, path.name
    assert Hub.shared() is Hub.shared()


def test_text_is_shown_where_no_widget_can_be(sp: Any) -> None:
    status = RoomStatus(sp.rooms.create("plain"))
    bundle = status._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"].startswith("plain: idle")
    status.close()


@pytest.mark.timeout(500)
def test_built_files_match_their_sources() -> None:
    js = STATIC.parent / "js"
    if shutil.which("npm") is None:
        pytest.skip("Node is not needed to use spnb; where it is, this proves the built widgets")
    if not (js / "node_modules" / ".package-lock.json").is_file():  # npm writes it last
        subprocess.run(["npm", "ci", "--silent"], cwd=js, check=True)
    told = subprocess.run(["npm", "run", "--silent", "check"], cwd=js, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "resolved" not in (js / "package-lock.json").read_text()


@pytest.mark.media
def test_watching_is_counted_and_reported(sp: Any, sandbox: RunningSandbox) -> None:
    host = spnb.connect("host", url=sandbox.url, api_key=sandbox.api_key)
    room = host.rooms.create("watched")
    with room.go_live(spnb.TestCard(320, 180)):
        room.until("live", timeout=60)
        seen = sp.rooms.get(room.room_id)
        player = Player(seen)
        command(player, "watched", session="s1", seconds=0)
        until(lambda: room.viewers() == 1)
        command(player, "watched", session="s1", seconds=12.5)
        until(lambda: player.watched[0].watch_seconds == 12.5)
        command(player, "watched", session="s1", seconds=3)
        command(player, "watched", session="s2", seconds="many")
        until(lambda: "a watch session has" in player.error)
        assert [session.watch_seconds for session in player.watched] == [12.5]
        assert sp.presence.report(player.watched) is False, "there is no key to sign with"
    player.close()


def test_the_table_edits_stops_and_deletes_own_rooms(quiet_sandbox: RunningSandbox) -> None:
    sp = spnb.connect("widget-host", url=quiet_sandbox.url, api_key=quiet_sandbox.api_key)
    other = spnb.connect("somebody-else", url=quiet_sandbox.url, api_key=quiet_sandbox.api_key)
    foreign = other.rooms.create("not mine")
    room = sp.rooms.create("to be changed")
    table = RoomTable(sp)
    sent = Sent(table)

    def row(room_id: str) -> Any:
        return next((row for row in table.rooms if row["id"] == room_id), None)

    def sent_rows() -> list[str]:
        return [row["id"] for content, _ in list(sent.messages) if content["type"] == "rows" for row in content["rows"]]

    until(lambda: {room.room_id, foreign.room_id} <= set(sent_rows()))
    sent.messages.clear()
    command(table, "edit", room=room.room_id, title="changed", description="now")
    until(lambda: row(room.room_id)["title"] == "changed")
    assert row(room.room_id)["description"] == "now"
    until(sent_rows)
    assert set(sent_rows()) == {room.room_id}, "only what changed travels"
    for action in ("edit", "delete", "stop"):
        table.error = ""
        command(table, action, room=foreign.room_id, title="x")
        until(lambda: table.error)
    assert row(foreign.room_id)["title"] == "not mine"
    command(table, "delete", room=room.room_id)
    until(lambda: row(room.room_id) is None)
    assert "not mine" in repr(table)
    table.close()
    sp.close()
    other.close()


def test_a_card_shows_the_post_and_the_picture(sp: Any) -> None:
    room = sp.rooms.create("on a card", thumbnail=PNG)
    room.post(text="Come and see <b>this</b>")
    card = RoomCard(room)
    until(lambda: card.post == "Come and see <b>this</b>" and card.picture == PNG)
    room.update(title="renamed")
    until(lambda: card.title == "renamed")
    assert "renamed (idle)" in repr(card)
    card.close()


@pytest.mark.media
def test_the_studio_says_whose_room_it_is(sp: Any, sandbox: RunningSandbox) -> None:
    other = spnb.connect("somebody-else", url=sandbox.url, api_key=sandbox.api_key)
    studio = Studio(sp, sp.rooms.get(other.rooms.create("not mine").room_id))
    command(studio, "start", source="test-card")
    until(lambda: "Only the host" in studio.error)
    assert studio.phase == "idle"
    studio.close()


@pytest.mark.media
def test_a_left_room_is_adopted_and_ended(sp: Any) -> None:
    room = sp.rooms.create("left behind")
    show = room.go_live(spnb.TestCard(320, 180))
    room.until("live", timeout=60)
    show.stop()
    studio = Studio(sp, room)
    assert studio.phase == "ended"
    command(studio, "new")
    until(lambda: studio.phase == "idle" and not studio.has_room)
    command(studio, "create", title="next one", chat=False)
    until(lambda: studio.has_room and studio.title == "next one")
    command(studio, "start", source="test-card")
    until(lambda: studio.phase == "live" and studio.status == "live")
    assert studio.route.startswith("Sent by the kernel")
    command(studio, "mute", what="video", muted=True)
    until(lambda: studio.muted["video"])
    command(studio, "switch", source="file", path="")
    until(lambda: "name the media file" in studio.error)
    assert studio.broadcast is not None
    command(studio, "stop")
    until(lambda: studio.phase == "ended" and studio.summary["seconds"] >= 0)
    assert studio.broadcast is None
    studio.close()


@pytest.mark.parametrize("widget", [RoomCard, Studio])
def test_obs_is_pointed_at_a_hosts_own_room_by_a_key_that_is_told_once(
    sandbox: RunningSandbox, sp: Any, widget: Any
) -> None:
    room = sp.rooms.create("By OBS", type="directStreaming")
    made = widget(room) if widget is RoomCard else widget(sp, room)
    sent = Sent(made)

    def asked() -> dict[str, Any]:
        before = len(sent.messages)
        command(made, "ingest")
        until(lambda: any(content["type"] == "ingest" for content, _ in sent.messages[before:]))
        return next(content for content, _ in sent.messages[before:] if content["type"] == "ingest")

    def knocked(key: str) -> int:
        """What WHIP answers who comes with this key, and an offer that is none."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/sdp"}
        return httpx.post(f"{sandbox.url}/whip/v1", content="none", headers=headers, trust_env=False).status_code

    until(lambda: made.encoder)
    first, second = asked(), asked()
    assert first["client"] == "page"
    assert first["server"].startswith("rtmp://127.0.0.1:")
    assert first["key"] != second["key"]
    assert first["key"] not in state_of(made) + made._as_text()
    refused = knocked("no-key")
    assert knocked(first["key"]) != refused
    command(made, "revoke")
    until(lambda: any(content["type"] == "revoked" and content["revoked"] for content, _ in sent.messages))
    assert knocked(first["key"]) == knocked(second["key"]) == refused
    assert knocked(asked()["key"]) != refused
    made.close()
    with spnb.connect("no-host-of-it", url=sandbox.url, api_key=sandbox.api_key) as other:
        card = RoomCard(other.rooms.get(room.room_id))
        assert not card.encoder
        command(card, "revoke")
        until(lambda: card.error)
        card.close()
    assert not RoomCard(sp.rooms.create("By WebRTC")).encoder


@pytest.mark.parametrize("widget", [CreateRoom, GoLive, LiveNow, Player, RoomCard, RoomTable, Studio])
def test_a_widget_that_refused_its_arguments_is_forgotten_in_silence(widget: type, monkeypatch: Any) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    refused = widget.__new__(widget)
    del refused
    gc.collect()
    assert not told


def test_pictures_that_are_none_are_refused(sp: Any) -> None:
    form = CreateRoom(sp)
    command(form, "create", b"no picture", title="broken", thumbnail=True)
    until(lambda: form.error)
    form.error = ""
    command(form, "create", PNG + bytes(2_100_000), title="large", thumbnail=True)
    until(lambda: form.error)
    form.error = ""
    command(form, "create", title="odd", metadata="{no json")
    until(lambda: "no JSON" in form.error)
    form.close()
