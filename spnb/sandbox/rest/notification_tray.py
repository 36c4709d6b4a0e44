"""The notification tray: what others did that concerns a user, and what of it the user has seen."""

from __future__ import annotations

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rooms.ports import Json

__all__ = ["note", "note_mentions", "place_of", "routes"]

LONG_AGO = "1970-01-01T00:00:00.000Z"


class TraySeen(BaseModel):
    lastSeenAt: str = Field(max_length=40)


class ItemSeen(TraySeen):
    id: str = Field(max_length=100)


class ItemsSeen(BaseModel):
    trayItems: list[ItemSeen] = Field(default_factory=list, max_length=100)


def routes(services: Services) -> list[BaseRoute]:
    """Routes of the tray."""
    tray = "/api/v1/notification-tray"
    return [
        serve(services, "GET", tray, tray_items),
        serve(services, "GET", f"{tray}/tray/seen", tray_seen),
        serve(services, "POST", f"{tray}/tray/seen", mark_tray_seen),
        serve(services, "POST", f"{tray}/items/seen", mark_items_seen),
    ]


def note(call: Call, user: Json | None, category: str | None, text: str, **fields: str | None) -> None:
    """Put a notification into a user's tray; what one does to oneself is no news.

    Args:
        user: whose tray; nobody's, where the user is not known.
        category: the SDK's `TrayItemCategoryType`; it has none for new comments and replies.
        text: what is shown.
        fields: what it is about; apps open a post by `referenceId` or `actionReferenceId`, and a comment there by
            `actionReferenceId`, or, below a `parentId`, by `latestCommentId`.
    """
    if user is None or user["_id"] == call.user["_id"]:
        return
    at = call.store.now()
    call.store.tray.insert(
        {
            "_id": new_id(),
            "userId": user["userId"],
            "lastSeenAt": LONG_AGO,
            "lastOccurredAt": at,
            "actors": [{"_id": call.user["_id"], "publicId": call.user_id, "lastActedAt": at}],
            "actorsCount": 1,
            "text": text,
            "templatedText": text,
            "daySegment": f"{at[:10]}T00:00:00.000Z",
            **{name: value for name, value in {"trayItemCategory": category, **fields}.items() if value is not None},
        }
    )


def place_of(subject: Json) -> dict[str, str | None]:
    """Where apps find a post or comment that a notification is about."""
    place = {"targetId": subject["targetId"], "targetType": subject["targetType"], "referenceType": "post"}
    if "commentId" not in subject:
        return place | {"referenceId": subject["postId"], "actionReferenceId": subject["postId"]}
    comment = {"actionReferenceId": subject["commentId"], "latestCommentId": subject["commentId"]}
    return place | comment | {"referenceId": subject["referenceId"], "parentId": subject["parentId"] or None}


def note_mentions(call: Call, mentionees: list[Json], category: str, text: str, **fields: str | None) -> None:
    """Put a notification into the tray of each user who is mentioned by name, once."""
    named = [each.get("userIds") for each in mentionees if each.get("type") == "user"]
    everybody = [user_id for user_ids in named if isinstance(user_ids, list) for user_id in user_ids]
    for user_id in dict.fromkeys(each for each in everybody if isinstance(each, str)):
        note(call, call.store.user_by_public_id(user_id), category, text, actionType="mention", **fields)


async def tray_items(call: Call) -> Json:
    """The caller's notifications, the newest first (SDK: `notificationTray.getNotificationTrayItems`)."""
    wish = call.query.page()
    page = call.store.tray.page({"userId": call.user_id}, limit=wish.limit, newest_first=True, start=wish.start)
    actors = [actor["_id"] for item in page.documents for actor in item["actors"]]
    told = {"notificationTrayItems": page.documents, "users": call.store.users.get_many(actors), "files": []}
    # What an app reads of an event here (its place, time and kind) does not depend on who asks.
    about = [item["referenceId"] for item in page.documents if item.get("referenceType") == "event"]
    return {**told, "events": call.store.scheduled_events.get_many(about), "paging": paging(page, wish.limit)}


def _seen_key(call: Call) -> str:
    return f"tray-seen:{call.user['_id']}"


async def tray_seen(call: Call) -> Json:
    """When the caller looked last, and when there was something new."""
    newest = call.store.tray.find({"userId": call.user_id}, newest_first=True, limit=1)
    occurred = newest[0]["lastOccurredAt"] if newest else LONG_AGO
    # An empty tray has been seen: SDKs compare the two times.
    seen = call.store.fact(_seen_key(call)) or (LONG_AGO if newest else call.user["createdAt"])
    return {"lastTraySeenAt": seen, "lastTrayOccurredAt": occurred}


async def mark_tray_seen(call: Call) -> Json:
    """The caller has looked (SDK: `notificationTray.markTraySeen`)."""
    seen = call.read(TraySeen).lastSeenAt
    call.store.keep_fact(_seen_key(call), seen)
    return {"lastSeenAt": seen}


async def mark_items_seen(call: Call) -> Json:
    """The caller has seen some notifications (SDK: `notificationTray.markItemsSeen`)."""
    wish = call.read(ItemsSeen).trayItems
    for each in wish:
        item = call.store.tray.get(each.id)
        if item is not None and item["userId"] == call.user_id:
            call.store.tray.save({**item, "lastSeenAt": each.lastSeenAt})
    return {"trayItems": [each.model_dump() for each in wish]}
