"""Banned is banned, gone is gone, and addresses come from us."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit import rtc

from tests.conftest import RunningSandbox
from tests.media.conftest import LiveKit, publisher
from tests.rest.conftest import Caller
from tests.security.mqtt import RawClient

Json = dict[str, Any]


def chat_of(host: Caller, room: Json) -> str:
    return str(host.post("/api/v3/channels", {"type": "live", "roomId": room["roomId"]})["channels"][0]["channelId"])


def test_leaving_and_joining_lifts_no_ban_from_a_channel(sandbox: RunningSandbox) -> None:
    host, viewer, other = Caller(sandbox), Caller(sandbox), Caller(sandbox)
    channel = chat_of(host, host.room())
    path = f"/api/v3/channels/{channel}"
    viewer.post(f"{path}/join")
    host.call("PUT", f"{path}/users/ban", {"userIds": [viewer.user_id]})
    for method, way in (("DELETE", "leave"), ("POST", "join"), ("DELETE", "leave")):
        viewer.http.request(method, f"{path}/{way}")
        assert viewer.post(f"{path}/join", expect=403)["code"] == 400304
        sent = {"messageFeedId": channel, "data": {"text": "I am back"}}
        assert viewer.post("/api/v5/messages", sent, expect=403)["code"] == 400304
    host.call("DELETE", f"{path}/users", {"userIds": [viewer.user_id]})
    host.post(f"{path}/users", {"userIds": [viewer.user_id]})
    viewer.post(f"{path}/join", expect=403)
    other.call("PUT", f"{path}/users/unban", {"userIds": [viewer.user_id]}, expect=403)
    host.call("PUT", f"{path}/users/unban", {"userIds": [viewer.user_id]})
    viewer.post(f"{path}/join")


def test_leaving_lifts_no_ban_from_a_community(sandbox: RunningSandbox) -> None:
    from spnb.sandbox.store import Store

    owner, member = Caller(sandbox), Caller(sandbox)
    community = owner.post("/api/v3/communities", {"displayName": "Ours"})["communities"][0]["communityId"]
    member.post(f"/api/v3/communities/{community}/join")
    # Banning is the Console's: its mark is written as the Console would.
    store = Store(sandbox.data_dir / "sandbox.sqlite")
    store.set_membership(community, member.user_id, "banned")
    store.close()
    member.http.delete(f"/api/v3/communities/{community}/leave")
    member.post(f"/api/v3/communities/{community}/join", expect=403)
    member.post(f"/api/v4/communities/{community}/join", expect=403)
    wish = {"targetType": "community", "targetId": community, "dataType": "text", "data": {"text": "back"}}
    member.post("/api/v4/posts", wish, expect=403)


class Given(LiveKit):
    """A server entered with a token that was given out earlier."""

    def __init__(self, data: Json) -> None:
        super().__init__(data["coHostUrl"], "", "", embedded=True)
        object.__setattr__(self, "_given", data["coHostToken"])

    def token(self, room: str, identity: str, **_: object) -> str:
        return str(self._given)  # type: ignore[attr-defined]


@pytest.mark.media
@pytest.mark.parametrize("how", ["removed", "banned"])
async def test_a_co_host_who_is_gone_stays_gone(sandbox: RunningSandbox, how: str) -> None:
    host, co_host = Caller(sandbox), Caller(sandbox)
    room = host.room()["roomId"]
    async with publisher(Given(host.get(f"/api/v1/rooms/{room}/token")), room, "host"):
        await on_air(host, room)
        invite = {"targetId": room, "userIds": [co_host.user_id]}
        first = host.post("/api/v1/invitations", invite)["invitations"][0]["invitationId"]
        co_host.post(f"/api/v1/invitations/{first}/accept")
        data = co_host.get(f"/api/v1/rooms/{room}/token")
        on_stage = rtc.Room()
        gone: list[Any] = []
        on_stage.on("disconnected", gone.append)
        await on_stage.connect(data["coHostUrl"], data["coHostToken"])
        if how == "removed":
            host.call("DELETE", f"/api/v1/rooms/{room}/participants/{co_host.user_id}")
        else:
            host.post(f"/api/v1/rooms/{room}/viewer-bans", {"userIds": [co_host.user_id]})
        await eventually(lambda: bool(gone))
        assert co_host.get(f"/api/v1/rooms/{room}")["rooms"][0]["participants"][0]["type"] == "host"
        with pytest.raises(rtc.ConnectError):
            await rtc.Room().connect(data["coHostUrl"], data["coHostToken"])
        co_host.call("GET", f"/api/v1/rooms/{room}/token", expect=403)
        if how == "banned":
            host.post("/api/v1/invitations", invite, expect=403)
            host.call("DELETE", f"/api/v1/rooms/{room}/viewer-bans", {"userIds": [co_host.user_id]})
        again = host.post("/api/v1/invitations", invite)["invitations"][0]["invitationId"]
        co_host.post(f"/api/v1/invitations/{again}/accept")
        fresh = co_host.get(f"/api/v1/rooms/{room}/token")
        back = rtc.Room()
        await back.connect(fresh["coHostUrl"], fresh["coHostToken"])
        await back.disconnect()
        with pytest.raises(rtc.ConnectError):
            await rtc.Room().connect(data["coHostUrl"], data["coHostToken"])
    waiting = Caller(sandbox)
    asked = host.post("/api/v1/invitations", {**invite, "userIds": [waiting.user_id]})["invitations"][0]["invitationId"]
    host.post(f"/api/v1/rooms/{room}/stop")
    with pytest.raises(rtc.ConnectError):
        await rtc.Room().connect(fresh["coHostUrl"], fresh["coHostToken"])
    for caller in (host, co_host):
        assert caller.http.get(f"/api/v1/rooms/{room}/token").status_code in (400, 403)
    waiting.post(f"/api/v1/invitations/{asked}/accept", expect=400)


async def eventually(condition: Any) -> None:
    from tests.live.conftest import until

    await until(condition)


async def on_air(host: Caller, room: str) -> None:
    await eventually(lambda: host.get(f"/api/v1/rooms/{room}")["rooms"][0]["status"] == "live")


@pytest.mark.media
async def test_who_watches_by_webrtc_is_unseen_only_watches_and_is_out_once_banned(sandbox: RunningSandbox) -> None:
    host, viewer = Caller(sandbox), Caller(sandbox)
    room = host.room()["roomId"]
    path = f"/sandbox/rooms/{room}/subscriber"
    viewer.call("GET", path, expect=400)
    async with publisher(Given(host.get(f"/api/v1/rooms/{room}/token")), room, "host") as publishing:
        await on_air(host, room)
        data = viewer.get(path)
        watching, gone = rtc.Room(), list[Any]()
        subscribed = asyncio.Event()
        watching.on("track_subscribed", lambda *_: subscribed.set())
        watching.on("disconnected", gone.append)
        await watching.connect(data["url"], data["token"])
        async with asyncio.timeout(60):
            await subscribed.wait()
        source = rtc.AudioSource(48_000, 1)
        with pytest.raises(rtc.participant.PublishTrackError):
            await watching.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("mine", source))
        assert not publishing.remote_participants, "a viewer is not on the stage"
        assert len(host.get(f"/api/v1/rooms/{room}")["rooms"][0]["participants"]) == 1
        host.post(f"/api/v1/rooms/{room}/viewer-bans", {"userIds": [viewer.user_id]})
        await eventually(lambda: bool(gone))
        with pytest.raises(rtc.ConnectError):
            await rtc.Room().connect(data["url"], data["token"])
        viewer.call("GET", path, expect=403)
    host.post(f"/api/v1/rooms/{room}/stop")
    host.call("GET", path, expect=400)


@pytest.mark.parametrize("how", ["removed", "banned"])
def test_open_invitations_end_with_a_ban(sandbox: RunningSandbox, how: str) -> None:
    host, guest = Caller(sandbox), Caller(sandbox)
    room = host.room()["roomId"]
    wish = {"targetId": room, "userIds": [guest.user_id]}
    if how == "removed":
        first = host.post("/api/v1/invitations", wish)["invitations"][0]["invitationId"]
        guest.post(f"/api/v1/invitations/{first}/accept")
        host.call("DELETE", f"/api/v1/rooms/{room}/participants/{guest.user_id}")
        guest.post(f"/api/v1/invitations/{first}/accept", expect=400)
    else:
        open_one = host.post("/api/v1/invitations", wish)["invitations"][0]["invitationId"]
        host.post(f"/api/v1/rooms/{room}/viewer-bans", {"userIds": [guest.user_id]})
        guest.post(f"/api/v1/invitations/{open_one}/accept", expect=400)
        mine = guest.get("/api/v1/invitations/me", targetId=room)["invitations"]
        assert [one["status"] for one in mine] == ["cancelled"]


def test_invitations_are_read_by_their_two_sides(sandbox: RunningSandbox) -> None:
    host, guest, stranger = Caller(sandbox), Caller(sandbox), Caller(sandbox)
    room = host.room()["roomId"]
    host.post("/api/v1/invitations", {"targetId": room, "userIds": [guest.user_id]})
    for reader, sees in ((host, 1), (guest, 1), (stranger, 0)):
        for query in ({"targetId": room}, {"targetId": room, "statuses[]": "pending"}):
            assert len(reader.get("/api/v1/invitations", **query)["invitations"]) == sees
    everything = stranger.get("/api/v1/invitations", **{"options[limit]": 100})["invitations"]
    assert everything == []


def test_rooms_are_hung_only_under_ones_own(sandbox: RunningSandbox) -> None:
    host, stranger = Caller(sandbox), Caller(sandbox)
    parent, mine = host.room("parent")["roomId"], stranger.room("child")["roomId"]
    stranger.post("/api/v1/rooms", {"title": "an advert", "parentRoomId": parent}, expect=403)
    stranger.call("PUT", f"/api/v1/rooms/{mine}", {"parentRoomId": parent}, expect=403)
    host.call("PUT", f"/api/v1/rooms/{parent}", {"parentRoomId": parent}, expect=400)
    assert host.get(f"/api/v1/rooms/{parent}")["rooms"][0]["childRoomIds"] == []
    child = host.post("/api/v1/rooms", {"title": "mine", "parentRoomId": parent})["rooms"][0]
    assert host.get(f"/api/v1/rooms/{parent}")["rooms"][0]["childRoomIds"] == [child["roomId"]]


POISON = (
    {"Host": "localhost:1"},
    {"Host": "127.0.0.1:81"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "81"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"X-Forwarded-Prefix": "/evil"},
    {"X-Forwarded-For": "192.0.2.1"},
)


@pytest.mark.media
async def test_no_header_makes_an_address_of_a_show(sandbox: RunningSandbox) -> None:
    """Its players' addresses, live and recorded, in answers and in what everybody else hears."""
    host, viewer = Caller(sandbox), Caller(sandbox)
    room = host.room()
    post = host.room_post({"roomId": room["roomId"]})["posts"][0]["postId"]
    path = f"/api/v1/rooms/{room['roomId']}"
    ours = (f'"livePlaybackUrl":"{sandbox.url}/', f'"liveThumbnailUrl":"{sandbox.url}/')
    async with publisher(Given(host.get(f"{path}/token")), room["roomId"], host.user_id):
        await eventually(lambda: all(words in viewer.http.get(path).text for words in ours))
        with RawClient.of(Caller(sandbox)) as follower:
            follower.subscribe(f"sandbox/room/{room['_id']}")
            for headers in POISON:
                told = [
                    viewer.http.get(path, headers=headers).text,
                    viewer.http.get("/api/v1/rooms/lives", headers=headers).text,
                    host.http.put(path, json={"title": str(headers)}, headers=headers).text,
                    (follower.receive() or b"").decode(errors="replace"),
                ]
                viewer.http.post(f"/api/v3/posts/{post}/flag", headers=headers)
                viewer.http.delete(f"/api/v3/posts/{post}/unflag", headers=headers)
                for text in told:
                    assert all(words in text for words in ours), headers
        host.post(f"{path}/stop")
    await eventually(lambda: viewer.get(path)["rooms"][0]["status"] == "recorded")
    for headers in POISON:
        (info,) = viewer.http.get(path, headers=headers).json()["rooms"][0]["recordedPlaybackInfos"]
        assert info["url"].startswith(f"{sandbox.url}/")
        assert info["thumbnailUrl"].startswith(f"{sandbox.url}/")
        moved = viewer.http.get(info["url"], headers=headers)
        assert moved.status_code == 302
        assert moved.headers["location"].startswith(f"{sandbox.url}/media/")


@pytest.mark.parametrize("headers", POISON, ids=lambda headers: " ".join(headers.values()))
def test_no_header_makes_an_address(sandbox: RunningSandbox, headers: dict[str, str]) -> None:
    caller = Caller(sandbox)
    picture = b"\x89PNG\r\n\x1a\n" + bytes(50)
    kept = caller.http.post("/api/v4/images", files={"file": ("a.png", picture)}, headers=headers).json()[0]
    assert kept["fileUrl"].startswith(f"{sandbox.url}/files/")
    told = caller.http.get(f"/api/v3/files/{kept['fileId']}", headers=headers).json()
    assert told["fileUrl"] == kept["fileUrl"]
    moved = caller.http.get(f"/api/v3/files/{kept['fileId']}/download", headers=headers)
    assert moved.headers["location"] == kept["fileUrl"]
    room = caller.http.post("/api/v1/rooms", json={"title": "Mine", "thumbnailFileId": kept["fileId"]}, headers=headers)
    for text in (room.text, moved.text, caller.http.get("/api/v1/rooms", headers=headers).text):
        assert "evil" not in text
        assert not any(f"//{value}" in text for value in headers.values())
