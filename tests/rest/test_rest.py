"""The service's REST as the sandbox speaks it: envelopes, limits, permissions, paging, errors."""

from __future__ import annotations

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import pytest

from tests.conftest import RunningSandbox, start_sandbox
from tests.rest.conftest import Caller

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def test_a_session_opens_verifies_and_ends(sandbox: RunningSandbox) -> None:
    ann = Caller(sandbox)
    assert {"accessToken", "issuedAt", "expiresAt", "users", "files", "userType"} <= ann.session.keys()
    assert ann.session["users"][0]["path"] == f"sandbox/user/{ann.internal_id}"
    assert ann.get("/api/v3/sessions") == {"success": True}
    assert ann.call("DELETE", "/api/v4/sessions") == {"success": True}
    assert ann.get("/api/v3/sessions", expect=401)["code"] == 400100


def test_logins_are_checked(sandbox: RunningSandbox) -> None:
    http = httpx.Client(base_url=sandbox.url, trust_env=False, timeout=60)
    body = {"userId": "a", "deviceId": "d"}
    assert http.post("/api/v5/sessions", json=body).json()["code"] == 400100
    assert http.post("/api/v5/sessions", json=body, headers={"X-API-Key": "wrong"}).status_code == 401
    key = {"X-API-Key": sandbox.api_key}
    for broken in ({}, {"userId": ""}, {"userId": "a"}, {"userId": "x" * 51, "deviceId": "d"}, [], "text"):
        answer = http.post("/api/v5/sessions", json=broken, headers=key)
        assert answer.status_code == 422
        assert answer.json()["data"]["detail"]
    malformed = http.post("/api/v5/sessions", content=b"{", headers=key)
    assert (malformed.status_code, malformed.json()["code"]) == (400, 400000)
    for token in ("", "Bearer nonsense", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"):
        headers = {"Authorization": token} if token else {}
        assert http.get("/api/v1/rooms", headers=headers).json()["code"] == 400100
    unknown = http.get("/api/v9/nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, 400400)
    assert http.delete("/api/v1/rooms").status_code == 404


def test_another_user_on_a_device_ends_the_first_ones_session(sandbox: RunningSandbox) -> None:
    first = Caller(sandbox)
    body = {"userId": "somebody else", "deviceId": f"device of {first.user_id} #1"}
    first.http.post("/api/v5/sessions", json=body, headers={"X-API-Key": sandbox.api_key})
    assert first.get("/api/v3/sessions", expect=401)


def test_visitors_only_read(sandbox: RunningSandbox) -> None:
    http = httpx.Client(base_url=sandbox.url, trust_env=False, headers={"X-API-Key": sandbox.api_key}, timeout=60)
    for kind, code in (("visitor", 403999), ("bot", 403998)):
        session = http.post(f"/api/v5/sessions/{kind}", json={"deviceId": f"{kind} device"}).json()
        assert session["userType"] == kind
        headers = {"Authorization": f"Bearer {session['accessToken']}"}
        assert http.get("/api/v1/rooms", headers=headers).status_code == 200
        refused = http.post("/api/v1/rooms", json={"title": "x"}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, code)


def test_a_room_is_made_read_changed_and_deleted(host: Caller, guest: Caller) -> None:
    made = host.post(
        "/api/v1/rooms",
        {"title": "T", "description": "D", "metadata": {"a": 1}, "type": "co_hosts", "channelEnabled": False},
    )
    assert {"rooms", "roomChildrens", "users", "files"} <= made.keys()
    room = made["rooms"][0]
    assert (room["type"], room["status"], room["liveChatEnabled"]) == ("coHosts", "idle", False)
    assert room["roomId"] == room["_id"]
    assert room["createdAt"].endswith("Z")
    assert "channelEnabled" not in room
    path = f"/api/v1/rooms/{room['roomId']}"
    assert guest.get(path)["rooms"][0]["title"] == "T"
    assert guest.call("PUT", path, {"title": "mine"}, expect=403)["code"] == 400301
    changed = host.call("PUT", path, {"title": "T2", "metadata": {"b": 2}})["rooms"][0]
    assert (changed["title"], changed["metadata"], changed["description"]) == ("T2", {"b": 2}, "D")
    child = host.room("Second feed", parentRoomId=room["roomId"])
    assert host.get(path)["roomChildrens"][0]["roomId"] == child["roomId"]
    assert guest.call("DELETE", path, expect=403)
    assert host.call("DELETE", path) == {"success": True}
    assert host.get(path, expect=404)["code"] == 400400
    listed = host.get("/api/v1/rooms", **{"isDeleted": "true", "options[limit]": "100"})["rooms"]
    assert room["roomId"] in [found["roomId"] for found in listed]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": "   "},
        {"title": "x" * 1001},
        {"title": 5},
        {"title": "t", "description": "x" * 5001},
        {"title": "t", "type": "sideways"},
        {"title": "t", "metadata": []},
        {"title": "t", "participants": ["a", "b"]},
        {"title": "t", "thumbnailFileId": "x" * 51},
    ],
)
def test_rooms_beyond_the_limits_are_refused(host: Caller, body: Any) -> None:
    assert host.post("/api/v1/rooms", body, expect=422)["code"] == 500000


