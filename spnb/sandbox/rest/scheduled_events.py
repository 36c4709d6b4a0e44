"""Events that are announced before they happen, and who will come (social.plus events, SDK 7.20 `EventRepository`).

An event belongs to a community; its talk is in a community of its own, which those join who come. Its stream is the
room that is posted there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import moment, new_id, stamp
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.communities import announce_community, discussion_of
from spnb.sandbox.rest.notification_tray import note
from spnb.sandbox.rest.posts import moderates_community
from spnb.sandbox.rest.query import paging, sliced
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.social_payloads import community_payload, post_payload
from spnb.sandbox.rest.sound import WireTime
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]

LASTS = timedelta(hours=1)
"""How long an event without an end lasts (a choice)."""
SETTLED = timedelta(minutes=15)
"""So long before its start nobody may say any more that they come after all."""
STATUSES = ("scheduled", "live", "ended", "cancelled")
Kind = Literal["virtual", "in_person"]
Response = Literal["going", "interested", "not_going"]
RESPONSES = ("going", "interested", "not_going")
Tags = Annotated[list[Annotated[str, Field(max_length=24)]], Field(max_length=5)]


class EventFields(BaseModel):
    description: str | None = Field(default=None, max_length=1000)
    endTime: WireTime | None = None
    location: str | None = Field(default=None, max_length=200)
    externalUrl: str | None = Field(default=None, max_length=2000)
    coverImageFileId: str | None = Field(default=None, max_length=50)
    isInviteOnly: bool | None = None
    isLocationVisible: bool | None = None
    tags: Tags | None = None
    metadata: dict[str, Any] | None = None


class EventCreate(EventFields):
    title: str = Field(min_length=1, max_length=60, pattern=r"\S")
    type: Kind
    startTime: WireTime = Field(min_length=1)
    originType: Literal["community"]
    originId: str = Field(min_length=1, max_length=100)


class EventUpdate(EventFields):
    title: str | None = Field(default=None, min_length=1, max_length=60, pattern=r"\S")
    type: Kind | None = None
    startTime: WireTime | None = Field(default=None, min_length=1)
    status: Literal["cancelled"] | None = None


class ResponseWish(BaseModel):
    status: Response


def routes(services: Services) -> list[BaseRoute]:
    """Event routes; that with a name of its own comes before `{eventId}`."""
    base = "/api/v1/events"
    one_event = f"{base}/{{eventId}}"
    return [
        serve(services, "POST", base, create),
        serve(services, "GET", base, listed),
        serve(services, "GET", f"{base}/me/rsvps", mine),
        serve(services, "GET", one_event, one),
        serve(services, "PUT", one_event, update),
        serve(services, "DELETE", one_event, delete),
        serve(services, "POST", f"{one_event}/rsvp", respond),
        serve(services, "PUT", f"{one_event}/rsvp", change_response),
        serve(services, "GET", f"{one_event}/rsvp", attendees),
        serve(services, "GET", f"{one_event}/me/rsvp", my_response),
    ]


def _status(call: Call, event: Json) -> str:
    """What an event is by the clock; a cancelled one stays so."""
    if event["status"] == "cancelled":
        return "cancelled"
    now = call.store.clock()
    return "scheduled" if now < moment(event["startTime"]) else "live" if now < moment(event["endTime"]) else "ended"


def _shown(call: Call, event: Json) -> Json:
    counts = {name: call.store.responses.count({"eventId": event["eventId"], "status": name}) for name in RESPONSES}
    community = call.store.communities.get(event["originId"])
    # The room that was posted where the event is talked about: SDKs find it by the post.
    posts = call.store.posts.find(
        {"targetType": "community", "targetId": event["discussionCommunityId"], "parentPostId": "", "isDeleted": 0},
        newest_first=True,
        accept=lambda post: post["structureType"] == "room",
        limit=1,
    )
    child = call.store.posts.get(posts[0]["children"][0]) if posts else None
    found = {"postId": posts[0]["postId"], "livestreamId": child["data"].get("roomId")} if child else {}
    return {
        **event,
        **found,
        "status": _status(call, event),
        "rsvpCount": counts["going"],
        "interestedCount": counts["interested"],
        "isOriginPublic": bool(community and community["isPublic"]),
    }


def _told(call: Call, events: list[Json], responses: list[Json] | None = None, *, told_to: Json | None = None) -> Json:
    """The event envelope.

    Args:
        told_to: who reads; None in events of MQTT.
    """
    shown = [_shown(call, event) for event in events]
    responses = responses or []
    people = [event["userInternalId"] for event in events] + [each["userInternalId"] for each in responses]
    places = [event["originId"] for event in events] + [event["discussionCommunityId"] for event in events]
    communities = community_payload(call.store, call.store.communities.get_many(places), reader=told_to)
    posts = post_payload(
        call.store,
        call.services.stage,
        call.store.posts.get_many([event["postId"] for event in shown if "postId" in event]),
        reader=told_to,
        base_url=call.base_url,
    )
    users = {user["_id"]: user for user in (*call.store.users.get_many(people), *communities["users"], *posts["users"])}
    files = call.store.files.get_many([event.get("coverImageFileId") or "" for event in events])
    return {
        "events": shown,
        "eventResponses": responses,
        "users": list(users.values()),
        "files": list({each["fileId"]: each for each in (*files, *communities["files"], *posts["files"])}.values()),
        "communities": communities["communities"],
        "communityUsers": communities["communityUsers"],
        "posts": [*posts["posts"], *posts["postChildren"]],
        "rooms": posts["rooms"],
    }


def _event(call: Call, event_id: str | None = None) -> Json:
    event_id = event_id or call.path("eventId")
    event = call.store.scheduled_events.get(event_id)
    if event is None or event["isDeleted"] or not _visible(call, event):
        raise Refused.not_found(f"Event {event_id!r}")
    return event


def _visible(call: Call, event: Json) -> bool:
    community = call.store.communities.get(event["originId"])
    return community is not None and (community["isPublic"] or _member(call, event))


def _member(call: Call, event: Json) -> bool:
    return call.store.membership(event["originId"], call.user_id) == "member"


def _own(call: Call, doing: str) -> Json:
    event = _event(call)
    if event["userId"] != call.user_id and not moderates_community(call, event["originId"]):
        raise Refused.forbidden(f"Only who made the event or a moderator of its community may {doing} it")
    return event


def _times(call: Call, start: str, end: str | None) -> tuple[str, str]:
    """Start and end in UTC, which must lie ahead and in this order."""
    begins = _moment(start)
    ends = _moment(end) if end else begins + LASTS
    if begins <= call.store.clock():
        raise Refused.bad_request("startTime: an event starts in the future")
    if ends <= begins:
        raise Refused.bad_request("endTime: an event ends after its start")
    return stamp(begins), stamp(ends)


def _moment(text: str) -> datetime:
    found = moment(text)
    if found.tzinfo is None:
        raise Refused.invalid([f"{text!r} names no time zone: end it with Z, or with an offset from UTC"])
    return found


def _check(event: Json) -> None:
    if event["type"] == "in_person" and not event.get("location"):
        raise Refused.bad_request("location: an event in person has a place")


async def create(call: Call) -> Json:
    """A new event of a community that the caller is a member of (SDK: `createEvent`)."""
    wish = call.read(EventCreate)
    community = call.store.communities.get(wish.originId)
    if community is None or community["isDeleted"]:
        raise Refused.not_found(f"Community {wish.originId!r}")
    if call.store.membership(wish.originId, call.user_id) != "member":
        raise Refused.forbidden("Only members make events: join the community first")
    starts, ends = _times(call, wish.startTime, wish.endTime)
    event_id, at = new_id(), call.store.now()
    event = {
        "isInviteOnly": False,
        "isLocationVisible": True,
        "description": "",
        "tags": [],
        "metadata": {},
        **wish.model_dump(exclude_none=True),
        "_id": event_id,
        "eventId": event_id,
        "publicId": event_id,
        "userId": call.user_id,
        "userPublicId": call.user_id,
        "userInternalId": call.user["_id"],
        "status": "scheduled",
        "startTime": starts,
        "endTime": ends,
        "isDeleted": False,
        "createdAt": at,
        "updatedAt": at,
    }
    _check(event)
    event["discussionCommunityId"] = discussion_of(call, wish.title)
    call.store.scheduled_events.insert(event)
    _announce(call, "event.created", event)
    for member in call.store.members.find({"scopeId": wish.originId, "membership": "member"}):
        user = call.store.user_by_public_id(member["userId"])
        if user is not None:
            where = {"targetId": wish.originId, "targetType": "community", "actionReferenceId": event_id}
            about = {"actionType": "event", "referenceType": "event", "referenceId": event_id}
            note(call, user, "event_created", f"{call.user['displayName']} announced {wish.title}", **where, **about)
    return _told(call, [event], told_to=call.user)


def _announce(call: Call, event_type: str, event: Json) -> None:
    community = call.store.communities.get(event["originId"])
    if community is not None:
        call.publish([community["path"]], event_type, _told(call, [event]), subject_id=event["eventId"])


async def listed(call: Call) -> Json:
    """Events by origin, type, status, tags and time (SDK: `getEvents`)."""
    query = call.query
    tags, status = set(query.many("tags")), query.one("status")
    if status is not None:
        query.choice("status", STATUSES, "scheduled")
    since, until = query.one("startTimeGte"), query.one("startTimeLte")
    first, last = (None if text is None else stamp(_asked(text)) for text in (since, until))
    attending = query.flag("onlyAttendee") is True

    def accept(event: Json) -> bool:
        return (
            _visible(call, event)
            and status in (None, _status(call, event))
            and (not tags or bool(tags & set(event["tags"])))
            and (first is None or event["startTime"] >= first)
            and (last is None or event["startTime"] <= last)
            and (not attending or ((found := _response(call, event)) is not None and found["status"] == "going"))
        )

    where = {name: query.one(name) for name in ("originType", "originId", "type", "userId")}
    return _paged(call, call.store.scheduled_events.find({**where, "isDeleted": 0}, accept=accept))


def _asked(text: str) -> datetime:
    try:
        return _moment(text)
    except ValueError:
        raise Refused.invalid([f"{text!r} is no time: write it as 2026-01-31T18:00:00Z"]) from None


def _paged(call: Call, events: list[Json], responses: dict[str, Json] | None = None) -> Json:
    wish = call.query.page(default=20)
    field = call.query.choice("sortBy", ("startTime", "createdAt"), "startTime")
    down = call.query.choice("orderBy", ("asc", "desc"), "asc") == "desc"
    events.sort(key=lambda event: (str(event[field]), str(event["eventId"])), reverse=down)
    page = sliced(events, wish)
    shown = [responses[event["eventId"]] for event in page.documents] if responses else []
    return {**_told(call, page.documents, shown, told_to=call.user), "paging": paging(page, wish.limit)}


async def one(call: Call) -> Json:
    """One event (SDK: `getEvent`)."""
    return _told(call, [_event(call)], told_to=call.user)


async def update(call: Call) -> Json:
    """Change an event that has not begun, or cancel it (SDK: `updateEvent`)."""
    event, wish = _own(call, "change"), call.read(EventUpdate)
    if _status(call, event) in ("ended", "cancelled"):
        raise Refused.bad_request(f"The event is {_status(call, event)}: it cannot be changed any more")
    fields = wish.model_dump(exclude_none=True)
    if "startTime" in fields or "endTime" in fields:
        starts, ends = _times(call, wish.startTime or event["startTime"], wish.endTime or event["endTime"])
        fields |= {"startTime": starts, "endTime": ends}
    changed = {**event, **fields, "updatedAt": call.store.now()}
    _check(changed)
    call.store.scheduled_events.save(changed)
    _announce(call, "event.updated", changed)
    return _told(call, [changed], told_to=call.user)


async def delete(call: Call) -> Json:
    """Take an event out of all lists (SDK: `deleteEvent`)."""
    changed = {**_own(call, "delete"), "isDeleted": True, "updatedAt": call.store.now()}
    call.store.scheduled_events.save(changed)
    _announce(call, "event.deleted", changed)
    return {"success": True}


def _response(call: Call, event: Json) -> Json | None:
    return call.store.responses.get(f"{event['eventId']}:{call.user_id}")


async def respond(call: Call) -> Json:
    """Say whether one comes, for the first time (SDK: `event.createRSVP`)."""
    event, wish = _open(call), call.read(ResponseWish)
    if _response(call, event) is not None:
        raise Refused(409, 400900, "There is a response of this user already: change it with PUT")
    return _respond(call, event, wish.status, "event.rsvp.created")


async def change_response(call: Call) -> Json:
    """Say something else (SDK: `event.updateRSVP`)."""
    event, wish = _open(call), call.read(ResponseWish)
    if _response(call, event) is None:
        raise Refused.not_found("A response of this user")
    if wish.status != "not_going" and call.store.clock() >= moment(event["startTime"]) - SETTLED:
        raise Refused.bad_request("In the last 15 minutes one can only say that one does not come")
    return _respond(call, event, wish.status, "event.rsvp.updated")


def _open(call: Call) -> Json:
    event = _event(call)
    if _status(call, event) in ("ended", "cancelled"):
        raise Refused.bad_request(f"The event is {_status(call, event)}")
    if not _member(call, event):
        raise Refused.forbidden("Only members of the community may respond: join it first")
    return event


def _respond(call: Call, event: Json, status: str, event_type: str) -> Json:
    at = call.store.now()
    before = _response(call, event)
    response = {
        "_id": f"{event['eventId']}:{call.user_id}",
        "eventId": event["eventId"],
        "userId": call.user_id,
        "userPublicId": call.user_id,
        "userInternalId": call.user["_id"],
        "status": status,
        "respondedAt": at,
        "createdAt": before["createdAt"] if before else at,
        "updatedAt": at,
    }
    call.store.responses.put(response)
    _talk(call, event["discussionCommunityId"], joins=status == "going", event=event)
    # Not to all: SDK 7.20 looks responses up by another key than it keeps them by, and fails at hearing of one.
    data = _told(call, [event], [response])
    for where in {call.user["_id"], event["userInternalId"]}:
        call.publish(topics.user(call.store.network_id, where), event_type, data, subject_id=event["eventId"])
    _announce(call, "event.updated", event)
    return _told(call, [event], [response], told_to=call.user)


def _talk(call: Call, community_id: str, *, joins: bool, event: Json) -> None:
    """Who comes is a member where the event is talked about; who made the event stays one."""
    community = call.store.communities.get(community_id)
    is_member = call.store.membership(community_id, call.user_id) == "member"
    if community is None or joins == is_member or (not joins and event["userId"] == call.user_id):
        return
    call.store.set_membership(community_id, call.user_id, "member" if joins else "none", roles=[])
    announce_community(call, "community.joined" if joins else "community.left", community, call.user_id)


async def attendees(call: Call) -> Json:
    """Who responded to an event (SDK: `event.getRSVPs`)."""
    event, wish = _event(call), call.query.page(default=20)
    page = call.store.responses.page(
        {"eventId": event["eventId"], "status": call.query.many("status") or None}, limit=wish.limit, start=wish.start
    )
    return {**_told(call, [event], page.documents, told_to=call.user), "paging": paging(page, wish.limit)}


async def my_response(call: Call) -> Json:
    """The caller's own response to an event (SDK: `event.getMyRSVP`)."""
    event = _event(call)
    if (found := _response(call, event)) is None:
        raise Refused.not_found("A response of this user")
    return _told(call, [event], [found], told_to=call.user)


async def mine(call: Call) -> Json:
    """Events that the caller responded to (SDK: `getMyEvents`)."""
    where = {"userPublicId": call.user_id, "status": call.query.many("status") or None}
    responses = {each["eventId"]: each for each in call.store.responses.find(where)}
    events = [event for event in call.store.scheduled_events.get_many(list(responses)) if not event["isDeleted"]]
    return _paged(call, [event for event in events if _visible(call, event)], responses)
