"""One REST call: who calls, what was sent, and the parts of the sandbox that answer."""

from __future__ import annotations

import hmac
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spnb.sandbox.rest.prehook import EVENTS, Prehooks
from spnb.sandbox.rest.query import Query
from spnb.sandbox.rest.refused import Refused, answer, envelope
from spnb.sandbox.rest.sound import MOST_BODY_BYTES, read_body, read_json
from spnb.sandbox.rest.tokens import AccessTokens
from spnb.sandbox.rest.watch_key import PublicWatchKey
from spnb.sandbox.rooms.network_settings import NetworkSettings
from spnb.sandbox.rooms.ports import Events, Json, Stage
from spnb.sandbox.server.settings import SandboxSettings
from spnb.sandbox.store import Store

__all__ = ["Call", "Services", "serve"]

B = TypeVar("B", bound=BaseModel)
Audience = Literal["anyone", "key", "user"]


@dataclass(slots=True)
class Services:
    """What the REST face stands on."""

    store: Store
    stage: Stage
    events: Events
    settings: SandboxSettings
    network: NetworkSettings
    tokens: AccessTokens
    api_key: str
    base_url: str
    watch_key: PublicWatchKey | None = None
    """Checks who signed watch sessions; None takes any."""
    prehooks: Prehooks = field(init=False)
    """Asked before something is stored."""
    heartbeats: dict[str, dict[str, tuple[float, str]]] = field(default_factory=dict)
    """Room → user → (monotonic time of the last heartbeat, wire time of the first)."""
    sent: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    """Channel and user → monotonic times of the latest messages, for slow mode."""
    sampled: dict[str, float] = field(default_factory=dict)
    """Room → monotonic time of the last presence count that was kept."""
    _recent: dict[str, deque[float]] = field(default_factory=dict)
    _reads: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prehooks = Prehooks(self.store)

    def admit(self, user: Json, *, kind: str, writes: bool) -> None:
        """Apply the documented limits of a user, visitor or bot.

        Raises:
            Refused: 429/400311 beyond the rate limit, 403 for a visitor's or bot's write or used-up quota.
        """
        if kind in ("visitor", "bot"):
            if writes:
                raise Refused(403, 403999 if kind == "visitor" else 403998, f"A {kind} may only read: log in as a user")
            day = f"{user['_id']}:{self.store.now()[:10]}"
            self._reads[day] = self._reads.get(day, 0) + 1
            if self._reads[day] > self.settings.visitor_reads_per_day:
                raise Refused(403, 400323, "The daily reads of visitors are used up: log in as a user")
        if not self.settings.rate_limit:
            return
        now = time.monotonic()
        times = self._recent.setdefault(user["_id"], deque())
        while times and now - times[0] >= self.settings.rate_limit_window:
            times.popleft()
        if len(times) >= self.settings.rate_limit_requests:
            wait = self.settings.rate_limit_window - (now - times[0])
            raise Refused(
                429,
                400311,
                f"Too many requests: {self.settings.rate_limit_requests} are allowed"
                f" in {self.settings.rate_limit_window:g} s",
                headers={"Retry-After": str(max(1, round(wait)))},
            )
        times.append(now)


@dataclass(slots=True)
class Call:
    """A request that was let in."""

    request: Request
    services: Services
    query: Query
    body: Any
    caller: Json | None
    kind: str = "signed-in"

    @property
    def user(self) -> Json:
        """The user who calls."""
        if self.caller is None:
            raise Refused.unauthorized()
        return self.caller

    @property
    def user_id(self) -> str:
        """The public id of the user who calls."""
        return str(self.user["userId"])

    @property
    def store(self) -> Store:
        """The database."""
        return self.services.store

    def name_of(self, member: Json) -> str:
        """The display name of a member of a channel or community."""
        user = self.store.user_by_public_id(member["userId"])
        return str(user["displayName"]) if user else ""

    def path(self, name: str) -> str:
        """A path parameter."""
        return str(self.request.path_params[name])

    @property
    def base_url(self) -> str:
        """Where we are reached. Never what a request says of it: its answer and its events are others' to follow."""
        return self.services.base_url

    def read(self, model: type[B]) -> B:
        """The JSON body as `model`.

        Raises:
            Refused: 422 with every broken rule.
        """
        try:
            return model.model_validate(self.body)
        except ValidationError as error:
            raise Refused.invalid(
                [f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors()]
            ) from None

    def publish(self, topics: list[str], event_type: str, data: Json, *, subject_id: str = "") -> None:
        """Announce a change in the caller's name."""
        sender = str(self.caller["_id"]) if self.caller else ""
        self.services.events.publish(topics, event_type, data, subject_id=subject_id, sender_id=sender)


Handler = Callable[[Call], Awaitable[Response | Json | list[Json]]]


def serve(
    services: Services,
    method: str,
    path: str,
    handler: Handler,
    *,
    audience: Audience = "user",
    most: int = MOST_BODY_BYTES,
) -> Route:
    """A route that authenticates, parses, calls `handler` and turns refusals into envelopes."""

    asked_as = EVENTS.get((method, path))

    async def endpoint(request: Request) -> Response:
        try:
            caller, kind = None, "signed-in"
            if audience == "user":
                caller, kind = services.tokens.caller(request)
                services.admit(caller, kind=kind, writes=method not in ("GET", "HEAD"))
            elif audience == "key":
                given = request.headers.get("x-api-key", "")
                if not hmac.compare_digest(given.encode(), services.api_key.encode()):
                    raise Refused.unauthorized("The API key is not this service's: check X-API-Key")
            body = await _body(request, most) if method in ("POST", "PUT", "DELETE") else None
            if caller is not None and asked_as is not None:
                # Before anything is read of what it changes: an answer may take its time.
                body = await services.prehooks.ask(asked_as, caller, request.path_params, body)
            call = Call(request, services, Query(request.scope["query_string"]), body, caller, kind)
            result = await handler(call)
        except Refused as refused:
            return envelope(refused)
        return result if isinstance(result, Response) else answer(result)

    return Route(path, endpoint, methods=[method], name=f"{method} {path}")


async def _body(request: Request, most: int) -> Any:
    if request.headers.get("content-type", "").startswith("multipart/"):
        return None  # uploads read their form themselves
    return read_json(await read_body(request, most))