def test_rooms_are_filtered_in_every_spelling_and_paged_without_a_loss(sandbox: RunningSandbox) -> None:
    ann = Caller(sandbox)
    made = [ann.room(f"page {number}")["roomId"] for number in range(7)]
    for size in (1, 2, 3, 7, 50):
        for order in ("firstCreated", "lastCreated"):
            found, token = [], None
            back = None
            while True:
                params = {"options[token]": token} if token else {"options[limit]": str(size)}
                page = ann.get("/api/v1/rooms", sortBy=order, **params)
                found += [room["roomId"] for room in page["rooms"] if room["createdBy"] == ann.user_id]
                assert len(page["rooms"]) <= size
                assert page["paging"].get("prev") == page["paging"].get("previous")
                back = page["paging"].get("prev", back)
                token = page["paging"].get("next")
                if token is None:
                    break
            assert found == (made if order == "firstCreated" else made[::-1])
    spellings = ("statuses[]", "statuses[0]", "statuses")
    for name in spellings:
        live = ann.get("/api/v1/rooms", **{name: "live", "options[limit]": "100"})["rooms"]
        assert {room["status"] for room in live} <= {"live"}, "another test's"
        assert not {room["roomId"] for room in live} & set(made)
    assert ann.get("/api/v1/rooms", **{"types[]": "co_hosts"})["rooms"]
    assert ann.get("/api/v1/rooms", **{"options[limit]": "0"}, expect=422)
    assert ann.get("/api/v1/rooms", **{"options[limit]": "101"}, expect=422)
    assert ann.get("/api/v1/rooms", **{"options[token]": "nonsense"}, expect=400)
    assert ann.get("/api/v1/rooms", sortBy="sideways", expect=422)
    assert ann.get("/api/v1/rooms", isDeleted="maybe", expect=422)


def test_credentials_go_to_broadcasters_and_fit_the_type(host: Caller, guest: Caller) -> None:
    room, direct = host.room(), host.room(type="directStreaming")
    data = host.get(f"/api/v1/rooms/{room['roomId']}/token")
    assert data.keys() == {"coHostUrl", "coHostToken"}
    assert data["coHostUrl"].startswith("ws://127.0.0.1:")
    assert host.get(f"/api/v1/rooms/{direct['roomId']}/token").keys() == {"directStreamUrl"}
    assert guest.get(f"/api/v1/rooms/{room['roomId']}/token", expect=403)
    assert host.get("/api/v1/rooms/unknown/token", expect=404)
    assert host.post(f"/api/v1/rooms/{room['roomId']}/stop", expect=400)["code"] == 400000
    assert guest.post(f"/api/v1/rooms/{room['roomId']}/stop", expect=403)
    assert host.get(f"/api/v1/rooms/{room['roomId']}/recorded", expect=400)


