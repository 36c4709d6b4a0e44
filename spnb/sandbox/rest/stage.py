"""Who broadcasts and who may watch: participants, viewer bans, co-host invitations."""

from __future__ import annotations

from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.realtime import topics
from spnb.sandbox.rest.call import Call, Services, serve
from spnb.sandbox.rest.notification_tray import note
from spnb.sandbox.rest.payloads import invitation_payload, room_payload
from spnb.sandbox.rest.query import paging
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rest.rooms import announce, own_room, visible_room
from spnb.sandbox.rooms.ports import Json

__all__ = ["routes"]


class ParticipantChange(BaseModel):
    canManageProductTags: bool


class Removal(BaseModel):
    participantUserId: str = Field(min_length=1, max_length=50)


class Bans(BaseModel):
    userIds: list[str] = Field(min_length=1, max_length=100)


class InvitationWish(BaseModel):
    type: str = "livestreamCohostInvite"
    targetType: str = "room"
    targetId: str = Field(max_length=900)
    userIds: list[str] = Field(min_length=1, max_length=1000)


def routes(services: Services) -> list[BaseRoute]:
    """Participant, ban and invitation routes."""
    room = "/api/v1/rooms/{roomId}"
    return [
        serve(services, "POST", f"{room}/leave", leave),
        serve(services, "PUT", f"{room}/participants/{{userId}}", change),
        serve(services, "DELETE", f"{room}/participants/{{userId}}", remove_by_path),
        serve(services, "DELETE", f"{room}/participants", remove_by_body),
        serve(services, "POST", f"{room}/viewer-bans", ban),
        serve(services, "DELETE", f"{room}/viewer-bans", unban),
        serve(services, "GET", f"{room}/viewer-bans", bans),
        serve(services, "GET", "/sandbox/rooms/{roomId}/subscriber", subscriber),
        serve(services, "DELETE", "/sandbox/rooms/{roomId}/stream-keys", revoke_keys),
        serve(services, "POST", "/api/v1/invitations", invite),
        serve(services, "GET", "/api/v1/invitations", invitations),
        serve(services, "GET", "/api/v1/invitations/me", my_invitations),
        serve(services, "POST", "/api/v1/invitations/{invitationId}/accept", accept),
        serve(services, "POST", "/api/v1/invitations/{invitationId}/reject", reject),
        serve(services, "POST", "/api/v1/invitations/{invitationId}/cancel", cancel),
        serve(services, "DELETE", "/api/v1/invitations/{invitationId}", cancel),
    ]


async def subscriber(call: Call) -> Json:
    """`{url, token}` to watch by WebRTC. A call of the sandbox's own, with a user's token: the service has none."""
    room = visible_room(call)
    if call.store.is_banned_viewer(room["roomId"], call.user_id):
        raise Refused(403, 400304, "The user is banned from this room")
    if room["status"] not in ("live", "waitingReconnect"):
        raise Refused.bad_request(f"The room is {room['status']}: it can be watched by WebRTC while it is on air")
    return call.services.stage.subscriber_data(room, call.user)


async def revoke_keys(call: Call) -> Json:
    """The host's stream keys let nobody in any more, and put out who is in by one. A call of the sandbox's own."""
    room = own_room(call, "end its stream keys")
    await call.services.stage.revoke_keys(room["roomId"])
    return {"success": True}


async def leave(call: Call) -> Json:
    """A co-host leaves the stage."""
    room = visible_room(call)
    if room["createdBy"] == call.user_id:
        raise Refused.bad_request("The host cannot leave the room: stop it instead")
    return await _take_off(call, room, call.user_id, "room.participantLeft")


async def change(call: Call) -> Json:
    """Grant or take a co-host's right to manage products."""
    room = own_room(call, "change its participants")
    wanted = call.read(ParticipantChange).canManageProductTags
    user_id = call.path("userId")
    if all(participant["userId"] != user_id for participant in room["participants"]):
        raise Refused.not_found(f"Participant {user_id!r}")
    participants = [
        {**participant, "canManageProductTags": wanted} if participant["userId"] == user_id else participant
        for participant in room["participants"]
    ]
    changed = call.store.update_room(room["roomId"], participants=participants) or room
    announce(call, "room.didUpdate", changed)
    return room_payload(call.store, call.services.stage, changed, reader=call.user_id, base_url=call.base_url)


