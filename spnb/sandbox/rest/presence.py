"""Who watches now (heartbeats) and how long was watched (watch sessions)."""

from __future__ import annotations

import time

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.refused import Refused, answer
from spnb.sandbox.rest.rooms import visible_room
from spnb.sandbox.rest.sound import MOST_BATCH_BYTES, WireTime
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes", "watching"]

LISTED_VIEWERS = 200
SAMPLE_SECONDS = 10.0
LONGEST_WATCH = 31 * 86_400.0


class WatchedRoom(BaseModel):
    sessionId: str = Field(min_length=1, max_length=50)
    roomId: str = Field(min_length=1, max_length=50)
    watchSeconds: float = Field(ge=0, le=LONGEST_WATCH)
    startTime: WireTime
    endTime: WireTime = ""


class WatchedRooms(BaseModel):
    signature: str = ""
    nonceStr: str = Field(default="", max_length=50)
    timestamp: str = ""
    rooms: list[WatchedRoom] = Field(min_length=1, max_length=1000)


def routes(services: Services) -> list[BaseRoute]:
    """Presence and watch-session routes."""
    room = "/api/v1/presence/rooms/{roomId}"
    return [
        serve(services, "GET", "/api/v1/presence/settings", settings),
        serve(services, "POST", f"{room}/heartbeat", heartbeat),
        serve(services, "GET", f"{room}/users/count", count),
        serve(services, "GET", f"{room}/users", viewers),
        serve(services, "POST", "/api/v3/user-event/room", watched, most=MOST_BATCH_BYTES),
    ]


async def settings(call: Call) -> Json:
    """How often to beat. The unit is disputed: SDKs multiply as minutes, the documented range reads as seconds."""
    seconds, since = call.services.settings.heartbeat_seconds, call.user["createdAt"]
    return {
        "user": {"enabled": True, "enabledAt": since},
        "network": {"heartbeatInterval": seconds, "presenceSyncInterval": seconds, "updatedAt": since},
        "room": {"enabled": True},
    }


def watching(services: Services, room_id: str) -> dict[str, tuple[float, str]]:
    """User → (last heartbeat, when the user came) of all whose heartbeat is recent; the silent ones are dropped."""
    oldest = time.monotonic() - services.settings.presence_seconds
    beats = services.heartbeats.get(room_id, {})
    # Whoever beats goes to the end, so the silent ones are in front: nobody else is looked at.
    while beats and (first := next(iter(beats))) and beats[first][0] < oldest:
        del beats[first]
    return beats


def _sampled(call: Call, room_id: str, viewers: int) -> None:
    """Keep the count for analysis, now and then while heartbeats come."""
    now = time.monotonic()
    if now - call.services.sampled.get(room_id, -SAMPLE_SECONDS) >= SAMPLE_SECONDS:
        call.services.sampled[room_id] = now
        sample = {"_id": new_id(), "roomId": room_id, "at": call.store.now(), "viewers": viewers}
        call.store.presence.insert(sample)


async def heartbeat(call: Call) -> Response:
    """The caller watches the room. A broadcaster of the room is no viewer."""
    room = visible_room(call)
    if call.store.is_banned_viewer(room["roomId"], call.user_id):
        raise Refused(403, 400304, "The user is banned from this room")
    if all(participant["userId"] != call.user_id for participant in room["participants"]):
        beats = call.services.heartbeats.setdefault(room["roomId"], {})
        watching(call.services, room["roomId"])
        _, joined = beats.pop(call.user_id, (0.0, call.store.now()))
        beats[call.user_id] = (time.monotonic(), joined)
        _sampled(call, room["roomId"], len(beats))
    return answer({"success": True}, 202)


def _audience(call: Call) -> dict[str, tuple[float, str]]:
    """Who watches the room of the path. Who has become a co-host since the last heartbeat is no viewer any more."""
    room = visible_room(call)
    on_stage = {participant["userId"] for participant in room["participants"]}
    beats = watching(call.services, room["roomId"])
    return {user_id: beat for user_id, beat in beats.items() if user_id not in on_stage}


async def count(call: Call) -> Json:
    """How many watch now."""
    return {"count": len(_audience(call)), "referenceTimestamp": call.store.now()}


async def viewers(call: Call) -> Json:
    """Who watches now: at most 200, the newest heartbeat first; `total` is the number returned."""
    beats = sorted(_audience(call).items(), key=lambda beat: -beat[1][0])[:LISTED_VIEWERS]
    listed = [{"userId": user_id, "joinedAt": joined} for user_id, (_, joined) in beats]
    return {"viewers": listed, "total": len(listed), "limit": LISTED_VIEWERS}


async def watched(call: Call) -> Json:
    """Watch sessions, by session id; the larger `watchSeconds` stays. Any signature is accepted, unless the sandbox was
    given the public key.

    Sessions count only for rooms that are on air or recorded, as documented; one that is told after the end of the
    stream, while the recording is made, is a session of the stream. Who broadcasts in a room does not watch it: such
    sessions are taken and not counted.
    """
    wish = call.read(WatchedRooms)
    if call.services.watch_key is not None:
        call.services.watch_key.check(call.body, wish.nonceStr)
    for session in wish.rooms:
        room = call.store.rooms.get(session.roomId)
        if room is None or room["status"] not in ("live", "waitingReconnect", "ended", "recorded"):
            raise Refused(500, 500000, f"Room {session.roomId!r} is neither live nor recorded")
        if any(participant["userId"] == call.user_id for participant in room["participants"]):
            continue
        document = {**session.model_dump(), "userId": call.user_id, "userInternalId": call.user["_id"]}
        before = call.store.watch_sessions.get(session.sessionId)
        if before is not None:
            if before["userId"] != call.user_id:
                raise Refused.forbidden("The watch session belongs to another user")
            document["watchSeconds"] = max(before["watchSeconds"], session.watchSeconds)
            document["endTime"] = max(before["endTime"], session.endTime)
            document["startTime"] = min(before["startTime"], session.startTime)
        call.store.watch_sessions.put(document)
    return {"ok": True}