def test_a_room_post_ties_the_room_to_its_target(host: Caller, guest: Caller) -> None:
    room = host.room("Posted")
    community = host.post("/api/v3/communities/", {"displayName": "Makers", "userIds": ["guest"]})["communities"][0]
    told = host.room_post(room, targetType="community", targetId=community["communityId"], tags=["a"])
    parent, child = told["posts"][0], told["postChildren"][0]
    assert parent["children"] == [child["postId"]]
    assert (child["dataType"], child["data"]["roomId"], child["parentPostId"]) == (
        "room",
        room["roomId"],
        parent["postId"],
    )
    tied = host.get(f"/api/v1/rooms/{room['roomId']}")["rooms"][0]
    assert (tied["referenceType"], tied["referenceId"]) == ("post", child["parentPostId"])
    assert (tied["targetType"], tied["targetId"]) == ("community", community["communityId"])
    feed = guest.get("/api/v5/posts", targetId=community["communityId"], targetType="community")
    assert [post["postId"] for post in feed["posts"]] == [parent["postId"]]
    deep = guest.get(
        "/api/v5/posts",
        **{"targetId": community["communityId"], "matchingOnlyParentPost": "false", "dataTypes[]": "room"},
    )
    assert [post["postId"] for post in deep["posts"]] == [child["postId"]]
    legacy = host.room()
    body = {"targetType": "user", "dataType": "livestream", "data": {"text": "old form", "streamId": legacy["roomId"]}}
    assert host.post("/api/v4/posts", body)["rooms"][0]["roomId"] == legacy["roomId"]
    strangers = {"targetType": "user", "dataType": "room", "data": {"roomId": room["roomId"]}}
    assert guest.post("/api/v4/posts", strangers, expect=403)
    nowhere = {"targetType": "community", "targetId": "none", "dataType": "text", "data": {"text": "x"}}
    assert host.post("/api/v4/posts", nowhere, expect=404)["code"] == 400400
    long = {"targetType": "user", "dataType": "text", "data": {"text": "x" * 50_001}}
    assert host.post("/api/v4/posts", long, expect=422)


def test_posts_are_changed_flagged_and_deleted_by_whom_they_may(host: Caller, guest: Caller) -> None:
    post = host.post("/api/v4/posts", {"data": {"text": "hello"}})["posts"][0]
    one = f"/api/v3/posts/{post['postId']}"
    changed = host.call("PUT", f"/api/v4/posts/{post['postId']}", {"data": {"text": "bye"}, "tags": ["t"]})
    assert changed["posts"][0]["data"] == {"text": "bye"}
    assert guest.call("PUT", f"/api/v4/posts/{post['postId']}", {"tags": []}, expect=403)
    assert guest.post(f"{one}/flag")["posts"][0]["flagCount"] == 1
    assert guest.post(f"{one}/flag")["posts"][0]["flagCount"] == 1
    assert guest.call("DELETE", f"{one}/unflag")["posts"][0]["flagCount"] == 0
    tagged = host.call("PUT", f"/api/v4/posts/{post['postId']}", {"productTags": [{"productId": "mug"}]})
    assert tagged["posts"][0]["productTags"] == [{"productId": "mug"}]
    pinned = host.call("PUT", f"/api/v4/posts/{post['postId']}", {"pinnedProductId": "mug"})["posts"][0]
    assert pinned["pinnedProductId"] == "mug"
    assert host.call("PUT", f"/api/v4/posts/{post['postId']}", {"pinnedProductId": "lamp"}, expect=400)
    dropped = host.call("PUT", f"/api/v4/posts/{post['postId']}", {"productTags": []})["posts"][0]
    assert dropped["pinnedProductId"] is None
    assert host.get("/api/v3/posts/list", **{"postIds[]": post["postId"]})["posts"]
    assert host.call("DELETE", f"/api/v4/posts/{post['postId']}")["data"] == {"success": True}
    assert host.get(one, expect=404)


def test_communities_are_joined_left_and_found(host: Caller, guest: Caller) -> None:
    made = host.post("/api/v3/communities", {"displayName": "Zebra fans", "description": "stripes"})
    community = made["communities"][0]
    path = f"/api/v3/communities/{community['communityId']}"
    assert (community["isJoined"], community["membersCount"]) == (True, 1)
    text = {"targetType": "community", "targetId": community["communityId"], "data": {"text": "x"}}
    assert guest.post("/api/v4/posts", text, expect=403)["code"] == 400301
    assert guest.post(f"{path}/join")["communities"][0]["membersCount"] == 2
    assert guest.post(f"/api/v4/communities/{community['communityId']}/join")["joinRequests"][0]["status"] == "approved"
    assert {member["userId"] for member in host.get(f"{path}/users")["communityUsers"]} == {"host", "guest"}
    found = guest.get("/api/v3/communities", keyword="zebra", filter="member")["communities"]
    assert [one["communityId"] for one in found] == [community["communityId"]]
    assert guest.call("DELETE", f"{path}/leave")["communities"][0]["isJoined"] is False
    assert guest.get("/api/v3/communities", keyword="zebra", filter="notMember")["communities"]
    assert guest.get("/api/v3/communities/list", **{"communityIds[]": community["communityId"]})["communities"]
    assert guest.get("/api/v3/communities", **{"options[limit]": "2"})["communities"]
    assert host.get("/api/v3/communities/none", expect=404)
    assert host.get("/api/v3/communities/sandbox")["communities"][0]["displayName"] == "Sandbox community"


