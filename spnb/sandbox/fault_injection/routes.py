"""Faults by API: `/sandbox/faults`, with the sandbox's key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.routing import BaseRoute

from spnb.sandbox.fault_injection.rules import Faults
from spnb.sandbox.rest import AccessTokens, Refused
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.server.control_routes import ControlCall, control_route
from spnb.sandbox.store import Store

__all__ = ["Cut", "FaultRoutes"]

Cut = Callable[[str | None], Awaitable[int]]
"""`room id (None: all) → how many connections were cut`."""


class CutWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    what: Literal["signalling", "transports", "viewers", "realtime"]
    roomId: str | None = Field(default=None, max_length=100)  # noqa: N815 - the wire's own name


class ExpiryWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    what: Literal["access", "livekit"]
    userId: str | None = Field(default=None, max_length=100)  # noqa: N815 - the wire's own name


class FaultRoutes:
    """The calls that switch faults on and off, cut connections and expire tokens.

    Args:
        api_key: what callers must send.
        faults: those that are on.
        store, tokens: whose sessions are ended.
        cuts: how each kind of connection is cut; a kind that is missing cannot be.
        expire_livekit: makes all LiveKit tokens made so far expired; None where the media server is not ours.
    """

    def __init__(
        self,
        api_key: str,
        faults: Faults,
        store: Store,
        tokens: AccessTokens,
        *,
        cuts: dict[str, Cut],
        expire_livekit: Callable[[], None] | None,
    ) -> None:
        self._api_key = api_key
        self._faults = faults
        self._store = store
        self._tokens = tokens
        self._cuts = cuts
        self._expire_livekit = expire_livekit

    def routes(self) -> list[BaseRoute]:
        """What to mount."""
        base = "/sandbox/faults"
        return [
            control_route(self._api_key, "GET", base, self._list),
            control_route(self._api_key, "POST", base, self._add),
            control_route(self._api_key, "DELETE", base, self._clear),
            control_route(self._api_key, "POST", f"{base}/cut", self._cut),
            control_route(self._api_key, "POST", f"{base}/expire", self._expire),
            control_route(self._api_key, "DELETE", f"{base}/{{faultId}}", self._remove),
        ]

    async def _list(self, _call: ControlCall) -> Json:
        return {"faults": self._faults.describe()}

    async def _add(self, call: ControlCall) -> Json:
        return {"faults": [self._faults.add(call.body).describe()]}

    async def _clear(self, _call: ControlCall) -> Json:
        self._faults.clear()
        return {"faults": []}

    async def _remove(self, call: ControlCall) -> Json:
        self._faults.remove(call.path("faultId"))
        return {"faults": self._faults.describe()}

    async def _cut(self, call: ControlCall) -> Json:
        wish = call.read(CutWish)
        cut = self._cuts.get(wish.what)
        if cut is None:
            raise Refused.bad_request("Media runs on a LiveKit deployment: its connections cannot be cut from here")
        if wish.roomId is not None and wish.what == "realtime":
            raise Refused.bad_request("Real time knows no rooms: it is cut for all of them, without a room's id")
        if wish.roomId is not None and self._store.rooms.get(wish.roomId) is None:
            raise Refused.not_found(f"Room {wish.roomId!r}")
        return {"cut": await cut(wish.roomId)}

    async def _expire(self, call: ControlCall) -> Json:
        wish = call.read(ExpiryWish)
        if wish.what == "livekit":
            if self._expire_livekit is None:
                raise Refused.bad_request("Media runs on a LiveKit deployment: its tokens cannot be expired from here")
            if wish.userId is not None:
                raise Refused.bad_request("LiveKit tokens expire for all users at once, without a user's id")
            self._expire_livekit()
            return {"expired": True}
        if wish.userId is None:
            users = {session["userInternalId"] for session in self._store.sessions.find({})}
        else:
            user = self._store.user_by_public_id(wish.userId)
            if user is None:
                raise Refused.not_found(f"User {wish.userId!r}")
            users = {user["_id"]}
        for internal_id in users:
            self._tokens.revoke_all(internal_id)
        return {"expired": True}