async def remove_by_path(call: Call) -> Json:
    """The host removes a co-host (user in the path, as SDKs send it)."""
    return await _remove(call, call.path("userId"))


async def remove_by_body(call: Call) -> Json:
    """The host removes a co-host (user in the body, as the specification has it)."""
    return await _remove(call, call.read(Removal).participantUserId)


async def _remove(call: Call, user_id: str) -> Json:
    room = own_room(call, "remove a participant")
    if user_id == room["createdBy"]:
        raise Refused.bad_request("The host cannot be removed from the own room")
    _end_invitations(call, room, user_id)
    return await _take_off(call, room, user_id, "room.participantRemoved")


async def _take_off(call: Call, room: Json, user_id: str, event_type: str) -> Json:
    leaving = [found for found in room["participants"] if found["userId"] == user_id]
    if not leaving:
        raise Refused.not_found(f"Participant {user_id!r}")
    staying = [found for found in room["participants"] if found["userId"] != user_id]
    changed = call.store.update_room(room["roomId"], participants=staying) or room
    call.store.take_off_stage(room["roomId"], user_id)
    # The participant first, the media then: whoever reads the room at the stage event finds it true.
    await call.services.stage.remove(room["roomId"], user_id)
    announce(call, event_type, changed, subject_id=user_id, eventActor=_actor(leaving[0]))
    return room_payload(call.store, call.services.stage, changed, reader=call.user_id, base_url=call.base_url)


def _actor(participant: Json) -> Json:
    return {"userId": participant["userId"], "userInternalId": participant["userInternalId"]}


async def ban(call: Call) -> Json:
    """Ban viewers from the room: they lose its playback."""
    room = own_room(call, "ban viewers")
    users = _known(call, call.read(Bans).userIds)
    if any(user["userId"] == room["createdBy"] for user in users):
        raise Refused.bad_request("The host cannot be banned from the own room")
    for user in users:
        call.store.bans.put(
            {
                "_id": f"{room['roomId']}:{user['userId']}",
                "roomId": room["roomId"],
                "userId": user["userId"],
                "userInternalId": user["_id"],
                "banBy": call.user["_id"],
                "banByPublicId": call.user_id,
                "createdAt": call.store.now(),
            }
        )
        call.services.heartbeats.get(room["roomId"], {}).pop(user["userId"], None)
        _end_invitations(call, room, user["userId"])
        now = call.store.rooms.get(room["roomId"]) or room
        if any(participant["userId"] == user["userId"] for participant in now["participants"]):
            await _take_off(call, now, user["userId"], "room.participantRemoved")
        await call.services.stage.put_viewer_out(room["roomId"], user["userId"])
    _announce_bans(call, room, "room.usersBanned", users)
    return {"success": True}


async def unban(call: Call) -> Json:
    """Let banned viewers watch again."""
    room = own_room(call, "unban viewers")
    users = _known(call, call.read(Bans).userIds)
    for user in users:
        if not call.store.bans.delete(f"{room['roomId']}:{user['userId']}"):
            raise Refused(403, 400316, f"User {user['userId']!r} is not banned")
    _announce_bans(call, room, "room.usersUnbanned", users)
    return {"success": True}


async def bans(call: Call) -> Json:
    """Who is banned from the room."""
    room = own_room(call, "list its bans")
    wish = call.query.page()
    page = call.store.bans.page({"roomId": room["roomId"]}, limit=wish.limit, start=wish.start)
    payload = room_payload(call.store, call.services.stage, room, reader=call.user_id, base_url=call.base_url)
    banned = [
        {
            "userId": found["userInternalId"],
            "userPublicId": found["userId"],
            "banBy": found["banBy"],
            "banByPublicId": found["banByPublicId"],
            "createdAt": found["createdAt"],
        }
        for found in page.documents
    ]
    return {
        "roomBannedUsers": banned,
        "rooms": payload["rooms"],
        "users": call.store.users.get_many([found["userId"] for found in banned]),
        "files": [],
        "paging": paging(page, wish.limit),
    }


