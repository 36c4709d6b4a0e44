"""Rooms and invitations as answers and events show them: envelopes, and fields that depend on who reads."""

from __future__ import annotations

from collections.abc import Sequence

from spnb.sandbox.rooms.ports import Json, Stage
from spnb.sandbox.store import Store

__all__ = ["invitation_payload", "room_payload", "shown_room"]


def shown_room(store: Store, stage: Stage, room: Json, *, reader: str | None = None, base_url: str = "") -> Json:
    """A room as `reader` (a public user id; None for events) sees it.

    Playback addresses are made at reading time since they expire; a banned viewer gets none.
    """
    # The older of the two names of the chat's switch is the one in SDK 7.20's types.
    shown = {**room, "liveChannelEnabled": room.get("liveChatEnabled", True)}
    banned = reader is not None and store.is_banned_viewer(room["roomId"], reader)
    shown["recordedPlaybackInfos"] = []
    if banned:
        return shown
    if room["status"] in ("live", "waitingReconnect"):
        for name, value in stage.live_urls(room["roomId"]).items():
            shown[name] = f"{base_url}{value}" if isinstance(value, str) and value.startswith("/") else value
    if room["status"] == "recorded":
        prefix = f"{base_url}/api/v1/rooms/{room['roomId']}/recorded"
        shown["recordedPlaybackInfos"] = [
            {"url": f"{prefix}/{file['playbackId']}/watch", "thumbnailUrl": f"{prefix}/{file['playbackId']}/thumbnail"}
            for file in stage.recordings(room["roomId"])
        ]
    return shown


def room_payload(
    store: Store, stage: Stage, rooms: Json | Sequence[Json], *, reader: str | None = None, base_url: str = ""
) -> Json:
    """`{rooms, roomChildrens, users, files}`."""
    listed = [rooms] if isinstance(rooms, dict) else list(rooms)
    children = store.rooms.get_many([child for room in listed for child in room.get("childRoomIds", [])])
    people = [room["creatorInternalId"] for room in listed]
    people += [participant["userInternalId"] for room in listed for participant in room.get("participants", [])]
    files = [room["thumbnailFileId"] for room in listed if room.get("thumbnailFileId")]
    return {
        "rooms": [shown_room(store, stage, room, reader=reader, base_url=base_url) for room in listed],
        "roomChildrens": [shown_room(store, stage, room, reader=reader, base_url=base_url) for room in children],
        "users": store.users.get_many(people),
        "files": store.files.get_many(files),
    }


def invitation_payload(store: Store, invitations: Sequence[Json]) -> Json:
    """`{invitations, users}`; SDKs map over `users`, so it is always there."""
    people: list[str] = []
    for invitation in invitations:
        people += [invitation["invitedUserInternalId"], invitation["inviterUserInternalId"]]
    return {"invitations": list(invitations), "users": store.users.get_many(people)}
