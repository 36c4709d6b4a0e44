"""Chat and reactions in the service's REST."""

from __future__ import annotations

import uuid
from typing import Any

from tests.rest.conftest import Caller


def live_chat(host: Caller) -> dict[str, Any]:
    room = host.room("With chat")
    post = host.room_post(room)["posts"][0]
    body = {"type": "live", "displayName": "Chat", "postId": post["postId"], "roomId": room["roomId"]}
    channel = host.post("/api/v3/channels", body)["channels"][0]
    assert host.get(f"/api/v1/rooms/{room['roomId']}")["rooms"][0]["liveChannelId"] == channel["channelId"]
    assert host.post("/api/v3/channels", body, expect=409)["code"] == 400900
    return channel


def test_live_chat_keeps_order_and_sends_once(host: Caller, guest: Caller) -> None:
    feed = live_chat(host)["channelId"]
    first = host.send(feed, "one", referenceId="r1")["messages"][0]
    again = host.send(feed, "one", referenceId="r1")["messages"][0]
    assert first["messageId"] == again["messageId"]
    reply = guest.send(feed, "two", parentId=first["messageId"])["messages"][0]
    others = [guest.send(feed, f"m{number}")["messages"][0] for number in range(8)]
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
        assert host.send(feed, text, expect=code)
    assert host.send("nowhere", "x", expect=404)
    assert host.post("/api/v5/messages", {"data": {"text": "x"}}, expect=422)
    assert host.send(feed, "x", parentId="none", expect=404)
    reference = f"LOCAL_{uuid.uuid4()}"
    assert host.send(feed, "x", referenceId=reference)["messages"][0]["referenceId"] == reference
    assert host.send(feed, "x", referenceId="x" * 101, expect=422)


def test_messages_are_edited_deleted_and_flagged(host: Caller, guest: Caller) -> None:
    feed = live_chat(host)["channelId"]
    message = guest.send(feed, "first")["messages"][0]
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
    assert guest.send(feed, "x", expect=403)["code"] == 400304
    assert guest.post(f"{path}/join", expect=403)["code"] == 400304
    host.call("PUT", f"{path}/users/unban", {"userIds": ["guest"]})
    host.call("PUT", f"/api/v2/channel/{feed}/users/mute", {"userIds": ["guest"], "mutePeriod": -1})
    assert guest.send(feed, "x", expect=403)["code"] == 400302
    host.call("PUT", f"/api/v2/channel/{feed}/users/mute", {"userIds": ["guest"], "mutePeriod": 0})
    assert guest.send(feed, "free")
    host.call("PUT", f"/api/v2/channel/{feed}/mute", {"mutePeriod": 60_000})
    assert guest.send(feed, "x", expect=403)["code"] == 400303
    assert host.send(feed, "moderators speak")
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
    assert host.send(feed, "closed", expect=404)
    standard = host.post("/api/v3/channels", {"type": "community", "displayName": "Closed"})["channels"][0]
    assert guest.send(standard["channelId"], "x", expect=403)["code"] == 400301


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
    message = host.send(live_chat(host)["channelId"], "m")["messages"][0]
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
