"""What a network's administrator may take away: whole tables as files, and how communities do.

The vendor's specification names the kinds and that a 302 leads to a file, but neither paths nor columns: those are
*choices* here. Files are CSV, made while they are sent, behind addresses that hold for ten minutes.
"""

from __future__ import annotations

import csv
import io
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from spnb.sandbox.clock import moment, stamp
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.refused import Refused, answer
from spnb.sandbox.rest.roles import PERMISSIONS
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Collection, Store
from spnb.sandbox.written import written

__all__ = ["routes"]

RECENT = timedelta(days=90)
ADDRESS_SECONDS = 600.0
MOST_ADDRESSES = 1000
ROWS_AT_ONCE = 500
MOST_DAYS = 366

Rows = tuple[Callable[[Store], Collection], Callable[[Store, Json], bool], tuple[str, ...], bool]
TABLES: dict[str, Rows] = {
    "users": (
        lambda store: store.users,
        lambda _store, user: not user["isDeleted"],
        ("userId", "displayName", "roles", "metadata", "createdAt", "updatedAt"),
        False,
    ),
    "communities": (
        lambda store: store.communities,
        lambda _store, community: not community["isDeleted"],
        ("communityId", "displayName", "description", "isPublic", "tags", "metadata", "createdAt", "updatedAt"),
        False,
    ),
    "community_members": (
        lambda store: store.members,
        # channels have members too, in the same collection
        lambda store, member: member["membership"] == "member" and store.communities.get(member["scopeId"]) is not None,
        ("communityId", "userId", "roles", "createdAt"),
        False,
    ),
    "posts_last_90d": (
        lambda store: store.posts,
        lambda _store, post: not post["isDeleted"],
        ("postId", "postedUserPublicId", "targetType", "targetId", "dataType", "impression", "reach", "createdAt"),
        True,
    ),
    "comments_last_90d": (
        lambda store: store.comments,
        lambda _store, comment: not comment["isDeleted"],
        ("commentId", "userId", "referenceType", "referenceId", "createdAt"),
        True,
    ),
    "reactions_last_90d": (
        lambda store: store.reactions,
        lambda _store, _reaction: True,
        ("reactionId", "userId", "referenceType", "referenceId", "reactionName", "createdAt"),
        True,
    ),
}
"""Where the rows of each kind are, which count, their columns, and whether only recent ones are told."""


def routes(services: Services) -> list[BaseRoute]:
    """First-party routes; all but the file's own address need an administrator's token (`POST /api/v1/admin-token`)."""
    addresses: dict[str, tuple[str, float]] = {}

    async def export(call: Call) -> Response:
        """302 to a file of all rows of a kind."""
        _check_administrator(call)
        kind = call.query.need("dataType")
        if kind not in TABLES and kind != "roles":
            raise Refused.invalid([f"dataType: one of {', '.join(sorted([*TABLES, 'roles']))}"])
        now = time.monotonic()
        for old in [name for name, (_, until) in addresses.items() if until < now]:
            del addresses[old]
        if len(addresses) >= MOST_ADDRESSES:
            raise Refused(429, 400311, "Too many exports are waiting to be fetched: try again in ten minutes")
        name = secrets.token_urlsafe(24)
        addresses[name] = (kind, now + ADDRESS_SECONDS)
        return RedirectResponse(f"{call.base_url}/exports/{name}.csv", status_code=302)

    async def content(request: Request) -> Response:
        kind, until = addresses.get(request.path_params["name"], ("", 0.0))
        if until < time.monotonic():
            return Response(status_code=404)
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        return StreamingResponse(_lines(services.store, kind), media_type="text/csv; charset=utf-8", headers=headers)

    return [
        serve(services, "GET", "/api/v1/analytics/first-party-data", export),
        serve(services, "GET", "/api/v1/analytics/community-metrics/{communityId}", community_metrics),
        Route("/exports/{name}.csv", content, methods=["GET"]),
    ]


def _check_administrator(call: Call) -> None:
    session = call.store.sessions.get(call.services.tokens.token_id(call.request))
    if session is None or not str(session["deviceId"]).startswith("admin-token:"):
        raise Refused.forbidden("Only an administrator's token may read this: POST /api/v1/admin-token gives one")


