"""LiveKit's room service (Twirp over HTTP): what a backend may do to rooms and to those who are in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from livekit.protocol import models
from livekit.protocol import room as service
from livekit.protocol import rtc as signal
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spnb.sandbox.media.requests import named_tracks
from spnb.sandbox.media.tokens import Grants, InvalidToken, verify

if TYPE_CHECKING:
    from spnb.sandbox.media.participant import Participant
    from spnb.sandbox.media.room import MediaRoom
    from spnb.sandbox.media.server import MediaServer

__all__ = ["RoomService"]


class RoomService:
    """`livekit.RoomService`: what a backend with the API secret may do to rooms."""

    def __init__(self, server: MediaServer) -> None:
        self._server = server

    def routes(self) -> list[BaseRoute]:
        """The Twirp routes."""
        calls: dict[str, tuple[type[Message], Callable[[Any, Grants], Awaitable[Message]]]] = {
            "CreateRoom": (service.CreateRoomRequest, self._create_room),
            "GetParticipant": (service.RoomParticipantIdentity, self._get_participant),
            "MutePublishedTrack": (service.MuteRoomTrackRequest, self._mute_published_track),
            "SendData": (service.SendDataRequest, self._send_data),
            "UpdateParticipant": (service.UpdateParticipantRequest, self._update_participant),
            "UpdateRoomMetadata": (service.UpdateRoomMetadataRequest, self._update_room_metadata),
            "UpdateSubscriptions": (service.UpdateSubscriptionsRequest, self._update_subscriptions),
            "ListRooms": (service.ListRoomsRequest, self._list_rooms),
            "ListParticipants": (service.ListParticipantsRequest, self._list_participants),
            "RemoveParticipant": (service.RoomParticipantIdentity, self._remove_participant),
            "DeleteRoom": (service.DeleteRoomRequest, self._delete_room),
        }
        known: list[BaseRoute] = [
            Route(f"/twirp/livekit.RoomService/{name}", self._endpoint(kind, call), methods=["POST"])
            for name, (kind, call) in calls.items()
        ]
        return [*known, Route("/twirp/{path:path}", _no_such_call, methods=["POST"])]

    def _endpoint(
        self, kind: type[Message], call: Callable[[Any, Grants], Awaitable[Message]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            as_json = request.headers.get("content-type", "").startswith("application/json")
            try:
                token = request.headers.get("authorization", "").removeprefix("Bearer ")
                grants = verify(self._server.api_key, self._server.api_secret, token).grants
                body = await request.body()
                try:
                    message = json_format.Parse(body or b"{}", kind()) if as_json else kind.FromString(body)
                except (DecodeError, json_format.ParseError):
                    return _fault(400, "malformed", "the request body cannot be read")
                result = await call(message, grants)
            except InvalidToken as error:
                return _fault(401, "unauthenticated", str(error))
            except PermissionError as error:
                return _fault(401, "unauthenticated", str(error))
            except LookupError as error:
                return _fault(404, "not_found", str(error))
            except ValueError as error:
                return _fault(412, "failed_precondition", str(error))
            if as_json:
                # As Twirp's Go server writes it: every field, under its name in the protocol.
                told = json_format.MessageToJson(
                    result, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
                )
                return Response(told, media_type="application/json")
            return Response(result.SerializeToString(), media_type="application/protobuf")

        return endpoint

    async def _list_rooms(self, request: service.ListRoomsRequest, grants: Grants) -> Message:
        if not grants.room_list:
            raise PermissionError("permissions denied")
        names = set(request.names)
        rooms = [room.to_info() for room in self._server.rooms.values() if not names or room.name in names]
        return service.ListRoomsResponse(rooms=rooms)

    async def _list_participants(self, request: service.ListParticipantsRequest, grants: Grants) -> Message:
        self._need_admin(grants, request.room)
        infos = [participant.to_info() for participant in self._server.participants(request.room)]
        return service.ListParticipantsResponse(participants=infos)

    async def _create_room(self, request: service.CreateRoomRequest, grants: Grants) -> Message:
        if not grants.room_create:
            raise PermissionError("permissions denied")
        room = self._server.create_room(
            request.name,
            metadata=request.metadata,
            max_participants=request.max_participants,
            empty_timeout=request.empty_timeout,
            departure_timeout=request.departure_timeout,
        )
        return room.to_info()

    async def _get_participant(self, request: service.RoomParticipantIdentity, grants: Grants) -> Message:
        return self._participant(grants, request.room, request.identity).to_info()

    async def _mute_published_track(self, request: service.MuteRoomTrackRequest, grants: Grants) -> Message:
        participant = self._participant(grants, request.room, request.identity)
        track = participant.tracks.get(request.track_sid)
        if track is None:
            raise LookupError("track is not found")
        if track.info.muted and not request.muted:
            # LiveKit's default: nobody's microphone is opened from afar.
            raise ValueError("remote unmute not enabled")
        if track.info.muted != request.muted:
            track.info.muted = request.muted
            told = signal.MuteTrackRequest(sid=request.track_sid, muted=request.muted)
            participant.send(signal.SignalResponse(mute=told))
            participant.room.changed(participant)
        return service.MuteRoomTrackResponse(track=track.info)

    async def _update_participant(self, request: service.UpdateParticipantRequest, grants: Grants) -> Message:
        participant = self._participant(grants, request.room, request.identity)
        if request.name or request.metadata or request.attributes:
            participant.describe(request.name, request.metadata, request.attributes)
        if request.HasField("permission"):
            participant.permit(request.permission)
        return participant.to_info()

    async def _update_subscriptions(self, request: service.UpdateSubscriptionsRequest, grants: Grants) -> Message:
        participant = self._participant(grants, request.room, request.identity)
        wanted = named_tracks(request.track_sids, request.participant_tracks)
        participant.room.subscribe(participant, wanted, subscribe=request.subscribe)
        return service.UpdateSubscriptionsResponse()

    async def _send_data(self, request: service.SendDataRequest, grants: Grants) -> Message:
        room = self._room(grants, request.room)
        to = {*request.destination_identities}
        to |= {who.identity for who in room.participants.values() if who.sid in request.destination_sids}
        reliable = request.kind == models.DataPacket.Kind.RELIABLE
        packet = models.DataPacket(kind=request.kind, destination_identities=to)
        packet.user.payload = request.data
        packet.user.nonce = request.nonce
        if request.HasField("topic"):
            packet.user.topic = request.topic
        if to or not (request.destination_identities or request.destination_sids):
            room.send_data(packet, reliable=reliable)
        return service.SendDataResponse()

    async def _update_room_metadata(self, request: service.UpdateRoomMetadataRequest, grants: Grants) -> Message:
        room = self._room(grants, request.room)
        room.describe(request.metadata)
        return room.to_info()

    async def _remove_participant(self, request: service.RoomParticipantIdentity, grants: Grants) -> Message:
        self._need_admin(grants, request.room)
        if not await self._server.remove_participant(request.room, request.identity):
            raise LookupError("participant not found")
        return service.RemoveParticipantResponse()

    async def _delete_room(self, request: service.DeleteRoomRequest, grants: Grants) -> Message:
        if not grants.room_create:
            raise PermissionError("permissions denied")
        if not await self._server.close_room(request.room):
            raise LookupError("requested room does not exist")
        return service.DeleteRoomResponse()

    @staticmethod
    def _need_admin(grants: Grants, room: str) -> None:
        if not grants.room_admin or grants.room != room:
            raise PermissionError("permissions denied")

    def _room(self, grants: Grants, name: str) -> MediaRoom:
        self._need_admin(grants, name)
        found = self._server.rooms.get(name)
        if found is None:
            raise LookupError("requested room does not exist")
        return found

    def _participant(self, grants: Grants, room: str, identity: str) -> Participant:
        self._need_admin(grants, room)
        found = self._server.rooms.get(room)
        participant = found.participants.get(identity) if found is not None else None
        if participant is None:
            raise LookupError("participant does not exist")
        return participant


async def _no_such_call(request: Request) -> Response:
    return _fault(404, "bad_route", f"no handler for path {request.url.path}")


def _fault(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "msg": message}, status_code=status)