def live_chat(host: Caller) -> dict[str, Any]:
    room = host.room("With chat")
    post = host.room_post(room)["posts"][0]
    body = {"type": "live", "displayName": "Chat", "postId": post["postId"], "roomId": room["roomId"]}
    channel = host.post("/api/v3/channels", body)["channels"][0]
    assert host.get(f"/api/v1/rooms/{room['roomId']}")["rooms"][0]["liveChannelId"] == channel["channelId"]
    assert host.post("/api/v3/channels", body, expect=409)["code"] == 400900
    return channel


def send(caller: Caller, feed: str, text: str, *, expect: int = 200, **fields: Any) -> dict[str, Any]:
    body = {"messageFeedId": feed, "dataType": "text", "data": {"text": text}, **fields}
    return caller.post("/api/v5/messages", body, expect=expect)


def test_live_chat_keeps_order_and_sends_once(host: Caller, guest: Caller) -> None:
    feed = live_chat(host)["channelId"]
    first = send(host, feed, "one", referenceId="r1")["messages"][0]
    again = send(host, feed, "one", referenceId="r1")["messages"][0]
    assert first["messageId"] == again["messageId"]
    reply = send(guest, feed, "two", parentId=first["messageId"])["messages"][0]
    others = [send(guest, feed, f"m{number}")["messages"][0] for number in range(8)]
    segments = [first["segment"], reply["segment"], *[other["segment"] for other in others]]
    assert segments == list(range(1, 11))
    found, token = [], None
    while True:
        options = {"options[token]": token} if token else {"options[limit]": "3"}
        page = guest.get("/api/v5/messages", messageFeedId=feed, **{"options[sortBy]": "segmentAsc"}, **options)
        found += [message["segment"] for message in page["messages"]]
        token = page["paging"].get("next")
        if token is None:
            break
    assert found == segments
    newest = guest.get("/api/v5/messages", messageFeedId=feed, **{"options[limit]": "2"})["messages"]
    assert [message["segment"] for message in newest] == [10, 9]
    around = guest.get(
        "/api/v5/messages", messageFeedId=feed, **{"options[around]": first["messageId"], "options[limit]": "4"}
    )
    assert [message["segment"] for message in around["messages"]] == [1, 2, 3, 4]
    assert host.get(f"/api/v5/messages/{first['messageId']}")["messages"][0]["childCount"] == 1
    assert host.get("/api/v5/messages", messageFeedId=feed, parentId=first["messageId"])["messages"][0]["segment"] == 2
    assert host.get("/api/v5/messages/list", **{"messageIds[]": first["messageId"]})["messages"]
    for text, code in (("", 422), ("   ", 422), ("x" * 20_001, 422)):
        assert send(host, feed, text, expect=code)
    assert send(host, "nowhere", "x", expect=404)
    assert host.post("/api/v5/messages", {"data": {"text": "x"}}, expect=422)
    assert send(host, feed, "x", parentId="none", expect=404)
    reference = f"LOCAL_{uuid.uuid4()}"
    assert send(host, feed, "x", referenceId=reference)["messages"][0]["referenceId"] == reference
    assert send(host, feed, "x", referenceId="x" * 101, expect=422)


def test_messages_are_edited_deleted_and_flagged(host: Caller, guest: Caller) -> None:
    feed = live_chat(host)["channelId"]
    message = send(guest, feed, "first")["messages"][0]
    path = f"/api/v5/messages/{message['messageId']}"
    assert guest.call("PUT", path, {"data": {"text": "second"}})["messages"][0]["data"] == {"text": "second"}
    assert host.call("PUT", path, {"data": {"text": "no"}}, expect=403)
    assert host.post(f"{path}/flags", {"reason": "spam"})["messages"][0]["flagCount"] == 1
    assert host.get(f"{path}/flags") == {"result": True, "isFlagByMe": True}
    assert host.call("DELETE", f"{path}/flags")["messages"][0]["flagCount"] == 0
    gone = host.call("DELETE", path)["messages"][0]
    assert (gone["isDeleted"], gone["data"]) == (True, {})
    assert guest.get("/api/v5/messages/none", expect=404)
    assert guest.get("/api/v5/messages", messageFeedId=feed, isDeleted="false")["messages"] == []


