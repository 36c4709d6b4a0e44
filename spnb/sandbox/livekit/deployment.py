"""A real LiveKit deployment in the embedded server's place: its tokens, its webhooks, its room service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
from google.protobuf.message import DecodeError, Message
from livekit.protocol import models
from livekit.protocol import room as service
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spnb._lasting import kept_up
from spnb.config import is_loopback
from spnb.sandbox.livekit.egress import Egress
from spnb.sandbox.livekit.presence import Presence
from spnb.sandbox.media.frames import MediaEvent, Tap
from spnb.sandbox.media.tokens import Grants, mint
from spnb.sandbox.media.webhook import ForgedWebhook, read_webhook
from spnb.sandbox.recorder.subscriber import RoomSubscriber

__all__ = ["WEBHOOK_PATH", "LiveKitDeployment"]

log = logging.getLogger(__name__)

WEBHOOK_BYTES = 1 << 20
ASK_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
WEBHOOK_PATH = "/sandbox/livekit/webhook"


class LiveKitDeployment:
    """Implements `lifecycle.MediaPlane` with a LiveKit server elsewhere.

    Its webhooks should be pointed at `POST /sandbox/livekit/webhook`; what they do not tell is asked for. Recording is
    done by a hidden participant.

    Args:
        url: the server's WebSocket address.
        api_key, api_secret: a key pair of it.
        egress: the folder that its Egress writes recordings into; without it the sandbox records by itself.
    """

    def __init__(self, url: str, api_key: str, api_secret: str, *, egress: Path | None = None) -> None:
        self.url = url
        self.api_key = api_key
        self.api_secret = api_secret
        self._listeners: list[Callable[[MediaEvent], None]] = []
        self._client = httpx.AsyncClient(timeout=10, trust_env=not is_loopback(url))
        self._recorders: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._seen: dict[str, float] = {}
        self._presence = Presence(RoomSubscriber.IDENTITY)
        self._followed: set[str] = set()
        self._told_at: dict[str, float] = {}
        self._answers = True
        self._asking: asyncio.Task[None] | None = None
        self.egress = Egress(self._egress_call, egress) if egress is not None else None

    async def start(self) -> None:
        """Begin to look after rooms; the server itself runs elsewhere."""
        self._asking = asyncio.create_task(kept_up(self._keep_asking, "asking LiveKit"), name="livekit-rooms")

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
        if event.id not in self._seen:
            self._remember(event.id)
            if event.HasField("egress_info"):
                if self.egress is not None:
                    self.egress.heard()
                return JSONResponse({})
            self._told_at[event.room.name] = time.monotonic()
            if event.event == "room_finished":
                self._followed.discard(event.room.name)
            else:
                self._followed.add(event.room.name)
            self._tell(self._presence.told(event))
        return JSONResponse({})

    def _remember(self, event_id: str) -> None:
        now = time.monotonic()
        self._seen = {known: at for known, at in self._seen.items() if now - at < 600}
        if event_id:
            self._seen[event_id] = now

    def _tell(self, news: list[MediaEvent]) -> None:
        for event in news:
            for listener in self._listeners:
                listener(event)

    # -- asking, for what webhooks have not told

    def follow(self, room_id: str) -> None:
        """Look after a room from now on until it is closed."""
        self._followed.add(room_id)

    async def catch_up(self, room_ids: Iterable[str]) -> None:
        """Tell what has happened unseen in these rooms, and follow them."""
        self._followed.update(room_ids)
        await self._ask()

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(ASK_SECONDS)
            await self._ask()

    async def _ask(self) -> None:
        """Compare rooms with what is known of them: a webhook that was lost is made up for."""
        for room in list(self._followed):
            began = time.monotonic()
            try:
                answer = await self._call("ListParticipants", service.ListParticipantsRequest(room=room), room)
                here = service.ListParticipantsResponse.FromString(answer).participants if answer is not None else []
            except (httpx.HTTPError, DecodeError) as error:
                if self._answers:
                    log.warning("LiveKit cannot be asked who is in its rooms: %s", type(error).__name__)
                self._answers = False
                return
            self._answers = True
            # What was told while the answer was on its way is newer than the answer.
            if self._told_at.get(room, 0.0) < began and room in self._followed:
                state = models.ParticipantInfo.State
                self._tell(self._presence.found(room, [who for who in here if who.state != state.DISCONNECTED]))

    # -- recording

    def record(self, room_id: str, tap: Tap) -> Callable[[], None]:
        """Join the room unseen and hand its media to `tap`, encoded anew; or have it recorded by Egress."""
        if self.egress is not None:
            return self.egress.record(room_id, tap)
        recording = asyncio.create_task(self._recording(room_id, tap), name=f"livekit-recorder {room_id}")
        self._recorders[room_id] = recording

        def end() -> None:
            if self._recorders.pop(room_id, None) is recording:
                recording.cancel()
                self._ending.add(recording)
                recording.add_done_callback(self._ending.discard)

        return end

    async def _recording(self, room_id: str, tap: Tap) -> None:
        """Be in the room until cancelled; whoever is thrown out, by a lost line or a restarted server, comes back."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            subscriber = RoomSubscriber(self.url, self._recorder_token(room_id), tap)
            try:
                await subscriber.start()
                await subscriber.gone.wait()
                log.info("the recorder of room %s was disconnected: it joins again", room_id)
            except Exception as error:  # noqa: BLE001 - the SDK's errors have no common base
                log.warning("the recorder cannot join room %s: %s; it tries again", room_id, type(error).__name__)
            finally:
                await subscriber.aclose()
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    def _recorder_token(self, room_id: str) -> str:
        return mint(
            self.api_key,
            self.api_secret,
            identity=f"{RoomSubscriber.IDENTITY}{room_id}",
            grants=Grants(room=room_id, room_join=True, can_publish=False, hidden=True, recorder=True),
            ttl=24 * 3600,
        )

    # -- commands

    async def close_room(self, room_id: str) -> bool:
        """Delete the room on the deployment: everybody is out."""
        self._followed.discard(room_id)
        self._told_at.pop(room_id, None)
        done = await self._done("DeleteRoom", service.DeleteRoomRequest(room=room_id), room_id)
        self._tell(self._presence.found(room_id, []))
        return done

    async def remove_participant(self, room_id: str, identity: str) -> bool:
        """Put one participant out."""
        request = service.RoomParticipantIdentity(room=room_id, identity=identity)
        return await self._done("RemoveParticipant", request, room_id)

    async def _done(self, name: str, request: Message, room_id: str) -> bool:
        try:
            return await self._call(name, request, room_id) is not None
        except httpx.HTTPError as error:
            log.warning("LiveKit's %s failed: %s", name, type(error).__name__)
            return False

    async def _egress_call(self, name: str, request: Message, room_id: str) -> bytes | None:
        return await self._call(name, request, room_id, service_name="Egress")

    async def _call(
        self, name: str, request: Message, room_id: str, *, service_name: str = "RoomService"
    ) -> bytes | None:
        """Call a service of the server; None where what is named does not exist.

        Raises:
            httpx.HTTPError: it could not be reached, or refused.
        """
        grants = Grants(room=room_id, room_admin=True, room_create=True, room_record=service_name == "Egress")
        token = mint(self.api_key, self.api_secret, identity="sandbox", grants=grants, ttl=60)
        address = f"http{self.url.removeprefix('ws')}/twirp/livekit.{service_name}/{name}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/protobuf"}
        answer = await self._client.post(address, content=request.SerializeToString(), headers=headers)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.content

    async def aclose(self) -> None:
        """Leave all rooms; what is on air there stays on air."""
        tasks = [*self._recorders.values(), *self._ending, *([self._asking] if self._asking else [])]
        self._recorders.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.egress is not None:
            await self.egress.aclose()
        await self._client.aclose()
