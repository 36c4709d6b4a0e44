"""The service's REST face over the sandbox's store."""

from __future__ import annotations

from starlette.routing import BaseRoute

from spnb.sandbox.rest import (
    channels,
    communities,
    files,
    messages,
    network,
    posts,
    presence,
    products,
    reactions,
    rooms,
    sessions,
    stage,
    users,
)
from spnb.sandbox.rest.call import Services
from spnb.sandbox.rest.communities import found_standing_community
from spnb.sandbox.rest.payloads import room_payload
from spnb.sandbox.rest.products import found_catalogue
from spnb.sandbox.rest.refused import Refused, answer, envelope
from spnb.sandbox.rest.tokens import AccessTokens

__all__ = [
    "AccessTokens",
    "Refused",
    "Services",
    "answer",
    "envelope",
    "found_catalogue",
    "found_standing_community",
    "room_payload",
    "routes",
]


def routes(services: Services) -> list[BaseRoute]:
    """All REST routes, the most asked-for first: routing looks at them in order."""
    first = (rooms, presence, messages, reactions, stage, posts, channels, communities)
    parts = (*first, users, sessions, files, products, network)
    return [route for part in parts for route in part.routes(services)]