def test_moderators_mute_ban_and_slow_down(host: Caller, guest: Caller) -> None:
    channel = live_chat(host)
    feed = channel["channelId"]
    path = f"/api/v3/channels/{feed}"
    assert guest.post(f"{path}/join")["channelUsers"][0]["membership"] == "member"
    assert guest.call("PUT", f"{path}/users/ban", {"userIds": ["host"]}, expect=403)
    host.call("PUT", f"{path}/users/ban", {"userIds": ["guest"]})
    assert send(guest, feed, "x", expect=403)["code"] == 400304
    assert guest.post(f"{path}/join", expect=403)["code"] == 400304
    host.call("PUT", f"{path}/users/unban", {"userIds": ["guest"]})
    host.call("PUT", f"/api/v2/channel/{feed}/users/mute", {"userIds": ["guest"], "mutePeriod": -1})
    assert send(guest, feed, "x", expect=403)["code"] == 400302
    host.call("PUT", f"/api/v2/channel/{feed}/users/mute", {"userIds": ["guest"], "mutePeriod": 0})
    assert send(guest, feed, "free")
    host.call("PUT", f"/api/v2/channel/{feed}/mute", {"mutePeriod": 60_000})
    assert send(guest, feed, "x", expect=403)["code"] == 400303
    assert send(host, feed, "moderators speak")
    host.call("PUT", f"/api/v2/channel/{feed}/mute", {"mutePeriod": 0})
    slow = host.call("PUT", path, {"rateLimit": 1, "rateLimitWindow": 1000, "metadata": {"pinned": "hi"}})["channels"][
        0
    ]
    assert (slow["isRateLimited"], slow["metadata"]) == (True, {"pinned": "hi"})
    assert {member["userId"] for member in host.get(f"{path}/users")["channelUsers"]} == {"host", "guest"}
    assert host.post(f"{path}/users", {"userIds": ["guest"]})
    assert host.call("DELETE", f"{path}/users", {"userIds": ["guest"]})
    assert host.post(f"{path}/users", {"userIds": ["unknown"]}, expect=404)
    assert host.get("/api/v3/channels", **{"types[]": "live"})["channels"]
    assert host.get("/api/v3/channels/list", **{"channelIds[]": feed})["messageFeeds"][0]["messageFeedId"] == feed
    assert guest.call("DELETE", f"{path}/leave")["channelUsers"][0]["membership"] == "none"
    assert host.call("DELETE", path)["data"] == {"success": True}
    assert host.get(path)["channels"][0]["isDeleted"] is True
    assert send(host, feed, "closed", expect=404)
    standard = host.post("/api/v3/channels", {"type": "community", "displayName": "Closed"})["channels"][0]
    assert send(guest, standard["channelId"], "x", expect=403)["code"] == 400301


def test_reactions_count_once_and_go_by_body_or_query(host: Caller, guest: Caller) -> None:
    post = host.post("/api/v4/posts", {"data": {"text": "react"}})["posts"][0]
    body = {"referenceId": post["postId"], "referenceType": "post", "reactionName": "heart"}
    added = guest.post("/api/v2/reactions", body)["addedId"]
    assert guest.post("/api/v2/reactions", body)["addedId"] == added
    host.post("/api/v2/reactions", {**body, "reactionName": "fire"})
    shown = guest.get(f"/api/v3/posts/{post['postId']}")["posts"][0]
    assert (shown["reactions"], shown["reactionsCount"], shown["myReactions"]) == (
        {"heart": 1, "fire": 1},
        2,
        ["heart"],
    )
    listed = host.get("/api/v3/reactions", referenceId=post["postId"], referenceType="post")["reactions"][0]["reactors"]
    assert {(one["userId"], one["reactionName"]) for one in listed} == {("guest", "heart"), ("host", "fire")}
    assert guest.call("DELETE", "/api/v2/reactions", body)["removedId"] == added
    assert guest.call("DELETE", "/api/v2/reactions", body, expect=404)
    assert host.call("DELETE", "/api/v2/reactions", **{**body, "reactionName": "fire"})["removedId"]
    message = send(host, live_chat(host)["channelId"], "m")["messages"][0]
    on_message = {
        "referenceId": message["messageId"],
        "referenceType": "message",
        "reactionName": "x",
        "referenceVersion": 5,
    }
    assert guest.post("/api/v2/reactions", on_message)["addedId"]
    seen = guest.get(f"/api/v5/messages/{message['messageId']}")["messages"][0]
    assert (seen["reactions"], seen["reactionCount"], seen["myReactions"]) == ({"x": 1}, 1, ["x"])
    assert guest.post("/api/v2/reactions", {**body, "referenceId": "none"}, expect=404)
    assert guest.post("/api/v2/reactions", {**body, "referenceType": "room"}, expect=422)


