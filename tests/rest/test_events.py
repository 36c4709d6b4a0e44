"""Events that are announced, over plain HTTP: who may make and answer them, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.rest.conftest import Caller, Json

EVENTS = "/api/v1/events"


def ahead(**much: float) -> str:
    return (datetime.now(UTC) + timedelta(**much)).isoformat()


@pytest.fixture
def place(host: Caller, guest: Caller) -> str:
    """A private community of host and guest."""
    made = host.post("/api/v3/communities", {"displayName": "Hall", "isPublic": False, "userIds": [guest.user_id]})
    return str(made["communities"][0]["communityId"])


def announced(caller: Caller, place: str, **fields: Any) -> Json:
    body = {"title": "Concert", "type": "virtual", "originType": "community", "originId": place, **fields}
    found: Json = caller.post(EVENTS, {"startTime": ahead(days=1), **body})["events"][0]
    return found


def test_an_event_has_rules(host: Caller, guest: Caller, sandbox: Any, place: str) -> None:
    body = {"title": "Concert", "type": "virtual", "originType": "community", "originId": place}
    host.post(EVENTS, {**body, "startTime": ahead(days=-1)}, expect=400)
    host.post(EVENTS, {**body, "startTime": ahead(days=2), "endTime": ahead(days=1)}, expect=400)
    host.post(EVENTS, {**body, "startTime": "tomorrow"}, expect=422)
    host.post(EVENTS, {**body, "startTime": "2190-01-01T00:00:00"}, expect=422)
    host.post(EVENTS, {**body, "startTime": ahead(days=1), "type": "in_person"}, expect=400)
    host.post(EVENTS, {**body, "startTime": ahead(days=1), "title": "x" * 61}, expect=422)
    event = announced(host, place, type="in_person", location="Town hall", tags=["music"])
    assert (event["status"], event["rsvpCount"], event["isOriginPublic"]) == ("scheduled", 0, False)
    one = f"{EVENTS}/{event['eventId']}"
    stranger = Caller(sandbox, "events-stranger")
    stranger.post(EVENTS, {**body, "startTime": ahead(days=1)}, expect=403)
    stranger.get(one, expect=404)
    assert stranger.get(EVENTS, originId=place)["events"] == []
    guest.call("PUT", one, {"title": "Mine"}, expect=403)
    guest.call("DELETE", one, expect=403)
    assert host.call("PUT", one, {"title": "Recital"})["events"][0]["title"] == "Recital"
    assert [each["eventId"] for each in guest.get(EVENTS, originId=place, **{"tags[]": "music"})["events"]] == [
        event["eventId"]
    ]
    assert guest.get(EVENTS, originId=place, status="cancelled")["events"] == []
    assert guest.get(EVENTS, originId=place, startTimeGte=ahead(days=2))["events"] == []
    guest.get(EVENTS, startTimeLte="never", expect=422)
    host.call("PUT", one, {"status": "cancelled"})
    guest.post(f"{one}/rsvp", {"status": "going"}, expect=400)
    host.call("DELETE", one)
    guest.get(one, expect=404)
    stranger.http.close()


def test_events_are_sorted_and_paged(host: Caller, place: str) -> None:
    titles = [announced(host, place, title=f"Day {day}", startTime=ahead(days=day))["title"] for day in (3, 1, 2)]
    order = {"originId": place, "sortBy": "startTime", "orderBy": "desc"}
    first = host.get(EVENTS, **order, **{"options[limit]": 2})
    rest = host.get(EVENTS, **order, **{"options[token]": first["paging"]["next"]})
    assert [event["title"] for event in (*first["events"], *rest["events"])] == ["Day 3", "Day 2", "Day 1"]
    assert "next" not in rest["paging"]
    assert [event["title"] for event in host.get(EVENTS, originId=place, sortBy="createdAt")["events"]] == titles


def test_who_comes_is_let_in_where_it_is_talked_about(host: Caller, guest: Caller, place: str) -> None:
    event = announced(host, place)
    rsvp, talk = f"{EVENTS}/{event['eventId']}/rsvp", f"/api/v3/communities/{event['discussionCommunityId']}"
    guest.get(f"{EVENTS}/{event['eventId']}/me/rsvp", expect=404)
    guest.call("PUT", rsvp, {"status": "going"}, expect=404)
    assert guest.post(rsvp, {"status": "going"})["eventResponses"][0]["status"] == "going"
    guest.post(rsvp, {"status": "interested"}, expect=409)
    assert guest.get(talk)["communities"][0]["isJoined"] is True
    told = host.get(rsvp, **{"status[]": "going"})
    assert [each["userId"] for each in told["eventResponses"]] == [guest.user_id]
    assert told["events"][0]["rsvpCount"] == 1
    mine = guest.get(f"{EVENTS}/me/rsvps", **{"status[]": "going"})
    assert event["eventId"] in [each["eventId"] for each in mine["events"]]
    assert len(mine["events"]) == len(mine["eventResponses"])
    guest.call("PUT", rsvp, {"status": "not_going"})
    assert guest.get(talk)["communities"][0]["isJoined"] is False
    host.post(rsvp, {"status": "not_going"})
    assert host.get(talk)["communities"][0]["isJoined"] is True, "who made the event stays"


def test_the_clock_moves_an_event(host: Caller, guest: Caller, place: str) -> None:
    soon = announced(host, place, startTime=ahead(minutes=10))
    rsvp = f"{EVENTS}/{soon['eventId']}/rsvp"
    guest.post(rsvp, {"status": "going"})
    guest.call("PUT", rsvp, {"status": "interested"}, expect=400)
    guest.call("PUT", rsvp, {"status": "not_going"})
    now = announced(host, place, startTime=ahead(seconds=1), endTime=ahead(seconds=2))
    seen = ["scheduled"]
    while seen[-1] != "ended":
        status = host.get(f"{EVENTS}/{now['eventId']}")["events"][0]["status"]
        seen += [status] if status != seen[-1] else []
    # A busy machine may have looked away while it was live.
    assert seen in (["scheduled", "live", "ended"], ["scheduled", "ended"])
    guest.post(f"{EVENTS}/{now['eventId']}/rsvp", {"status": "going"}, expect=400)
    assert [each["eventId"] for each in host.get(EVENTS, originId=place, status="ended")["events"]] == [now["eventId"]]


def test_the_room_posted_where_an_event_is_talked_about_is_its_stream(host: Caller, place: str) -> None:
    event, room = announced(host, place), host.room("Concert")
    posted = host.room_post(room, targetType="community", targetId=event["discussionCommunityId"])
    told = host.get(f"{EVENTS}/{event['eventId']}")
    assert (told["events"][0]["livestreamId"], told["events"][0]["postId"]) == (
        room["roomId"],
        posted["posts"][0]["postId"],
    )
    assert [each["roomId"] for each in told["rooms"]] == [room["roomId"]]
