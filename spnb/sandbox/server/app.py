"""The sandbox put together: one ASGI app for REST, MQTT, LiveKit signalling and media files."""

from __future__ import annotations

import functools
import hmac
import logging
import os
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta

from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from spnb._version import __version__
from spnb.errors import SandboxError
from spnb.sandbox.clock import stamp
from spnb.sandbox.control.found import make_private_folder
from spnb.sandbox.exact_rows import TableExport
from spnb.sandbox.fault_injection import Cut, Disturbance, FaultRoutes, Faults, FaultyRequests
from spnb.sandbox.ingest import Ingest
from spnb.sandbox.livekit.choice import Deployment, Embedded, choose
from spnb.sandbox.livekit.deployment import WEBHOOK_PATH, LiveKitDeployment
from spnb.sandbox.livekit.embedded import EmbeddedMedia
from spnb.sandbox.livekit.own_server import LiveKitServer, OwnLiveKit
from spnb.sandbox.media.tokens import Grants, mint
from spnb.sandbox.proof import PATH, is_challenge, proof
from spnb.sandbox.realtime.broker import Broker
from spnb.sandbox.recorder import Delivery, Recorder
from spnb.sandbox.rest import (
    AccessTokens,
    Refused,
    Services,
    envelope,
    found_catalogue,
    found_standing_community,
    routes,
)
from spnb.sandbox.rest.watch_key import PublicWatchKey
from spnb.sandbox.rooms.lifecycle import Lifecycle, is_on_air, is_over
from spnb.sandbox.rooms.moderation import Moderation
from spnb.sandbox.rooms.network_settings import NetworkSettings
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.rooms.stage import OnStage
from spnb.sandbox.rooms.viewers import viewer_of
from spnb.sandbox.server.control_routes import ControlCall, control_route
from spnb.sandbox.server.limits import BoundedBodies
from spnb.sandbox.server.quoted_ids import quoted_ids
from spnb.sandbox.server.security import LoopbackOnly
from spnb.sandbox.server.settings import SandboxSettings
from spnb.sandbox.store import Store
from spnb.sandbox.webhook_delivery import Announcer, HookRoutes, WebhookSender

__all__ = ["Sandbox"]

log = logging.getLogger(__name__)

MOST_LOAD = 2**20
"""Bytes that may be asked for to time their way."""


class LiveKitTokenWish(BaseModel):
    """What a LiveKit token is to allow, under the wire's names; `ttl` in seconds."""

    room: str = Field(min_length=1, max_length=100)
    identity: str = Field(min_length=1, max_length=200)
    canPublish: bool = False  # noqa: N815 - the wire's name
    hidden: bool = False
    ttl: float = Field(default=3600, gt=0, le=7 * 86_400)


class AuthTokenWish(BaseModel):
    """Whose auth token is wanted."""

    userId: str = Field(min_length=1, max_length=50)  # noqa: N815 - the wire's name


class VisitorWish(BaseModel):
    """A device whose visitor is to be let in."""

    deviceId: str = Field(min_length=1, max_length=150)  # noqa: N815 - the wire's name