def test_floating_reactions_belong_to_their_room(host: Caller, guest: Caller) -> None:
    room = host.room()
    post = host.room_post(room)["postChildren"][0]
    mine = {
        "referencePublicId": post["postId"],
        "referenceType": "post",
        "reactionName": "heart",
        "roomId": room["roomId"],
    }
    stranger = {**mine, "roomId": "another"}
    body = {"roomId": room["roomId"], "reactions": [mine, stranger, mine]}
    assert len(guest.post("/api/v1/reactions/live", body, expect=202)["addedIds"]) == 2
    assert guest.post("/api/v1/reactions/live", {"roomId": "none", "reactions": [mine]}, expect=404)
    assert guest.post("/api/v1/reactions/live", {"roomId": room["roomId"], "reactions": []}, expect=422)


def test_presence_counts_viewers_not_broadcasters(host: Caller, guest: Caller) -> None:
    room = host.room()
    path = f"/api/v1/presence/rooms/{room['roomId']}"
    assert guest.get("/api/v1/presence/settings")["network"]["heartbeatInterval"] > 0
    for _ in range(2):
        guest.post(f"{path}/heartbeat", expect=202)
    host.post(f"{path}/heartbeat", expect=202)
    assert host.get(f"{path}/users/count")["count"] == 1
    viewers = host.get(f"{path}/users")
    assert ([viewer["userId"] for viewer in viewers["viewers"]], viewers["total"]) == (["guest"], 1)
    host.post(f"/api/v1/rooms/{room['roomId']}/viewer-bans", {"userIds": ["guest"]})
    assert host.get(f"{path}/users/count")["count"] == 0
    assert guest.post(f"{path}/heartbeat", expect=403)["code"] == 400304
    bans = host.get(f"/api/v1/rooms/{room['roomId']}/viewer-bans")
    assert [ban["userPublicId"] for ban in bans["roomBannedUsers"]] == ["guest"]
    host.call("DELETE", f"/api/v1/rooms/{room['roomId']}/viewer-bans", {"userIds": ["guest"]})
    again = host.call("DELETE", f"/api/v1/rooms/{room['roomId']}/viewer-bans", {"userIds": ["guest"]}, expect=403)
    assert again["code"] == 400316
    assert guest.post(f"/api/v1/rooms/{room['roomId']}/viewer-bans", {"userIds": ["host"]}, expect=403)
    watched = {
        "sessionId": "room_1",
        "roomId": room["roomId"],
        "watchSeconds": 5,
        "startTime": "2026-01-01T00:00:00.000Z",
    }
    assert guest.post("/api/v3/user-event/room", {"rooms": [watched]}, expect=500)["code"] == 500000


