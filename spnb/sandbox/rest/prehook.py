"""The network asks a server of its owner's before it stores something: allow, refuse or change it.

Settings, body, signature and time limit are the service's; the error code of a refusal, and that what is asked about
is the request's own body with the ids of its path and channel, are choices.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
from typing import Any
from urllib.parse import urlsplit

import httpx

from spnb.config import is_loopback
from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Store
from spnb.sandbox.written import written

__all__ = ["EVENTS", "Prehooks"]

log = logging.getLogger(__name__)

TIME_LIMIT_SECONDS = 3.0
FACT, KEY = "prehook", "prehook-key"
MESSAGE, CHANNEL, POST = "/api/v5/messages", "/api/v3/channels", "/api/v4/posts"
EVENTS = {
    ("POST", MESSAGE): "message.shouldCreate",
    ("PUT", f"{MESSAGE}/{{messageId}}"): "message.shouldUpdate",
    ("POST", f"{MESSAGE}/{{messageId}}/flags"): "message.shouldFlag",
    ("DELETE", f"{MESSAGE}/{{messageId}}/flags"): "message.shouldUnflag",
    ("POST", CHANNEL): "channel.shouldCreate",
    ("PUT", f"{CHANNEL}/{{channelId}}"): "channel.shouldUpdate",
    ("POST", f"{CHANNEL}/{{channelId}}/join"): "channel.shouldJoin",
    ("DELETE", f"{CHANNEL}/{{channelId}}/leave"): "channel.shouldLeave",
    ("POST", POST): "post.shouldCreate",
    ("PUT", f"{POST}/{{postId}}"): "post.shouldUpdate",
    ("DELETE", f"{POST}/{{postId}}"): "post.shouldDelete",
    ("POST", "/api/v3/posts/{postId}/flag"): "post.shouldFlag",
}
"""Which calls it is asked about, and as what."""


class Prehooks:
    """Where the network asks, and its asking.

    Args:
        store: keeps the settings and the key that questions are signed with.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._client: httpx.AsyncClient | None = None

    @property
    def settings(self) -> Json:
        """The settings, without the key."""
        kept: Json = json.loads(self._store.fact(FACT) or "{}")
        return {"enabled": False, "callbackUrl": "", "defaultAction": "allow", **kept}

    def change(self, changed: Json, *, new_key: bool) -> Json:
        """Change what is named.

        Returns:
            The settings, with the key.

        Raises:
            Refused: the address is not on this machine: the sandbox asks nobody else.
        """
        url = changed.get("callbackUrl")
        if url and not (is_loopback(url) and urlsplit(url).scheme in ("http", "https")):
            raise Refused.bad_request("The sandbox asks pre-hooks on loopback only: http://127.0.0.1:port/…")
        self._store.keep_fact(FACT, json.dumps({**self.settings, **changed}))
        if new_key:
            self._store.keep_fact(KEY, secrets.token_hex(24))
        return {**self.settings, "secretKey": self._store.secret(KEY)}

    async def ask(self, event: str, actor: Json, about: dict[str, str], body: Any) -> Any:
        """Ask, and give the body as it is to be taken.

        Args:
            event: e.g. `message.shouldCreate`.
            actor: the user who wants it.
            about: ids of the path.
            body: of the request.

        Raises:
            Refused: it is not to be.
        """
        settings = self.settings
        if not (settings["enabled"] and settings["callbackUrl"]):
            return body
        wished = body if isinstance(body, dict) else {}
        about = {**about, **self._channel_of(about, wished)}
        actor_told = {"_id": actor["_id"], "userId": actor["userId"]}
        question = written({"eventName": event, "data": {**wished, **about}, "actor": actor_told})
        told = await self._answer(settings["callbackUrl"], question)
        if told is None:
            if settings["defaultAction"] == "deny":
                raise Refused.forbidden("The network's pre-hook did not answer, and what it is not asked is refused")
            return body
        if told["action"] == "deny":
            raise Refused.forbidden(str(told.get("message") or "The network's pre-hook refused it"), 400300)
        changes = told.get("data")
        if not isinstance(changes, dict) or not changes:
            return body
        changed = {**wished, **{name: value for name, value in changes.items() if name not in about}}
        if isinstance(changes.get("data"), dict) and isinstance(wished.get("data"), dict):
            changed["data"] = {**wished["data"], **changes["data"]}
        return changed

    def _channel_of(self, about: dict[str, str], wished: Json) -> dict[str, str]:
        """The channel that a message is for, which its request names by its feed only."""
        message = self._store.messages.get(about["messageId"]) if "messageId" in about else None
        if message is not None:
            return {"channelId": message["channelPublicId"]}
        feed_id = wished.get("messageFeedId") or wished.get("subChannelId")
        if not isinstance(feed_id, str):
            return {}
        feed = self._store.message_feeds.get(feed_id)
        if feed is not None:
            return {"channelId": feed["channelPublicId"]}
        # Either id of a channel names its default feed.
        channel = self._store.channels.get(feed_id) or self._store.channels.first({"channelInternalId": feed_id})
        return {"channelId": channel["channelId"]} if channel is not None else {}

    async def _answer(self, url: str, question: bytes) -> Json | None:
        """What it says; None where that is nothing, in time and sound."""
        if self._client is None:
            self._client = httpx.AsyncClient(trust_env=False, timeout=TIME_LIMIT_SECONDS)
        signature = hmac.new(self._store.secret(KEY).encode(), question, hashlib.sha256).hexdigest()
        headers = {"x-signature": signature, "Content-Type": "application/json", "User-Agent": "spnb-sandbox"}
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                answer = await self._client.post(url, content=question, headers=headers)
            told: Any = answer.json() if answer.is_success else None
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("the pre-hook did not answer: %s", type(error).__name__)
            return None
        if not isinstance(told, dict) or told.get("action") not in ("allow", "deny"):
            log.warning("the pre-hook's answer (HTTP %d) is none", answer.status_code)
            return None
        return told

    async def aclose(self) -> None:
        """Ask no more."""
        if self._client is not None:
            await self._client.aclose()
