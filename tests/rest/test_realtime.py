"""What is told by MQTT when REST changes something, and to whom."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiomqtt
import pytest

from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller


async def test_every_change_is_told_in_real_time(sandbox: RunningSandbox) -> None:
    ann, bob = Caller(sandbox), Caller(sandbox)
    room = ann.room("Watched")
    post = ann.room_post(room)["postChildren"][0]
    channel = ann.post("/api/v3/channels", {"type": "live", "postId": post["postId"], "roomId": room["roomId"]})[
        "channels"
    ][0]
    client = aiomqtt.Client(
        "127.0.0.1",
        int(sandbox.url.rsplit(":", 1)[1]),
        username=bob.internal_id,
        password=bob.session["accessToken"],
        identifier=f"mqttjs_device #1_{bob.internal_id}_1",
        transport="websockets",
        websocket_path="/mqtt",
    )
    async with client:
        for topic in (
            f"sandbox/room/{room['_id']}",
            f"sandbox/room/{room['roomId']}/streamer",
            f"{channel['path']}/#",
            f"{post['path']}/#",
            f"sandbox/user/{bob.internal_id}",
        ):
            granted = await client.subscribe(topic)
            assert int(granted[0] if isinstance(granted[0], int) else granted[0].value) == 0
        ann.call("PUT", f"/api/v1/rooms/{room['roomId']}", {"title": "Changed"})
        message = bob.send(channel["channelId"], "hello")["messages"][0]
        bob.post(
            "/api/v2/reactions", {"referenceId": message["messageId"], "referenceType": "message", "reactionName": "x"}
        )
        bob.post("/api/v2/reactions", {"referenceId": post["postId"], "referenceType": "post", "reactionName": "x"})
        live = {"referencePublicId": post["postId"], "reactionName": "heart"}
        bob.post("/api/v1/reactions/live", {"roomId": room["roomId"], "reactions": [live]}, expect=202)
        wish = {"targetId": room["roomId"], "userIds": [bob.user_id]}
        invitation = ann.post("/api/v1/invitations", wish)["invitations"][0]
        bob.post(f"/api/v1/invitations/{invitation['invitationId']}/accept")
        wanted = {
            "room.didUpdate",
            "message.created",
            "message.reactionAdded",
            "post.addReaction",
            "liveReaction.created",
            "room.didCohostInvite",
            "room.participantJoined",
            "room.didCohostInviteAccept",
        }
        events: dict[str, dict[str, Any]] = {}
        async with asyncio.timeout(60):
            async for received in client.messages:
                assert isinstance(received.payload, (bytes, bytearray))
                envelope = json.loads(received.payload)
                assert {"eventType", "data", "networkId", "path", "sentTime", "version"} <= envelope.keys()
                events[envelope["eventType"]] = envelope
                if wanted <= events.keys():
                    break
    assert events["room.didUpdate"]["data"]["rooms"][0]["title"] == "Changed"
    assert events["room.participantJoined"]["data"]["eventActor"]["userInternalId"] == bob.internal_id
    assert "myReactions" not in events["message.created"]["data"]["messages"][0]


@pytest.mark.parametrize(
    "topic",
    [
        "sandbox/#",
        "#",
        "+/room/x",
        "other/room/x",
        "sandbox/user/somebody",
        "sandbox/+/x",
        "sandbox/smartfeed/x/messages",
    ],
)
async def test_topics_of_others_are_refused(sandbox: RunningSandbox, topic: str) -> None:
    bob = Caller(sandbox)
    port = int(sandbox.url.rsplit(":", 1)[1])
    options: dict[str, Any] = {"transport": "websockets", "websocket_path": "/mqtt", "username": bob.internal_id}
    async with aiomqtt.Client("127.0.0.1", port, password=bob.session["accessToken"], **options) as client:
        (granted,) = await client.subscribe(topic)
        assert (granted if isinstance(granted, int) else granted.value) == 128


async def test_mqtt_logins_are_checked(sandbox: RunningSandbox) -> None:
    ann, bob = Caller(sandbox), Caller(sandbox)
    port = int(sandbox.url.rsplit(":", 1)[1])
    options: dict[str, Any] = {"transport": "websockets", "websocket_path": "/mqtt"}
    for user, password in ((bob.internal_id, "wrong"), (ann.internal_id, bob.session["accessToken"]), ("", "")):
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client("127.0.0.1", port, username=user, password=password, **options):
                pass
    good = {"username": bob.internal_id, "password": bob.session["accessToken"], **options}
    async with aiomqtt.Client("127.0.0.1", port, **good) as client:
        await client.subscribe("sandbox")