def test_co_hosts_broadcast_only_after_they_accepted(host: Caller, guest: Caller) -> None:
    room = host.room()
    token = f"/api/v1/rooms/{room['roomId']}/token"
    wish = {"type": "livestreamCohostInvite", "targetType": "room", "targetId": room["roomId"], "userIds": ["guest"]}
    assert guest.post("/api/v1/invitations", wish, expect=403)
    invitation = host.post("/api/v1/invitations", wish)["invitations"][0]
    assert host.post("/api/v1/invitations", wish)["invitations"][0]["invitationId"] == invitation["invitationId"]
    assert guest.get(token, expect=403)
    mine = guest.get("/api/v1/invitations/me", targetId=room["roomId"])["invitations"]
    assert [one["status"] for one in mine] == ["pending"]
    path = f"/api/v1/invitations/{invitation['invitationId']}"
    assert host.post(f"{path}/accept", expect=403)
    assert guest.post(f"{path}/accept") == {"success": True}
    assert guest.post(f"{path}/accept", expect=400)
    assert guest.post("/api/v1/invitations", wish, expect=403)
    assert "broadcaster of this room already" in host.post("/api/v1/invitations", wish, expect=400)["message"]
    # A host may fetch a token ahead; a co-host gets one while the room is live.
    assert host.get(token)["coHostToken"]
    assert "not live yet" in guest.get(token, expect=400)["message"]
    participants = host.get(f"/api/v1/rooms/{room['roomId']}")["rooms"][0]["participants"]
    assert [(one["type"], one["userId"]) for one in participants] == [("host", "host"), ("coHost", "guest")]
    granted = host.call("PUT", f"/api/v1/rooms/{room['roomId']}/participants/guest", {"canManageProductTags": True})
    assert granted["rooms"][0]["participants"][1]["canManageProductTags"] is True
    assert guest.post(f"/api/v1/rooms/{room['roomId']}/leave")["rooms"][0]["participants"][0]["userId"] == "host"
    assert host.post(f"/api/v1/rooms/{room['roomId']}/leave", expect=400)
    second = host.post("/api/v1/invitations", wish)["invitations"][0]
    assert guest.post(f"/api/v1/invitations/{second['invitationId']}/reject") == {"success": True}
    third = host.post("/api/v1/invitations", wish)["invitations"][0]
    assert guest.call("DELETE", f"/api/v1/invitations/{third['invitationId']}", expect=403)
    assert host.call("DELETE", f"/api/v1/invitations/{third['invitationId']}") == {"success": True}
    statuses = [one["status"] for one in host.get("/api/v1/invitations", targetId=room["roomId"])["invitations"]]
    assert statuses == ["cancelled", "rejected", "approved"]
    fourth = host.post("/api/v1/invitations", wish)["invitations"][0]
    guest.post(f"/api/v1/invitations/{fourth['invitationId']}/accept")
    assert host.call("DELETE", f"/api/v1/rooms/{room['roomId']}/participants/guest")["rooms"]
    fifth = host.post("/api/v1/invitations", wish)["invitations"][0]
    guest.post(f"/api/v1/invitations/{fifth['invitationId']}/accept")
    host.call("DELETE", f"/api/v1/rooms/{room['roomId']}/participants", {"participantUserId": "guest"})
    assert host.call("DELETE", f"/api/v1/rooms/{room['roomId']}/participants/host", expect=400)
    assert host.call("DELETE", f"/api/v1/rooms/{room['roomId']}/participants/guest", expect=404)
    for broken in ({**wish, "type": "x"}, {**wish, "targetId": "none"}, {**wish, "userIds": ["unknown"]}):
        assert host.http.post("/api/v1/invitations", json=broken).status_code in (400, 404)


def test_a_room_takes_so_many_co_hosts_and_no_more(host: Caller, sandbox: RunningSandbox) -> None:
    room = host.room()
    guests = [Caller(sandbox) for _ in range(8)]
    wish = {"targetId": room["roomId"], "userIds": [guest.user_id for guest in guests[:7]]}
    invitations = host.post("/api/v1/invitations", wish)["invitations"]
    assert len({invitation["invitationId"] for invitation in invitations}) == 7
    for guest, invitation in zip(guests[:6], invitations, strict=False):
        guest.post(f"/api/v1/invitations/{invitation['invitationId']}/accept")
    last = f"/api/v1/invitations/{invitations[6]['invitationId']}/accept"
    assert "6 co-hosts" in guests[6].post(last, expect=400)["message"]
    one_more = {"targetId": room["roomId"], "userIds": [guests[7].user_id]}
    assert "remove one first" in host.post("/api/v1/invitations", one_more, expect=400)["message"]
    host.call("DELETE", f"/api/v1/rooms/{room['roomId']}/participants/{guests[0].user_id}")
    assert guests[6].post(last) == {"success": True}, "a refused answer leaves the invitation open"


def test_users_are_read_searched_and_changed(host: Caller, guest: Caller) -> None:
    assert guest.get("/api/v3/users/host")["users"][0]["userId"] == "host"
    assert guest.get(f"/api/v3/users/{host.internal_id}", type="internal")["users"][0]["userId"] == "host"
    assert guest.get("/api/v3/users/nobody", expect=404)
    assert len(guest.get("/api/v3/users/list", **{"userIds[]": ["host", "guest", "nobody"]})["users"]) == 2
    changed = guest.call("PUT", "/api/v3/users", {"displayName": "Gustav Guest", "metadata": {"a": 1}})["users"][0]
    assert (changed["displayName"], changed["metadata"]) == ("Gustav Guest", {"a": 1})
    assert guest.get("/api/v3/users", keyword="gustav")["users"][0]["userId"] == "guest"
    assert guest.get("/api/v3/users", **{"options[limit]": "1"})["paging"]["next"]
    assert guest.call("PUT", "/api/v3/users", {"userId": "host", "displayName": "x"}, expect=403)


