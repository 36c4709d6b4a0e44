"""A real LiveKit deployment in the embedded server's place: its tokens, its webhooks, its room service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Literal

import httpx
from livekit.protocol import models
from livekit.protocol import room as service
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spnb.sandbox.media.frames import MediaEvent, Tap
from spnb.sandbox.media.tokens import Grants, mint
from spnb.sandbox.media.webhook import ForgedWebhook, read_webhook
from spnb.sandbox.recorder.subscriber import RoomSubscriber

__all__ = ["WEBHOOK_PATH", "LiveKitDeployment"]

log = logging.getLogger(__name__)

KINDS = frozenset({"participant_joined", "participant_left", "track_published", "track_unpublished"})
WEBHOOK_BYTES = 1 << 20
WEBHOOK_PATH = "/sandbox/livekit/webhook"


class LiveKitDeployment:
    """Implements `lifecycle.MediaPlane` with a LiveKit server elsewhere.

    Its webhooks must be pointed at `POST /sandbox/livekit/webhook`. Recording is done by a hidden participant.

    Args:
        url: the server's WebSocket address.
        api_key, api_secret: a key pair of it.
    """

    def __init__(self, url: str, api_key: str, api_secret: str) -> None:
        self.url = url
        self.api_key = api_key
        self.api_secret = api_secret
        self._listeners: list[Callable[[MediaEvent], None]] = []
        self._client = httpx.AsyncClient(timeout=10)
        self._recorders: dict[str, RoomSubscriber] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: dict[str, float] = {}

    async def start(self) -> None:
        """Nothing to start: it runs elsewhere."""

    def listen(self, listener: Callable[[MediaEvent], None]) -> None:
        """Have `listener` called with every media event."""
        self._listeners.append(listener)

    def routes(self) -> list[BaseRoute]:
        """Where the deployment's webhooks come in."""
        return [Route(WEBHOOK_PATH, self._webhook, methods=["POST"])]

    async def _webhook(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > WEBHOOK_BYTES:
            return JSONResponse({"message": "the webhook is too large"}, status_code=413)
        try:
            event = read_webhook(body, request.headers.get("authorization", ""), self.api_key, self.api_secret)
        except ForgedWebhook as error:
            return JSONResponse({"message": str(error)}, status_code=401)
        if event.event in KINDS and event.id not in self._seen:
            self._remember(event.id)
            self._tell(event)
        return JSONResponse({})

    def _remember(self, event_id: str) -> None:
        now = time.monotonic()
        self._seen = {known: at for known, at in self._seen.items() if now - at < 600}
        if event_id:
            self._seen[event_id] = now

    def _tell(self, event: object) -> None:
        from livekit.protocol.webhook import WebhookEvent

        assert isinstance(event, WebhookEvent)  # noqa: S101 - narrows for the type checker
        track = event.track if event.HasField("track") else None
        kind: Literal["audio", "video"] = (
            "audio" if track is not None and track.type == models.TrackType.AUDIO else "video"
        )
        permission = event.participant.permission
        told = MediaEvent(
            kind=event.event,  # type: ignore[arg-type]
            room=event.room.name,
            identity=event.participant.identity,
            participant_sid=event.participant.sid,
            hidden=permission.hidden or event.participant.identity.startswith(RoomSubscriber.IDENTITY),
            track_sid=track.sid if track is not None else None,
            track_kind=kind if track is not None else None,
            at=float(event.created_at or time.time()),
        )
        for listener in self._listeners:
            listener(told)

    def record(self, room_id: str, tap: Tap) -> Callable[[], None]:
        """Join the room unseen and hand its media to `tap`, encoded anew."""
        token = mint(
            self.api_key,
            self.api_secret,
            identity=f"{RoomSubscriber.IDENTITY}{room_id}",
            grants=Grants(room=room_id, room_join=True, can_publish=False, hidden=True, recorder=True),
            ttl=24 * 3600,
        )
        subscriber = RoomSubscriber(self.url, token, tap)
        self._recorders[room_id] = subscriber
        self._spawn(subscriber.start())

        def end() -> None:
            self._recorders.pop(room_id, None)
            self._spawn(subscriber.aclose())

        return end

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("recording through LiveKit failed: %s", type(error).__name__)

    async def close_room(self, room_id: str) -> bool:
        """Delete the room on the deployment: everybody is out."""
        return await self._call("DeleteRoom", service.DeleteRoomRequest(room=room_id), room_id)

    async def remove_participant(self, room_id: str, identity: str) -> bool:
        """Put one participant out."""
        request = service.RoomParticipantIdentity(room=room_id, identity=identity)
        return await self._call("RemoveParticipant", request, room_id)

    async def _call(
        self, name: str, request: service.DeleteRoomRequest | service.RoomParticipantIdentity, room_id: str
    ) -> bool:
        grants = Grants(room=room_id, room_admin=True, room_create=True)
        token = mint(self.api_key, self.api_secret, identity="sandbox", grants=grants, ttl=60)
        address = f"http{self.url.removeprefix('ws')}/twirp/livekit.RoomService/{name}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/protobuf"}
        try:
            answer = await self._client.post(address, content=request.SerializeToString(), headers=headers)
        except httpx.HTTPError as error:
            log.warning("LiveKit's %s failed: %s", name, type(error).__name__)
            return False
        return answer.is_success

    async def aclose(self) -> None:
        """Leave all rooms; what is on air there stays on air."""
        for subscriber in list(self._recorders.values()):
            await subscriber.aclose()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()
