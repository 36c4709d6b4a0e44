"""The sandbox's own calls, below `/sandbox/`: they need its API key and answer in the service's error envelope."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spnb.sandbox.rest import Refused, answer, envelope
from spnb.sandbox.rest.sound import read_body, read_json
from spnb.sandbox.rooms.ports import Json

__all__ = ["ControlCall", "control_route"]

B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ControlCall:
    """A call that was let in."""

    request: Request
    body: Any

    def path(self, name: str) -> str:
        """A path parameter."""
        return str(self.request.path_params[name])

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


def control_route(api_key: str, method: str, path: str, handler: Callable[[ControlCall], Awaitable[Json]]) -> Route:
    """A route that checks the key, reads the JSON body and turns refusals into envelopes."""

    async def endpoint(request: Request) -> Response:
        try:
            given = request.headers.get("x-api-key", "")
            if not hmac.compare_digest(given.encode(), api_key.encode()):
                raise Refused.unauthorized("The API key is not this sandbox's: check X-API-Key")
            return answer(await handler(ControlCall(request, read_json(await read_body(request)))))
        except Refused as refused:
            return envelope(refused)

    return Route(path, endpoint, methods=[method], name=f"{method} {path}")