def _known(call: Call, user_ids: list[str]) -> list[Json]:
    users = []
    for user_id in user_ids:
        user = call.store.user_by_public_id(user_id)
        if user is None:
            raise Refused.not_found(f"User {user_id!r}")
        users.append(user)
    return users


def _announce_bans(call: Call, room: Json, event_type: str, users: list[Json]) -> None:
    data = {"userIds": [user["userId"] for user in users]}
    call.publish(topics.room(call.store.network_id, room), event_type, data, subject_id=room["roomId"])


async def invite(call: Call) -> Json:
    """The host invites co-hosts."""
    wish = call.read(InvitationWish)
    if (wish.type, wish.targetType) != ("livestreamCohostInvite", "room"):
        raise Refused.bad_request("The sandbox knows invitations of type livestreamCohostInvite to a room only")
    room = call.store.rooms.get(wish.targetId)
    if room is None or room["isDeleted"]:
        raise Refused.not_found(f"Room {wish.targetId!r}")
    if room["createdBy"] != call.user_id:
        raise Refused.forbidden("Only the host may invite co-hosts")
    if room["type"] != "coHosts":
        raise Refused.bad_request("A directStreaming room has no co-hosts")
    _check_room(call, room)
    users = _known(call, list(dict.fromkeys(wish.userIds)))
    for user in users:
        if any(participant["userId"] == user["userId"] for participant in room["participants"]):
            raise Refused.bad_request(f"User {user['userId']!r} is a broadcaster of this room already")
        _check_not_banned(call, room, user["userId"])
    return invitation_payload(call.store, [_invitation(call, room, user) for user in users])


def _end_invitations(call: Call, room: Json, user_id: str) -> None:
    """Take back what would let a user onto the stage again who was just taken off it."""
    for pending in call.store.invitations.find(
        {"targetId": room["roomId"], "invitedUserPublicId": user_id, "status": "pending"}
    ):
        _announce_invitation(call, "room.didCohostInviteCancel", _settle(call, pending, "cancelled"))


def _check_not_banned(call: Call, room: Json, user_id: str) -> None:
    if call.store.is_banned_viewer(room["roomId"], user_id):
        raise Refused(403, 400304, f"User {user_id!r} is banned from this room")


def _check_room(call: Call, room: Json) -> None:
    """Refuse where the room takes no more co-hosts."""
    if room["status"] not in ("idle", "live", "waitingReconnect"):
        raise Refused.bad_request(f"The room is {room['status']}: nobody can join its stage any more")
    most = call.services.settings.most_co_hosts
    if sum(participant["type"] == "coHost" for participant in room["participants"]) >= most:
        raise Refused.bad_request(f"The room has {most} co-hosts, the most it may have: remove one first")


def _invitation(call: Call, room: Json, user: Json) -> Json:
    """The user's pending invitation, or a new one, which is announced."""
    where = {"targetId": room["roomId"], "invitedUserPublicId": user["userId"], "status": "pending"}
    pending = call.store.invitations.first(where)
    if pending is not None:
        return pending
    invitation_id, at = new_id(), call.store.now()
    made = call.store.invitations.insert(
        {
            "_id": invitation_id,
            "invitationId": invitation_id,
            "networkId": call.store.network_id,
            "type": "livestreamCohostInvite",
            "targetId": room["roomId"],
            "targetType": "room",
            "userId": user["_id"],
            "status": "pending",
            "createdBy": call.user["_id"],
            "invitedUserId": user["_id"],
            "invitedUserPublicId": user["userId"],
            "invitedUserInternalId": user["_id"],
            "inviterUserId": call.user["_id"],
            "inviterUserPublicId": call.user_id,
            "inviterUserInternalId": call.user["_id"],
            "createdAt": at,
            "updatedAt": at,
        }
    )
    _announce_invitation(call, "room.didCohostInvite", made)
    where = {"targetId": room["roomId"], "targetType": "room", "actionType": "invitation"}
    text = f"{call.user['displayName']} invites you to {room['title']}"
    about = {"referenceId": invitation_id, "referenceType": "invitation"}
    note(call, user, "room_cohost_invite", text, **where, **about)
    return made


