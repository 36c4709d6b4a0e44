"""LiveKit's signalling socket: binary protobuf `SignalRequest`s in, `SignalResponse`s out."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from livekit.protocol import models
from livekit.protocol import rtc as signal
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from spnb.sandbox.media.announcement import ASKED_CODECS
from spnb.sandbox.media.join import JoinWish, MalformedJoin, read_wish
from spnb.sandbox.media.participant import Participant
from spnb.sandbox.media.requests import REQUESTS
from spnb.sandbox.media.sdp import MalformedDescription
from spnb.sandbox.media.tokens import Identity, InvalidToken, mint, verify

if TYPE_CHECKING:
    from spnb.sandbox.media.room import MediaRoom
    from spnb.sandbox.media.server import MediaServer

__all__ = ["Signalling"]

log = logging.getLogger(__name__)

PING_INTERVAL, PING_TIMEOUT = 5, 15
SERVER_VERSION = "1.9.0"
PROTOCOL = 16
SERVER_INFO = models.ServerInfo(version=SERVER_VERSION, protocol=PROTOCOL, node_id="sandbox")
REFRESH_SECONDS = 300.0
WRITE_SECONDS = 5.0
MAX_MESSAGE_BYTES = 1 << 20


class RoomOver(Exception):
    """The token's room was ended; nobody joins it any more."""


class Signalling:
    """The HTTP and WebSocket endpoints clients sign in at."""

    def __init__(self, server: MediaServer) -> None:
        self._server = server
        self._clients: set[_Client] = set()
        self.expired_before = 0.0
        """Tokens issued before this moment (seconds of the epoch) count as expired: a fault on demand."""

    async def cut(self, room: str | None) -> int:
        """Close the signalling sockets of a room (of all without) without a word. Returns how many."""
        clients = [client for client in self._clients if room in (None, client.room_name)]
        for client in clients:
            await client.hang_up()
        return len(clients)

    def identify(self, connection: HTTPConnection) -> Identity:
        """Check the token of a request (query `access_token` or bearer header).

        Raises:
            InvalidToken: missing, expired, forged, or without the right to join a room.
            RoomOver: the room has ended.
        """
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        return self.checked(bearer if scheme.lower() == "bearer" else connection.query_params.get("access_token", ""))

    def checked(self, token: str) -> Identity:
        """The same of a token that is at hand."""
        if not token:
            raise InvalidToken("no token was sent")
        who = verify(self._server.api_key, self._server.api_secret, token)
        if who.issued_at < self.expired_before:
            raise InvalidToken("the token has expired: fetch new broadcaster data")
        if not who.grants.room_join or not who.grants.room:
            raise InvalidToken("the token does not allow joining a room")
        if not who.identity:
            raise InvalidToken("the token names no identity")
        if self._server.is_over(who.grants.room):
            raise RoomOver("the room is over: create a new one")
        if self._server.is_out(who.grants.room, who.identity, who.issued_at):
            raise InvalidToken("its user was taken off the stage: a new invitation and new broadcaster data are needed")
        return who

    async def validate(self, request: Request) -> Response:
        """Tell a client whose socket was refused why."""
        return self._refusal(request) or PlainTextResponse("success")

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        """Why a client may not come in; None where it may."""
        try:
            self.entrant(connection)
        except MalformedJoin as error:
            return PlainTextResponse(str(error), status_code=400)
        except InvalidToken as error:
            return PlainTextResponse(f"unauthorized: {error}", status_code=401)
        except RoomOver as error:
            # What LiveKit says of a room that does not exist and may not be made.
            return PlainTextResponse(str(error), status_code=404)
        return None

    def entrant(self, connection: HTTPConnection) -> tuple[Identity, JoinWish]:
        """Who comes, and how.

        Raises:
            MalformedJoin, InvalidToken, RoomOver: as `read_wish` and `identify`.
        """
        wish = read_wish(connection.query_params, single="/rtc/v1" in connection.url.path)
        return wish.described(self.identify(connection)), wish

    async def serve(self, socket: WebSocket) -> None:
        """One client from its first message to its last."""
        if (refusal := self._refusal(socket)) is not None:
            await socket.send_denial_response(refusal)
            return
        who, wish = self.entrant(socket)
        await socket.accept()
        client = _Client(self._server, socket, who, wish)
        self._clients.add(client)
        try:
            await client.run()
        finally:
            self._clients.discard(client)


