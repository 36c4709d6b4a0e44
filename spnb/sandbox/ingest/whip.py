"""WHIP (RFC 9725): an encoder offers over HTTP, is answered, and sends by WebRTC. Media pass as they are.

With the embedded media server the encoder is a participant without a signalling socket. A LiveKit deployment has WHIP
of its own, under the same path: what comes is handed on to it, with a token of its kind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httpx
from livekit.protocol import models
from livekit.protocol import rtc as signal
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from spnb.config import is_loopback
from spnb.sandbox.ingest.rtmp import Denied
from spnb.sandbox.livekit.embedded import EmbeddedMedia
from spnb.sandbox.media import sdp
from spnb.sandbox.media.participant import Participant
from spnb.sandbox.media.sdp import MalformedDescription
from spnb.sandbox.media.signalling import RoomOver
from spnb.sandbox.media.tokens import InvalidToken

__all__ = ["Whip"]

log = logging.getLogger(__name__)

PATH = "/whip/v1"
MOST_SDP = 64 * 1024
ANSWER_SECONDS = 10.0
RECORDED = {"h264", "vp8", "opus"}
"""What is recorded and played by HLS. VP9 and AV1 would go to viewers by WebRTC alone: an encoder that has nothing else
is told to send another."""
SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"


class Whip:
    """The WHIP endpoint.

    Args:
        media: the media server.
        token_for: a LiveKit token for what the encoder gives as its bearer token; raises `Denied`.
    """

    def __init__(self, media: Any, token_for: Callable[[str], str]) -> None:
        self._media = media
        self._token_for = token_for
        self._sessions: dict[str, Participant] = {}

    def routes(self) -> list[BaseRoute]:
        """The endpoint, and the sessions that are made there."""
        return [
            Route(PATH, self._offered, methods=["POST"]),
            Route(PATH + "/{session}", self._changed, methods=["PATCH", "DELETE"]),
        ]

    def _bearer(self, request: Request) -> str:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not bearer:
            raise Denied("a bearer token is wanted: the stream key")
        return self._token_for(bearer.strip())

    async def _offered(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != SDP:
            return PlainTextResponse(f"an offer of type {SDP} is wanted", status_code=415)
        try:
            token = self._bearer(request)
        except Denied as error:
            return _unauthorized(str(error))
        body = await request.body()
        if len(body) > MOST_SDP:
            return PlainTextResponse("the offer is too large", status_code=413)
        if not isinstance(self._media, EmbeddedMedia):
            return await self._handed_on(request, token, body)
        try:
            return await self._entered(self._media, token, body.decode())
        except InvalidToken as error:
            return _unauthorized(str(error))
        except RoomOver as error:
            return PlainTextResponse(str(error), status_code=404)
        except (MalformedDescription, UnicodeDecodeError) as error:
            return PlainTextResponse(f"the offer cannot be read: {error}", status_code=400)
        except TimeoutError:
            return PlainTextResponse("the offer could not be answered", status_code=503)

    async def _entered(self, media: EmbeddedMedia, token: str, offer: str) -> Response:
        server = media.server
        who = server.checked(token)
        if not who.grants.can_publish:
            raise InvalidToken("the token does not allow publishing")
        sections = [section for section in sdp.parse(offer).sections if section.sends]
        sending = [section for section in sections if section.kind in ("audio", "video")]
        if not sending or any(not RECORDED & {codec.name for codec in section.codecs} for section in sending):
            return PlainTextResponse("H.264 or VP8 and Opus are wanted, and to be sent", status_code=406)
        room = server.room(who.grants.room)
        if who.identity in room.participants or room.is_full(who):
            return PlainTextResponse("another encoder publishes into this room", status_code=409)
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def told(message: signal.SignalResponse) -> None:
            if message.HasField("answer") and not answered.done():
                answered.set_result(message.answer.sdp)

        participant = Participant(room, who, send=told, auto_subscribe=False)
        participant.attach(told)
        await room.join(participant)
        self._sessions[participant.sid] = participant
        try:
            for section in sending:
                participant.uplink.announce(_track(section.kind))
            await participant.uplink.offer(signal.SessionDescription(type="offer", sdp=offer))
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await answered
        except BaseException:
            await self._ended(participant)
            raise
        self._sessions = {sid: other for sid, other in self._sessions.items() if not other.gone}
        # The address names no secret: who ends a session must show the token too.
        headers = {"Location": f"{PATH}/{participant.sid}", "ETag": f'"{participant.sid}"'}
        return Response(answer, status_code=201, media_type=SDP, headers=headers)

    async def _changed(self, request: Request) -> Response:
        try:
            token = self._bearer(request)
        except Denied as error:
            return _unauthorized(str(error))
        if not isinstance(self._media, EmbeddedMedia):
            return await self._handed_on(request, token, await request.body())
        participant = self._sessions.get(request.path_params["session"])
        try:
            who = self._media.server.checked(token)
        except InvalidToken as error:
            return _unauthorized(str(error))
        except RoomOver as error:
            return PlainTextResponse(str(error), status_code=404)
        if participant is None or participant.gone or participant.room.name != who.grants.room:
            return PlainTextResponse("there is no such session", status_code=404)
        if request.method == "DELETE":
            await self._ended(participant)
            return Response(status_code=200)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FRAGMENT:
            return PlainTextResponse(f"candidates of type {FRAGMENT} are wanted", status_code=415)
        body = await request.body()
        if len(body) > MOST_SDP:
            return PlainTextResponse("that is too much", status_code=413)
        for line in body.decode("utf-8", "replace").splitlines():
            if line.startswith("a=candidate:"):
                await participant.uplink.trickle(line[2:])
        return Response(status_code=204)

    async def _ended(self, participant: Participant) -> None:
        self._sessions.pop(participant.sid, None)
        await participant.room.dismiss(participant, models.DisconnectReason.CLIENT_INITIATED)

    def publishes(self, room_id: str) -> bool:
        """Whether an encoder is in a room; of those in a LiveKit deployment LiveKit alone knows."""
        return any(not other.gone and other.room.name == room_id for other in self._sessions.values())

    async def put_out(self, room_id: str) -> None:
        """End the sessions in a room."""
        for participant in [other for other in self._sessions.values() if other.room.name == room_id]:
            await self._ended(participant)

    async def _handed_on(self, request: Request, token: str, body: bytes) -> Response:
        url = f"http{self._media.url.removeprefix('ws')}{request.url.path}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": request.headers.get("content-type", SDP)}
        try:
            async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=not is_loopback(url)) as client:
                answer = await client.request(request.method, url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return PlainTextResponse(f"LiveKit could not be reached: {type(error).__name__}", status_code=503)
        passed = {name: value for name, value in answer.headers.items() if name in ("location", "etag", "content-type")}
        return Response(answer.content, status_code=answer.status_code, headers=passed)


def _track(kind: str) -> signal.AddTrackRequest:
    video = kind == "video"
    return signal.AddTrackRequest(
        cid=kind,
        name="camera" if video else "microphone",
        type=models.TrackType.VIDEO if video else models.TrackType.AUDIO,
        source=models.TrackSource.CAMERA if video else models.TrackSource.MICROPHONE,
        stereo=not video,
    )


def _unauthorized(why: str) -> Response:
    return PlainTextResponse(why, status_code=401, headers={"WWW-Authenticate": "Bearer"})