class Sandbox:
    """All parts of a running sandbox.

    Args:
        settings: see `SandboxSettings`.
        port: where the process listens on 127.0.0.1, for the addresses it gives out.
        on_idle: called when the last lease has gone, to decide whether to end.
        on_work: called now and then while opening a large database takes long.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        port: int,
        *,
        on_idle: Callable[[], None] | None = None,
        on_work: Callable[[], None] | None = None,
    ) -> None:
        make_private_folder(settings.data_dir)
        self.settings = settings
        self.url = f"http://127.0.0.1:{port}"
        self._on_idle = on_idle
        self.store = Store(settings.data_dir / "sandbox.sqlite", network_id=settings.network_id, on_work=on_work)
        self.api_key = settings.api_key or self.store.secret("api-key")
        self._tokens = AccessTokens(self.store, settings)
        self.faults = Faults()
        self.broker = Broker(settings.network_id, self._may_connect, disturb=Disturbance(self.faults, "mqtt"))
        network = NetworkSettings(self.store, settings.moderation)
        self.webhooks = WebhookSender(self.store, self.faults, network)
        events = Announcer(self.broker, self.webhooks)
        self.recorder = Recorder(
            settings.data_dir / "recordings", on_ready=self._on_playable, on_problem=self._on_recorder_problem
        )
        delivery = Delivery(
            self.recorder,
            self.store.secret("media-url-key"),
            lifetime=settings.media_url_seconds,
            on_air=functools.partial(is_on_air, self.store),
        )
        self.media = self._media(port)
        self.lifecycle = Lifecycle(self.store, events, self.media, self.recorder, delivery, settings)
        self.lifecycle.base_url = self.url
        self.media.listen(self.lifecycle.on_media)
        on_stage = OnStage(self.store, events, self.lifecycle, self.media, base_url=self.url)
        self.media.listen(on_stage.on_media)
        self.services = Services(
            self.store, self.lifecycle, events, settings, network, self._tokens, self.api_key, self.url
        )
        if settings.watch_key is not None:
            self.services.watch_key = PublicWatchKey(settings.watch_key, now=self.store.now)
        self.tables = TableExport(settings.data_dir / "sandbox.sqlite", self._has_key)
        self.ingest = Ingest(self.store, self.api_key, self.media, self.url)
        self.lifecycle.ingest_address, self.lifecycle.end_keys = self.ingest.address, self.ingest.revoke
        self.leases = 0
        parts: list[BaseRoute] = [
            *routes(self.services),
            *self.broker.routes(),
            *self.media.routes(),
            *delivery.routes(),
            *self.ingest.routes(),
            *Moderation(self.store, self.lifecycle, events, network, self._has_key).routes(),
            *self._fault_routes(),
            *HookRoutes(self.api_key, self.store, self.webhooks).routes(),
            *self.tables.routes(),
            Route("/sandbox/info", self._info, methods=["GET"]),
            Route(PATH, self._proof, methods=["GET"]),
            control_route(self.api_key, "GET", "/sandbox/rooms/{room_id}", self._room),
            control_route(self.api_key, "POST", "/sandbox/livekit-token", self._livekit_token),
            control_route(self.api_key, "POST", "/sandbox/auth-token", self._auth_token),
            control_route(self.api_key, "POST", "/sandbox/visitor-signature", self._visitor_signature),
            WebSocketRoute("/sandbox/lease", self._lease),
        ]
        told = {404: _unknown_path, 405: _unknown_path, 500: _failed, Refused: _refused}
        told |= {HTTPException: _not_read, ClientDisconnect: _left}
        app = Starlette(routes=parts, exception_handlers=told)
        self.app: ASGIApp = LoopbackOnly(
            BoundedBodies(FaultyRequests(quoted_ids(app), self.faults), upload_bytes=settings.upload_limit_bytes)
        )

    def _media(self, port: int) -> EmbeddedMedia | LiveKitDeployment:
        chosen = choose(self.settings.livekit, os.environ)
        egress = self.settings.egress
        if isinstance(chosen, Deployment):
            made = LiveKitDeployment(chosen.url, chosen.api_key, chosen.api_secret, egress=egress)
            if made.egress is not None:
                self.recorder.elsewhere = made.egress.files
            return made
        if egress is not None:
            raise SandboxError("Egress runs beside a LiveKit deployment: name one, --livekit ws://…")
        key, secret = "sandbox", self.store.secret("livekit-secret")
        if isinstance(chosen, Embedded):
            over = functools.partial(is_over, self.store)
            return EmbeddedMedia(key, secret, f"ws://127.0.0.1:{port}", is_over=over, is_out=self._is_out)
        log_path = self.settings.data_dir / "livekit.log"
        server = LiveKitServer(chosen.binary, key, secret, webhook=self.url + WEBHOOK_PATH, log_path=log_path)
        return OwnLiveKit(server, key, secret)

    def _is_out(self, room_id: str, identity: str, issued_at: float) -> bool:
        viewer = viewer_of(identity)
        banned = viewer is not None and self.store.is_banned_viewer(room_id, viewer)
        return banned or self.store.is_off_stage(room_id, identity, issued_at)

    def _fault_routes(self) -> list[BaseRoute]:
        media = self.media if isinstance(self.media, EmbeddedMedia) else None
        cuts: dict[str, Cut] = {"realtime": self.broker.cut, "viewers": self.lifecycle.viewers.cut}
        if media is not None:
            cuts |= {"signalling": media.cut_signalling, "transports": media.cut_transports}
        expire = media.expire_tokens if media is not None else None
        return FaultRoutes(
            self.api_key, self.faults, self.store, self._tokens, cuts=cuts, expire_livekit=expire
        ).routes()

    async def start(self) -> None:
        """Start the broker and take up what an earlier process left."""
        found_standing_community(self.store, self.settings.community_id)
        found_catalogue(self.store)
        await self.webhooks.start()  # before anything that could be told
        await self.media.start()
        await self.broker.start()
        await self.ingest.start()
        await self.lifecycle.recover()

    async def aclose(self) -> None:
        """End in order: media, recordings, real time, database."""
        await self.ingest.aclose()
        await self.media.aclose()
        await self.lifecycle.aclose()
        await self.recorder.aclose()
        await self.webhooks.aclose()
        await self.services.prehooks.aclose()
        await self.tables.aclose()
        await self.broker.aclose()
        self.store.close()

    def describe(self) -> Json:
        """What a client must know to use this sandbox. Holds the API key: never log it."""
        return {
            "url": self.url,
            "mqtt": f"ws{self.url[4:]}/mqtt",
            "livekit": self.media.url,
            "apiKey": self.api_key,
            "networkId": self.settings.network_id,
            "pid": os.getpid(),
            "dataDir": str(self.settings.data_dir),
            "version": __version__,
        }

    def _may_connect(self, internal_id: str, token: str) -> bool:
        try:
            return bool(self._tokens.user_of(token)[0]["_id"] == internal_id)
        except Refused:
            return False

    def _on_playable(self, room_id: str) -> None:
        self.lifecycle.on_playable(room_id)

    def _on_recorder_problem(self, room_id: str, problem: str) -> None:
        self.lifecycle.on_recorder_problem(room_id, problem)

    # -- the sandbox's own calls; they need the API key

    def _has_key(self, connection: HTTPConnection) -> bool:
        given = connection.headers.get("x-api-key", "")
        return hmac.compare_digest(given.encode(), self.api_key.encode())

    async def _info(self, request: Request) -> Response:
        if not self._has_key(request):
            return envelope(Refused.unauthorized("The API key is not this sandbox's: check X-API-Key"))
        facts = {name: value for name, value in self.describe().items() if name != "apiKey"}
        return JSONResponse({**facts, "leases": self.leases, "busy": self.lifecycle.busy})

    async def _proof(self, request: Request) -> Response:
        """That this is the sandbox whose key the asker knows, see `proof`; with a load whose way can be timed."""
        asked = request.query_params.get("challenge", "")
        if not is_challenge(asked):
            return envelope(Refused.invalid(["challenge: 32 hex digits are wanted"]))
        told = {"proof": proof(self.api_key, asked, self.url)}
        load = request.query_params.get("load", "0")
        if not (load.isascii() and load.isdigit() and len(load) < 8 and int(load) <= MOST_LOAD):
            return envelope(Refused.invalid([f"load: 0 to {MOST_LOAD} bytes"]))
        return JSONResponse({**told, "load": b64encode(os.urandom(int(load) * 3 // 4)).decode()} if int(load) else told)

    async def _room(self, call: ControlCall) -> Json:
        """What an audience must know of a room, however busy this machine is: nothing is started or read for it."""
        room_id = call.path("room_id")
        room = self.store.rooms.get(room_id)
        if room is None or room["isDeleted"]:
            raise Refused.not_found(f"Room {room_id!r}")
        facts = {"roomId": room["roomId"], "status": room["status"]}
        return {**facts, "channelId": room.get("liveChannelId"), "postId": room.get("referenceId")}

    async def _livekit_token(self, call: ControlCall) -> Json:
        """A LiveKit token for any identity in any room: `{room, identity, canPublish?, hidden?, ttl?}`."""
        wish = call.read(LiveKitTokenWish)
        grants = Grants(room=wish.room, room_join=True, can_publish=wish.canPublish, hidden=wish.hidden)
        token = mint(self.media.api_key, self.media.api_secret, identity=wish.identity, grants=grants, ttl=wish.ttl)
        return {"url": self.media.url, "token": token}

    async def _auth_token(self, call: ControlCall) -> Json:
        """What a customer's backend would give a user in secure mode: `{userId}` → `{authToken}`."""
        return {"authToken": self._tokens.auth_token(call.read(AuthTokenWish).userId)}

    async def _visitor_signature(self, call: ControlCall) -> Json:
        """What it would give a visitor's device: `{deviceId}` → `{authSignature, authSignatureExpiresAt}`."""
        ends = stamp(self.store.clock() + timedelta(seconds=self.settings.auth_token_seconds))
        signature = self._tokens.visitor_signature(call.read(VisitorWish).deviceId, ends)
        return {"authSignature": signature, "authSignatureExpiresAt": ends}

    async def _lease(self, socket: WebSocket) -> None:
        """An open socket says: somebody uses this sandbox. It closes by itself when its holder dies."""
        if not self._has_key(socket):
            await socket.close(1008)
            return
        await socket.accept()
        self.leases += 1
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, RuntimeError, KeyError):
            log.debug("a lease has ended")
        finally:
            self.leases -= 1
            if self.leases == 0 and self._on_idle is not None:
                self._on_idle()


async def _unknown_path(request: Request, _error: Exception) -> Response:
    return envelope(Refused(404, 400400, f"There is no {request.method} {request.url.path} in the sandbox"))


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - that is what it is told of
    return envelope(error)


async def _not_read(_request: Request, error: Exception) -> Response:
    """What the framework itself refuses, as a form that is none."""
    assert isinstance(error, HTTPException)  # noqa: S101 - that is what it is told of
    return envelope(Refused(error.status_code, error.status_code * 1000, str(error.detail)))


async def _left(_request: Request, _error: Exception) -> Response:
    """Who asked has gone in the middle of its own request: nobody reads this."""
    return Response(status_code=400)


async def _failed(_request: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return envelope(Refused(500, 500000, "The sandbox failed on this request; its log tells more"))