def test_images_are_taken_for_what_they_are(host: Caller, guest: Caller) -> None:
    sent = host.http.post("/api/v4/images", files={"file": ("../../evil.html", PNG, "text/html")})
    (file,) = sent.json()
    assert (file["attributes"]["name"], file["attributes"]["mimeType"]) == ("evil.html", "image/png")
    shown = host.http.get(file["fileUrl"])
    assert (shown.headers["content-type"], shown.content) == ("image/png", PNG)
    assert shown.headers["x-content-type-options"] == "nosniff"
    refused = host.http.post("/api/v4/images", files={"file": ("x.png", b"<html>", "image/png")})
    assert refused.status_code == 400
    other = host.http.post("/api/v4/files", files={"file": ("page.html", b"<html>", "text/html")}).json()[0]
    assert host.http.get(other["fileUrl"]).headers["content-type"] == "application/octet-stream"
    assert host.http.post("/api/v4/images", files={"other": ("x", b"y")}).status_code == 422
    assert host.get(f"/api/v3/files/{file['fileId']}")["fileId"] == file["fileId"]
    assert host.http.get(f"/api/v3/files/{file['fileId']}/download").status_code == 302
    assert guest.call("DELETE", f"/api/v3/files/{file['fileId']}", expect=403)
    assert host.call("DELETE", f"/api/v3/files/{file['fileId']}") == {"success": True}
    assert host.get(f"/api/v3/files/{file['fileId']}", expect=404)
    assert host.http.get(file["fileUrl"]).status_code == 404


def test_settings_that_sdks_read_at_login_are_complete(host: Caller) -> None:
    chat = host.get("/api/v3/network-settings/chat")
    assert chat["mention"]["isAllowMentionedChannelEnabled"] in (True, False)
    assert chat["messagePreview"].keys() == {"enabled", "isIncludeDeleted"}
    assert "socialNetworkSetting" in host.get("/api/v3/network-settings/social")
    assert "feedSettings" in host.get("/api/v3/network-settings/feed-setting")
    # Read without a guard by SDK 7.20 and the Web UIKit.
    assert host.get("/api/v3/network-settings/product") == {"product": {"enabled": True}}
    assert host.get("/api/v3/network-settings/uikit") == {"config": {}}
    for name in ("shareable-deep-links", "video-streaming"):
        assert host.get(f"/api/v3/network-settings/{name}")


def test_beyond_the_rate_limit_the_answer_says_when_to_come_back(tmp_path: Path) -> None:
    limited = start_sandbox(tmp_path)
    try:
        caller = Caller(limited)
        with ThreadPoolExecutor(16) as pool:  # far more than 100 in 5 s, also on a busy machine
            answers = list(pool.map(lambda _: caller.http.get("/api/v3/users/x"), range(400)))
        refused = [answer for answer in answers if answer.status_code != 404]
        assert len(answers) - len(refused) >= 100
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(429, 400311)}
        last = refused[-1]
        assert 1 <= int(last.headers["retry-after"]) <= 5
        assert Caller(limited, "another").get("/api/v1/rooms")["rooms"] == []
    finally:
        limited.stop()


@pytest.mark.parametrize("host_header", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.168.1.5"])
def test_other_host_names_are_refused(sandbox: RunningSandbox, host_header: str) -> None:
    answer = httpx.get(f"{sandbox.url}/api/v1/rooms", headers={"Host": host_header}, trust_env=False, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (403, 400300)


def test_pages_from_elsewhere_are_refused_and_loopback_pages_get_cors(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.url}/api/v1/rooms"
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "file://"):
        refused = httpx.get(url, headers={"Origin": origin}, trust_env=False, timeout=60)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
    page = {"Origin": "http://localhost:8888"}
    asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,x-no-cache"}
    preflight = httpx.options(url, headers={**page, **asks}, trust_env=False, timeout=60)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == asks["Access-Control-Request-Headers"]
    assert preflight.headers["access-control-allow-origin"] == page["Origin"]
    allowed = httpx.get(url, headers=page, trust_env=False, timeout=60)
    assert allowed.status_code == 401
    assert allowed.headers["access-control-allow-origin"] == page["Origin"]


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
        message = send(bob, channel["channelId"], "hello")["messages"][0]
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
