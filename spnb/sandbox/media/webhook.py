"""LiveKit's signed webhooks, for a media server that runs on its own: a JWT over the body's SHA-256."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import time

import httpx
import jwt
from google.protobuf import json_format
from livekit.protocol import models, webhook

from spnb.config import is_loopback
from spnb.sandbox.media.frames import MediaEvent
from spnb.sandbox.media.participant import new_sid

__all__ = ["ForgedWebhook", "WebhookSender", "read_webhook"]

log = logging.getLogger(__name__)

ATTEMPTS = 4


class ForgedWebhook(Exception):
    """A webhook whose signature does not fit; the message says how."""


class WebhookSender:
    """Posts media events in their order to one URL, signed, with a few retries."""

    def __init__(self, url: str, api_key: str, api_secret: str) -> None:
        self._url = url
        self._key, self._secret = api_key, api_secret
        self._queue: asyncio.Queue[webhook.WebhookEvent] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def __call__(self, event: MediaEvent) -> None:
        """Queue an event."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="livekit-webhooks")
        message = webhook.WebhookEvent(
            event=event.kind,
            id=new_sid("EV"),
            created_at=int(event.at),
            room=models.Room(name=event.room),
            participant=models.ParticipantInfo(
                sid=event.participant_sid,
                identity=event.identity,
                permission=models.ParticipantPermission(can_publish=event.can_publish, hidden=event.hidden),
            ),
        )
        if event.track_sid is not None:
            kind = models.TrackType.AUDIO if event.track_kind == "audio" else models.TrackType.VIDEO
            message.track.CopyFrom(models.TrackInfo(sid=event.track_sid, type=kind))
        self._queue.put_nowait(message)

    async def _run(self) -> None:
        async with httpx.AsyncClient(timeout=5, trust_env=not is_loopback(self._url)) as client:
            while True:
                await self._post(client, await self._queue.get())

    async def _post(self, client: httpx.AsyncClient, message: webhook.WebhookEvent) -> None:
        body = json_format.MessageToJson(message).encode()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        for attempt in range(ATTEMPTS):
            claims = {"iss": self._key, "exp": time.time() + 300, "sha256": digest}
            token = jwt.encode(claims, self._secret, algorithm="HS256")
            headers = {"Authorization": token, "Content-Type": "application/webhook+json"}
            try:
                answer = await client.post(self._url, content=body, headers=headers)
                if answer.status_code < 500:
                    return
            except Exception as error:  # noqa: BLE001 - whatever it was, the next event has its turn
                log.info("webhook attempt %d failed: %s", attempt + 1, type(error).__name__)
            await asyncio.sleep(0.2 * 2**attempt)

    async def aclose(self) -> None:
        """Stop sending."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def read_webhook(body: bytes, authorization: str, api_key: str, api_secret: str) -> webhook.WebhookEvent:
    """Verify a LiveKit webhook and read it.

    Raises:
        ForgedWebhook: token, digest or body do not fit each other.
    """
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "), api_secret, algorithms=["HS256"], issuer=api_key, leeway=5
        )
    except jwt.InvalidTokenError as error:
        raise ForgedWebhook(f"the webhook's token is not valid ({type(error).__name__})") from None
    told = str(claims.get("sha256", ""))
    digest = hashlib.sha256(body).digest()
    if told not in (base64.b64encode(digest).decode(), digest.hex()):
        raise ForgedWebhook("the webhook's body is not the one that was signed")
    try:
        return json_format.Parse(body, webhook.WebhookEvent(), ignore_unknown_fields=True)
    except json_format.ParseError:
        raise ForgedWebhook("the webhook's body is no LiveKit event") from None