class _Client:
    """One open signalling socket."""

    def __init__(self, server: MediaServer, socket: WebSocket, who: Identity, wish: JoinWish) -> None:
        self._server = server
        self._socket = socket
        self._who = who
        self._wish = wish
        self._outbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._said_leave = False
        self._broke_rules = False
        self.room_name = who.grants.room

    async def hang_up(self) -> None:
        """Close the socket; the client learns no reason."""
        try:
            await self._socket.close(1011)
        except (WebSocketDisconnect, RuntimeError):
            log.debug("a signalling socket was closed by the client first")

    def _send(self, message: signal.SignalResponse) -> None:
        self._outbox.put_nowait(message.SerializeToString())
        if message.HasField("leave"):
            self._outbox.put_nowait(None)

    async def run(self) -> None:
        """Serve the socket until it closes; one that comes back takes up the participant whose socket was lost."""
        room = self._server.room(self._who.grants.room)
        writer = asyncio.create_task(self._write(), name=f"signal {self._who.identity}")
        refresher: asyncio.Task[None] | None = None
        participant: Participant | None = None
        try:
            participant = self._resumed(room) if self._wish.reconnect else await self._entered(room)
            if participant is not None:
                refresher = asyncio.create_task(self._refresh(), name=f"refresh {participant.identity}")
                await self._read(participant)
        except (WebSocketDisconnect, TimeoutError):
            log.debug("the signalling socket of %s was lost", self._who.identity)
        finally:
            if refresher is not None:
                refresher.cancel()
            if participant is not None and participant.send == self._send:
                await self._lost(room, participant)
            self._outbox.put_nowait(None)
            done, _ = await asyncio.wait([writer], timeout=WRITE_SECONDS)
            if not done:  # nobody reads at the other end
                writer.cancel()
            await asyncio.gather(writer, *filter(None, [refresher]), return_exceptions=True)

    async def _lost(self, room: MediaRoom, participant: Participant) -> None:
        """The socket is closed: who took leave is out; anybody else may come back while media flow on."""
        if self._said_leave:
            await room.dismiss(participant, models.DisconnectReason.CLIENT_INITIATED)
        elif self._broke_rules:
            await room.dismiss(participant, models.DisconnectReason.STATE_MISMATCH)
        else:
            participant.detach()

    async def _entered(self, room: MediaRoom) -> Participant | None:
        """Join the room anew; None where it is full."""
        if room.is_full(self._who):
            leave = signal.LeaveRequest(
                reason=models.DisconnectReason.JOIN_FAILURE, action=signal.LeaveRequest.Action.DISCONNECT
            )
            self._send(signal.SignalResponse(leave=leave))
            return None
        wish = self._wish
        participant = Participant(
            room, self._who, send=self._send, auto_subscribe=wish.auto_subscribe, single=wish.single
        )
        participant.subscriber.allow_pause(wish.allow_pause)
        participant.attach(self._send)
        await room.join(participant)
        self._send(self._joined(room, participant))
        await room.settle(participant)
        for request in wish.add_tracks:
            participant.uplink.announce(request)
        return participant

    def _resumed(self, room: MediaRoom) -> Participant | None:
        """Go on where an earlier socket was lost; None where the participant is not there any more."""
        participant = room.participants.get(self._who.identity)
        known = participant is not None and not participant.gone and self._wish.sid in ("", participant.sid)
        if participant is None or not known or participant.single != self._wish.single:
            leave = signal.LeaveRequest(
                reason=models.DisconnectReason.STATE_MISMATCH,
                action=signal.LeaveRequest.Action.RECONNECT,
                can_reconnect=True,
            )
            self._send(signal.SignalResponse(leave=leave))
            return None
        self._send(signal.SignalResponse(reconnect=signal.ReconnectResponse(server_info=SERVER_INFO)))
        participant.attach(self._send)
        # Whatever was told while nobody listened is told again.
        self._send(signal.SignalResponse(room_update=signal.RoomUpdate(room=room.to_info())))
        infos = [other.to_info() for other in [participant, *room.others(participant)]]
        self._send(signal.SignalResponse(update=signal.ParticipantUpdate(participants=infos)))
        return participant

    def _joined(self, room: MediaRoom, participant: Participant) -> signal.SignalResponse:
        join = signal.JoinResponse(
            room=room.to_info(),
            participant=participant.to_info(),
            other_participants=[other.to_info() for other in room.others(participant)],
            server_version=SERVER_VERSION,
            server_info=SERVER_INFO,
            subscriber_primary=not participant.single,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            enabled_publish_codecs=ASKED_CODECS,
        )
        return signal.SignalResponse(join=join)

    async def _write(self) -> None:
        try:
            while (message := await self._outbox.get()) is not None:
                await self._socket.send_bytes(message)
            await self._socket.close(1000)
        except (WebSocketDisconnect, RuntimeError):
            # The client has closed already; reading notices it too.
            return

    async def _refresh(self) -> None:
        """Push a fresh token now and then, as LiveKit does, so that a long stream survives its first one."""
        who = self._who
        left = who.expires_at - time.time()
        ttl = max(60.0, left)
        while True:
            await asyncio.sleep(min(REFRESH_SECONDS, left / 2))
            left = ttl
            token = mint(
                self._server.api_key,
                self._server.api_secret,
                identity=who.identity,
                name=who.name,
                metadata=who.metadata,
                grants=who.grants,
                ttl=ttl,
            )
            self._send(signal.SignalResponse(refresh_token=token))

    async def _read(self, participant: Participant) -> None:
        offer = self._wish.offer
        if offer is not None and not await self._read_one(
            participant, signal.SignalRequest(offer=offer).SerializeToString()
        ):
            return
        while True:
            async with asyncio.timeout(PING_TIMEOUT + PING_INTERVAL):
                message = await self._receive()
            if message is None:
                return
            participant.last_heard = time.monotonic()
            if not await self._read_one(participant, message):
                return

    async def _read_one(self, participant: Participant, message: bytes) -> bool:
        """Do what one message says; whether to go on reading."""
        try:
            return await self._handle(participant, signal.SignalRequest.FromString(message))
        except DecodeError:
            log.info("%s sent a malformed message: its socket is closed", participant.identity)
            why = "malformed protobuf message"
        except MalformedDescription as error:
            log.info("%s sent a malformed description: %s", participant.identity, error)
            why = f"malformed session description: {error}"[:120]
        self._broke_rules = True
        await self._socket.close(1007, why)
        return False

    async def _receive(self) -> bytes | None:
        event = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            return None
        message = event.get("bytes")
        if message is None or len(message) > MAX_MESSAGE_BYTES:
            self._broke_rules = True
            await self._socket.close(1003, "binary protobuf messages only")
            return None
        return bytes(message)

    async def _handle(self, participant: Participant, request: signal.SignalRequest) -> bool:
        """Do what a message asks for; whether to go on reading."""
        kind = request.WhichOneof("message")
        if kind == "ping_req":
            pong = signal.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=int(time.time() * 1000))
            self._send(signal.SignalResponse(pong_resp=pong))
        elif kind == "ping":
            self._send(signal.SignalResponse(pong=int(time.time() * 1000)))
        elif kind == "offer":
            await participant.uplink.offer(request.offer)
        elif kind == "trickle":
            await self._trickle(participant, request.trickle)
        elif kind in REQUESTS:
            REQUESTS[kind](participant, request)
        elif kind == "simulate":
            return self._simulate(participant, request.simulate)
        elif kind == "leave":
            self._said_leave = True
            return False
        return True

    async def _trickle(self, participant: Participant, trickle: signal.TrickleRequest) -> None:
        try:
            candidate = str(json.loads(trickle.candidateInit).get("candidate") or "")
        except (ValueError, AttributeError):
            return
        if candidate:
            await participant.trickle(trickle.target, candidate)

    def _simulate(self, participant: Participant, scenario: signal.SimulateScenario) -> bool:
        """LiveKit's test scenarios, as far as they make sense in one process: leaving with a wish to come back."""
        kind = scenario.WhichOneof("scenario")
        if kind in ("node_failure", "migration", "server_leave", "leave_request_full_reconnect"):
            leave = signal.LeaveRequest(
                reason=models.DisconnectReason.SERVER_SHUTDOWN,
                action=signal.LeaveRequest.Action.RECONNECT,
                can_reconnect=True,
            )
            self._send(signal.SignalResponse(leave=leave))
        log.debug("%s simulates %s", participant.identity, kind)
        return True
