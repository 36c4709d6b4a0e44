"""Polls, which posts carry."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import moment, new_id, stamp
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.social_payloads import shown_poll
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]

LONGEST = 365 * 86_400_000


class AnswerWish(BaseModel):
    dataType: Literal["text", "image"] = "text"
    data: str = Field(default="", max_length=1000)
    fileId: str | None = None


class PollCreate(BaseModel):
    question: str = Field(min_length=1, max_length=5000)
    title: str | None = Field(default=None, max_length=1000)
    answers: list[AnswerWish] = Field(min_length=2, max_length=10)
    answerType: Literal["single", "multiple"] = "single"
    closedIn: int | None = Field(default=None, ge=0, le=LONGEST)
    """Milliseconds until the poll closes by itself."""


class PollChange(BaseModel):
    status: Literal["closed"]


class Votes(BaseModel):
    answerIds: list[str] = Field(max_length=10)


def routes(services: Services) -> list[BaseRoute]:
    """Poll routes (SDK: `PollRepository`)."""
    base = "/api/v3/polls"
    return [
        serve(services, "POST", base, create),
        serve(services, "GET", f"{base}/{{pollId}}", one),
        serve(services, "PUT", f"{base}/{{pollId}}", close),
        serve(services, "DELETE", f"{base}/{{pollId}}", delete),
        serve(services, "POST", f"{base}/{{pollId}}/votes", vote),
        serve(services, "PUT", f"{base}/{{pollId}}/votes", vote),
    ]


def _poll(call: Call) -> Json:
    poll = call.store.polls.get(call.path("pollId"))
    if poll is None or poll["isDeleted"]:
        raise Refused.not_found(f"Poll {call.path('pollId')!r}")
    if poll["status"] == "open" and poll["closedAt"] and moment(poll["closedAt"]) <= call.store.clock():
        return call.store.polls.save({**poll, "status": "closed"})
    return poll


def _told(call: Call, poll: Json) -> Json:
    return {
        "polls": [shown_poll(call.store, poll, call.user)],
        "users": call.store.users.get_many([poll["userInternalId"]]),
        "files": [],
    }


async def create(call: Call) -> Json:
    """A new poll; it is seen once a post carries it."""
    wish = call.read(PollCreate)
    poll_id, at = new_id(), call.store.now()
    closes = stamp(call.store.clock() + timedelta(milliseconds=wish.closedIn)) if wish.closedIn else None
    answers = [{"id": new_id(), **each.model_dump(exclude_none=True)} for each in wish.answers]
    poll = {
        "_id": poll_id,
        "pollId": poll_id,
        "userId": call.user_id,
        "userInternalId": call.user["_id"],
        "question": wish.question,
        "title": wish.title,
        "answers": answers,
        "answerType": wish.answerType,
        "status": "open",
        "closedIn": wish.closedIn or 0,
        "closedAt": closes,
        "isDeleted": False,
        "createdAt": at,
        "updatedAt": at,
    }
    return _told(call, call.store.polls.insert(poll))


async def one(call: Call) -> Json:
    """One poll."""
    return _told(call, _poll(call))


def _own(call: Call) -> Json:
    poll = _poll(call)
    if poll["userId"] != call.user_id:
        raise Refused.forbidden("Only who made the poll may change it")
    return poll


async def close(call: Call) -> Json:
    """Take no more votes."""
    poll, _ = _own(call), call.read(PollChange)
    at = call.store.now()
    return _announced(call, call.store.polls.save({**poll, "status": "closed", "closedAt": at, "updatedAt": at}))


async def delete(call: Call) -> Json:
    """Remove the caller's poll."""
    _publish(
        call, "poll.deleted", call.store.polls.save({**_own(call), "isDeleted": True, "updatedAt": call.store.now()})
    )
    return {"success": True}


async def vote(call: Call) -> Json:
    """Vote, in place of an earlier vote; no answers take it back."""
    poll, wish = _poll(call), list(dict.fromkeys(call.read(Votes).answerIds))
    if poll["status"] != "open":
        raise Refused.bad_request("The poll is closed")
    if unknown := set(wish) - {answer["id"] for answer in poll["answers"]}:
        raise Refused.not_found(f"Answer {unknown.pop()!r}")
    if poll["answerType"] == "single" and len(wish) > 1:
        raise Refused.bad_request("The poll takes one answer")
    for before in call.store.votes.find({"pollId": poll["pollId"], "userId": call.user_id}):
        call.store.votes.delete(before["_id"])
    for answer_id in wish:
        key = f"{poll['pollId']}:{answer_id}:{call.user_id}"
        call.store.votes.put({"_id": key, "pollId": poll["pollId"], "answerId": answer_id, "userId": call.user_id})
    return _announced(call, poll)


def _announced(call: Call, poll: Json) -> Json:
    _publish(call, "poll.updated", poll)
    return _told(call, poll)


def _publish(call: Call, event_type: str, poll: Json) -> None:
    data = {"polls": [shown_poll(call.store, poll, None)], "users": []}
    carriers = call.store.posts.find({"dataType": "poll"})
    for post in [each for each in carriers if each["data"].get("pollId") == poll["pollId"]]:
        call.publish([post["path"]], event_type, data, subject_id=poll["pollId"])
