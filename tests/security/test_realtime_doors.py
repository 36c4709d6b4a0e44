"""Viewers follow, and say nothing: no will, no retained message, no publishing, nobody else's connection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

import spnb
from spnb import sandbox as spnb_sandbox
from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller
from tests.security.mqtt import DeafClient, RawClient, connect_packet, packet, publish_packet, subscribe_packet, text

REFUSED = bytes((0x20, 2, 0, 5))


def forged(room: dict[str, Any]) -> bytes:
    """What would end a show, were it the sandbox's word."""
    ended = {**room, "status": "terminated", "updatedAt": "2099-01-01T00:00:00.000Z"}
    return json.dumps({"eventType": "room.terminated", "id": room["roomId"], "data": {"rooms": [ended]}}).encode()


def next_event(follower: RawClient) -> str:
    received = follower.receive()
    assert received is not None
    return str(json.loads(received[received.index(b"{") :])["eventType"])


def assert_only_the_true_word_is_heard(host: Caller, room: dict[str, Any], follower: RawClient) -> None:
    """The next that a follower, old or new, hears of a room is what the sandbox says."""
    with RawClient.of(Caller(host.sandbox)) as late:
        late.subscribe(f"sandbox/room/{room['_id']}")
        host.call("PUT", f"/api/v1/rooms/{room['roomId']}", {"title": "true word"})
        assert next_event(late) == "room.didUpdate"
    assert next_event(follower) == "room.didUpdate"


@pytest.mark.parametrize("retain", [False, True])
async def test_a_viewer_who_leaves_a_will_is_not_let_in(sandbox: RunningSandbox, retain: bool) -> None:
    host, viewer = Caller(sandbox), Caller(sandbox)
    room = host.room()
    topic = f"sandbox/room/{room['_id']}"
    with RawClient.of(Caller(sandbox)) as follower:
        follower.subscribe(topic)
        will = aiomqtt.Will(topic, forged(room), retain=retain)
        options: dict[str, Any] = {"transport": "websockets", "websocket_path": "/mqtt", "will": will}
        login = {"username": viewer.internal_id, "password": viewer.session["accessToken"]}
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1]), **login, **options):
                pass
        with RawClient(sandbox.url) as raw:
            flags = 0xC6 | (0x20 if retain else 0)
            raw.send(connect_packet("will", *login.values(), flags=flags, will=(topic, forged(room))))
            assert raw.receive() == REFUSED
            assert raw.receive() is None
        assert_only_the_true_word_is_heard(host, room, follower)


@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 5], ids=["", "retain", "qos1", "qos1 retain", "qos2", "qos2 retain"])
def test_a_viewer_who_publishes_is_put_out(sandbox: RunningSandbox, flags: int) -> None:
    host, viewer = Caller(sandbox), Caller(sandbox)
    room = host.room()
    topic = f"sandbox/room/{room['_id']}"
    with RawClient.of(Caller(sandbox)) as follower:
        follower.subscribe(topic)
        with RawClient.of(viewer) as raw:
            raw.send(publish_packet(topic, forged(room), flags=flags))
            assert raw.receive() is None
        assert_only_the_true_word_is_heard(host, room, follower)


def test_a_refused_topic_gives_nothing(sandbox: RunningSandbox) -> None:
    host, viewer = Caller(sandbox), Caller(sandbox)
    room = host.room()
    with RawClient.of(viewer) as raw:
        raw.send(subscribe_packet("#", "sandbox/#", f"sandbox/user/{host.internal_id}", f"sandbox/room/{room['_id']}"))
        assert raw.receive() == bytes((0x90, 6, 0, 1, 128, 128, 128, 0))
        guest = Caller(sandbox)
        made = host.post("/api/v1/invitations", {"targetId": room["roomId"], "userIds": [guest.user_id]})
        guest.post(f"/api/v1/invitations/{made['invitations'][0]['invitationId']}/reject", {})
        host.call("PUT", f"/api/v1/rooms/{room['roomId']}", {"title": "for all"})
        heard = [next_event(raw) for _ in range(2)]
        assert heard == ["room.didCohostInviteReject", "room.didUpdate"], "each once: by the room's topic alone"


