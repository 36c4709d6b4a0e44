"""Webhook endpoints by API: `/sandbox/webhooks`, with the sandbox's key. The service has a console page for them."""

from __future__ import annotations

import ipaddress
import secrets
from fnmatch import fnmatchcase
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field
from starlette.routing import BaseRoute

from spnb.sandbox.clock import new_id
from spnb.sandbox.rest import Refused
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.server.control_routes import ControlCall, control_route
from spnb.sandbox.store import Store
from spnb.sandbox.webhook_delivery.names import KNOWN, Style
from spnb.sandbox.webhook_delivery.sender import WebhookSender

__all__ = ["HookRoutes", "is_loopback_url"]

MOST = 10
"""Endpoints of a network, as the service documents."""
Wait = Annotated[float, Field(ge=0, le=3600)]


class EndpointWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=1000)
    secret: str | None = Field(default=None, min_length=8, max_length=200)
    style: Style = "room"
    events: list[str] = Field(default=["room.*", "post.*", "message.*"], max_length=20)
    legacy: bool = True
    retrySeconds: list[Wait] = Field(default=[1.0, 5.0, 30.0], max_length=10)  # noqa: N815 - the wire's own name


def is_loopback_url(url: str) -> bool:
    """Whether an address is http(s) on this machine's loopback: the sandbox calls nobody else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or parts.username is not None or parts.port == 0:
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class HookRoutes:
    """The calls that register endpoints and tell what became of their deliveries."""

    def __init__(self, api_key: str, store: Store, sender: WebhookSender) -> None:
        self._api_key = api_key
        self._store = store
        self._sender = sender

    def routes(self) -> list[BaseRoute]:
        """What to mount."""
        base = "/sandbox/webhooks"
        return [
            control_route(self._api_key, "GET", base, self._list),
            control_route(self._api_key, "POST", base, self._add),
            control_route(self._api_key, "DELETE", f"{base}/{{webhookId}}", self._remove),
            control_route(self._api_key, "GET", f"{base}/{{webhookId}}/deliveries", self._deliveries),
        ]

    async def _list(self, _call: ControlCall) -> Json:
        return {"webhooks": [_shown(endpoint) for endpoint in self._store.webhooks.find({})]}

    async def _add(self, call: ControlCall) -> Json:
        """Register an endpoint. Its secret, given or made here, is told this once."""
        wish = call.read(EndpointWish)
        if not is_loopback_url(wish.url):
            raise Refused.bad_request("The sandbox sends webhooks to loopback only: http://127.0.0.1:port/…")
        if unknown := [pattern for pattern in wish.events if not any(fnmatchcase(name, pattern) for name in KNOWN)]:
            raise Refused.bad_request(
                f"Nothing is called {unknown[0]!r}: choose from {', '.join(KNOWN)}, or a kind such as room.*"
            )
        if self._store.webhooks.count({}) >= MOST:
            raise Refused.bad_request(f"A network has at most {MOST} webhooks: remove one first")
        endpoint = {
            **wish.model_dump(),
            "webhookId": new_id(),
            "secret": wish.secret or secrets.token_hex(24),
            "createdAt": self._store.now(),
        }
        self._store.webhooks.insert(endpoint)
        self._sender.open(endpoint)
        return {"webhooks": [{**_shown(endpoint), "secret": endpoint["secret"]}]}

    def _endpoint(self, call: ControlCall) -> Json:
        webhook_id = call.path("webhookId")
        found = self._store.webhooks.get(webhook_id)
        if found is None:
            raise Refused.not_found(f"Webhook {webhook_id!r}")
        return found

    async def _remove(self, call: ControlCall) -> Json:
        webhook_id = self._endpoint(call)["webhookId"]
        self._store.webhooks.delete(webhook_id)
        await self._sender.close(webhook_id)
        return {"success": True}

    async def _deliveries(self, call: ControlCall) -> Json:
        return {"deliveries": self._sender.deliveries(self._endpoint(call)["webhookId"])}


def _shown(endpoint: Json) -> Json:
    return {name: value for name, value in endpoint.items() if name != "secret"}
