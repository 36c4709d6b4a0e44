"""Posts, communities and images in the service's REST."""

from __future__ import annotations

from tests.rest.conftest import Caller

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


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
