"""LiveKit's room service (Twirp over HTTP), as far as a room needs running: list, remove, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from livekit.protocol import room as service
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spnb.sandbox.media.tokens import Grants, InvalidToken, verify

if TYPE_CHECKING:
    from spnb.sandbox.media.server import MediaServer

__all__ = ["RoomService"]


class RoomService:
    """`livekit.RoomService`: what a backend with the API secret may do to rooms."""

    def __init__(self, server: MediaServer) -> None:
        self._server = server

    def routes(self) -> list[BaseRoute]:
        """The Twirp routes."""
        calls: dict[str, tuple[type[Message], Callable[[Any, Grants], Awaitable[Message]]]] = {
            "ListRooms": (service.ListRoomsRequest, self._list_rooms),
            "ListParticipants": (service.ListParticipantsRequest, self._list_participants),
            "RemoveParticipant": (service.RoomParticipantIdentity, self._remove_participant),
            "DeleteRoom": (service.DeleteRoomRequest, self._delete_room),
        }
        return [
            Route(f"/twirp/livekit.RoomService/{name}", self._endpoint(kind, call), methods=["POST"])
            for name, (kind, call) in calls.items()
        ]

    def _endpoint(
        self, kind: type[Message], call: Callable[[Any, Grants], Awaitable[Message]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            as_json = request.headers.get("content-type", "").startswith("application/json")
            try:
                token = request.headers.get("authorization", "").removeprefix("Bearer ")
                grants = verify(self._server.api_key, self._server.api_secret, token).grants
                body = await request.body()
                message = json_format.Parse(body or b"{}", kind()) if as_json else kind.FromString(body)
                result = await call(message, grants)
            except InvalidToken as error:
                return _fault(401, "unauthenticated", str(error))
            except PermissionError as error:
                return _fault(403, "permission_denied", str(error))
            except LookupError as error:
                return _fault(404, "not_found", str(error))
            except (DecodeError, json_format.ParseError):
                return _fault(400, "malformed", "the request body cannot be read")
            if as_json:
                return Response(json_format.MessageToJson(result), media_type="application/json")
            return Response(result.SerializeToString(), media_type="application/protobuf")

        return endpoint

    async def _list_rooms(self, request: service.ListRoomsRequest, grants: Grants) -> Message:
        if not grants.room_list:
            raise PermissionError("the token does not allow listing rooms")
        names = set(request.names)
        rooms = [room.to_info() for room in self._server.rooms.values() if not names or room.name in names]
        return service.ListRoomsResponse(rooms=rooms)

    async def _list_participants(self, request: service.ListParticipantsRequest, grants: Grants) -> Message:
        self._need_admin(grants, request.room)
        infos = [participant.to_info() for participant in self._server.participants(request.room)]
        return service.ListParticipantsResponse(participants=infos)

    async def _remove_participant(self, request: service.RoomParticipantIdentity, grants: Grants) -> Message:
        self._need_admin(grants, request.room)
        if not await self._server.remove_participant(request.room, request.identity):
            raise LookupError("participant does not exist")
        return service.RemoveParticipantResponse()

    async def _delete_room(self, request: service.DeleteRoomRequest, grants: Grants) -> Message:
        if not grants.room_create:
            self._need_admin(grants, request.room)
        if not await self._server.close_room(request.room):
            raise LookupError("room does not exist")
        return service.DeleteRoomResponse()

    @staticmethod
    def _need_admin(grants: Grants, room: str) -> None:
        if not grants.room_admin or grants.room not in ("", room):
            raise PermissionError("the token is no admin of this room")


def _fault(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "msg": message}, status_code=status)
