"""Rooms in the service's REST: fields, filters, pages, credentials, presence, co-hosts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller


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