async def _lines(store: Store, kind: str) -> AsyncIterator[str]:
    if kind == "roles":
        yield _csv([["roleId", "permissions"]])
        yield _csv([name, _cell(list(PERMISSIONS[name]))] for name in PERMISSIONS)
        return
    where, counts, columns, recent = TABLES[kind]
    since = stamp(store.clock() - RECENT) if recent else ""
    yield _csv([columns])
    start: int | None = None
    while True:
        page = where(store).page({}, limit=ROWS_AT_ONCE, start=start)
        kept = [row for row in page.documents if counts(store, row) and row.get("createdAt", "") >= since]
        yield _csv([_cell(_value(row, name)) for name in columns] for row in kept)
        if page.next is None:
            return
        start = page.next
        await anyio.lowlevel.checkpoint()  # others are served in between


def _value(row: Json, name: str) -> Any:
    return row.get("scopeId") if name == "communityId" and "scopeId" in row else row.get(name)


def _cell(value: Any) -> Any:
    return written(value).decode() if isinstance(value, (dict, list)) else value


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue()


async def community_metrics(call: Call) -> Response:
    """How a community does, by day or in all: posts, comments and reactions (together its activities), who belonged to
    it, and the day of the week and hour (UTC) with most activities."""
    _check_administrator(call)
    community_id = call.path("communityId")
    community = call.store.communities.get(community_id)
    if community is None or community["isDeleted"]:
        raise Refused.not_found(f"Community {community_id!r}")
    now = call.store.clock()
    since = _day(call, "startDate", stamp(now - timedelta(days=29))[:10])
    until = _day(call, "endDate", stamp(now)[:10])
    length = (moment(f"{until}T00:00:00.000Z") - moment(f"{since}T00:00:00.000Z")).days + 1
    if not 1 <= length <= MOST_DAYS:
        raise Refused.invalid([f"endDate: 0 to {MOST_DAYS - 1} days after startDate"])
    by_day = call.query.choice("interval", ("day", "all"), "day") == "day"
    posts = call.store.posts.find({"targetType": "community", "targetId": community_id, "isDeleted": 0})
    ids = [post["postId"] for post in posts]
    acts = {"posts": posts, "comments": _on(call.store.comments, ids), "reactions": _on(call.store.reactions, ids)}
    members = call.store.members.find({"scopeId": community_id, "membership": "member"})
    days = [stamp(moment(f"{since}T00:00:00.000Z") + timedelta(days=n))[:10] for n in range(length)]
    counted = {name: Counter(row["createdAt"][:10] for row in rows) for name, rows in acts.items()}
    joined = [member["createdAt"][:10] for member in members]
    spans = [(day, day) for day in days] if by_day else [(since, until)]
    metrics = [_metric(first, last, counted, joined) for first, last in spans]
    times = [
        moment(row["createdAt"]) for rows in acts.values() for row in rows if since <= row["createdAt"][:10] <= until
    ]
    weekdays, hours = Counter(f"{at:%A}" for at in times), Counter(at.hour for at in times)
    return answer(
        {
            "communityId": community_id,
            "startDate": since,
            "endDate": until,
            "metrics": metrics,
            "mostActiveDay": weekdays.most_common(1)[0][0] if weekdays else None,
            "mostActiveHour": hours.most_common(1)[0][0] if hours else None,
        }
    )


def _metric(first: str, last: str, counted: dict[str, Counter[str]], joined: list[str]) -> Json:
    sums = {name: sum(n for day, n in days.items() if first <= day <= last) for name, days in counted.items()}
    return {
        "date": first,
        **sums,
        "activities": sum(sums.values()),
        "members": sum(day <= last for day in joined),
        "newMembers": sum(first <= day <= last for day in joined),
    }


def _on(collection: Collection, post_ids: list[str]) -> list[Json]:
    """Comments or reactions on these posts that stand."""
    found: list[Json] = []
    for start in range(0, len(post_ids), ROWS_AT_ONCE):
        wanted = {"referenceId": post_ids[start : start + ROWS_AT_ONCE]}
        found += collection.find(wanted, accept=lambda row: not row.get("isDeleted"))
    return found


def _day(call: Call, name: str, otherwise: str) -> str:
    told = call.query.one(name) or otherwise
    try:
        return stamp(moment(f"{told[:10]}T00:00:00.000Z"))[:10]
    except ValueError:
        raise Refused.invalid([f"{name}: a date such as 2026-03-01"]) from None