async def invitations(call: Call) -> Json:
    """Invitations to a target, newest first: all to the host of a room, to others their own."""
    room = call.store.rooms.get(call.query.one("targetId") or "")
    hosts = room is not None and room["createdBy"] == call.user_id
    return _listed(call, invited=None if hosts else call.user_id)


async def my_invitations(call: Call) -> Json:
    """The caller's own invitations, newest first."""
    return _listed(call, invited=call.user_id)


def _listed(call: Call, *, invited: str | None) -> Json:
    wish = call.query.page()
    where = {
        "targetId": call.query.one("targetId"),
        "targetType": call.query.one("targetType"),
        "type": call.query.one("type"),
        "status": call.query.many("statuses") or None,
        "invitedUserPublicId": invited,
    }
    newest = call.query.choice("sortBy", ("firstCreated", "lastCreated"), "lastCreated") == "lastCreated"
    page = call.store.invitations.page(where, limit=wish.limit, newest_first=newest, start=wish.start)
    return {**invitation_payload(call.store, page.documents), "paging": paging(page, wish.limit)}


async def accept(call: Call) -> Json:
    """The invited user becomes a co-host."""
    invitation = _own(call)
    room = call.store.rooms.get(invitation["targetId"])
    if room is None or room["isDeleted"]:
        raise Refused.not_found(f"Room {invitation['targetId']!r}")
    _check_room(call, room)
    _check_not_banned(call, room, call.user_id)
    answered = _settle(call, invitation, "approved")
    if all(found["userId"] != call.user_id for found in room["participants"]):
        participant = {
            "type": "coHost",
            "userId": call.user_id,
            "userInternalId": call.user["_id"],
            "canManageProductTags": False,
        }
        room = call.store.update_room(room["roomId"], participants=[*room["participants"], participant]) or room
        announce(call, "room.participantJoined", room, subject_id=call.user_id, eventActor=_actor(participant))
    _announce_invitation(call, "room.didCohostInviteAccept", answered)
    return {"success": True}


async def reject(call: Call) -> Json:
    """The invited user declines."""
    _announce_invitation(call, "room.didCohostInviteReject", _settle(call, _own(call), "rejected"))
    return {"success": True}


async def cancel(call: Call) -> Json:
    """The host takes the invitation back."""
    invitation = _pending(call)
    if invitation["inviterUserPublicId"] != call.user_id:
        raise Refused.forbidden("Only who invited may cancel an invitation")
    _announce_invitation(call, "room.didCohostInviteCancel", _settle(call, invitation, "cancelled"))
    return {"success": True}


def _own(call: Call) -> Json:
    """The pending invitation of the path, which must be the caller's to answer."""
    invitation = _pending(call)
    if invitation["invitedUserPublicId"] != call.user_id:
        raise Refused.forbidden("Only the invited user may answer an invitation")
    return invitation


def _pending(call: Call) -> Json:
    invitation = call.store.invitations.get(call.path("invitationId"))
    if invitation is None:
        raise Refused.not_found("Invitation")
    if invitation["status"] != "pending":
        raise Refused.bad_request(f"The invitation is {invitation['status']} already")
    return invitation


def _settle(call: Call, invitation: Json, status: str) -> Json:
    at = call.store.now()
    return call.store.invitations.save({**invitation, "status": status, "respondedAt": at, "updatedAt": at})


def _announce_invitation(call: Call, event_type: str, invitation: Json) -> None:
    network = call.store.network_id
    room = call.store.rooms.get(invitation["targetId"])
    where = topics.room(network, room) if room else []
    if event_type == "room.didCohostInvite":
        # Who is invited may watch already, and hears of it once: the vendor's app asks anew for each time.
        where = where[1:]
    call.publish(
        [*where, *topics.user(network, invitation["invitedUserInternalId"])],
        event_type,
        invitation_payload(call.store, [invitation]),
        subject_id=invitation["invitedUserInternalId"],
    )