def test_nobody_takes_over_a_connection_but_its_own_user(sandbox: RunningSandbox) -> None:
    host, victim, stranger = Caller(sandbox), Caller(sandbox), Caller(sandbox)
    room = host.room()
    with RawClient.of(victim, "shared id") as mine:
        mine.subscribe(f"sandbox/room/{room['_id']}")
        with RawClient(sandbox.url) as nobody:
            nobody.send(connect_packet("shared id", victim.internal_id, "no token"))
            assert nobody.receive() == REFUSED
        with RawClient.of(stranger, "shared id"):
            host.call("PUT", f"/api/v1/rooms/{room['roomId']}", {"title": "still here"})
            assert next_event(mine) == "room.didUpdate"
        with RawClient.of(victim, "shared id") as again:
            assert mine.receive() is None, "the same client of the same user came back"
            again.subscribe(f"sandbox/room/{room['_id']}")
            host.call("PUT", f"/api/v1/rooms/{room['roomId']}", {"title": "and again"})
            assert next_event(again) == "room.didUpdate"


def test_newer_and_older_versions_get_a_refusal(sandbox: RunningSandbox) -> None:
    viewer = Caller(sandbox)
    login = (viewer.internal_id, viewer.session["accessToken"])
    for level, told in ((5, bytes((0x20, 3, 0, 0x84, 0))), (3, bytes((0x20, 2, 0, 1))), (77, bytes((0x20, 2, 0, 1)))):
        with RawClient(sandbox.url) as raw:
            raw.send(connect_packet("version", *login, level=level))
            assert raw.receive() == told
            assert raw.receive() is None


def test_who_has_not_logged_in_writes_no_log(tmp_path: Path) -> None:
    info = spnb_sandbox.start(tmp_path)
    try:
        log = (tmp_path / "sandbox.log").read_bytes()
        mark = "MARK\nERROR forged line"
        attempts = [
            connect_packet(mark, mark, mark),
            connect_packet(mark, mark, mark, level=5),
            connect_packet(mark, mark, mark, flags=0xE6, will=(mark, mark.encode())),
            packet(0x10, text("MQTT") + mark.encode()),
            packet(0x82, mark.encode()),
            b"\xff" * 5,
            b"",
        ]
        for data in attempts:
            with RawClient(info.url) as raw:
                raw.send(data)
                if data:
                    raw.receive()
        with RawClient(info.url) as raw:
            raw.socket.send(mark)  # a text message, which MQTT has not
            assert raw.receive() is None
        assert (tmp_path / "sandbox.log").read_bytes() == log
    finally:
        info.stop()


def test_who_does_not_read_is_put_out_and_holds_up_nobody(sandbox: RunningSandbox) -> None:
    host = Caller(sandbox)
    room = host.room()
    channel = host.post("/api/v3/channels", {"type": "live", "roomId": room["roomId"]})["channels"][0]
    with DeafClient(Caller(sandbox), f"{channel['path']}/#") as deaf, RawClient.of(Caller(sandbox)) as follower:
        follower.subscribe(f"{channel['path']}/#")
        for _ in range(400):
            host.post("/api/v5/messages", {"messageFeedId": channel["channelId"], "data": {"text": "x" * 20_000}})
            assert next_event(follower) == "message.created"
        assert deaf.has_been_put_out()


async def test_the_show_of_a_host_goes_on_under_forgers(sandbox: RunningSandbox) -> None:
    client = await spnb.connect_async("forged-host", url=sandbox.url, api_key=sandbox.api_key)
    try:
        room = await client.rooms.create("Not to be ended")
        wire = Caller(sandbox, "forged-host").get(f"/api/v1/rooms/{room.room_id}")["rooms"][0]
        seen: list[str] = []
        room.observe(lambda record: seen.append(record.title))
        await room.until("idle", timeout=60)
        topic = f"sandbox/room/{wire['_id']}"
        for _ in range(3):
            with RawClient.of(Caller(sandbox)) as raw:
                raw.send(publish_packet(topic, forged(wire), flags=1))
                assert raw.receive() is None
        await room.update(title="goes on")
        assert room.status == "idle"
        assert (await client.rooms.get(room.room_id)).status == "idle"
    finally:
        await client.aclose()
