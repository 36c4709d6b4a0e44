"""The automatic moderation, played: a finding flags a room or terminates it, by the thresholds of its category.

The service looks at pictures itself and offers no call for it; here `POST /sandbox/rooms/{id}/moderation` says what it
would have found. Below the flag threshold a finding passes; from it on the stream is flagged and goes on; from the
terminate threshold on it is stopped, its post deleted, its room `terminated` (social.plus moderation pages).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spnb.sandbox.realtime import topics
from spnb.sandbox.rest import Refused, envelope
from spnb.sandbox.rest.social_payloads import post_payload
from spnb.sandbox.rest.sound import read_body, read_json
from spnb.sandbox.rooms.network_settings import NetworkSettings
from spnb.sandbox.rooms.ports import Events, Json, Stage
from spnb.sandbox.store import Store

__all__ = ["Moderation"]


class Finding(BaseModel):
    """What was seen in the pictures, and how sure it is."""

    category: str = Field(min_length=1, max_length=50)
    confidence: float = Field(ge=0, le=1)


class Judged(Stage, Protocol):
    """What moderation asks of the lifecycle."""

    base_url: str

    def flag(self, room_id: str, moderation: Json) -> Json | None:
        """Write findings; the stream goes on."""
        ...

    async def terminate(self, room_id: str, moderation: Json) -> Json | None:
        """Stop the stream for what was found."""
        ...


class Moderation:
    """Judges findings.

    Args:
        store, stage, events: the sandbox's parts.
        network: the thresholds, and whether anything is looked at.
        has_key: whether a request bears the sandbox's key.
    """

    def __init__(
        self,
        store: Store,
        stage: Judged,
        events: Events,
        network: NetworkSettings,
        has_key: Callable[[HTTPConnection], bool],
    ) -> None:
        self._store = store
        self._stage = stage
        self._events = events
        self._network = network
        self._has_key = has_key

    def routes(self) -> list[BaseRoute]:
        """The sandbox's own call; it needs the API key."""
        return [Route("/sandbox/rooms/{roomId}/moderation", self._found, methods=["POST"])]

    async def _found(self, request: Request) -> Response:
        try:
            if not self._has_key(request):
                raise Refused.unauthorized("The API key is not this sandbox's: check X-API-Key")
            try:
                finding = Finding.model_validate(read_json(await read_body(request)))
            except ValidationError:
                raise Refused.invalid(["the body is {category, confidence}, with a confidence from 0 to 1"]) from None
            return JSONResponse(await self.judge(request.path_params["roomId"], finding))
        except Refused as refused:
            return envelope(refused)

    async def judge(self, room_id: str, finding: Finding) -> Json:
        """Act on a finding.

        Returns:
            `{action: pass|flag|terminate, category, threshold}`.

        Raises:
            Refused: there is no such room, it is not on air, or the category is none.
        """
        room = self._store.rooms.get(room_id)
        if room is None or room["isDeleted"]:
            raise Refused.not_found(f"Room {room_id!r}")
        if room["status"] not in ("live", "waitingReconnect"):
            raise Refused.bad_request(f"The room is {room['status']}: only what is on air is looked at")
        thresholds = self._network.thresholds.get(finding.category)
        if thresholds is None:
            known = ", ".join(self._network.thresholds)
            raise Refused.bad_request(f"There is no category {finding.category!r}: choose from {known}")
        if not self._network.moderated:
            return {"action": "pass", "category": finding.category, "threshold": thresholds.flag}
        if finding.confidence >= thresholds.terminate:
            moderation = self._noted(room, "terminateLabels", finding.category, thresholds.terminate)
            await self._stage.terminate(room_id, moderation)
            self._delete_post(room)
            return {"action": "terminate", "category": finding.category, "threshold": thresholds.terminate}
        if finding.confidence >= thresholds.flag:
            self._stage.flag(room_id, self._noted(room, "flagLabels", finding.category, thresholds.flag))
            return {"action": "flag", "category": finding.category, "threshold": thresholds.flag}
        return {"action": "pass", "category": finding.category, "threshold": thresholds.flag}

    def _noted(self, room: Json, kind: str, category: str, threshold: float) -> Json:
        at = self._store.now()
        moderation: Json = {"flagLabels": [], "terminateLabels": [], **(room.get("moderation") or {})}
        # The API names it `category`, the SDKs `categoryId`.
        label = {"category": category, "categoryId": category, "threshold": threshold, "detectedAt": at}
        others = [known for known in moderation[kind] if known["category"] != category]
        return {**moderation, kind: [*others, label], "updatedAt": at}

    def _delete_post(self, room: Json) -> None:
        post = self._store.posts.get(str(room.get("referenceId") or ""))
        if post is None:
            return
        parent = self._store.posts.get(str(post.get("parentPostId") or "")) or post
        children = self._store.posts.get_many(parent["children"])
        for each in (parent, *children):
            self._store.posts.save({**each, "isDeleted": True, "updatedAt": self._store.now()})
        gone = {**parent, "isDeleted": True}
        data = post_payload(self._store, self._stage, [gone], reader=None, base_url=self._stage.base_url)
        self._events.publish(topics.post(gone), "post.deleted", data, subject_id=gone["postId"])
